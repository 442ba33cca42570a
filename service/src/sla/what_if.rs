//! What other terms would have given: each clock of a period reckoned again, with the pauses that its journey tells of.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::journey::Step;
use domain::sla::{Conditions, Facts, Period, Terms};
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;

/// Clocks of one statement, and the most of all.
const BATCH: usize = 10_000;
const CLOCKS_MAX: usize = 500_000;

/// The difference that other terms would have made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Clocks of the period that the terms are about.
    pub clocks: i64,
    /// In time, and run out, as it was.
    pub met: i64,
    /// Ran out, as it was.
    pub missed: i64,
    /// In time, as it would have been.
    pub would_meet: i64,
    /// Run out, as it would have been.
    pub would_miss: i64,
    /// Kept then, missed by these terms.
    pub newly_missed: i64,
    /// Missed then, kept by these terms.
    pub newly_met: i64,
    /// The period has more clocks than are reckoned; the figures are of its first ones.
    pub cut: bool,
}

#[derive(FromRow)]
struct Past {
    lead_id: Uuid,
    source_id: Uuid,
    lead_type: Option<String>,
    state: Option<String>,
    channel: String,
    campaign: Option<String>,
    started_at: DateTime<Utc>,
    stopped_at: Option<DateTime<Utc>>,
    /// It stands still, or has.
    was_paused: bool,
    in_target: Option<bool>,
    details: Option<serde_json::Value>,
}

/// What the terms would have given for the clocks of that name that started in the period.
pub async fn compare(
    tx: &TenantTx,
    clock: &str,
    (conditions, terms): (&Conditions, &Terms),
    period: Period,
    now: DateTime<Utc>,
) -> Result<Difference, Error> {
    let mut difference = Difference::default();
    let mut last = Uuid::nil();
    let mut seen = 0;
    loop {
        let batch = batch(tx, clock, !conditions.fields.is_empty(), period, last).await?;
        let pauses = pauses(tx, clock, &batch).await?;
        for past in &batch {
            let facts = Facts {
                source: past.source_id,
                lead_type: past.lead_type.as_deref(),
                state: past.state.as_deref(),
                campaign: past.campaign.as_deref(),
                channel: &past.channel,
                field: &|name| {
                    let value = past.details.as_ref()?.get(name)?;
                    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                },
            };
            if !conditions.hold(&facts) {
                continue;
            }
            let due = terms
                .due_with(past.started_at, pauses.get(&past.lead_id).map_or(&[], Vec::as_slice))
                .map_err(|error| Error::invalid("calendar", error.to_string()))?;
            let would = match (past.stopped_at, due) {
                (Some(stopped), Some(due)) => Some(stopped <= due),
                (Some(_), None) => Some(true),
                (None, Some(due)) if due <= now => Some(false),
                (None, _) => None,
            };
            difference.add(past.in_target, would);
        }
        seen += batch.len();
        match batch.last() {
            Some(past) if batch.len() == BATCH => last = past.lead_id,
            _ => return Ok(difference),
        }
        if seen >= CLOCKS_MAX {
            difference.cut = true;
            return Ok(difference);
        }
    }
}

impl Difference {
    fn add(&mut self, was: Option<bool>, would: Option<bool>) {
        self.clocks += 1;
        self.met += i64::from(was == Some(true));
        self.missed += i64::from(was == Some(false));
        self.would_meet += i64::from(would == Some(true));
        self.would_miss += i64::from(would == Some(false));
        self.newly_missed += i64::from(was != Some(false) && would == Some(false));
        self.newly_met += i64::from(was == Some(false) && would != Some(false));
    }
}

/// The next clocks in the order of their leads, with the leads' further fields when the conditions ask for them.
async fn batch(
    tx: &TenantTx,
    clock: &str,
    with_fields: bool,
    period: Period,
    after: Uuid,
) -> Result<Vec<Past>, Error> {
    let (column, join) = if with_fields {
        ("l.details", "JOIN lead l ON l.tenant_id = c.tenant_id AND l.id = c.lead_id")
    } else {
        ("NULL::jsonb AS details", "")
    };
    let sql = format!(
        "SELECT c.lead_id, c.source_id, c.lead_type, c.state, c.channel, c.campaign, c.started_at, c.stopped_at,
                c.paused_at IS NOT NULL OR c.running_from <> c.started_at AS was_paused, c.in_target, {column}
         FROM sla_clock c {join}
         WHERE c.tenant_id = $1 AND c.clock = $2 AND c.started_at >= $3 AND c.started_at < $4 AND c.lead_id > $5
         ORDER BY c.lead_id LIMIT {BATCH}"
    );
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(clock)
        .bind(period.from)
        .bind(period.until)
        .bind(after)
        .fetch_all(&mut *connection)
        .await?)
}

type Pauses = Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>;

/// The pauses of those clocks by lead, in the order of their time.
async fn pauses(tx: &TenantTx, clock: &str, batch: &[Past]) -> Result<HashMap<Uuid, Pauses>, Error> {
    let mut pauses: HashMap<Uuid, Pauses> = HashMap::new();
    let leads: Vec<Uuid> = batch.iter().filter(|past| past.was_paused).map(|past| past.lead_id).collect();
    if leads.is_empty() {
        return Ok(pauses);
    }
    let mut connection = tx.lock().await;
    let events: Vec<(Uuid, String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT lead_id, kind, at FROM lead_event
         WHERE tenant_id = $1 AND lead_id = ANY($2) AND kind IN ($3, $4) AND data ->> 'clock' = $5 ORDER BY at, id",
    )
    .bind(tx.tenant().uuid())
    .bind(leads)
    .bind(Step::Paused.as_str())
    .bind(Step::Resumed.as_str())
    .bind(clock)
    .fetch_all(&mut *connection)
    .await?;
    for (lead, kind, at) in events {
        let of_lead = pauses.entry(lead).or_default();
        if kind == Step::Paused.as_str() {
            of_lead.push((at, None));
        } else if let Some((_, until @ None)) = of_lead.last_mut() {
            *until = Some(at);
        }
    }
    Ok(pauses)
}
