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
    /// The name of the user whose it is, as the report or an earlier one says.
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
    let (tenant, destination, lead) = place;
    let at_service = (tenant, destination);
    let mut linked = Linked::default();
    if let Some(user) = &links.user {
        let found = match user {
            Some(named) => known(connection, at_service, "user", named).await?,
            None => None,
        };
        // A user that nobody knows is no reason to forget the one before.
        if user.is_none() || found.is_some() {
            let ids: Vec<String> = found.iter().map(|(id, _)| id.clone()).collect();
            linked.changed |= set(connection, place, "user", &ids, at).await?;
        }
        linked.user = found.map(|(_, name)| name);
    } else {
        linked.user = current(connection, at_service, lead).await?;
    }
    if let Some(campaigns) = &links.campaigns {
        let mut ids = Vec::with_capacity(campaigns.len());
        for campaign in campaigns {
            ids.extend(known(connection, at_service, "campaign", campaign).await?.map(|(id, _)| id));
        }
        linked.changed |= set(connection, place, "campaign", &ids, at).await?;
    }
    Ok(linked)
}

/// The name of the user whose the lead was said to be.
async fn current(
    connection: &mut PgConnection,
    (tenant, destination): (TenantId, DestinationId),
    lead: LeadId,
) -> Result<Option<String>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT coalesce(r.name, l.remote_id) FROM crm_link l
         LEFT JOIN crm_record r ON r.tenant_id = l.tenant_id AND r.destination_id = l.destination_id
              AND r.kind = l.kind AND r.remote_id = l.remote_id
         WHERE l.tenant_id = $1 AND l.destination_id = $2 AND l.lead_id = $3 AND l.kind = 'user' LIMIT 1",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(lead.uuid())
    .fetch_optional(connection)
    .await?)
}

/// Records of the service and whose each is, one array a column.
#[derive(Default)]
pub(super) struct Owned {
    records: Vec<String>,
    ids: Vec<Option<String>>,
    names: Vec<Option<String>>,
}

impl Owned {
    /// A record, and the id and name of its user; none: it is nobody's.
    pub(super) fn push(&mut self, record: String, user: Option<(String, String)>) {
        let (id, name) = user.unzip();
        self.records.push(record);
        self.ids.push(id);
        self.names.push(name);
    }
}

/// Writes whose the leads of those records are. Answers the leads that are somebody's, and the names of their users.
pub(super) async fn own(
    connection: &mut PgConnection,
    (tenant, destination): (TenantId, DestinationId),
    owned: &Owned,
    at: DateTime<Utc>,
) -> Result<(Vec<Uuid>, Vec<String>), Error> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "WITH ours AS MATERIALIZED (
             SELECT DISTINCT ON (d.lead_id) d.lead_id, t.user_id, t.name
             FROM unnest($3::text[], $4::text[], $5::text[]) AS t(record_id, user_id, name)
             JOIN delivery d ON d.tenant_id = $1 AND d.destination_id = $2 AND d.remote_id = t.record_id
             ORDER BY d.lead_id, d.id DESC
         ), gone AS (
             DELETE FROM crm_link l USING ours
             WHERE l.tenant_id = $1 AND l.destination_id = $2 AND l.kind = 'user' AND l.lead_id = ours.lead_id
               AND l.remote_id IS DISTINCT FROM ours.user_id
         ), new AS (
             INSERT INTO crm_link (tenant_id, destination_id, kind, remote_id, lead_id, since)
             SELECT $1, $2, 'user', user_id, lead_id, $6 FROM ours WHERE user_id IS NOT NULL
             ON CONFLICT DO NOTHING
         )
         SELECT lead_id, name FROM ours WHERE name IS NOT NULL",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(&owned.records)
    .bind(&owned.ids)
    .bind(&owned.names)
    .bind(at)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().unzip())
}

/// Id and name of a user.
pub(super) async fn user(
    connection: &mut PgConnection,
    at_service: (TenantId, DestinationId),
    named: &Named,
) -> Result<Option<(String, String)>, Error> {
    known(connection, at_service, "user", named).await
}

/// Id and name of a user or campaign: by its id, whether or not the table has it yet, else by its e-mail or name when one has it.
async fn known(
    connection: &mut PgConnection,
    (tenant, destination): (TenantId, DestinationId),
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
