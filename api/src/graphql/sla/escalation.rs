//! Cases, thresholds, slots and bookings.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{BookingId, CaseId, LeadId, SlotId};
use service::sla::bookings::{self, BookingEventRow, BookingRow, SlotRow};
use service::sla::escalation::{self, CaseRow, Setting};
use uuid::Uuid;

use super::super::at_hand::{AtHand, Below, Getter};
use super::super::error::{ApiError, UserError, expected, stored};
use super::super::id::Id;
use super::super::operation::{Reads, of_tenant, operation};
use super::super::page::{Listed, Window, connection, page_cost};
use super::figures::SlaFilter;
use super::live::SlaNow;

/// When help opens for a clock.
#[derive(SimpleObject)]
pub struct SlaThreshold {
    clock: String,
    /// Below this share in target.
    threshold_percent: i32,
    /// Of the clocks that started within so many minutes.
    window_minutes: i32,
    /// When at least so many of them are decided.
    clocks_min: i32,
    /// Where help is booked elsewhere; null: Baton's own slots.
    booking_url: Option<String>,
}

impl From<Setting> for SlaThreshold {
    fn from(setting: Setting) -> Self {
        Self {
            clock: setting.clock,
            threshold_percent: setting.threshold_percent.into(),
            window_minutes: setting.window_minutes,
            clocks_min: setting.clocks_min,
            booking_url: setting.booking_url,
        }
    }
}

#[derive(InputObject)]
pub struct SlaThresholdInput {
    clock: String,
    threshold_percent: i32,
    window_minutes: i32,
    #[graphql(default = 10)]
    clocks_min: i32,
    booking_url: Option<String>,
}

/// Adherence that fell below its threshold; open until it has recovered or somebody closes it.
#[derive(SimpleObject)]
pub struct SlaCase {
    #[graphql(skip)]
    row_id: Uuid,
    id: ID,
    clock: String,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    /// Who closed it, or removed its threshold; null while it is open and where adherence has recovered.
    closed_by: Option<String>,
    close_reason: Option<String>,
    /// In the window when it opened.
    met: i32,
    missed: i32,
    /// In the window at the last look.
    met_now: i32,
    missed_now: i32,
    /// The leads whose journeys tell of it.
    lead_ids: Vec<ID>,
    bookings: Vec<SlaBooking>,
}

/// Their pages are few and short; the engine resolves them.
impl AtHand for SlaCase {
    fn getter(_: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        None
    }
}

connection! {
    /// A page of cases.
    SlaCaseConnection, SlaCaseEdge, SlaCase {}
}

/// The state of a booking.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum SlaBookingState {
    Requested,
    Confirmed,
    Done,
    Cancelled,
}

impl SlaBookingState {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "requested" => Self::Requested,
            "confirmed" => Self::Confirmed,
            "done" => Self::Done,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Confirmed => "confirmed",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A booking of help.
#[derive(SimpleObject)]
pub struct SlaBooking {
    id: ID,
    state: SlaBookingState,
    /// null: the managed-services team names the time.
    starts_at: Option<DateTime<Utc>>,
    note: Option<String>,
    created_at: DateTime<Utc>,
    history: Vec<SlaBookingEvent>,
}

/// What happened to a booking.
#[derive(SimpleObject)]
pub struct SlaBookingEvent {
    state: SlaBookingState,
    at: DateTime<Utc>,
    actor: String,
    note: Option<String>,
}

/// A time at which help can be booked.
#[derive(SimpleObject)]
pub struct SlaSlot {
    id: ID,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl From<SlotRow> for SlaSlot {
    fn from(row: SlotRow) -> Self {
        Self { id: ID(SlotId(row.id).to_string()), starts_at: row.starts_at, ends_at: row.ends_at }
    }
}

fn booking(row: BookingRow, history: Vec<BookingEventRow>) -> Result<SlaBooking, ApiError> {
    let state = |id, word: &str| stored("sla_booking.state", id, word, SlaBookingState::of(word));
    let event = |event: BookingEventRow| -> Result<SlaBookingEvent, ApiError> {
        let state = state(event.booking_id, &event.state)?;
        Ok(SlaBookingEvent { state, at: event.at, actor: event.actor, note: event.note })
    };
    Ok(SlaBooking {
        id: ID(BookingId(row.id).to_string()),
        state: state(row.id, &row.state)?,
        starts_at: row.starts_at,
        note: row.note,
        created_at: row.created_at,
        history: history.into_iter().map(event).collect::<Result<_, _>>()?,
    })
}

fn case(row: CaseRow, bookings: Vec<SlaBooking>) -> SlaCase {
    SlaCase {
        row_id: row.id,
        id: ID(CaseId(row.id).to_string()),
        clock: row.clock,
        opened_at: row.opened_at,
        closed_at: row.closed_at,
        closed_by: row.closed_by,
        close_reason: row.close_reason,
        met: row.met,
        missed: row.missed,
        met_now: row.met_now,
        missed_now: row.missed_now,
        lead_ids: row.lead_ids.into_iter().map(|id| ID(LeadId(id).to_string())).collect(),
        bookings,
    }
}

/// The cases of those rows, with their bookings.
async fn cases_of(reads: &Reads, rows: Vec<CaseRow>) -> Result<Vec<Arc<SlaCase>>, ApiError> {
    let cases: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let bookings = bookings::bookings(reads, &cases).await?;
    let ids: Vec<Uuid> = bookings.iter().map(|row| row.id).collect();
    let mut history: HashMap<Uuid, Vec<BookingEventRow>> = HashMap::new();
    for event in bookings::booking_events(reads, &ids).await? {
        history.entry(event.booking_id).or_default().push(event);
    }
    let mut of_case: HashMap<Uuid, Vec<SlaBooking>> = HashMap::new();
    for row in bookings {
        let (case, events) = (row.case_id, history.remove(&row.id).unwrap_or_default());
        of_case.entry(case).or_default().push(booking(row, events)?);
    }
    Ok(rows
        .into_iter()
        .map(|row| (of_case.remove(&row.id).unwrap_or_default(), row))
        .map(|(bookings, row)| Arc::new(case(row, bookings)))
        .collect())
}

#[derive(Default)]
pub(in super::super) struct EscalationQueries;

#[Object]
impl EscalationQueries {
    /// How the open clocks stand. Each is counted up to 100,000.
    #[graphql(complexity = "50 + child_complexity")]
    async fn sla_now(&self, context: &Context<'_>, filter: Option<SlaFilter>) -> Result<SlaNow, ApiError> {
        let reads = operation(context)?.read().await?;
        SlaNow::read(&reads, &SlaFilter::read(filter)).await
    }

    /// Cases, the newest first, with their bookings.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn sla_cases(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        #[graphql(default = false)] only_open: bool,
    ) -> Result<SlaCaseConnection, ApiError> {
        let page = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let reads = operation(context)?.read().await?;
        let rows = escalation::cases(&reads, only_open, page).await?;
        let nodes = cases_of(&reads, rows.rows).await?;
        let listed = Listed::new(nodes, |case: &SlaCase| case.row_id, (rows.more_after, rows.more_before));
        Ok(SlaCaseConnection { page_info: listed.info(), listed })
    }

    async fn sla_thresholds(&self, context: &Context<'_>) -> Result<Vec<SlaThreshold>, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(escalation::settings(&reads).await?.into_iter().map(Into::into).collect())
    }

    /// Slots that begin later and that nobody has, the next first.
    async fn sla_slots(&self, context: &Context<'_>) -> Result<Vec<SlaSlot>, ApiError> {
        let reads = operation(context)?.read().await?;
        Ok(bookings::free_slots(&reads, reads.now).await?.into_iter().map(Into::into).collect())
    }
}

#[derive(SimpleObject)]
struct SlaThresholdPayload {
    threshold: Option<SlaThreshold>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct RemoveSlaThresholdPayload {
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct SlaCasePayload {
    case: Option<Arc<SlaCase>>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct SlaSlotPayload {
    slot: Option<SlaSlot>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct SlaBookingPayload {
    booking: Option<SlaBooking>,
    error: Option<UserError>,
}

fn booking_payload(result: Result<BookingRow, UserError>) -> Result<SlaBookingPayload, ApiError> {
    Ok(match result {
        Ok(row) => SlaBookingPayload { booking: Some(booking(row, Vec::new())?), error: None },
        Err(error) => SlaBookingPayload { booking: None, error: Some(error) },
    })
}

#[derive(Default)]
pub(in super::super) struct EscalationMutations;

#[Object]
impl EscalationMutations {
    /// Sets when help opens for a clock: one that every tenant knows, or one of the tenant's policies.
    async fn set_sla_threshold(
        &self,
        context: &Context<'_>,
        input: SlaThresholdInput,
    ) -> Result<SlaThresholdPayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        let setting = Setting {
            clock: input.clock,
            threshold_percent: i16::try_from(input.threshold_percent).unwrap_or(0),
            window_minutes: input.window_minutes,
            clocks_min: input.clocks_min,
            booking_url: input.booking_url.filter(|url| !url.trim().is_empty()),
        };
        let set = operation.change(escalation::set(&operation.app, tenant, setting)).await;
        Ok(match expected(set)? {
            Ok(setting) => SlaThresholdPayload { threshold: Some(setting.into()), error: None },
            Err(error) => SlaThresholdPayload { threshold: None, error: Some(error) },
        })
    }

    /// No help opens for the clock any more; its open case is closed.
    async fn remove_sla_threshold(
        &self,
        context: &Context<'_>,
        clock: String,
    ) -> Result<RemoveSlaThresholdPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let removed = escalation::remove(&operation.app, viewer.tenant, &clock, &actor);
        Ok(RemoveSlaThresholdPayload { error: expected(operation.change(removed).await)?.err() })
    }

    /// Closes an open case by hand, as when no more leads come. While adherence stays below the threshold, the next miss
    /// opens another one.
    async fn close_sla_case(
        &self,
        context: &Context<'_>,
        id: Id<CaseId>,
        reason: String,
    ) -> Result<SlaCasePayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let closed = escalation::close(&operation.app, viewer.tenant, id.0, &reason, &actor);
        Ok(match expected(operation.change(closed).await)? {
            Ok(row) => {
                let cases = cases_of(&operation.read().await?, vec![row]).await?;
                SlaCasePayload { case: cases.into_iter().next(), error: None }
            }
            Err(error) => SlaCasePayload { case: None, error: Some(error) },
        })
    }

    /// Offers a time at which help can be booked.
    async fn add_sla_slot(
        &self,
        context: &Context<'_>,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    ) -> Result<SlaSlotPayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        let added = operation.change(bookings::add_slot(&operation.app, tenant, starts_at, ends_at)).await;
        Ok(match expected(added)? {
            Ok(slot) => SlaSlotPayload { slot: Some(slot.into()), error: None },
            Err(error) => SlaSlotPayload { slot: None, error: Some(error) },
        })
    }

    /// Books help for an open case: a slot, or without one a time that the managed-services team names.
    async fn book_sla_help(
        &self,
        context: &Context<'_>,
        case: Id<CaseId>,
        slot: Option<Id<SlotId>>,
        note: Option<String>,
    ) -> Result<SlaBookingPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let slot = slot.map(|slot| slot.0);
        let booked = bookings::book(&operation.app, viewer.tenant, case.0, slot, note, &actor);
        booking_payload(expected(operation.change(booked).await)?)
    }

    /// Moves a booking on: requested, confirmed, done; or cancelled before it is done.
    async fn move_sla_booking(
        &self,
        context: &Context<'_>,
        id: Id<BookingId>,
        state: SlaBookingState,
        note: Option<String>,
    ) -> Result<SlaBookingPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let actor = viewer.actor.to_string();
        let (app, tenant) = (&operation.app, viewer.tenant);
        let moved = bookings::move_booking(app, tenant, id.0, state.word(), note.as_deref(), &actor);
        booking_payload(expected(operation.change(moved).await)?)
    }
}
