//! One lead: it answers when its row is durable. Clean ones go on in a [`lane`].

use std::sync::Arc;

use domain::ids::{FailedRecordId, LeadId, SourceId, TenantId};
use domain::intake::{Plan, Scratch, Verdict};
use domain::lead::Issue;
use entity::lead_source;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::failed::{self, RefusedOrigin};
use super::idempotency::{self, Key};
use super::lane::{self, Lane, Sent};
use super::prepare::Refused;
use super::{merge, sources};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new lead.
    Accepted,
    /// A new lead with warnings.
    Warned,
    /// A new revision of a lead that was there.
    Updated,
    /// A lead that was there.
    Duplicate,
    /// A refused record.
    Rejected,
}

impl Outcome {
    /// As the outcome tables name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accept",
            Self::Warned => "warn",
            Self::Updated => "update",
            Self::Duplicate => "duplicate",
            Self::Rejected => "reject",
        }
    }

    /// There is a new lead, or a new revision of one.
    pub(super) fn changes_a_lead(self) -> bool {
        matches!(self, Self::Accepted | Self::Warned | Self::Updated)
    }
}

impl From<merge::Outcome> for Outcome {
    fn from(outcome: merge::Outcome) -> Self {
        match outcome {
            merge::Outcome::Accepted => Self::Accepted,
            merge::Outcome::Warned => Self::Warned,
            merge::Outcome::Updated => Self::Updated,
            merge::Outcome::Duplicate => Self::Duplicate,
        }
    }
}

/// The answer to a submitted record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// What became of it.
    pub outcome: Outcome,
    /// The lead that it made or met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadId>,
    /// The refused record, when it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedRecordId>,
    /// Why it was refused, or the warnings of an accepted one.
    pub reasons: Vec<Issue>,
}

/// A record on its way in.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The source, whose mapping reads it.
    pub source: &'a lead_source::Model,
    /// One JSON object.
    pub record: &'a str,
    /// `api` or `web`.
    pub channel: &'static str,
    /// The same key with the same record is answered from memory, with another record refused.
    pub idempotency_key: Option<&'a str>,
}

/// Sends one record through the rules and stores what comes of it.
pub async fn submit(
    app: &Arc<App>,
    tenant: TenantId,
    submission: Submission<'_>,
) -> Result<Submitted, Error> {
    if !submission.source.enabled {
        return Err(Error::Conflict(
            format!("the lead source `{}` is switched off", submission.source.slug).into(),
        ));
    }
    let source = SourceId(submission.source.id);
    let body = || Sha256::digest(submission.record).into();
    let key = submission.idempotency_key.map(|text| Key::new(source, text, body())).transpose()?;
    let mapping = sources::mapping_of(submission.source)?;
    let plan = Plan::for_json(&mapping, &app.intake_settings())
        .map_err(|error| Error::internal("compiling a mapping", error))?;
    match plan.read_json(submission.record, &mut Scratch::default()) {
        Verdict::Accept { lead, warnings, fingerprint } => {
            let lane = Lane { tenant, source, channel: submission.channel, identity: mapping.identity };
            lane::store(app, lane, Sent { lead, warnings, fingerprint, key }).await
        }
        Verdict::Reject(reasons) => refuse(app, (tenant, source), submission.record, reasons, key).await,
        Verdict::Skip => Err(Error::invalid("record", "the record is empty: send one JSON object")),
    }
}

/// Stores a refused record with its reasons.
async fn refuse(
    app: &App,
    (tenant, source): (TenantId, SourceId),
    record: &str,
    reasons: Vec<Issue>,
    key: Option<Key>,
) -> Result<Submitted, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    if let Some(key) = &key
        && let Some(answered) = idempotency::remembered(&mut tx, key).await?
    {
        return Ok(answered);
    }
    let now = app.clock.now();
    let origin = RefusedOrigin { tenant, source, import: None, file_hash: &[], now };
    let refused = [Refused { record: 1, line: 1, raw: record.to_owned(), reasons: reasons.clone() }];
    let stored = failed::store(tx.connection(), origin, &refused, &app.ids).await?;
    let failed = match stored.first() {
        Some(new) => Some(*new),
        None => failed::kept_before(tx.connection(), origin, &refused[0]).await?,
    };
    let submitted = Submitted { outcome: Outcome::Rejected, lead: None, failed, reasons };
    if let Some(key) = &key {
        idempotency::remember(&mut tx, key, &submitted, now).await?;
    }
    tx.commit().await?;
    metrics::counter!("baton_records_total", "outcome" => submitted.outcome.as_str()).increment(1);
    Ok(submitted)
}
