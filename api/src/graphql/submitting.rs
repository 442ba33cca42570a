//! One record through the rules: by hand, or a refused one after its correction.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object};
use domain::ids::SourceId;
use service::intake::sources;
use service::intake::submit::{self, Outcome, Submission};

use super::error::{ApiError, expected};
use super::id::Id;
use super::operation::operation;

/// What became of a record.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum SubmitOutcome {
    Accept,
    Warn,
    Update,
    Duplicate,
    Reject,
}

impl From<Outcome> for SubmitOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Accept,
            Outcome::Warned => Self::Warn,
            Outcome::Updated => Self::Update,
            Outcome::Duplicate => Self::Duplicate,
            Outcome::Rejected => Self::Reject,
        }
    }
}

/// Defines a payload of a record that went through the rules, with the reads that its selections need.
macro_rules! submitted_payload {
    ($payload:ident) => {
        /// What became of the record; `error` is about the request itself.
        #[derive(Default, async_graphql::SimpleObject)]
        struct $payload {
            outcome: Option<crate::graphql::submitting::SubmitOutcome>,
            lead: Option<std::sync::Arc<crate::graphql::lead::Lead>>,
            failed_record: Option<std::sync::Arc<crate::graphql::failed_records::FailedRecord>>,
            reasons: Vec<crate::graphql::lead::Issue>,
            error: Option<crate::graphql::error::UserError>,
        }

        impl $payload {
            async fn of(
                context: &async_graphql::Context<'_>,
                submitted: Result<service::intake::submit::Submitted, crate::graphql::error::UserError>,
            ) -> Result<Self, crate::graphql::error::ApiError> {
                let submitted = match submitted {
                    Ok(submitted) => submitted,
                    Err(error) => return Ok(Self { error: Some(error), ..Self::default() }),
                };
                let (lead, failed_record) = crate::graphql::submitting::results(context, &submitted).await?;
                Ok(Self {
                    outcome: Some(submitted.outcome.into()),
                    lead,
                    failed_record,
                    reasons: submitted.reasons.into_iter().map(Into::into).collect(),
                    error: None,
                })
            }
        }
    };
}
pub(super) use submitted_payload;

use super::failed_records::{self, FailedRecord};
use super::lead::Lead;
use super::leads;
use super::wants::{FailedRecordWants, LeadWants, Selected, Wants};

/// The lead and the refused record of an answer, as far as they are asked for.
pub(super) async fn results(
    context: &Context<'_>,
    submitted: &submit::Submitted,
) -> Result<(Option<Arc<Lead>>, Option<Arc<FailedRecord>>), ApiError> {
    let (lead, record) =
        (Selected::here(context).field("lead"), Selected::here(context).field("failedRecord"));
    let lead = match submitted.lead {
        Some(id) if lead.exists() => {
            leads::by_id(&operation(context)?.read().await?, id, &LeadWants::read(&lead)).await?
        }
        _ => None,
    };
    let record = match submitted.failed {
        Some(id) if record.exists() => {
            failed_records::by_id(context, id, &FailedRecordWants::read(&record)).await?
        }
        _ => None,
    };
    Ok((lead, record))
}

#[derive(InputObject)]
struct SubmitLeadInput {
    source: Id<SourceId>,
    /// The record as the source would send it.
    record: serde_json::Value,
    idempotency_key: Option<String>,
}

submitted_payload!(SubmitLeadPayload);

#[derive(Default)]
pub(super) struct SubmitMutations;

#[Object]
impl SubmitMutations {
    /// One lead through the rules of a source; answers when its row is durable.
    async fn submit_lead(
        &self,
        context: &Context<'_>,
        input: SubmitLeadInput,
    ) -> Result<SubmitLeadPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let record = input.record.to_string();
        let bytes_max = operation.app.settings.record_bytes_max;
        if record.len() > bytes_max {
            return Err(ApiError::limit(format!("the record has more than {bytes_max} bytes")));
        }
        let source = sources::by_id(&*operation.read().await?, input.source.0).await;
        let source = match expected(source)? {
            Ok(source) => source,
            Err(error) => return SubmitLeadPayload::of(context, Err(error)).await,
        };
        let submission = Submission {
            source: &source,
            record: &record,
            // A person at the dashboard has a session; a program has a token or a key.
            channel: if operation.identity.session.is_some() { "web" } else { "api" },
            idempotency_key: input.idempotency_key.as_deref(),
        };
        let submitted = operation.change(submit::submit(&operation.app, tenant, submission)).await;
        SubmitLeadPayload::of(context, expected(submitted)?).await
    }
}
