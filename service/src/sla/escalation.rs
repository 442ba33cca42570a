//! When service levels are missed, help opens: a case while adherence of a rolling window is below the tenant's threshold, in
//! which professional services can be booked ([`super::bookings`]). It closes when adherence has recovered, or by hand: where no
//! more leads come, nothing would ever recover.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{CaseId, TenantId};
use domain::journey::Step;
use domain::sla::{CLOCKS, Period, clock_of};
use sqlx::{FromRow, PgConnection, QueryBuilder};
use uuid::Uuid;

use super::reads::{self, ClockFilter};
use super::steps::Steps;
use crate::alerts::{self, Condition};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::intake::leads::{PAGE_ROWS_MAX, Page, Rows, cut, push_page};

/// The most leads whose journeys tell of a case.
const LEADS_MAX: i64 = 50;
/// Characters of the reason why a case is closed, at most.
const REASON_CHARS_MAX: usize = 500;

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
    pub closed_by: Option<String>,
    pub close_reason: Option<String>,
    pub met: i32,
    pub missed: i32,
    pub met_now: i32,
    pub missed_now: i32,
    pub lead_ids: Vec<Uuid>,
}

const SETTING: &str = "clock, threshold_percent, window_minutes, clocks_min, booking_url";
/// The columns of [`CaseRow`].
pub(super) const CASE: &str =
    "id, clock, opened_at, closed_at, closed_by, close_reason, met, missed, met_now, missed_now, lead_ids";
/// The settings of every clock that has one.
pub async fn settings(tx: &TenantTx) -> Result<Vec<Setting>, Error> {
    let mut connection = tx.lock().await;
    let sql = format!("SELECT {SETTING} FROM sla_setting WHERE tenant_id = $1 ORDER BY clock");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(tx.tenant().uuid()).fetch_all(&mut *connection).await?)
}

/// Sets when help opens for a clock of the tenant's.
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
    check_clock(tx.connection(), tenant, &setting.clock).await?;
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

/// Refuses a clock that never runs: every tenant knows two, policies give the others.
async fn check_clock(connection: &mut PgConnection, tenant: TenantId, clock: &str) -> Result<(), Error> {
    let of_policies: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT clock FROM sla_policy WHERE tenant_id = $1 ORDER BY 1")
            .bind(tenant.uuid())
            .fetch_all(connection)
            .await?;
    let own = of_policies.iter().map(String::as_str).filter(|name| clock_of(name).is_none());
    let known: Vec<&str> = CLOCKS.into_iter().chain(own).collect();
    if known.contains(&clock) {
        return Ok(());
    }
    Err(Error::invalid("clock", format!("there is no such clock; there are: {}", known.join(", "))))
}

/// Takes away when help opens for a clock. Nothing looks after the clock then, so its open case and its alert end too.
pub async fn remove(app: &App, tenant: TenantId, clock: &str, actor: &str) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let removed = sqlx::query("DELETE FROM sla_setting WHERE tenant_id = $1 AND clock = $2")
        .bind(tenant.uuid())
        .bind(clock)
        .execute(tx.connection())
        .await?;
    if removed.rows_affected() == 0 {
        return Err(Error::not_found("threshold", clock));
    }
    sqlx::query(
        "UPDATE sla_case SET closed_at = $3, closed_by = $4, close_reason = 'its threshold was removed'
         WHERE tenant_id = $1 AND clock = $2 AND closed_at IS NULL",
    )
    .bind(tenant.uuid())
    .bind(clock)
    .bind(app.clock.now())
    .bind(actor)
    .execute(tx.connection())
    .await?;
    alerts::clear(app, &tx, &alert_key(clock)).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(())
}

/// Looks whether cases open or close. A window in which nothing is decided, as at night, proves neither.
pub async fn look(app: &App, tenant: TenantId) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let mut changed = false;
    for setting in watched(&mut tx).await? {
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
            let recovered = decided > 0 && !below;
            let looked = sqlx::query(
                "UPDATE sla_case SET closed_at = CASE WHEN $6 THEN $3::timestamptz END, met_now = $4, missed_now = $5
                 WHERE tenant_id = $1 AND clock = $2 AND closed_at IS NULL",
            )
            .bind(tenant.uuid())
            .bind(&setting.clock)
            .bind(now)
            .bind(met)
            .bind(missed)
            .bind(recovered)
            .execute(tx.connection())
            .await?;
            if recovered {
                changed |= looked.rows_affected() > 0;
                alerts::clear(app, &tx, &alert_key(&setting.clock)).await?;
            }
        }
    }
    tx.commit().await?;
    if changed {
        app.wake.sla();
    }
    Ok(())
}

/// The settings, kept until the end of the transaction: a case is not opened for one that is removed meanwhile.
async fn watched(tx: &mut TenantTx) -> Result<Vec<Setting>, Error> {
    let tenant = tx.tenant();
    let sql = format!("SELECT {SETTING} FROM sla_setting WHERE tenant_id = $1 ORDER BY clock FOR SHARE");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(tenant.uuid()).fetch_all(tx.connection()).await?)
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

/// Closes an open case by hand. While adherence stays below the threshold, the next miss opens another one.
pub async fn close(
    app: &App,
    tenant: TenantId,
    id: CaseId,
    reason: &str,
    actor: &str,
) -> Result<CaseRow, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        let message = format!("say in 1 to {REASON_CHARS_MAX} characters why the case is closed");
        return Err(Error::invalid("reason", message));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let open: Option<bool> = sqlx::query_scalar(
        "SELECT closed_at IS NULL FROM sla_case WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .fetch_optional(tx.connection())
    .await?;
    if !open.ok_or_else(|| Error::not_found("case", id))? {
        return Err(Error::Conflict("the case is closed already".into()));
    }
    let sql = format!(
        "UPDATE sla_case SET closed_at = $3, closed_by = $4, close_reason = $5 WHERE tenant_id = $1 AND id = $2
         RETURNING {CASE}"
    );
    let row: CaseRow = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(id.uuid())
        .bind(app.clock.now())
        .bind(actor)
        .bind(reason)
        .fetch_one(tx.connection())
        .await?;
    alerts::clear(app, &tx, &alert_key(&row.clock)).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(row)
}

/// A page of cases, the newest first; only the open ones when asked.
pub async fn cases(tx: &TenantTx, only_open: bool, page: Page) -> Result<Rows<CaseRow>, Error> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(CASE).push(" FROM sla_case c WHERE c.tenant_id = ").push_bind(tx.tenant().uuid());
    if only_open {
        query.push(" AND c.closed_at IS NULL");
    }
    push_page(&mut query, "c.id", page);
    let mut connection = tx.lock().await;
    let rows: Vec<CaseRow> = query.build_query_as().fetch_all(&mut *connection).await?;
    Ok(cut(rows, page))
}

/// The cases in which help can be booked, the newest first: at most one a clock.
pub async fn open_cases(tx: &TenantTx) -> Result<Vec<CaseRow>, Error> {
    let page = Page { rows: PAGE_ROWS_MAX, after: None, before: None, from_end: false };
    Ok(cases(tx, true, page).await?.rows)
}
