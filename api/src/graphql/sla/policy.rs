//! Policies and calendars: as they are, and as they are given.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::{CalendarId, LeadId, PolicyId, SourceId};
use domain::sla::{CalendarSpec, Conditions, FieldIs, WindowSpec};
use entity::sla_calendar;
use service::sla::calendars;
use service::sla::policies::{self, Draft, PolicyRow};

use super::super::error::ApiError;
use super::super::id::{Id, each};
use super::super::operation::operation;

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
    pub(super) fn of(row: &sla_calendar::Model) -> Result<Self, ApiError> {
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
    pub(super) fn spec(self) -> (String, CalendarSpec) {
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
    pub(super) row: PolicyRow,
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
    pub(super) fn read(self) -> Draft {
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
    pub(super) name: String,
    /// `processing` (received to delivered), `response` (delivered to contacted), or a name of your own.
    pub(super) clock: String,
    /// Of a clock of your own: an event of the journey.
    pub(super) starts_with: Option<String>,
    pub(super) stops_with: Option<String>,
    #[graphql(default = 100)]
    pub(super) place: i32,
    pub(super) draft: SlaDraft,
}

#[derive(Clone, Debug, InputObject)]
pub struct UpdateSlaPolicyInput {
    pub(super) id: Id<PolicyId>,
    pub(super) name: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) place: Option<i32>,
    /// Other terms are a new version, by which clocks start from now on.
    pub(super) draft: Option<SlaDraft>,
}

#[derive(Clone, Debug, InputObject)]
pub struct RecordContactInput {
    pub(super) lead_id: Id<LeadId>,
    /// When; now unless it is told later.
    pub(super) at: Option<DateTime<Utc>>,
    /// Who did; the caller, and its team, when absent.
    pub(super) agent: Option<String>,
    pub(super) team: Option<String>,
    /// What came of it, without personal data.
    pub(super) note: Option<String>,
}
