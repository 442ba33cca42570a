//! What changes by reconciliation: runs begun, leads sent again, decisions, plans.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{DestinationId, ExceptionId};
use service::Error;
use service::reconciliation::background;
use service::reconciliation::exceptions::{self, Decision};
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::proof;
use service::reconciliation::repair;
use service::reconciliation::run::{List, Request};
use service::reconciliation::runs;

use super::error::{ApiError, UserError, expected};
use super::id::Id;
use super::operation::operation;
use super::reconciliation::{
    Difference, DifferenceProof, Reconciliation, ReconciliationPlan, difference, runs_of,
};

/// Differences that are sent again by one request, at most.
const RESEND_MAX: usize = 500;

#[derive(InputObject)]
struct StartReconciliationInput {
    destination_id: Id<DestinationId>,
    /// Leads handed over at that time or later.
    since: Option<DateTime<Utc>>,
    /// Leads handed over before that time.
    before: Option<DateTime<Utc>>,
    /// Leads of that channel.
    channel: Option<String>,
}

#[derive(SimpleObject)]
struct StartReconciliationPayload {
    reconciliation: Option<Arc<Reconciliation>>,
    error: Option<UserError>,
}

#[derive(InputObject)]
struct ResendDifferencesInput {
    /// These, each of which must be missing and open; or
    ids: Option<Vec<Id<ExceptionId>>>,
    /// every open missing lead of that destination, but for those where two people may have become one.
    destination_id: Option<Id<DestinationId>>,
}

#[derive(SimpleObject)]
struct ResendDifferencesPayload {
    /// How many leads are on their way again.
    resent: Option<i32>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct ProveDifferencesPayload {
    /// How far it is; the standing of the destination's differences goes on to say so.
    proof: Option<DifferenceProof>,
    error: Option<UserError>,
}

/// What a person decides about a difference.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
enum DifferenceDecision {
    /// It may stay; the text says why.
    Accept,
    /// It was put right by hand; the text says how.
    Resolve,
    /// It is looked at once more.
    Reopen,
    /// The person of the text takes care of it; without a text, nobody does any more.
    Assign,
    /// What was found there is called delivered.
    Confirm,
}

#[derive(InputObject)]
struct DecideDifferenceInput {
    id: Id<ExceptionId>,
    decision: DifferenceDecision,
    text: Option<String>,
}

#[derive(SimpleObject)]
struct DecideDifferencePayload {
    difference: Option<Arc<Difference>>,
    error: Option<UserError>,
}

#[derive(InputObject)]
struct ChangeReconciliationPlanInput {
    destination_id: Id<DestinationId>,
    mapping: Option<serde_json::Value>,
    /// Null clears it.
    api_url: MaybeUndefined<String>,
    api_token: Option<String>,
    /// Null: on demand only.
    nightly_hour: MaybeUndefined<i16>,
    auto_resend_max: Option<i32>,
}

#[derive(SimpleObject)]
struct ChangeReconciliationPlanPayload {
    plan: Option<ReconciliationPlan>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct ReconciliationMutations;

#[Object]
impl ReconciliationMutations {
    /// Compares with their API's list; it goes on by itself. A file is sent to `POST /reconcile/{destination}`.
    async fn start_reconciliation(
        &self,
        context: &Context<'_>,
        input: StartReconciliationInput,
    ) -> Result<StartReconciliationPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let request = Request {
            since: input.since,
            before: input.before,
            channel: input.channel,
            ..Request::whole(input.destination_id.0, List::Api, viewer.actor.to_string())
        };
        let beginning = background::start(&operation.app, viewer.tenant, request, None);
        let begun = operation.change(beginning).await;
        let id = match expected(begun)? {
            Ok(id) => id,
            Err(error) => return Ok(StartReconciliationPayload { reconciliation: None, error: Some(error) }),
        };
        let row = runs::by_id(&*operation.read().await?, id).await?;
        let reconciliation = runs_of(context, vec![row]).await?.pop();
        Ok(StartReconciliationPayload { reconciliation, error: None })
    }

    /// Sends missing leads again.
    async fn resend_differences(
        &self,
        context: &Context<'_>,
        input: ResendDifferencesInput,
    ) -> Result<ResendDifferencesPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let (app, tenant) = (&operation.app, viewer.tenant);
        let resent = operation
            .change(async {
                match (input.ids, input.destination_id) {
                    (Some(ids), None) if ids.len() <= RESEND_MAX => {
                        let ids: Vec<ExceptionId> = ids.into_iter().map(|id| id.0).collect();
                        repair::resend(app, tenant, &ids, &actor).await
                    }
                    (Some(_), None) => {
                        let message = format!("at most {RESEND_MAX} at a time; or name the destination");
                        Err(Error::invalid("ids", message))
                    }
                    (None, Some(id)) => {
                        repair::resend_missing(app, tenant, (id.0, None), u64::MAX, &actor).await
                    }
                    _ => Err(Error::invalid("ids", "give either ids or a destination")),
                }
            })
            .await;
        Ok(match expected(resent)? {
            Ok(resent) => ResendDifferencesPayload { resent: Some(number(resent)), error: None },
            Err(error) => ResendDifferencesPayload { resent: None, error: Some(error) },
        })
    }

    /// Looks up at the destination's API what was sent again; it goes on by itself.
    async fn prove_differences(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
    ) -> Result<ProveDifferencesPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let beginning = proof::start(&operation.app, viewer.tenant, destination_id.0, &actor);
        Ok(match expected(operation.change(beginning).await)? {
            Ok(row) => ProveDifferencesPayload { proof: Some(DifferenceProof::new(row)?), error: None },
            Err(error) => ProveDifferencesPayload { proof: None, error: Some(error) },
        })
    }

    /// Writes a person's decision about a difference.
    async fn decide_difference(
        &self,
        context: &Context<'_>,
        input: DecideDifferenceInput,
    ) -> Result<DecideDifferencePayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let (app, tenant, id) = (&operation.app, viewer.tenant, input.id.0);
        let text = input.text.unwrap_or_default();
        let decided = operation
            .change(async {
                let decision = match input.decision {
                    DifferenceDecision::Accept => Decision::Accept(text),
                    DifferenceDecision::Resolve => Decision::Resolve(text),
                    DifferenceDecision::Reopen => Decision::Reopen,
                    DifferenceDecision::Assign => {
                        Decision::Assign(Some(text).filter(|text| !text.trim().is_empty()))
                    }
                    DifferenceDecision::Confirm => return repair::confirm(app, tenant, id, &actor).await,
                };
                exceptions::decide(app, tenant, id, decision, &actor).await.map(|_| ())
            })
            .await;
        if let Err(error) = expected(decided)? {
            return Ok(DecideDifferencePayload { difference: None, error: Some(error) });
        }
        let row = exceptions::by_id(&*operation.read().await?, id).await?;
        Ok(DecideDifferencePayload { difference: Some(difference(row)?), error: None })
    }

    /// Changes how a destination is compared.
    async fn change_reconciliation_plan(
        &self,
        context: &Context<'_>,
        input: ChangeReconciliationPlanInput,
    ) -> Result<ChangeReconciliationPlanPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let change = PlanChange {
            mapping: input.mapping,
            api_url: optional(input.api_url),
            api_token: input.api_token.filter(|token| !token.is_empty()).map(Into::into),
            nightly_hour: optional(input.nightly_hour),
            auto_resend_max: input.auto_resend_max,
        };
        let id = input.destination_id.0;
        let changing = plans::change(&operation.app, viewer.tenant, id, change);
        let plan = match expected(operation.change(changing).await)? {
            Ok(plan) => plan,
            Err(error) => return Ok(ChangeReconciliationPlanPayload { plan: None, error: Some(error) }),
        };
        let has_api = plans::has_api(&operation.app, &*operation.read().await?, id).await?;
        let plan = Some(ReconciliationPlan::new(plan, has_api));
        Ok(ChangeReconciliationPlanPayload { plan, error: None })
    }
}

fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Absent stays, null clears.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
fn optional<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
