//! When service levels are missed, help opens: a case while adherence of a rolling window is below the tenant's threshold, in
//! which professional services can be booked. It closes when adherence has recovered.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{BookingId, CaseId, SlotId, TenantId};
use domain::journey::Step;
use domain::sla::Period;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::reads::{self, ClockFilter};
use super::steps::Steps;
use crate::alerts::{self, Condition};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// The most leads whose journeys tell of a case.
const LEADS_MAX: i64 = 50;
/// The most slots that are offered at a time.
const SLOTS_MAX: i64 = 200;

/// When help opens for a clock.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Setting {
    /// The clock.
    pub clock: String,
    /// Below this share in target, percent.
    pub threshold_percent: i16,
    /// Of the clocks that started within so many minutes.
    pub window_minutes: i32,
    /// When at least so many of them are decided.
    pub clocks_min: i32,
    /// Where help is booked elsewhere; Baton's own slots without.
    pub booking_url: Option<String>,
}

/// Adherence that fell below its threshold.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of table sla_case, whose migration says what they mean")]
pub struct CaseRow {
    pub id: Uuid,
    pub clock: String,
    pub opened_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    pub met: i32,
    pub missed: i32,
    pub met_now: i32,
    pub missed_now: i32,
    pub lead_ids: Vec<Uuid>,
}

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

const SETTING: &str = "clock, threshold_percent, window_minutes, clocks_min, booking_url";
const CASE: &str = "id, clock, opened_at, closed_at, met, missed, met_now, missed_now, lead_ids";
const BOOKING: &str = "id, case_id, slot_id, state, starts_at, note, created_at";

/// The settings of every clock that has one.
pub async fn settings(tx: &TenantTx) -> Result<Vec<Setting>, Error> {
    let mut connection = tx.lock().await;
    let sql = format!("SELECT {SETTING} FROM sla_setting WHERE tenant_id = $1 ORDER BY clock");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(tx.tenant().uuid()).fetch_all(&mut *connection).await?)
}

/// Sets when help opens for a clock.
pub async fn set(app: &App, tenant: TenantId, setting: Setting) -> Result<Setting, Error> {
    if !(1..=100).contains(&setting.threshold_percent) {
        return Err(Error::invalid("threshold_percent", "the threshold is a percentage from 1 to 100"));
    }
    if !(5..=527_040).contains(&setting.window_minutes) {
        return Err(Error::invalid("window_minutes", "the window is 5 minutes to 366 days"));
    }
    if setting.clocks_min < 1 {
        return Err(Error::invalid("clocks_min", "at least one clock must be decided"));
    }
    if let Some(url) = &setting.booking_url
        && !url::Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host())
    {
        return Err(Error::invalid("booking_url", "a booking link is an address that begins with https://"));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "INSERT INTO sla_setting (tenant_id, clock, threshold_percent, window_minutes, clocks_min, booking_url, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, clock) DO UPDATE SET threshold_percent = $3, window_minutes = $4, clocks_min = $5,
             booking_url = $6, updated_at = $7",
    )
    .bind(tenant.uuid())
    .bind(&setting.clock)
    .bind(setting.threshold_percent)
    .bind(setting.window_minutes)
    .bind(setting.clocks_min)
    .bind(&setting.booking_url)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    look(app, tenant).await?;
    Ok(setting)
}

/// Looks whether cases open or close.
pub async fn look(app: &App, tenant: TenantId) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let mut changed = false;
    for setting in settings(&tx).await? {
        let window = TimeDelta::minutes(setting.window_minutes.into());
        let filter = ClockFilter { clock: setting.clock.clone(), ..ClockFilter::default() };
        let period = Period { from: now - window, until: now + TimeDelta::microseconds(1) };
        let figures = reads::total(&tx, &filter, period).await?;
        let decided = figures.met + figures.missed;
        let enough = decided >= setting.clocks_min.into();
        let below = figures.met * 100 < decided * i64::from(setting.threshold_percent);
        let (met, missed) = (whole(figures.met), whole(figures.missed));
        if enough && below {
            changed |= open(app, tx.connection(), tenant, &setting.clock, (met, missed), period).await?;
            alerts::raise(app, &tx, &condition(&setting, (met, missed))).await?;
        } else {
            let closed = sqlx::query(
                "UPDATE sla_case SET closed_at = $3, met_now = $4, missed_now = $5
                 WHERE tenant_id = $1 AND clock = $2 AND closed_at IS NULL",
            )
            .bind(tenant.uuid())
            .bind(&setting.clock)
            .bind(now)
            .bind(met)
            .bind(missed)
            .execute(tx.connection())
            .await?;
            changed |= closed.rows_affected() > 0;
            alerts::clear(app, &tx, &alert_key(&setting.clock)).await?;
        }
    }
    tx.commit().await?;
    if changed {
        app.wake.sla();
    }
    Ok(())
}

/// What tells the alert of a clock apart.
fn alert_key(clock: &str) -> String {
    format!("sla_missed {clock}")
}

/// What the alert channels are told, once until it clears.
fn condition(setting: &Setting, (met, missed): (i32, i32)) -> Condition {
    let clock = setting.clock.replace('_', " ");
    Condition {
        key: alert_key(&setting.clock),
        kind: "sla_missed",
        title: format!("The {clock} service level is missed"),
        detail: format!(
            "{met} of {} clocks of the last {} minutes were in target; the threshold is {} %. Help can be booked under Service levels, Cases.",
            met + missed,
            setting.window_minutes,
            setting.threshold_percent
        ),
        rule: None,
        channels: None,
    }
}

fn whole(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Opens the case of a clock, or brings the one that is open up to date. Answers whether it was opened.
async fn open(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    clock: &str,
    (met, missed): (i32, i32),
    window: Period,
) -> Result<bool, Error> {
    let now = app.clock.now();
    let leads: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT lead_id FROM sla_clock WHERE tenant_id = $1 AND clock = $2 AND breached_at >= $3 AND breached_at < $4
         ORDER BY breached_at DESC LIMIT {LEADS_MAX}"
    )))
    .bind(tenant.uuid())
    .bind(clock)
    .bind(window.from)
    .bind(window.until)
    .fetch_all(&mut *connection)
    .await?;
    let id = CaseId(app.ids.next(now));
    let (case, opened): (Uuid, bool) = sqlx::query_as(
        "INSERT INTO sla_case AS c (tenant_id, id, clock, opened_at, met, missed, met_now, missed_now, lead_ids)
         VALUES ($1, $2, $3, $4, $5, $6, $5, $6, $7)
         ON CONFLICT (tenant_id, clock) WHERE closed_at IS NULL DO UPDATE SET met_now = $5, missed_now = $6
         RETURNING id, id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(clock)
    .bind(now)
    .bind(met)
    .bind(missed)
    .bind(&leads)
    .fetch_one(&mut *connection)
    .await?;
    if opened {
        tracing::warn!(tenant.id = %tenant, case.id = %CaseId(case), sla.clock = clock, "service levels are missed: a case is open");
        let data = serde_json::json!({ "case": CaseId(case), "clock": clock, "met": met, "missed": missed });
        let mut steps = Steps::default();
        for lead in leads {
            steps.push(app.ids.next(now), lead, Step::Escalated, now, data.clone());
        }
        steps.insert(connection, tenant).await?;
    }
    Ok(opened)
}

/// Cases, the newest first; only the open ones when asked.
pub async fn cases(tx: &TenantTx, only_open: bool, most: usize) -> Result<Vec<CaseRow>, Error> {
    let open = if only_open { "AND closed_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT {CASE} FROM sla_case WHERE tenant_id = $1 {open} ORDER BY id DESC LIMIT {}",
        most.min(100)
    );
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(tx.tenant().uuid()).fetch_all(&mut *connection).await?)
}

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
        return Err(Error::Conflict("the case is closed: adherence has recovered".into()));
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
