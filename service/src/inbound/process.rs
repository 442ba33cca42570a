//! Reads one stored report and gives it its effect, once.
//!
//! A report that only a static code vouches for (Bonzo's) is first held against the service's own record, read through its API: outside
//! any transaction, and before the lead is even looked for. What the record does not bear out has no effect. An API that does not answer
//! is asked again with growing pauses for half a day; then the report is called failed, and a person may have it processed again. A
//! destination without an API is believed, and the report says that nobody checked it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DestinationId, InboundHookId, LeadId, TenantId};
use domain::inbound::{Confirmed, Kind, Report, StatusMap, confirm, read};
use domain::journey::Step;
use domain::sla::Event;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::find::find;
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::jobs::{self, How, Job};
use crate::reconciliation::links::{self, Linked};
use crate::reconciliation::plans;
use crate::sla::agents;
use crate::sla::clocks::{self, Occurrence};
use crate::suppression::{self, OptOut};

/// A report may come before the delivery that it is about has committed, or before its import is done: so long it is tried again.
const WAITS: TimeDelta = TimeDelta::hours(1);
/// So long an API that does not answer is asked again.
const ASKS: TimeDelta = TimeDelta::hours(12);
/// Shortest and longest pause between two tries; in between it is as long as the report has waited.
const PAUSE: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::hours(1));

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
    status_map: serde_json::Value,
}

impl Job for ProcessHook {
    const NAME: &'static str = "inbound_hook";

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        process(&app, self.tenant, self.hook).await
    }
}

/// A report that is read, and what its service says of it.
struct Checked {
    report: Report,
    confirmation: Option<&'static str>,
}

/// What a report comes to.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
enum End {
    /// Its effect is to be given.
    Effect(Checked),
    /// It has none: state, confirmation, why.
    Without(&'static str, Option<&'static str>, String),
    /// It is to be tried again; why.
    Later(String),
}

/// Processes a report; one that was processed before stays as it is.
pub async fn process(app: &App, tenant: TenantId, hook: InboundHookId) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    let row: Option<Row> = sqlx::query_as(
        "SELECT h.destination_id, h.received_at, h.body, e.kind, e.status_map FROM inbound_hook h
         JOIN inbound_endpoint e ON e.tenant_id = h.tenant_id AND e.destination_id = h.destination_id
         WHERE h.tenant_id = $1 AND h.id = $2 AND h.state = 'received'",
    )
    .bind(tenant.uuid())
    .bind(hook.uuid())
    .fetch_optional(tx.connection())
    .await?;
    tx.commit().await?;
    let Some(row) = row else { return Ok(()) };
    let kind = Kind::parse(&row.kind).ok_or_else(|| {
        Error::internal("reading an endpoint", format!("inbound_hook {hook}: kind `{}`", row.kind))
    })?;
    let map = super::status_map(&row.status_map, row.destination_id)?;
    let end = match read(kind, &row.body, &map) {
        Ok(report) => check(app, tenant, DestinationId(row.destination_id), kind, report, &map).await?,
        Err(why) => End::Without("failed", None, why.to_string()),
    };
    settle(app, (tenant, hook), &row, end).await
}

/// Holds a report against the service's own record, where only a code vouches for it and there is an API to ask.
async fn check(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    kind: Kind,
    report: Report,
    map: &StatusMap,
) -> Result<End, Error> {
    if kind != Kind::Bonzo {
        return Ok(End::Effect(Checked { report, confirmation: None }));
    }
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let api = plans::api(app, &tx, destination).await;
    tx.commit().await?;
    let api = match api {
        Ok(api) => api,
        // A token that cannot be opened, an address that is refused: a person has to see to it.
        Err(error @ (Error::Conflict(_) | Error::Invalid { .. })) => {
            return Ok(End::Later(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let Some(api) = api else {
        return Ok(End::Effect(Checked { report, confirmation: Some("unchecked") }));
    };
    let Some(id) = &report.about.remote_id else {
        let why = "the report names no prospect to ask the API about".to_owned();
        return Ok(End::Without("ignored", Some("contradicted"), why));
    };
    let record = match api.once_only().prospect(id).await {
        Ok(record) => record,
        Err(Error::Unavailable { source, .. }) => {
            return Ok(End::Later(format!("the CRM's API does not answer: {source}")));
        }
        Err(error) => return Ok(End::Later(error.to_string())),
    };
    Ok(match confirm(&report, record.as_ref(), map) {
        Confirmed::Report(report) => End::Effect(Checked { report, confirmation: Some("confirmed") }),
        Confirmed::Contradicted(why) => End::Without("ignored", Some("contradicted"), why),
    })
}

/// Writes what it comes to, in one transaction, unless somebody else was first.
async fn settle(
    app: &App,
    (tenant, hook): (TenantId, InboundHookId),
    row: &Row,
    end: End,
) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let waits: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM inbound_hook WHERE tenant_id = $1 AND id = $2 AND state = 'received' FOR UPDATE",
    )
    .bind(tenant.uuid())
    .bind(hook.uuid())
    .fetch_optional(tx.connection())
    .await?;
    if waits.is_none() {
        return Ok(());
    }
    let age = app.clock.now() - row.received_at;
    let destination = DestinationId(row.destination_id);
    let mut written = Written::default();
    let mut later = None;
    match end {
        End::Without(state, confirmation, why) => {
            written = Written { state, confirmation, result: why, lead: None };
        }
        End::Later(why) if age < ASKS => later = Some(why),
        End::Later(why) => {
            written.state = "failed";
            written.result = format!("{why}; given up after {} hours", ASKS.num_hours());
            tracing::error!(hook.id = %hook, reason = why, "a report was given up");
        }
        End::Effect(checked) => {
            written.confirmation = checked.confirmation;
            match find(tx.connection(), tenant, destination, &checked.report.about).await? {
                Some(lead) => {
                    written.lead = Some(lead);
                    // Processed again, it is received anew; its id is what it came with.
                    let came_at = hook.made_at().unwrap_or(row.received_at);
                    let place = Place { tenant, destination, lead, came_at };
                    (written.state, written.result) =
                        apply(app, tx.connection(), place, &checked.report).await?;
                }
                None if age < WAITS => later = Some("its lead has not come yet".to_owned()),
                None => "no lead matches the report".clone_into(&mut written.result),
            }
        }
    }
    if let Some(why) = later {
        waiting(tx.connection(), (tenant, hook), &why, age).await?;
        tx.commit().await?;
        // Expected, and it ends by itself: not a job that failed.
        tracing::debug!(hook.id = %hook, reason = why, "a report waits");
        return Ok(());
    }
    finish(tx.connection(), app, (tenant, hook), &written).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(())
}

/// Has reports that came to nothing processed once more: those of these ids that are failed or ignored. Answers how many.
pub async fn again(app: &App, tenant: TenantId, hooks: &[InboundHookId]) -> Result<u64, Error> {
    if hooks.len() > super::reads::ROWS_MAX {
        let message = format!("at most {} at a time", super::reads::ROWS_MAX);
        return Err(Error::invalid("ids", message));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    // Its time counts from now: the API is asked for as long as it is for a new one.
    let due: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE inbound_hook SET state = 'received', result = NULL, confirmation = NULL, processed_at = NULL, received_at = $3
         WHERE tenant_id = $1 AND id = ANY ($2) AND state IN ('failed', 'ignored') RETURNING id",
    )
    .bind(tenant.uuid())
    .bind(hooks.iter().map(|hook| hook.uuid()).collect::<Vec<_>>())
    .bind(app.clock.now())
    .fetch_all(tx.connection())
    .await?;
    for hook in &due {
        let job = ProcessHook { tenant, hook: InboundHookId(*hook) };
        jobs::enqueue(tx.connection(), &job, How::default()).await?;
    }
    tx.commit().await?;
    Ok(due.len() as u64)
}

/// What a report is about, and when it came.
#[derive(Clone, Copy)]
struct Place {
    tenant: TenantId,
    destination: DestinationId,
    lead: LeadId,
    came_at: DateTime<Utc>,
}

/// Writes what the report says. Answers the report's state and what was done.
async fn apply(
    app: &App,
    connection: &mut PgConnection,
    place: Place,
    report: &Report,
) -> Result<(&'static str, String), Error> {
    let Place { tenant, destination, lead, came_at } = place;
    let mut done = Vec::new();
    let now = app.clock.now();
    let at = report.at.unwrap_or(came_at);
    let linked = links::report(connection, (tenant, destination, lead), &report.links, at).await?;
    for step in &report.steps {
        if record(app, connection, place, *step, at, &report.said, &linked).await? {
            done.push(step.as_str());
            // Clocks of service levels start and stop with it, at its own time; who did it is whose the lead is there.
            let occurrence = Occurrence { agent: linked.user.clone(), ..Occurrence::of(lead, at) };
            clocks::occurred(connection, tenant, Event::Step(*step), &[occurrence], now, &app.ids).await?;
        }
    }
    // The clocks that are still open, and those that have just begun, are whose the lead is.
    if let Some(agent) = &linked.user {
        agents::assigned(connection, tenant, &[lead.uuid()], std::slice::from_ref(agent)).await?;
    }
    if report.opted_out {
        let actor = destination.to_string();
        let out = OptOut {
            lead,
            at,
            actor: &actor,
            reason: "the destination reported it",
            data: json!({ "reported_by": actor }),
        };
        if suppression::opted_out(app, connection, tenant, &out).await? {
            done.push(Step::OptedOut.as_str());
        }
    }
    if linked.changed {
        done.push("user or campaigns");
    }
    Ok(if !done.is_empty() {
        ("processed", done.join(", "))
    } else if report.steps.is_empty() && !report.opted_out {
        ("ignored", format!("nothing is known of what it says: {}", report.said))
    } else {
        ("processed", "it was known".to_owned())
    })
}

/// Writes a step into the journey, unless one is there that says as much: of a step on the way, one at that time or earlier; of an end, the
/// same one at that time. Answers whether it was new.
async fn record(
    app: &App,
    connection: &mut PgConnection,
    place: Place,
    step: Step,
    at: DateTime<Utc>,
    said: &str,
    linked: &Linked,
) -> Result<bool, Error> {
    let Place { tenant, destination, lead, .. } = place;
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
    .bind(json!({ "reported": said, "destination": destination, "agent": linked.user }))
    .bind(ends)
    .execute(connection)
    .await?;
    Ok(made.rows_affected() > 0)
}

/// What is written of a report that has come to its end.
struct Written {
    state: &'static str,
    confirmation: Option<&'static str>,
    result: String,
    lead: Option<LeadId>,
}

impl Default for Written {
    fn default() -> Self {
        Self { state: "ignored", confirmation: None, result: String::new(), lead: None }
    }
}

async fn finish(
    connection: &mut PgConnection,
    app: &App,
    (tenant, hook): (TenantId, InboundHookId),
    written: &Written,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE inbound_hook SET state = $3, lead_id = $4, result = $5, processed_at = $6, confirmation = $7
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant.uuid())
    .bind(hook.uuid())
    .bind(written.state)
    .bind(written.lead.map(LeadId::uuid))
    .bind(&written.result)
    .bind(app.clock.now())
    .bind(written.confirmation)
    .execute(connection)
    .await?;
    Ok(())
}

/// Why it waits, for whoever looks at the list.
async fn waiting(
    connection: &mut PgConnection,
    (tenant, hook): (TenantId, InboundHookId),
    why: &str,
    age: TimeDelta,
) -> Result<(), Error> {
    sqlx::query("UPDATE inbound_hook SET result = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(hook.uuid())
        .bind(format!("it waits: {why}"))
        .execute(&mut *connection)
        .await?;
    let pause = age.clamp(PAUSE.0, PAUSE.1).to_std().unwrap_or_default();
    let how = How::keyed(format!("{} {tenant} {hook}", ProcessHook::NAME));
    jobs::enqueue_after(connection, &ProcessHook { tenant, hook }, pause, how).await
}
