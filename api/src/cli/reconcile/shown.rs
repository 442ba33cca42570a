//! Runs, differences and plans as they are printed.

use chrono::{DateTime, Utc};
use domain::ids::{ExceptionId, ReconciliationId};
use serde::Serialize;
use service::reconciliation::exceptions::ExceptionRow;
use service::reconciliation::{Counts, RunRow};

use crate::cli::Row;

/// A run as it is shown.
#[derive(Serialize)]
pub(super) struct RunShown {
    pub(super) id: String,
    pub(super) destination: String,
    pub(super) origin: String,
    pub(super) file: Option<String>,
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) before: Option<DateTime<Utc>>,
    pub(super) channel: Option<String>,
    pub(super) state: String,
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<String>,
    pub(super) records: i32,
    pub(super) created_at: DateTime<Utc>,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) differences: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resent: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) found: Vec<ExceptionShown>,
}

impl Row for RunShown {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "destination",
        "state",
        "created_at",
        "ours",
        "theirs",
        "matched",
        "mismatched",
        "missing",
        "duplicated",
        "unexpected",
        "extra_known",
    ];
}

impl RunShown {
    pub(super) fn new(row: RunRow, destination: &str) -> Self {
        let counts = Counts::from(&row);
        Self {
            id: ReconciliationId(row.id).to_string(),
            destination: destination.to_owned(),
            origin: row.origin,
            file: row.file_name,
            since: row.since,
            before: row.before,
            channel: row.channel,
            state: row.state,
            error: row.error,
            phase: row.phase,
            records: row.records,
            created_at: row.created_at,
            differences: counts.differences(),
            counts,
            resent: None,
            found: Vec::new(),
        }
    }
}

/// A difference as it is shown.
#[derive(Serialize)]
pub(super) struct ExceptionShown {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) fields: String,
    pub(super) merge_suspected: bool,
    pub(super) lead: Option<String>,
    pub(super) remote_id: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) ours: Option<serde_json::Value>,
    pub(super) theirs: Option<serde_json::Value>,
}

impl Row for ExceptionShown {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "kind",
        "fields",
        "merge_suspected",
        "external_id",
        "remote_id",
        "state",
        "owner",
        "reason",
        "lead",
    ];
}

impl From<ExceptionRow> for ExceptionShown {
    fn from(row: ExceptionRow) -> Self {
        let said = |side: &Option<serde_json::Value>| {
            side.as_ref().and_then(|side| side.get("external_id")?.as_str().map(str::to_owned))
        };
        let fields = row.fields.as_ref().and_then(|fields| fields.as_array()).map(|fields| {
            fields.iter().filter_map(|one| one.get("field")?.as_str()).collect::<Vec<_>>().join(", ")
        });
        Self {
            id: ExceptionId(row.id).to_string(),
            kind: row.kind,
            state: row.state,
            fields: fields.unwrap_or_default(),
            merge_suspected: row.merge_suspected,
            lead: row.lead_id.map(|id| domain::ids::LeadId(id).to_string()),
            remote_id: row.remote_id,
            external_id: said(&row.ours).or_else(|| said(&row.theirs)),
            owner: row.owner,
            reason: row.reason,
            opened_at: row.opened_at,
            ours: row.ours,
            theirs: row.theirs,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Resent {
    pub(super) resent: u64,
}

impl Row for Resent {
    const COLUMNS: &'static [&'static str] = &["resent"];
}

#[derive(Serialize)]
pub(super) struct Proved {
    pub(super) found: u64,
    pub(super) absent: u64,
    pub(super) waiting: u64,
}

impl Row for Proved {
    const COLUMNS: &'static [&'static str] = &["found", "absent", "waiting"];
}

#[derive(Serialize)]
pub(super) struct PlanShown {
    pub(super) destination: String,
    pub(super) mapping: serde_json::Value,
    pub(super) api_url: Option<String>,
    pub(super) api_token: &'static str,
    /// Whether there is an API to ask: the plan's own, or the one that its leads go to.
    pub(super) api: bool,
    pub(super) nightly_hour: Option<i16>,
    pub(super) auto_resend_max: i32,
}

impl Row for PlanShown {
    const COLUMNS: &'static [&'static str] =
        &["destination", "mapping", "api", "api_url", "api_token", "nightly_hour", "auto_resend_max"];
}
