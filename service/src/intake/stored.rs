//! A stored lead, read back as the rules know it.

use std::collections::HashMap;

use domain::ids::TenantId;
use domain::intake::details_from_json;
use domain::lead::Lead;
use entity::lead;
use sea_orm::FromQueryResult;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// A stored lead and where its current revision came from.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The lead.
    pub lead: Lead,
    /// Of its current revision.
    pub fingerprint: Uuid,
    /// The file of its current revision.
    pub import_id: Option<Uuid>,
    /// Its record number there.
    pub record: Option<i32>,
}

/// Reads those leads and locks them until the transaction ends.
pub async fn load_for_update(
    connection: &mut PgConnection,
    tenant: TenantId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Stored>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query("SELECT * FROM lead WHERE tenant_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE")
        .bind(tenant.uuid())
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let row = lead::Model::from_query_result(&row.into(), "")?;
            Ok((row.id, Stored::read(row)?))
        })
        .collect()
}

impl Stored {
    fn read(row: lead::Model) -> Result<Self, Error> {
        let corrupt = |error| Error::internal(format!("reading lead.details of {}", row.id), error);
        let details = details_from_json(&row.details.to_string()).map_err(corrupt)?;
        let small = |text: Option<String>| text.map(Into::into);
        let many =
            |texts: Option<Vec<String>>| texts.unwrap_or_default().into_iter().map(Into::into).collect();
        Ok(Self {
            lead: Lead {
                external_id: small(row.external_id),
                lead_type: small(row.lead_type),
                channel: Some(row.channel.into()),
                first_name: small(row.first_name),
                last_name: small(row.last_name),
                phone: small(row.phone),
                phone_ext: small(row.phone_ext),
                alt_phones: many(row.alt_phones),
                email: small(row.email),
                alt_emails: many(row.alt_emails),
                address: small(row.address),
                city: small(row.city),
                state: small(row.state),
                zip: small(row.zip),
                zip4: small(row.zip4),
                details,
                extra: texts_from_json(row.extra.as_ref()),
            },
            fingerprint: row.fingerprint,
            import_id: row.import_id,
            record: row.record,
        })
    }
}

fn texts_from_json(
    json: Option<&serde_json::Value>,
) -> Vec<(compact_str::CompactString, compact_str::CompactString)> {
    let Some(serde_json::Value::Object(fields)) = json else { return Vec::new() };
    fields.iter().map(|(name, value)| (name.into(), value.as_str().unwrap_or_default().into())).collect()
}
