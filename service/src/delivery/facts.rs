//! A lead as a payload needs it, from its row.

use std::collections::BTreeMap;

use domain::delivery::LeadFacts;
use domain::ids::{LeadId, TenantId};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row as _};

use super::Error;

/// The columns of `lead` and its source's slug, `source`, as facts.
pub(super) fn facts(row: &PgRow) -> Result<LeadFacts, sqlx::Error> {
    let details: Json<BTreeMap<String, Box<RawValue>>> = row.try_get("details")?;
    Ok(LeadFacts {
        id: LeadId(row.try_get("id")?),
        source: row.try_get("source")?,
        received_at: row.try_get("received_at")?,
        external_id: row.try_get("external_id")?,
        lead_type: row.try_get("lead_type")?,
        channel: row.try_get("channel")?,
        first_name: row.try_get("first_name")?,
        last_name: row.try_get("last_name")?,
        phone: row.try_get("phone")?,
        phone_ext: row.try_get("phone_ext")?,
        alt_phones: row.try_get::<Option<_>, _>("alt_phones")?.unwrap_or_default(),
        email: row.try_get("email")?,
        alt_emails: row.try_get::<Option<_>, _>("alt_emails")?.unwrap_or_default(),
        address: row.try_get("address")?,
        city: row.try_get("city")?,
        state: row.try_get("state")?,
        zip: row.try_get("zip")?,
        zip4: row.try_get("zip4")?,
        details: details.0,
    })
}

/// The facts of one lead; none when the tenant has no such lead.
pub(super) async fn of_lead(
    connection: &mut PgConnection,
    tenant: TenantId,
    lead: LeadId,
) -> Result<Option<LeadFacts>, Error> {
    let row = sqlx::query(
        "SELECT l.*, s.slug AS source FROM lead l
         JOIN lead_source s ON s.tenant_id = l.tenant_id AND s.id = l.source_id
         WHERE l.tenant_id = $1 AND l.id = $2",
    )
    .bind(tenant.uuid())
    .bind(lead.uuid())
    .fetch_optional(connection)
    .await?;
    Ok(row.as_ref().map(facts).transpose()?)
}
