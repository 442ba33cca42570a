//! What came of everything, by both sides' own count: of the demo's destination alone, whatever others a person has added.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use domain::ids::{DestinationId, ImportId, SourceId, TenantId};
use serde::Serialize;
use service::App;
use service::database::{Mode, TenantTx};
use service::delivery::manage;
use service::delivery::reads::{self, Period};
use service::intake::imports::{self, Counts};
use service::intake::leads::Page;
use service::intake::listing::{self, ImportFilter};
use service::intake::sources;

use super::crm::{DemoCrm, Received};
use crate::cli::{Failure, Row, table};

/// What came of everything.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    tenant: &'static str,
    /// Every import of the demo, by source.
    sources: Vec<OfSource>,
    leads: i64,
    /// By state.
    deliveries: BTreeMap<String, i64>,
    /// Why deliveries failed, are held, in doubt, or were not sent.
    explained: Vec<Undelivered>,
    /// Destinations that take nothing: a person has to resume them, or nobody answers there.
    stopped: Vec<Stopped>,
    attempts: Vec<OfStatus>,
    crm: Crm,
    /// The CRM has exactly what was delivered, and nothing is pending.
    complete: bool,
}

#[derive(Debug, Serialize)]
struct OfSource {
    source: String,
    records: i64,
    accepted: i64,
    warned: i64,
    updated: i64,
    duplicates: i64,
    rejected: i64,
    skipped: i64,
}

impl Row for OfSource {
    const COLUMNS: &'static [&'static str] =
        &["source", "records", "accepted", "warned", "updated", "duplicates", "rejected", "skipped"];
}

#[derive(Debug, Serialize)]
struct Undelivered {
    state: String,
    count: i64,
    reason: String,
}

impl Row for Undelivered {
    const COLUMNS: &'static [&'static str] = &["state", "count", "reason"];
}

#[derive(Debug, Serialize)]
struct Stopped {
    destination: String,
    breaker: String,
    reason: String,
}

impl Row for Stopped {
    const COLUMNS: &'static [&'static str] = &["destination", "breaker", "reason"];
}

#[derive(Debug, Serialize)]
struct OfStatus {
    http_status: Option<i16>,
    error: Option<String>,
    count: i64,
}

#[derive(Debug, Serialize)]
struct Count {
    what: String,
    count: i64,
}

impl Row for Count {
    const COLUMNS: &'static [&'static str] = &["what", "count"];
}

#[derive(Debug, Serialize)]
struct Crm {
    unique_leads: u64,
    doubles: u64,
    requests: u64,
    refused: u64,
    rate_limited: u64,
    errors: u64,
    silences: u64,
}

impl From<Received> for Crm {
    fn from(received: Received) -> Self {
        Self {
            unique_leads: received.unique_leads,
            doubles: received.doubles,
            requests: received.requests,
            refused: received.refused,
            rate_limited: received.rate_limited,
            errors: received.errors,
            silences: received.silences,
        }
    }
}

impl Summary {
    /// Reads it from one snapshot of the database, and asks the CRM.
    pub(super) async fn read(app: &App, tenant: TenantId, crm: &DemoCrm) -> Result<Self, Failure> {
        let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
        let destination = DestinationId(manage::by_slug(&tx, super::DESTINATION).await?.id);
        let deliveries = by_state(reads::count_by_destination(&tx).await?, destination);
        let attempts = attempts(app, &tx, destination).await?;
        let sources = of_sources(&tx).await?;
        let leads = sqlx::query_scalar("SELECT count(*) FROM lead WHERE tenant_id = $1").bind(tenant.uuid());
        let leads = leads.fetch_one(tx.connection()).await?;
        let explained = explained(&mut tx, destination).await?;
        let stopped = stopped(&tx).await?;
        drop(tx);
        let crm = Crm::from(crm.received());
        let state = |name: &str| deliveries.get(name).copied().unwrap_or(0);
        let ends = ["delivered", "failed", "held", "unknown", "rejected"];
        let accounted = ends.into_iter().map(state).sum::<i64>();
        let complete = state("pending") == 0
            && u64::try_from(state("delivered")) == Ok(crm.unique_leads)
            && accounted == leads;
        let tenant = super::TENANT;
        Ok(Self { tenant, sources, leads, deliveries, explained, stopped, attempts, crm, complete })
    }

    /// Deliveries that have not come to an end.
    pub(super) fn pending(&self) -> i64 {
        self.deliveries.get("pending").copied().unwrap_or(0)
    }

    /// Both sides agree, and nothing is pending.
    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// For people.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let count = |what: &str, count: i64| Count { what: what.to_owned(), count };
        let deliveries: Vec<_> =
            self.deliveries.iter().map(|(state, number)| count(state, *number)).collect();
        let attempts: Vec<_> = self
            .attempts
            .iter()
            .map(|of| match (of.http_status, &of.error) {
                (Some(status), _) => count(&format!("HTTP {status}"), of.count),
                (None, error) => count(error.as_deref().unwrap_or("no answer"), of.count),
            })
            .collect();
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let crm = [
            count("different leads", number(self.crm.unique_leads)),
            count("copies", number(self.crm.doubles)),
            count("requests", number(self.crm.requests)),
        ];
        let verdict = if self.complete {
            "Every lead is accounted for: the CRM has exactly what was delivered."
        } else {
            "Not every lead is accounted for."
        };
        let mut text = format!(
            "Records by source\n{}\n\nDeliveries of {} leads\n{}\n\nAttempts by answer\n{}\n\nThe demo CRM's own count\n{}\n\n",
            table(&self.sources)?,
            self.leads,
            table(&deliveries)?,
            table(&attempts)?,
            table(&crm)?,
        );
        if !self.explained.is_empty() {
            text.push_str("Not delivered, and why\n");
            text.push_str(&table(&self.explained)?);
            text.push_str("\n\n");
        }
        if !self.stopped.is_empty() {
            text.push_str("Destinations that take nothing\n");
            text.push_str(&table(&self.stopped)?);
            text.push_str("\n\n");
        }
        text.push_str(verdict);
        text.push('\n');
        Ok(text)
    }
}

/// How many deliveries to that destination are in each state.
fn by_state(counted: Vec<(DestinationId, String, i64)>, destination: DestinationId) -> BTreeMap<String, i64> {
    let mut by_state: BTreeMap<String, i64> =
        ["delivered", "failed", "held", "pending", "rejected", "unknown"]
            .into_iter()
            .map(|state| (state.to_owned(), 0))
            .collect();
    let own = counted.into_iter().filter(|(of, ..)| *of == destination);
    by_state.extend(own.map(|(_, state, count)| (state, count)));
    by_state
}

async fn attempts(app: &App, tx: &TenantTx, destination: DestinationId) -> Result<Vec<OfStatus>, Failure> {
    let period = Period {
        since: DateTime::UNIX_EPOCH,
        until: app.clock.now() + TimeDelta::minutes(1),
        destination: Some(destination),
    };
    let counted = reads::count_by_http_status(tx, period).await?;
    Ok(counted
        .into_iter()
        .map(|of| OfStatus { http_status: of.http_status, error: of.error_kind, count: of.count })
        .collect())
}

async fn of_sources(tx: &TenantTx) -> Result<Vec<OfSource>, Failure> {
    let mut all = Vec::new();
    for source in sources::list(tx).await? {
        let filter = ImportFilter { sources: vec![SourceId(source.id)], states: Vec::new() };
        let page = Page { rows: 100, after: None, before: None, from_end: false };
        let rows = listing::imports(tx, &filter, page).await?.rows;
        let ids: Vec<_> = rows.iter().map(|row| ImportId(row.id)).collect();
        let counts = imports::counts(tx, &ids).await?;
        let sum = |pick: fn(&Counts) -> i64| counts.iter().map(|(_, counts)| pick(counts)).sum();
        all.push(OfSource {
            source: source.slug,
            records: sum(|counts| counts.records),
            accepted: sum(|counts| counts.accepted),
            warned: sum(|counts| counts.warned),
            updated: sum(|counts| counts.updated),
            duplicates: sum(|counts| counts.duplicates),
            rejected: sum(|counts| counts.rejected),
            skipped: sum(|counts| counts.skipped),
        });
    }
    Ok(all)
}

async fn explained(tx: &mut TenantTx, destination: DestinationId) -> Result<Vec<Undelivered>, Failure> {
    let tenant = tx.tenant();
    let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
        "SELECT state, reason, count(*) FROM delivery
         WHERE tenant_id = $1 AND destination_id = $2 AND state IN ('failed', 'held', 'unknown', 'rejected')
         GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .fetch_all(tx.connection())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(state, reason, count)| Undelivered { state, count, reason: reason.unwrap_or_default() })
        .collect())
}

async fn stopped(tx: &TenantTx) -> Result<Vec<Stopped>, Failure> {
    let rows = manage::list(tx).await?.into_iter().filter(|row| row.breaker != "closed");
    let stopped = |row: entity::destination::Model| Stopped {
        destination: row.slug,
        breaker: row.breaker,
        reason: row.breaker_reason.unwrap_or_default(),
    };
    Ok(rows.map(stopped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_another_destination_is_not_counted() {
        let (own, other) = (DestinationId(uuid::Uuid::from_u128(1)), DestinationId(uuid::Uuid::from_u128(2)));
        let counted = vec![
            (own, "delivered".to_owned(), 3),
            (other, "delivered".to_owned(), 1),
            (other, "pending".to_owned(), 4),
        ];
        let by_state = by_state(counted, own);
        assert_eq!((by_state["delivered"], by_state["pending"]), (3, 0));
    }
}
