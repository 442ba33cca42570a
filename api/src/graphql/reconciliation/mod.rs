//! Reconciliations: runs with their counts, differences with both sides, how a destination is compared.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use domain::ids::{DestinationId, ExceptionId, ReconciliationId};
use domain::reconciliation::State;
use entity::reconciliation_plan;
use serde_json::Value;
use service::delivery::manage;
use service::reconciliation::exceptions::{self, Filter};
use service::reconciliation::{plans, proof, runs};

use super::error::{ApiError, found, stored};
use super::id::Id;
use super::operation::operation;
use super::page::{COUNTED_MAX, Window, counted, page_cost};
use super::wants::Selected;

mod difference;
mod run;
mod standing;

pub(super) use difference::{Difference, difference};
use difference::{DifferenceConnection, DifferenceFilter, DifferenceStep};
use run::ReconciliationConnection;
pub(super) use run::{Reconciliation, runs_of};
pub(super) use standing::DifferenceProof;
use standing::DifferenceStanding;

/// How a destination is compared.
#[derive(SimpleObject)]
pub struct ReconciliationPlan {
    destination_id: ID,
    /// How their list is read.
    mapping: Value,
    api_url: Option<String>,
    /// Whether there is a token for their API; the token itself is a secret.
    has_api_token: bool,
    /// Whether there is an API to ask: the plan's own, or the one that its leads go to.
    has_api: bool,
    /// The hour of the tenant's day at which a run begins by itself.
    nightly_hour: Option<i16>,
    /// How many missing leads a run sends again by itself.
    auto_resend_max: i32,
}

impl ReconciliationPlan {
    pub(super) fn new(plan: reconciliation_plan::Model, has_api: bool) -> Self {
        Self {
            has_api,
            destination_id: ID(DestinationId(plan.destination_id).to_string()),
            mapping: plan.mapping,
            api_url: plan.api_url,
            has_api_token: plan.api_token_sealed.is_some(),
            nightly_hour: plan.nightly_hour,
            auto_resend_max: plan.auto_resend_max,
        }
    }
}

#[derive(Default)]
pub(super) struct ReconciliationQueries;

#[Object]
impl ReconciliationQueries {
    /// Newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn reconciliations(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        destination_id: Option<Id<DestinationId>>,
    ) -> Result<ReconciliationConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let reads = operation(context)?.read().await?;
        let rows = runs::list(&reads, destination_id.map(|id| id.0), page).await?;
        let nodes = runs_of(context, rows.rows).await?;
        Ok(ReconciliationConnection::new(nodes, (rows.more_after, rows.more_before)))
    }

    async fn reconciliation(
        &self,
        context: &Context<'_>,
        id: Id<ReconciliationId>,
    ) -> Result<Option<Arc<Reconciliation>>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = found(runs::by_id(&reads, id.0).await)?;
        Ok(runs_of(context, row.into_iter().collect()).await?.pop())
    }

    /// Newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn differences(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        filter: Option<DifferenceFilter>,
    ) -> Result<DifferenceConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let filter: Filter = filter.unwrap_or_default().into();
        let reads = operation(context)?.read().await?;
        let total_count = if Selected::here(context).has("totalCount") {
            Some(counted(exceptions::count(&reads, &filter, COUNTED_MAX).await?).0)
        } else {
            None
        };
        let rows = exceptions::list(&reads, &filter, page).await?;
        let nodes = rows.rows.into_iter().map(difference).collect::<Result<Vec<_>, _>>()?;
        Ok(DifferenceConnection::new(nodes, (rows.more_after, rows.more_before), total_count))
    }

    /// What happened to a difference, oldest first.
    async fn difference_history(
        &self,
        context: &Context<'_>,
        id: Id<ExceptionId>,
    ) -> Result<Option<Vec<DifferenceStep>>, ApiError> {
        let reads = operation(context)?.read().await?;
        if found(exceptions::by_id(&reads, id.0).await)?.is_none() {
            return Ok(None);
        }
        let steps = exceptions::steps(&reads, &[id.0]).await?.into_iter();
        let steps = steps
            .map(|row| {
                let state = State::parse(&row.state);
                let state = stored("reconciliation_step.state", row.exception_id, &row.state, state)?.into();
                Ok(DifferenceStep { at: row.at, actor: row.actor, state, note: row.note })
            })
            .collect::<Result<_, ApiError>>()?;
        Ok(Some(steps))
    }

    /// Where the differences of a destination stand: the progress of a repair and of its proof.
    async fn difference_standing(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
    ) -> Result<Option<DifferenceStanding>, ApiError> {
        let reads = operation(context)?.read().await?;
        if found(manage::by_id(&reads, destination_id.0).await)?.is_none() {
            return Ok(None);
        }
        let [open, resending, resolved, accepted] = exceptions::standing(&reads, destination_id.0).await?;
        let proof = proof::of(&reads, destination_id.0).await?.map(DifferenceProof::new).transpose()?;
        Ok(Some(DifferenceStanding { open, resending, resolved, accepted, proof }))
    }

    /// How a destination is compared.
    async fn reconciliation_plan(
        &self,
        context: &Context<'_>,
        destination_id: Id<DestinationId>,
    ) -> Result<Option<ReconciliationPlan>, ApiError> {
        let reads = operation(context)?.read().await?;
        if found(manage::by_id(&reads, destination_id.0).await)?.is_none() {
            return Ok(None);
        }
        let plan = plans::of(&reads, destination_id.0).await?;
        let has_api = plans::has_api(&operation(context)?.app, &reads, destination_id.0).await?;
        Ok(Some(ReconciliationPlan::new(plan, has_api)))
    }
}
