//! Reads one stored report and gives it its effect, once.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, InboundHookId, LeadId, SourceId, TenantId};
use domain::inbound::{About, Kind, Report, read};
use domain::intake::Regions;
use domain::intake::rules::{email, phone};
use domain::journey::Step;
use domain::sla::Event;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::intake::merge;
use crate::jobs::Job;
use crate::sla::clocks::{self, Occurrence};
use crate::suppression;

/// A report may come before the delivery that it is about has committed, or before its import is done: so long it is tried again.
const WAITS: TimeDelta = TimeDelta::hours(1);

/// Processes one report.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProcessHook {
    pub(super) tenant: TenantId,
    pub(super) hook: InboundHookId,
}

#[derive(sqlx::FromRow)]
struct Row {
    destination_id: Uuid,
    received_at: DateTime<Utc>,
    body: String,
    kind: String,
}

impl Job for ProcessHook {
    const NAME: &'static str = "inbound_hook";

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        process(&app, self.tenant, self.hook).await
    }
}

/// Processes a report; one that was processed before stays as it is.
pub async fn process(app: &App, tenant: TenantId, hook: InboundHookId) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row: Option<Row> = sqlx::query_as(
        "SELECT h.destination_id, h.received_at, h.body, e.kind FROM inbound_hook h
         JOIN inbound_endpoint e ON e.tenant_id = h.tenant_id AND e.destination_id = h.destination_id
         WHERE h.tenant_id = $1 AND h.id = $2 AND h.state = 'received' FOR UPDATE OF h",
    )
    .bind(tenant.uuid())
    .bind(hook.uuid())
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(()) };
    let kind = Kind::parse(&row.kind).ok_or_else(|| {
        Error::internal("reading an endpoint", format!("inbound_hook {hook}: kind `{}`", row.kind))
    })?;
    let report = match read(kind, &row.body) {
        Ok(report) => report,
        Err(why) => {
            finish(tx.connection(), app, (tenant, hook), "failed", None, &why.to_string()).await?;
            return Ok(tx.commit().await?);
        }
    };
    let destination = DestinationId(row.destination_id);
    let Some(lead) = find(tx.connection(), tenant, destination, &report.about).await? else {
        if app.clock.now() - row.received_at < WAITS {
            return Err(Error::Unavailable {
                what: "the lead of a report",
                source: "it has not come yet".into(),
            });
        }
        finish(tx.connection(), app, (tenant, hook), "ignored", None, "no lead matches the report").await?;
        return Ok(tx.commit().await?);
    };
    let (state, result) =
        apply(app, tx.connection(), tenant, destination, lead, &report, row.received_at).await?;
    finish(tx.connection(), app, (tenant, hook), state, Some(lead), &result).await?;
    Ok(tx.commit().await?)
}

/// Writes what the report says. Answers the report's state and what was done.
async fn apply(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    destination: DestinationId,
    lead: LeadId,
    report: &Report,
    received_at: DateTime<Utc>,
) -> Result<(&'static str, String), Error> {
    let mut done = Vec::new();
    let at = report.at.unwrap_or(received_at);
    for step in &report.steps {
        if record(app, connection, tenant, destination, lead, *step, at, &report.said).await? {
            done.push(step.as_str());
            // Clocks of service levels start and stop with it, at its own time.
            let (event, now) = (Event::Step(*step), app.clock.now());
            clocks::occurred(connection, tenant, event, &[Occurrence::of(lead, at)], now, &app.ids).await?;
        }
    }
    if report.opted_out {
        suppression::opted_out(app, connection, tenant, lead, &destination.to_string()).await?;
        done.push(Step::OptedOut.as_str());
    }
    Ok(if report.steps.is_empty() && !report.opted_out {
        ("ignored", format!("nothing is known of what it says: {}", report.said))
    } else if done.is_empty() {
        ("processed", "it was known".to_owned())
    } else {
        ("processed", done.join(", "))
    })
}

/// Writes a step into the journey, unless one is there that says as much: of a step on the way, one at that time or earlier; of an end, the
/// same one at that time. Answers whether it was new.
#[expect(clippy::too_many_arguments, reason = "a row of lead_event and where it comes from")]
async fn record(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    destination: DestinationId,
    lead: LeadId,
    step: Step,
    at: DateTime<Utc>,
    said: &str,
) -> Result<bool, Error> {
    let ends = matches!(step, Step::Sold | Step::Lost);
    let key = format!("{destination} {} {}", step.as_str(), at.timestamp_micros());
    let made = sqlx::query(
        "INSERT INTO lead_event (tenant_id, lead_id, id, kind, at, actor, fingerprint, data)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE NOT EXISTS (SELECT FROM lead_event WHERE tenant_id = $1 AND lead_id = $2 AND kind = $4
                           AND (at = $5 OR (at < $5 AND NOT $9)))
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(lead.uuid())
    .bind(app.ids.next(app.clock.now()))
    .bind(step.as_str())
    .bind(at)
    .bind(destination.to_string())
    .bind(Uuid::from_u128(xxh3_128(key.as_bytes())))
    .bind(json!({ "reported": said, "destination": destination }))
    .bind(ends)
    .execute(connection)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// The lead that a report is about: by the destination's id, ours, the source's, phone, e-mail, in this order. Only leads that went to this
/// destination count; of several by a phone or an e-mail, the newest.
async fn find(
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

async fn finish(
    connection: &mut PgConnection,
    app: &App,
    (tenant, hook): (TenantId, InboundHookId),
    state: &str,
    lead: Option<LeadId>,
    result: &str,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE inbound_hook SET state = $3, lead_id = $4, result = $5, processed_at = $6 WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant.uuid())
    .bind(hook.uuid())
    .bind(state)
    .bind(lead.map(LeadId::uuid))
    .bind(result)
    .bind(app.clock.now())
    .execute(connection)
    .await?;
    Ok(())
}
