//! Policies, calendars, and what people do with clocks.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::{CalendarId, LeadId, PolicyId, SourceId};
use domain::sla::{CalendarSpec, Conditions, FieldIs, WindowSpec};
use entity::sla_calendar;
use service::sla::contact::{self, Contact};
use service::sla::policies::{self, Draft, NewPolicy, PolicyChange, PolicyRow};
use service::sla::what_if::{self, Difference};
use service::sla::{calendars, clocks};

use super::super::error::{ApiError, UserError, expected, found};
use super::super::id::{Id, each};
use super::super::operation::operation;
use super::count;
use super::figures::period;

/// A stretch of every such weekday in which somebody works.
#[derive(Clone, Debug, SimpleObject)]
pub struct SlaWindow {
    /// 1 is Monday.
    weekday: i32,
    /// As in `09:00`.
    from: String,
    /// As in `17:30`; the end of the day is `24:00`.
    until: String,
}

/// The same, given. One that ends where it begins or before goes on into the next day.
#[derive(Clone, Debug, InputObject)]
pub struct SlaWindowInput {
    weekday: i32,
    from: String,
    until: String,
}

/// Business time.
#[derive(Clone, Debug, SimpleObject)]
pub struct SlaCalendar {
    id: ID,
    name: String,
    /// An IANA name.
    time_zone: String,
    windows: Vec<SlaWindow>,
    holidays: Vec<NaiveDate>,
    updated_at: DateTime<Utc>,
}

impl SlaCalendar {
    fn of(row: &sla_calendar::Model) -> Result<Self, ApiError> {
        let spec = calendars::spec_of(row)?;
        let windows = spec.windows.into_iter().map(|window| SlaWindow {
            weekday: window.weekday.into(),
            from: window.from,
            until: window.until,
        });
        Ok(Self {
            id: ID(CalendarId(row.id).to_string()),
            name: row.name.clone(),
            time_zone: spec.time_zone,
            windows: windows.collect(),
            holidays: spec.holidays,
            updated_at: row.updated_at,
        })
    }
}

/// A calendar as it is given.
#[derive(Clone, Debug, InputObject)]
pub struct SlaCalendarInput {
    name: String,
    time_zone: String,
    windows: Vec<SlaWindowInput>,
    #[graphql(default)]
    holidays: Vec<NaiveDate>,
}

impl SlaCalendarInput {
    fn spec(self) -> (String, CalendarSpec) {
        let windows = self.windows.into_iter().map(|window| WindowSpec {
            weekday: u8::try_from(window.weekday).unwrap_or(0),
            from: window.from,
            until: window.until,
        });
        let spec =
            CalendarSpec { time_zone: self.time_zone, windows: windows.collect(), holidays: self.holidays };
        (self.name, spec)
    }
}

/// Which leads: all of these must hold, an empty list holds for every lead.
#[derive(Clone, Debug, SimpleObject)]
pub struct SlaConditions {
    source_ids: Vec<ID>,
    lead_types: Vec<String>,
    states: Vec<String>,
    campaigns: Vec<String>,
    channels: Vec<String>,
    fields: Vec<SlaFieldIs>,
}

/// A further field of the lead and the values that it may have.
#[derive(Clone, Debug, SimpleObject)]
pub struct SlaFieldIs {
    field: String,
    is: Vec<String>,
}

/// The same, given.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SlaConditionsInput {
    source_ids: Option<Vec<Id<SourceId>>>,
    #[graphql(default)]
    lead_types: Vec<String>,
    #[graphql(default)]
    states: Vec<String>,
    #[graphql(default)]
    campaigns: Vec<String>,
    #[graphql(default)]
    channels: Vec<String>,
    #[graphql(default)]
    fields: Vec<SlaFieldIsInput>,
}

/// The same, given.
#[derive(Clone, Debug, InputObject)]
pub struct SlaFieldIsInput {
    field: String,
    is: Vec<String>,
}

/// A policy and what one of its versions promises.
#[derive(Clone, Debug)]
pub struct SlaPolicy {
    row: PolicyRow,
}

#[Object]
impl SlaPolicy {
    async fn id(&self) -> ID {
        ID(PolicyId(self.row.id).to_string())
    }

    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn clock(&self) -> &str {
        &self.row.clock
    }

    async fn starts_with(&self) -> &str {
        &self.row.starts_with
    }

    async fn stops_with(&self) -> &str {
        &self.row.stops_with
    }

    /// Of the policies of one clock the first that fits a lead counts; smaller comes first.
    async fn place(&self) -> i32 {
        self.row.place
    }

    async fn enabled(&self) -> bool {
        self.row.enabled
    }

    async fn version(&self) -> i32 {
        self.row.version
    }

    /// When this version was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    async fn created_by(&self) -> &str {
        &self.row.created_by
    }

    async fn target_seconds(&self) -> i32 {
        self.row.target_s
    }

    /// Percent of the target after which a clock is at risk.
    async fn at_risk_percent(&self) -> i32 {
        self.row.at_risk_percent.into()
    }

    /// Business time by that calendar; null: calendar time.
    async fn calendar_id(&self) -> Option<ID> {
        self.row.calendar_id.map(|id| ID(CalendarId(id).to_string()))
    }

    async fn pause_reasons(&self) -> &[String] {
        &self.row.pause_reasons
    }

    async fn conditions(&self) -> SlaConditions {
        let own = &self.row.conditions.0;
        let field = |one: &FieldIs| SlaFieldIs { field: one.field.clone(), is: one.is.clone() };
        SlaConditions {
            source_ids: own.sources.iter().map(|id| ID(SourceId(*id).to_string())).collect(),
            lead_types: own.lead_types.clone(),
            states: own.states.clone(),
            campaigns: own.campaigns.clone(),
            channels: own.channels.clone(),
            fields: own.fields.iter().map(field).collect(),
        }
    }

    /// Every version, the newest first.
    async fn versions(&self, context: &Context<'_>) -> Result<Vec<SlaPolicy>, ApiError> {
        let reads = operation(context)?.read().await?;
        let rows = policies::versions(&reads, PolicyId(self.row.id)).await?;
        Ok(rows.into_iter().map(|row| SlaPolicy { row }).collect())
    }
}

/// What a version promises, given.
#[derive(Clone, Debug, InputObject)]
pub struct SlaDraft {
    target_seconds: i32,
    #[graphql(default = 80)]
    at_risk_percent: i32,
    /// Business time by that calendar; calendar time without.
    calendar_id: Option<Id<CalendarId>>,
    #[graphql(default)]
    pause_reasons: Vec<String>,
    conditions: Option<SlaConditionsInput>,
}

impl SlaDraft {
    fn read(self) -> Draft {
        let given = self.conditions.unwrap_or_default();
        let fields = given.fields.into_iter().map(|one| FieldIs { field: one.field, is: one.is });
        Draft {
            conditions: Conditions {
                sources: each(given.source_ids.as_ref()).into_iter().map(SourceId::uuid).collect(),
                lead_types: given.lead_types,
                states: given.states,
                campaigns: given.campaigns,
                channels: given.channels,
                fields: fields.collect(),
            },
            target_s: self.target_seconds,
            at_risk_percent: i16::try_from(self.at_risk_percent).unwrap_or(0),
            calendar: self.calendar_id.map(|id| id.0),
            pause_reasons: self.pause_reasons,
        }
    }
}

#[derive(Clone, Debug, InputObject)]
pub struct CreateSlaPolicyInput {
    name: String,
    /// `processing` (received to delivered), `response` (delivered to contacted), or a name of your own.
    clock: String,
    /// Of a clock of your own: an event of the journey.
    starts_with: Option<String>,
    stops_with: Option<String>,
    #[graphql(default = 100)]
    place: i32,
    draft: SlaDraft,
}

#[derive(Clone, Debug, InputObject)]
pub struct UpdateSlaPolicyInput {
    id: Id<PolicyId>,
    name: Option<String>,
    enabled: Option<bool>,
    place: Option<i32>,
    /// Other terms are a new version, by which clocks start from now on.
    draft: Option<SlaDraft>,
}

#[derive(Clone, Debug, InputObject)]
pub struct RecordContactInput {
    lead_id: Id<LeadId>,
    /// When; now unless it is told later.
    at: Option<DateTime<Utc>>,
    /// Who did; the caller when absent.
    agent: Option<String>,
    team: Option<String>,
    /// What came of it, without personal data.
    note: Option<String>,
}

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

    /// What other terms would have given: those of a version, or of a draft. Pauses are not reckoned with.
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
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
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
        let contact = Contact {
            lead: input.lead_id.0,
            at: input.at,
            agent: input.agent,
            team: input.team,
            note: input.note,
        };
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
        let change = clocks::set_paused(app, tenant, lead.0, &clock, reason.as_deref(), &actor);
        Ok(match expected(operation.change(change).await)? {
            Ok(()) => SlaClockPayload { ok: true, error: None },
            Err(error) => SlaClockPayload { ok: false, error: Some(error) },
        })
    }
}
