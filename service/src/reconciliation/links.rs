//! Whose a lead is at a destination's service, and in which campaigns it is there, as the service last reported it.
//!
//! Users and campaigns are kept by [`super::curated`]; a report names them by id, e-mail or name. One that is named by neither id nor a name
//! that is known is passed over: nothing can be said of it.

use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, LeadId, TenantId};
use domain::inbound::{Links, Named};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// What a report says of a lead's links, in our terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linked {
    /// The name of the user whose it is.
    pub user: Option<String>,
    /// Whether anything is other than before.
    pub changed: bool,
}

/// Writes what a report says of a lead's user and campaigns. What it does not speak of stays.
pub(crate) async fn report(
    connection: &mut PgConnection,
    place: (TenantId, DestinationId, LeadId),
    links: &Links,
    at: DateTime<Utc>,
) -> Result<Linked, Error> {
    let mut linked = Linked::default();
    if let Some(user) = &links.user {
        let found = match user {
            Some(named) => known(connection, place, "user", named).await?,
            None => None,
        };
        // A user that nobody knows is no reason to forget the one before.
        if user.is_none() || found.is_some() {
            let ids: Vec<String> = found.iter().map(|(id, _)| id.clone()).collect();
            linked.changed |= set(connection, place, "user", &ids, at).await?;
        }
        linked.user = found.map(|(_, name)| name);
    }
    if let Some(campaigns) = &links.campaigns {
        let mut ids = Vec::with_capacity(campaigns.len());
        for campaign in campaigns {
            ids.extend(known(connection, place, "campaign", campaign).await?.map(|(id, _)| id));
        }
        linked.changed |= set(connection, place, "campaign", &ids, at).await?;
    }
    Ok(linked)
}

/// Id and name of a user or campaign: by its id, whether or not the table has it yet, else by its e-mail or name when one has it.
async fn known(
    connection: &mut PgConnection,
    (tenant, destination, _): (TenantId, DestinationId, LeadId),
    kind: &str,
    named: &Named,
) -> Result<Option<(String, String)>, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT remote_id, name FROM crm_record
         WHERE tenant_id = $1 AND destination_id = $2 AND kind = $3
           AND CASE WHEN $4::text IS NOT NULL THEN remote_id = $4 ELSE active AND (email = lower($5) OR name = $5) END
         LIMIT 2",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(kind)
    .bind(&named.id)
    .bind(&named.name)
    .fetch_all(connection)
    .await?;
    Ok(match (<[_; 1]>::try_from(rows), &named.id) {
        (Ok([row]), _) => Some(row),
        (Err(_), Some(id)) => Some((id.clone(), named.name.clone().unwrap_or_else(|| id.clone()))),
        // Two of one name: neither.
        (Err(_), None) => None,
    })
}

async fn set(
    connection: &mut PgConnection,
    (tenant, destination, lead): (TenantId, DestinationId, LeadId),
    kind: &str,
    ids: &[String],
    at: DateTime<Utc>,
) -> Result<bool, Error> {
    let gone = sqlx::query(
        "DELETE FROM crm_link WHERE tenant_id = $1 AND lead_id = $2 AND destination_id = $3 AND kind = $4
           AND NOT remote_id = ANY ($5)",
    )
    .bind(tenant.uuid())
    .bind(lead.uuid())
    .bind(destination.uuid())
    .bind(kind)
    .bind(ids)
    .execute(&mut *connection)
    .await?;
    let new = sqlx::query(
        "INSERT INTO crm_link (tenant_id, destination_id, kind, remote_id, lead_id, since)
         SELECT $1, $3, $4, id, $2, $6 FROM unnest($5::text[]) AS t (id) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(lead.uuid())
    .bind(destination.uuid())
    .bind(kind)
    .bind(ids)
    .bind(at)
    .execute(connection)
    .await?;
    Ok(gone.rows_affected() + new.rows_affected() > 0)
}

/// A lead's user or campaign at a destination.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LinkRow {
    /// The lead.
    pub lead_id: Uuid,
    /// Where.
    pub destination_id: Uuid,
    /// `user` or `campaign`.
    pub kind: String,
    /// The service's id of it.
    pub remote_id: String,
    /// Its name; its id when the table does not know it.
    pub name: String,
    /// Since when it was reported so.
    pub since: DateTime<Utc>,
}

/// The users and campaigns of a lead that the viewer sees, at every destination.
pub async fn of_lead(tx: &crate::database::TenantTx, lead: LeadId) -> Result<Vec<LinkRow>, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT l.lead_id, l.destination_id, l.kind, l.remote_id, coalesce(r.name, l.remote_id) AS name, l.since
         FROM crm_link l JOIN lead ON lead.tenant_id = l.tenant_id AND lead.id = l.lead_id
              LEFT JOIN crm_record r ON r.tenant_id = l.tenant_id AND r.destination_id = l.destination_id
              AND r.kind = l.kind AND r.remote_id = l.remote_id
         WHERE l.tenant_id = $1 AND l.lead_id = $2 ORDER BY l.destination_id, l.kind DESC, name LIMIT 200",
    )
    .bind(tx.tenant().uuid())
    .bind(lead.uuid())
    .fetch_all(&mut *connection)
    .await?)
}
