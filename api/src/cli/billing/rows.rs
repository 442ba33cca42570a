//! What commands of billing show.

use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::{Currency, Totals};
use domain::ids::{BillingReportId, PartnerId};
use entity::{billing_report, partner};
use serde::Serialize;
use service::billing::{files, overview, reports};

use crate::cli::Row;

macro_rules! row {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? } $columns:expr) => {
        #[derive(Serialize)]
        pub(super) struct $name { $(pub(super) $field: $kind),* }

        impl Row for $name {
            const COLUMNS: &'static [&'static str] = &$columns;
        }
    };
}

row!(PartnerRow { slug: String, name: String, email: String, currency: String, time_zone: String, closes_itself: bool, id: String }
    ["slug", "name", "email", "currency", "time_zone", "closes_itself", "id"]);
row!(ProductRow { slug: String, name: String, description: Option<String> } ["slug", "name", "description"]);
row!(PlanRow { slug: String, name: String, version: i32, effective_from: NaiveDate, currency: String, id: String, spec: serde_json::Value }
    ["slug", "name", "version", "effective_from", "currency", "id"]);
row!(IngestRow { records: u64, accepted: u64, repeated: u64, refused: u64 } ["records", "accepted", "repeated", "refused"]);
row!(SumRow {
    name: String, actions: i64, gross: String, duplicates: String, over_cap: String, not_billable: String, billed: String, savings: String,
} ["name", "actions", "gross", "duplicates", "over_cap", "not_billable", "billed", "savings"]);
row!(OverviewRow {
    partner: String, state: String, actions: i64, gross: String, duplicates: String, over_cap: String, not_billable: String,
    billed: String, currency: String, problem: Option<String>,
} ["partner", "state", "actions", "gross", "duplicates", "over_cap", "not_billable", "billed", "currency"]);
row!(ReportRow {
    partner: String, period: String, version: i32, state: String, lines: i64, gross: String, billed: String, currency: String,
    closed_at: DateTime<Utc>, csv_sha256: String, id: String,
} ["partner", "period", "version", "state", "lines", "gross", "billed", "currency", "closed_at", "id"]);
row!(DifferenceRow {
    email: String, product: String, occurred_at: DateTime<Utc>, billed_before: Option<String>, billed_after: Option<String>,
    fate_before: Option<String>, fate_after: Option<String>, action: String,
} ["email", "product", "occurred_at", "billed_before", "billed_after", "fate_before", "fate_after", "action"]);
row!(VerifyRow { format: String, kept: Option<String>, made: String, same: bool } ["format", "same", "made"]);
row!(LinkRow { report: String, path: String, expires_at: DateTime<Utc> } ["report", "path", "expires_at"]);

impl From<partner::Model> for PartnerRow {
    fn from(row: partner::Model) -> Self {
        Self {
            slug: row.slug,
            name: row.name,
            email: row.email,
            currency: row.currency,
            time_zone: row.time_zone,
            closes_itself: row.closes_itself,
            id: PartnerId(row.id).to_string(),
        }
    }
}

impl SumRow {
    pub(super) fn of(currency: Currency, name: &str, totals: &Totals) -> Self {
        Self {
            name: name.to_owned(),
            actions: totals.actions,
            gross: currency.show(totals.gross),
            duplicates: currency.show(totals.duplicates),
            over_cap: currency.show(totals.over_cap),
            not_billable: currency.show(totals.not_billable),
            billed: currency.show(totals.billed),
            savings: currency.show(totals.savings()),
        }
    }
}

impl From<overview::PartnerPeriod> for OverviewRow {
    fn from(row: overview::PartnerPeriod) -> Self {
        let show = |amount| row.currency.show(amount);
        let state = match &row.report {
            Some(report) => format!("closed, version {}", report.version),
            None if row.problem.is_some() => "cannot be rated".to_owned(),
            None if row.over => "over".to_owned(),
            None => "open".to_owned(),
        };
        Self {
            state,
            actions: row.totals.actions,
            gross: show(row.totals.gross),
            duplicates: show(row.totals.duplicates),
            over_cap: show(row.totals.over_cap),
            not_billable: show(row.totals.not_billable),
            billed: show(row.totals.billed),
            currency: row.currency.to_string(),
            problem: row.problem.clone(),
            partner: row.partner.slug,
        }
    }
}

impl ReportRow {
    pub(super) fn of(
        row: billing_report::Model,
        partners: &[partner::Model],
    ) -> Result<Self, service::Error> {
        let currency = reports::currency(&row)?;
        let partner = partners.iter().find(|partner| partner.id == row.partner_id);
        Ok(Self {
            partner: partner.map_or_else(String::new, |partner| partner.slug.clone()),
            period: reports::period(&row).to_string(),
            version: row.version,
            lines: row.line_count,
            gross: currency.show(row.gross),
            billed: currency.show(row.billed),
            currency: currency.to_string(),
            closed_at: row.closed_at,
            csv_sha256: files::hex(&row.line_hash),
            id: BillingReportId(row.id).to_string(),
            state: row.state,
        })
    }
}
