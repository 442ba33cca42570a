//! Measures what the rules watch: every minute, one job a tenant.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::alerts::{Kind, Measure};
use domain::ids::{DestinationId, SourceId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Finding, OPEN_DIFFERENCES, Rule, apply, enabled_rules, summary};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::jobs::{self, How, Job};
use crate::suppression;
use crate::tracking::rates;

/// How long a destination may be silent before that is told.
const OUTAGE: TimeDelta = TimeDelta::minutes(15);

/// Queues one evaluation a tenant that has something to watch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tick {}

impl Job for Tick {
    const NAME: &'static str = "alerts_tick";
    /// The next minute brings another.
    const ATTEMPTS_MAX: i16 = 1;

    fn tenant(&self) -> Option<TenantId> {
        None
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let tenants: Vec<Uuid> =
            sqlx::query_scalar("SELECT id FROM tenants_with_alerts() AS watching (id) WHERE id NOT IN (SELECT suspended_tenants())")
                .fetch_all(&app.database.app)
                .await?;
        let mut connection = app.database.app.acquire().await?;
        for tenant in tenants.into_iter().map(TenantId) {
            let how = How::keyed(format!("{}:{tenant}", Evaluate::NAME));
            jobs::enqueue(&mut connection, &Evaluate { tenant }, how).await?;
        }
        Ok(())
    }
}

/// Measures everything that one tenant watches.
#[derive(Debug, Serialize, Deserialize)]
pub struct Evaluate {
    tenant: TenantId,
}

impl Job for Evaluate {
    const NAME: &'static str = "alerts_evaluate";
    const ATTEMPTS_MAX: i16 = 3;

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        tenant(&app, self.tenant).await
    }
}

/// Measures everything that a tenant watches, now.
pub async fn tenant(app: &App, tenant: TenantId) -> Result<(), Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    for rule in enabled_rules(&tx).await? {
        for finding in measure(app, &tx, &rule).await? {
            apply(app, &tx, &rule, &finding).await?;
        }
    }
    summary::queue_if_due(app, &tx).await?;
    Ok(tx.commit().await?)
}

async fn measure(app: &App, tx: &TenantTx, rule: &Rule) -> Result<Vec<Finding>, Error> {
    Ok(match rule.limits()?.kind {
        Kind::FailedLeads => vec![failed_leads(tx, rule).await?],
        Kind::SuccessRate => vec![success_rate(app, tx, rule).await?],
        Kind::DestinationHeld => held_destinations(app, tx, rule).await?,
        Kind::SilentSource => silent_source(app, tx, rule).await?.into_iter().collect(),
        Kind::Reconciliation => open_differences(tx, rule).await?,
    })
}

/// Without those whose person wants no more contact: there is nothing that anybody could do about them.
async fn failed_leads(tx: &TenantTx, rule: &Rule) -> Result<Finding, Error> {
    let mut connection = tx.lock().await;
    let count: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT lead_id) FROM delivery
         WHERE tenant_id = $1 AND state IN ('failed', 'held', 'unknown') AND reason IS DISTINCT FROM $3
           AND ($2::uuid IS NULL OR destination_id = $2)",
    )
    .bind(tx.tenant().uuid())
    .bind(rule.destination_id)
    .bind(suppression::REASON)
    .fetch_one(&mut *connection)
    .await?;
    Ok(Finding {
        measure: Measure::Count(count),
        title: format!("{count} leads wait for a person: their delivery failed or is held"),
        detail: format!(
            "More than {} is the limit. Look at Failed leads, correct the cause, retry them there or with \
             `baton leads failed retry-all`.",
            rule.threshold
        ),
        subject: None,
    })
}

async fn success_rate(app: &App, tx: &TenantTx, rule: &Rule) -> Result<Finding, Error> {
    let until = app.clock.now();
    let minutes = rule.window_minutes.unwrap_or(60);
    let since = until - TimeDelta::minutes(minutes.into());
    let rate = rates::of_period(tx, since, until, rule.destination_id.map(DestinationId)).await?;
    let of = rate.succeeded + rate.failed;
    let percent = if of == 0 { 0 } else { rate.succeeded * 100 / of };
    Ok(Finding {
        measure: Measure::Share { succeeded: rate.succeeded, of },
        title: format!("Only {percent} % of the leads of the last {minutes} minutes were delivered"),
        detail: format!(
            "{} of {of}; the limit is {} %. Look at Deliveries for what was answered.",
            rate.succeeded, rule.threshold
        ),
        subject: None,
    })
}

/// One finding a destination, so that each is told and cleared by itself. One that has not answered for a while counts as well: its
/// leads wait, and as they are tried again by themselves none of them fails.
async fn held_destinations(app: &App, tx: &TenantTx, rule: &Rule) -> Result<Vec<Finding>, Error> {
    let mut connection = tx.lock().await;
    let destinations: Vec<(Uuid, String, String, Option<DateTime<Utc>>)> = sqlx::query_as(
        "SELECT id, name, breaker, breaker_since FROM destination
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id = $2)",
    )
    .bind(tx.tenant().uuid())
    .bind(rule.destination_id)
    .fetch_all(&mut *connection)
    .await?;
    let now = app.clock.now();
    let finding = |(id, name, breaker, since): (Uuid, String, String, Option<DateTime<Utc>>)| {
        let silent = since.map(|since| now - since).filter(|_| breaker == "open");
        let waits = breaker == "held" || silent.is_some_and(|length| length >= OUTAGE);
        let (title, detail) = match silent {
            Some(length) => (
                format!("{name} has not answered for {} minutes: its leads wait", length.num_minutes()),
                "It is tried now and then, and everything is sent when it answers again. Look at Deliveries for what it \
                 answers, and ask whoever runs it.",
            ),
            None => (
                format!("{name} is held: its leads wait"),
                "The destination does not let Baton in, or a person has stopped it. Correct its credentials, then \
                 resume it: every waiting lead is sent.",
            ),
        };
        Finding {
            measure: Measure::Count(i64::from(waits)),
            title,
            detail: detail.to_owned(),
            subject: Some(DestinationId(id).to_string()),
        }
    };
    Ok(destinations.into_iter().map(finding).collect())
}

/// One finding a destination. A run says at its end what it found; between the runs people settle it, and only what has cleared is told
/// anew by the next one. Counted up to the limit and one more, which is all that the verdict needs.
async fn open_differences(tx: &TenantTx, rule: &Rule) -> Result<Vec<Finding>, Error> {
    let mut connection = tx.lock().await;
    let destinations: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "SELECT t.id, t.name, (SELECT count(*) FROM (
             SELECT FROM reconciliation_exception e
             WHERE e.tenant_id = $1 AND e.destination_id = t.id AND e.state = 'open' LIMIT $3) counted)
         FROM destination t WHERE t.tenant_id = $1 AND ($2::uuid IS NULL OR t.id = $2)",
    )
    .bind(tx.tenant().uuid())
    .bind(rule.destination_id)
    .bind(i64::from(rule.threshold) + 1)
    .fetch_all(&mut *connection)
    .await?;
    let finding = |(id, name, count): (Uuid, String, i64)| Finding {
        measure: Measure::Count(count),
        title: format!("More than {} open differences with {name}", rule.threshold),
        detail: OPEN_DIFFERENCES.to_owned(),
        subject: Some(DestinationId(id).to_string()),
    };
    Ok(destinations.into_iter().map(finding).collect())
}

/// Silence is counted from the source's last lead, or from the rule's own beginning when there was none yet. Of leads that came in files the
/// batches know it, of the others an index: no look walks over leads.
async fn silent_source(app: &App, tx: &TenantTx, rule: &Rule) -> Result<Option<Finding>, Error> {
    let mut connection = tx.lock().await;
    let found: Option<(String, chrono::DateTime<chrono::Utc>)> = sqlx::query_as(
        "SELECT s.name, coalesce(greatest(
                    (SELECT l.received_at FROM lead l
                     WHERE l.tenant_id = $1 AND l.source_id = s.id AND l.import_id IS NULL ORDER BY l.id DESC LIMIT 1),
                    (SELECT b.committed_at FROM import i
                     CROSS JOIN LATERAL (SELECT max(committed_at) AS committed_at FROM import_batch
                                         WHERE tenant_id = $1 AND import_id = i.id AND accepted + warned > 0) b
                     WHERE i.tenant_id = $1 AND i.source_id = s.id AND b.committed_at IS NOT NULL ORDER BY i.id DESC LIMIT 1)),
                (SELECT created_at FROM alert_rule WHERE tenant_id = $1 AND id = $3))
         FROM lead_source s WHERE s.tenant_id = $1 AND s.id = $2 AND s.enabled",
    )
    .bind(tx.tenant().uuid())
    .bind(rule.source_id)
    .bind(rule.id)
    .fetch_optional(&mut *connection)
    .await?;
    Ok(found.map(|(name, last)| {
        let hours = (app.clock.now() - last).num_hours();
        Finding {
            measure: Measure::SilentHours(hours),
            title: format!("No lead from {name} for {hours} hours"),
            detail: "Ask the source whether it sends, and look at its token and at the refused records."
                .to_owned(),
            subject: rule.source_id.map(|id| SourceId(id).to_string()),
        }
    }))
}
