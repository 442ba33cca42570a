//! Help that is booked for a case: at one of Baton's own times, or as a wish that the managed-services team confirms.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{BookingId, CaseId, SlotId, TenantId};
use domain::journey::Step;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::escalation::{CASE, CaseRow};
use super::steps::Steps;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// The most slots that are offered at a time.
const SLOTS_MAX: i64 = 200;

/// A booking.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table sla_booking, whose migration says what they mean")]
pub struct BookingRow {
    pub id: Uuid,
    pub case_id: Uuid,
    pub slot_id: Option<Uuid>,
    pub state: String,
    pub starts_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// What happened to a booking.
#[derive(Clone, Debug, FromRow)]
#[expect(
    missing_docs,
    reason = "the columns of table sla_booking_event, whose migration says what they mean"
)]
pub struct BookingEventRow {
    pub booking_id: Uuid,
    pub state: String,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub note: Option<String>,
}

/// A time at which help can be booked.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table sla_slot, whose migration says what they mean")]
pub struct SlotRow {
    pub id: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

const BOOKING: &str = "id, case_id, slot_id, state, starts_at, note, created_at";

/// The bookings of those cases, oldest first.
pub async fn bookings(tx: &TenantTx, cases: &[Uuid]) -> Result<Vec<BookingRow>, Error> {
    let sql =
        format!("SELECT {BOOKING} FROM sla_booking WHERE tenant_id = $1 AND case_id = ANY($2) ORDER BY id");
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(cases)
        .fetch_all(&mut *connection)
        .await?)
}

/// What happened to those bookings, oldest first.
pub async fn booking_events(tx: &TenantTx, bookings: &[Uuid]) -> Result<Vec<BookingEventRow>, Error> {
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT booking_id, state, at, actor, note FROM sla_booking_event
         WHERE tenant_id = $1 AND booking_id = ANY($2) ORDER BY id",
    )
    .bind(tx.tenant().uuid())
    .bind(bookings)
    .fetch_all(&mut *connection)
    .await?)
}

/// Slots that begin later and that nobody has, the next first.
pub async fn free_slots(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<SlotRow>, Error> {
    let sql = format!(
        "SELECT s.id, s.starts_at, s.ends_at FROM sla_slot s
         WHERE s.tenant_id = $1 AND s.starts_at > $2
           AND NOT EXISTS (SELECT FROM sla_booking b WHERE b.tenant_id = $1 AND b.slot_id = s.id AND b.state <> 'cancelled')
         ORDER BY s.starts_at, s.id LIMIT {SLOTS_MAX}"
    );
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(now)
        .fetch_all(&mut *connection)
        .await?)
}

/// Offers a time at which help can be booked.
pub async fn add_slot(
    app: &App,
    tenant: TenantId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
) -> Result<SlotRow, Error> {
    let now = app.clock.now();
    if starts_at <= now {
        return Err(Error::invalid("starts_at", "a slot begins later than now"));
    }
    if ends_at <= starts_at || ends_at - starts_at > TimeDelta::hours(24) {
        return Err(Error::invalid("ends_at", "a slot ends after it begins, within a day"));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let slot = SlotRow { id: app.ids.next(now), starts_at, ends_at };
    sqlx::query(
        "INSERT INTO sla_slot (tenant_id, id, starts_at, ends_at, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.uuid())
    .bind(slot.id)
    .bind(starts_at)
    .bind(ends_at)
    .bind(now)
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(slot)
}

/// Books help for an open case: one of Baton's slots, or a wish that the managed-services team confirms.
pub async fn book(
    app: &App,
    tenant: TenantId,
    case: CaseId,
    slot: Option<SlotId>,
    note: Option<String>,
    actor: &str,
) -> Result<BookingRow, Error> {
    let now = app.clock.now();
    check_note(note.as_deref())?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let sql = format!("SELECT {CASE} FROM sla_case WHERE tenant_id = $1 AND id = $2 FOR UPDATE");
    let found: Option<CaseRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(case.uuid())
        .fetch_optional(tx.connection())
        .await?;
    let row = found.ok_or_else(|| Error::not_found("case", case))?;
    if row.closed_at.is_some() {
        return Err(Error::Conflict("the case is closed; help is booked for an open one".into()));
    }
    let starts_at = match slot {
        None => None,
        Some(slot) => {
            let starts: Option<DateTime<Utc>> = sqlx::query_scalar(
                "SELECT starts_at FROM sla_slot WHERE tenant_id = $1 AND id = $2 AND starts_at > $3",
            )
            .bind(tenant.uuid())
            .bind(slot.uuid())
            .bind(now)
            .fetch_optional(tx.connection())
            .await?;
            Some(starts.ok_or_else(|| Error::not_found("slot", slot))?)
        }
    };
    let booking = BookingRow {
        id: app.ids.next(now),
        case_id: row.id,
        slot_id: slot.map(SlotId::uuid),
        state: if slot.is_some() { "confirmed" } else { "requested" }.to_owned(),
        starts_at,
        note,
        created_at: now,
    };
    sqlx::query(
        "INSERT INTO sla_booking (tenant_id, id, case_id, slot_id, state, starts_at, note, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant.uuid())
    .bind(booking.id)
    .bind(booking.case_id)
    .bind(booking.slot_id)
    .bind(&booking.state)
    .bind(booking.starts_at)
    .bind(&booking.note)
    .bind(now)
    .execute(tx.connection())
    .await
    .map_err(|error| match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => {
            Error::Conflict("somebody has just booked that slot; choose another one".into())
        }
        other => other.into(),
    })?;
    record(app, tx.connection(), tenant, &booking, None, actor, now).await?;
    let mut steps = Steps::default();
    let data = serde_json::json!({ "booking": BookingId(booking.id), "case": case, "starts_at": starts_at });
    for lead in &row.lead_ids {
        let id = app.ids.next(now);
        steps.push_by(id, *lead, Step::Booked, now, Some(actor.to_owned()), data.clone());
    }
    steps.insert(tx.connection(), tenant).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(booking)
}

fn check_note(note: Option<&str>) -> Result<(), Error> {
    match note {
        Some(note) if note.trim().is_empty() || note.chars().count() > 500 => {
            Err(Error::invalid("note", "a note has 1 to 500 characters"))
        }
        _ => Ok(()),
    }
}

async fn record(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    booking: &BookingRow,
    note: Option<&str>,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sla_booking_event (tenant_id, booking_id, id, state, at, actor, note)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant.uuid())
    .bind(booking.id)
    .bind(app.ids.next(now))
    .bind(&booking.state)
    .bind(now)
    .bind(actor)
    .bind(note)
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a booking on: requested → confirmed → done, or cancelled before it is done.
pub async fn move_booking(
    app: &App,
    tenant: TenantId,
    id: BookingId,
    state: &str,
    note: Option<&str>,
    actor: &str,
) -> Result<BookingRow, Error> {
    check_note(note)?;
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let sql = format!("SELECT {BOOKING} FROM sla_booking WHERE tenant_id = $1 AND id = $2 FOR UPDATE");
    let found: Option<BookingRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_optional(tx.connection())
        .await?;
    let mut booking = found.ok_or_else(|| Error::not_found("booking", id))?;
    let allowed = matches!(
        (booking.state.as_str(), state),
        ("requested", "confirmed" | "cancelled") | ("confirmed", "done" | "cancelled")
    );
    if !allowed {
        let message = format!("a booking that is {} cannot become {state}", booking.state);
        return Err(Error::Conflict(message.into()));
    }
    state.clone_into(&mut booking.state);
    sqlx::query("UPDATE sla_booking SET state = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .bind(state)
        .execute(tx.connection())
        .await?;
    record(app, tx.connection(), tenant, &booking, note, actor, now).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(booking)
}
