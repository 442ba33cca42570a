//! Policies, calendars, and what people do with clocks.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{CalendarId, LeadId, PolicyId};
use entity::sla_calendar;
use service::access::Actor;
use service::sla::contact::{self, Contact};
use service::sla::policies::{self, NewPolicy, PolicyChange, PolicyRow};
use service::sla::what_if::{self, Difference};
use service::sla::{calendars, pauses};

use super::super::error::{ApiError, UserError, expected, found};
use super::super::id::Id;
use super::super::operation::{of_tenant, operation};
use super::count;
use super::figures::period;
use super::policy::{
    CreateSlaPolicyInput, RecordContactInput, SlaCalendar, SlaCalendarInput, SlaDraft, SlaPolicy,
    UpdateSlaPolicyInput,
};

/// When a clock would be at risk and due.
#[derive(SimpleObject)]
#[expect(clippy::struct_field_names, reason = "the names of the schema")]
pub struct SlaDeadlines {
    starts_at: DateTime<Utc>,
    at_risk_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

/// What other terms would have given for the clocks that started in a period.
#[derive(SimpleObject)]
pub struct SlaWhatIf {
    /// Clocks that the terms are about.
    clocks: i32,
    met: i32,
    missed: i32,
    would_meet: i32,
    would_miss: i32,
    newly_met: i32,
    newly_missed: i32,
    /// There are more clocks than were reckoned.
    cut: bool,
}

impl From<Difference> for SlaWhatIf {
    fn from(one: Difference) -> Self {
        Self {
            clocks: count(one.clocks),
            met: count(one.met),
            missed: count(one.missed),
            would_meet: count(one.would_meet),
            would_miss: count(one.would_miss),
            newly_met: count(one.newly_met),
            newly_missed: count(one.newly_missed),
            cut: one.cut,
        }
    }
}

#[derive(Default)]
pub(in super::super) struct PromiseQueries;

#[Object]
impl PromiseQueries {
    /// Every policy with its newest version, in the order in which they are looked at.
    async fn sla_policies(&self, context: &Context<'_>) -> Result<Vec<SlaPolicy>, ApiError> {
        let reads = operation(context)?.read().await?;
        let rows = policies::list(&mut *reads.lock().await, reads.tenant()).await?;
        Ok(rows.into_iter().map(|row| SlaPolicy { row }).collect())
    }

    async fn sla_policy(
        &self,
        context: &Context<'_>,
        id: Id<PolicyId>,
    ) -> Result<Option<SlaPolicy>, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(found(policies::by_id(&reads, id.0).await)?.map(|row| SlaPolicy { row }))
    }

    async fn sla_calendars(&self, context: &Context<'_>) -> Result<Vec<SlaCalendar>, ApiError> {
        let reads = operation(context)?.read().await?;
        calendars::list(&reads).await?.iter().map(SlaCalendar::of).collect()
    }

    /// When a clock of these terms would be at risk and due.
    async fn sla_preview(
        &self,
        context: &Context<'_>,
        draft: SlaDraft,
        starts_at: DateTime<Utc>,
    ) -> Result<SlaDeadlines, ApiError> {
        let reads = operation(context)?.read().await?;
        let deadlines = policies::preview(&reads, &draft.read(), starts_at).await?;
        Ok(SlaDeadlines { starts_at, at_risk_at: deadlines.at_risk_at, due_at: deadlines.due_at })
    }

    /// What other terms would have given: those of a version, or of a draft.
    #[graphql(complexity = "1000 + child_complexity")]
    async fn sla_what_if(
        &self,
        context: &Context<'_>,
        policy: Id<PolicyId>,
        version: Option<i32>,
        draft: Option<SlaDraft>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<SlaWhatIf, ApiError> {
        let reads = operation(context)?.read().await?;
        let period = period(since, until, reads.now)?;
        let versions = policies::versions(&reads, policy.0).await?;
        let clock = versions.first().map(|row| row.clock.clone()).unwrap_or_default();
        let (conditions, terms) = match (draft, version) {
            (Some(draft), None) => {
                let draft = draft.read();
                let (terms, _) = policies::check(&reads, &draft).await?;
                (draft.conditions, terms)
            }
            (None, Some(version)) => {
                let row = versions.into_iter().find(|row| row.version == version);
                let row =
                    row.ok_or_else(|| ApiError::invalid("version", "the policy has no such version"))?;
                let terms = row.terms()?;
                (row.conditions.0, terms)
            }
            _ => return Err(ApiError::invalid("version", "give either a version or a draft")),
        };
        Ok(what_if::compare(&reads, &clock, (&conditions, &terms), period, reads.now).await?.into())
    }
}

#[derive(SimpleObject)]
struct SlaPolicyPayload {
    policy: Option<SlaPolicy>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct SlaCalendarPayload {
    calendar: Option<SlaCalendar>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RecordContactPayload {
    /// false: somebody had reached the lead before.
    first: Option<bool>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct SlaClockPayload {
    ok: bool,
    error: Option<UserError>,
}

fn policy_payload(result: Result<PolicyRow, UserError>) -> SlaPolicyPayload {
    match result {
        Ok(row) => SlaPolicyPayload { policy: Some(SlaPolicy { row }), error: None },
        Err(error) => SlaPolicyPayload { policy: None, error: Some(error) },
    }
}

fn calendar_payload(result: Result<sla_calendar::Model, UserError>) -> Result<SlaCalendarPayload, ApiError> {
    Ok(match result {
        Ok(row) => SlaCalendarPayload { calendar: Some(SlaCalendar::of(&row)?), error: None },
        Err(error) => SlaCalendarPayload { calendar: None, error: Some(error) },
    })
}

#[derive(Default)]
pub(in super::super) struct PromiseMutations;

#[Object]
impl PromiseMutations {
    async fn create_sla_calendar(
        &self,
        context: &Context<'_>,
        input: SlaCalendarInput,
    ) -> Result<SlaCalendarPayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        let (name, spec) = input.spec();
        let made = operation.change(calendars::create(&operation.app, tenant, &name, &spec)).await;
        calendar_payload(expected(made)?)
    }

    /// Policies that use it get a new version: clocks that run keep what they were promised.
    async fn update_sla_calendar(
        &self,
        context: &Context<'_>,
        id: Id<CalendarId>,
        input: SlaCalendarInput,
    ) -> Result<SlaCalendarPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let (name, spec) = input.spec();
        let actor = viewer.actor.to_string();
        let change = calendars::update(&operation.app, viewer.tenant, id.0, Some(&name), Some(&spec), &actor);
        calendar_payload(expected(operation.change(change).await)?)
    }

    async fn create_sla_policy(
        &self,
        context: &Context<'_>,
        input: CreateSlaPolicyInput,
    ) -> Result<SlaPolicyPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let new = NewPolicy {
            name: input.name,
            clock: input.clock,
            starts_with: input.starts_with,
            stops_with: input.stops_with,
            place: input.place,
            draft: input.draft.read(),
        };
        let actor = viewer.actor.to_string();
        let made = operation.change(policies::create(&operation.app, viewer.tenant, new, &actor)).await;
        Ok(policy_payload(expected(made)?))
    }

    async fn update_sla_policy(
        &self,
        context: &Context<'_>,
        input: UpdateSlaPolicyInput,
    ) -> Result<SlaPolicyPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let change = PolicyChange {
            name: input.name,
            enabled: input.enabled,
            place: input.place,
            draft: input.draft.map(SlaDraft::read),
        };
        let actor = viewer.actor.to_string();
        let change = policies::update(&operation.app, viewer.tenant, input.id.0, change, &actor);
        Ok(policy_payload(expected(operation.change(change).await)?))
    }

    /// A person has reached the lead. The first time counts and stops the clocks that wait for it.
    async fn record_contact(
        &self,
        context: &Context<'_>,
        input: RecordContactInput,
    ) -> Result<RecordContactPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let (agent, team) = match (input.agent, viewer.actor) {
            (None, Actor::User(user)) => {
                let (name, team) = contact::person(&operation.app, viewer.tenant, user).await?;
                (name, input.team.or(team))
            }
            (agent, _) => (agent, input.team),
        };
        let contact = Contact { lead: input.lead_id.0, at: input.at, agent, team, note: input.note };
        let actor = viewer.actor.to_string();
        let recorded =
            operation.change(contact::record(&operation.app, viewer.tenant, contact, &actor)).await;
        Ok(match expected(recorded)? {
            Ok(first) => RecordContactPayload { first: Some(first), error: None },
            Err(error) => RecordContactPayload { first: None, error: Some(error) },
        })
    }

    /// Stops a clock for one of its policy's reasons, or without a reason lets it go on.
    async fn pause_sla_clock(
        &self,
        context: &Context<'_>,
        lead: Id<LeadId>,
        clock: String,
        reason: Option<String>,
    ) -> Result<SlaClockPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let (app, tenant) = (&operation.app, viewer.tenant);
        let change = pauses::set_paused(app, tenant, lead.0, &clock, reason.as_deref(), &actor);
        Ok(match expected(operation.change(change).await)? {
            Ok(()) => SlaClockPayload { ok: true, error: None },
            Err(error) => SlaClockPayload { ok: false, error: Some(error) },
        })
    }
}
