//! The lead that a report is about.

use domain::ids::{DestinationId, LeadId, SourceId, TenantId};
use domain::inbound::About;
use domain::intake::Regions;
use domain::intake::rules::{email, phone};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::error::Error;
use crate::intake::merge;

/// The lead that a report is about: by the destination's id, ours, the source's, phone, e-mail, in this order. Only leads that went to this
/// destination count; of several by a phone or an e-mail, the newest.
pub(super) async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    destination: DestinationId,
    about: &About,
) -> Result<Option<LeadId>, Error> {
    let place = (tenant, destination);
    if let Some(remote) = &about.remote_id {
        let found: Option<Uuid> = sqlx::query_scalar(
            "SELECT lead_id FROM delivery WHERE tenant_id = $1 AND destination_id = $2 AND remote_id = $3 ORDER BY id DESC LIMIT 1",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(remote)
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(lead) = found {
            return Ok(Some(LeadId(lead)));
        }
    }
    if let Some(lead) = about.lead_id.as_deref().and_then(|id| id.parse::<LeadId>().ok()) {
        let found =
            delivered(connection, place, "l.id = ANY($3::text[]::uuid[])", vec![lead.uuid().to_string()])
                .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    if let Some(external) = &about.external_id {
        let sources: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM lead_source WHERE tenant_id = $1")
            .bind(tenant.uuid())
            .fetch_all(&mut *connection)
            .await?;
        let identity = |source| merge::identity_of(SourceId(source), external).to_string();
        let names = sources.into_iter().map(identity).collect();
        let found = delivered(connection, place, "l.identity = ANY($3::text[]::uuid[])", names).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    if let Some(phone) =
        about.phone.as_deref().and_then(|text| phone::normalise(text, &Regions::default()).ok())
    {
        let found = delivered(connection, place, "l.phone = ANY($3)", vec![phone.number.to_string()]).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some(email) = about.email.as_deref().and_then(|text| email::normalise(text).ok()) else {
        return Ok(None);
    };
    delivered(connection, place, "l.email = ANY($3)", vec![email.to_string()]).await
}

/// The newest lead of that condition which went to the destination. Each condition is one that an index of leads answers.
async fn delivered(
    connection: &mut PgConnection,
    (tenant, destination): (TenantId, DestinationId),
    condition: &'static str,
    values: Vec<String>,
) -> Result<Option<LeadId>, Error> {
    let sql = format!(
        "SELECT l.id FROM lead l WHERE l.tenant_id = $1 AND {condition}
         AND EXISTS (SELECT FROM delivery d WHERE d.tenant_id = $1 AND d.lead_id = l.id AND d.destination_id = $2)
         ORDER BY l.id DESC LIMIT 1"
    );
    let found: Option<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(values)
        .fetch_optional(connection)
        .await?;
    Ok(found.map(LeadId))
}
