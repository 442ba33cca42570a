//! Policies: which clock runs for which leads, and what it promises.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{CalendarId, PolicyId, TenantId};
use domain::sla::{CalendarSpec, Conditions, Deadlines, Event, Terms, clock_of};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::calendars;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::naming::check_name;

/// The most policies of a tenant: each is looked at for each lead.
const POLICIES_MAX: i64 = 100;

/// A policy with one of its versions, the newest unless another was asked for.
#[derive(Clone, Debug, FromRow)]
#[expect(
    missing_docs,
    reason = "the columns of sla_policy and sla_policy_version, whose migration says what they mean"
)]
pub struct PolicyRow {
    pub id: Uuid,
    pub name: String,
    pub clock: String,
    pub starts_with: String,
    pub stops_with: String,
    pub place: i32,
    pub enabled: bool,
    pub version: i32,
    pub conditions: Json<Conditions>,
    pub target_s: i32,
    pub at_risk_percent: i16,
    pub calendar_id: Option<Uuid>,
    pub calendar: Option<Json<CalendarSpec>>,
    pub pause_reasons: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
}

const COLUMNS: &str = "p.id, p.name, p.clock, p.starts_with, p.stops_with, p.place, p.enabled, v.version, v.conditions, \
     v.target_s, v.at_risk_percent, v.calendar_id, v.calendar, v.pause_reasons, v.created_at, v.created_by";

impl PolicyRow {
    /// What it promises.
    pub fn terms(&self) -> Result<Terms, Error> {
        let corrupt = |error: String| {
            Error::internal(format!("reading sla_policy_version {} of {}", self.version, self.id), error)
        };
        let calendar = self.calendar.as_ref().map(|Json(spec)| domain::sla::Calendar::new(spec)).transpose();
        let calendar = calendar.map_err(|error| corrupt(error.to_string()))?;
        let percent = u8::try_from(self.at_risk_percent).unwrap_or(0);
        Terms::new(TimeDelta::seconds(self.target_s.into()), percent, calendar)
            .map_err(|error| corrupt(error.to_string()))
    }
}

/// A policy ready to be applied.
pub(super) struct Ready {
    pub(super) row: PolicyRow,
    pub(super) terms: Terms,
}

/// What a version is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which leads.
    pub conditions: Conditions,
    /// How long it may take, seconds.
    pub target_s: i32,
    /// Percent of the target after which a clock is at risk.
    pub at_risk_percent: i16,
    /// Business time by that calendar; calendar time without one.
    pub calendar: Option<CalendarId>,
    /// Why a clock may be paused.
    pub pause_reasons: Vec<String>,
}

/// What a policy is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicy {
    /// As people see it.
    pub name: String,
    /// `processing`, `response`, or a name of the tenant's own.
    pub clock: String,
    /// Of a clock of the tenant's own: what starts it.
    pub starts_with: Option<String>,
    /// Of a clock of the tenant's own: what stops it.
    pub stops_with: Option<String>,
    /// Of the policies of one clock the first that fits counts; smaller comes first.
    pub place: i32,
    /// Its first version.
    pub draft: Draft,
}

/// What may change of a policy beside its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// As people see it.
    pub name: Option<String>,
    /// Whether clocks start by it.
    pub enabled: Option<bool>,
    /// Its place among others.
    pub place: Option<i32>,
    /// A new version, from now on.
    pub draft: Option<Draft>,
}

/// Every policy with its newest version, in the order in which they are looked at.
pub async fn list(connection: &mut PgConnection, tenant: TenantId) -> Result<Vec<PolicyRow>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sla_policy p
         CROSS JOIN LATERAL (SELECT * FROM sla_policy_version v WHERE v.tenant_id = $1 AND v.policy_id = p.id
                             ORDER BY v.version DESC LIMIT 1) v
         WHERE p.tenant_id = $1 ORDER BY p.place, p.id"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(tenant.uuid()).fetch_all(connection).await?)
}

/// Every version of a policy, the newest first.
pub async fn versions(tx: &TenantTx, id: PolicyId) -> Result<Vec<PolicyRow>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sla_policy p
         JOIN sla_policy_version v ON v.tenant_id = p.tenant_id AND v.policy_id = p.id
         WHERE p.tenant_id = $1 AND p.id = $2 ORDER BY v.version DESC"
    );
    let mut connection = tx.lock().await;
    let rows: Vec<PolicyRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tx.tenant().uuid())
        .bind(id.uuid())
        .fetch_all(&mut *connection)
        .await?;
    if rows.is_empty() { Err(Error::not_found("policy", id)) } else { Ok(rows) }
}

/// The newest version of that policy.
pub async fn by_id(tx: &TenantTx, id: PolicyId) -> Result<PolicyRow, Error> {
    versions(tx, id).await?.into_iter().next().ok_or_else(|| Error::not_found("policy", id))
}

/// Policies with those versions.
pub(super) async fn terms_of(
    connection: &mut PgConnection,
    tenant: TenantId,
    wanted: &[(Uuid, i32)],
) -> Result<Vec<Ready>, Error> {
    let (ids, versions): (Vec<Uuid>, Vec<i32>) = wanted.iter().copied().unzip();
    let sql = format!(
        "SELECT DISTINCT {COLUMNS} FROM unnest($2::uuid[], $3::integer[]) AS w(id, version)
         JOIN sla_policy p ON p.tenant_id = $1 AND p.id = w.id
         JOIN sla_policy_version v ON v.tenant_id = $1 AND v.policy_id = w.id AND v.version = w.version"
    );
    let rows: Vec<PolicyRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.uuid())
        .bind(ids)
        .bind(versions)
        .fetch_all(connection)
        .await?;
    ready(rows)
}

/// The policies with their terms reckoned.
pub(super) fn ready(rows: Vec<PolicyRow>) -> Result<Vec<Ready>, Error> {
    rows.into_iter().map(|row| Ok(Ready { terms: row.terms()?, row })).collect()
}

/// What a version would promise: checked, with its calendar as it is now.
pub async fn check(tx: &TenantTx, draft: &Draft) -> Result<(Terms, Option<serde_json::Value>), Error> {
    draft.conditions.check().map_err(|error| Error::invalid(error.field, error.message))?;
    let wrong_reason = draft.pause_reasons.iter().any(|reason| reason.trim().is_empty() || reason.len() > 80);
    if draft.pause_reasons.len() > 20 || wrong_reason {
        return Err(Error::invalid("pause_reasons", "at most 20 reasons of 1 to 80 characters"));
    }
    let (calendar, spec) = match draft.calendar {
        None => (None, None),
        Some(id) => {
            let row = calendars::by_id(tx, id).await?;
            (Some(calendars::read(&calendars::spec_of(&row)?)?), Some(row.spec))
        }
    };
    let percent = u8::try_from(draft.at_risk_percent).unwrap_or(0);
    let terms = Terms::new(TimeDelta::seconds(draft.target_s.into()), percent, calendar)
        .map_err(|error| Error::invalid(error.field, error.message))?;
    Ok((terms, spec))
}

/// When a clock that starts then would be at risk and due.
pub async fn preview(tx: &TenantTx, draft: &Draft, start: DateTime<Utc>) -> Result<Deadlines, Error> {
    let (terms, _) = check(tx, draft).await?;
    terms.start(start).map_err(|error| Error::invalid("calendar", error.to_string()))
}

/// The events of a clock, or what is wrong with them.
fn events(new: &NewPolicy) -> Result<(Event, Event), Error> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let first = new.clock.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !first || new.clock.len() > 40 || !new.clock.bytes().all(good) {
        let message =
            "a clock's name has 1 to 40 lower-case letters, digits and underscores and begins with a letter";
        return Err(Error::invalid("clock", message));
    }
    let read = |field: &'static str, given: Option<&str>| {
        let names = Event::ALL.map(Event::as_str).join(", ");
        given.and_then(Event::parse).ok_or_else(|| Error::invalid(field, format!("one of: {names}")))
    };
    let (starts, stops) = match clock_of(&new.clock) {
        Some((starts, stops)) => {
            let other = |given: Option<&str>, event: Event| given.is_some_and(|name| name != event.as_str());
            if other(new.starts_with.as_deref(), starts) || other(new.stops_with.as_deref(), stops) {
                let message = format!(
                    "the clock {} runs from {} to {}; give a clock of your own another name",
                    new.clock,
                    starts.as_str(),
                    stops.as_str()
                );
                return Err(Error::invalid("clock", message));
            }
            (starts, stops)
        }
        None => {
            (read("starts_with", new.starts_with.as_deref())?, read("stops_with", new.stops_with.as_deref())?)
        }
    };
    if starts == stops || stops == Event::Received {
        return Err(Error::invalid("stops_with", "a clock stops with a later event than it starts with"));
    }
    Ok((starts, stops))
}

/// Makes a policy with its first version.
pub async fn create(app: &App, tenant: TenantId, new: NewPolicy, actor: &str) -> Result<PolicyRow, Error> {
    let name = check_name(&new.name)?;
    let (starts, stops) = events(&new)?;
    let now = app.clock.now();
    let id = PolicyId(app.ids.next(now));
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM sla_policy WHERE tenant_id = $1")
        .bind(tenant.uuid())
        .fetch_one(tx.connection())
        .await?;
    if count >= POLICIES_MAX {
        return Err(Error::Limit(format!("a tenant has at most {POLICIES_MAX} policies").into()));
    }
    sqlx::query(
        "INSERT INTO sla_policy (tenant_id, id, name, clock, starts_with, stops_with, place, enabled, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, $8)",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(&name)
    .bind(&new.clock)
    .bind(starts.as_str())
    .bind(stops.as_str())
    .bind(new.place)
    .bind(now)
    .execute(tx.connection())
    .await
    .map_err(|error| name_taken(error, &name))?;
    add_version(&mut tx, id, &new.draft, now, actor).await?;
    let row = by_id(&tx, id).await?;
    tx.commit().await?;
    Ok(row)
}

fn name_taken(error: sqlx::Error, name: &str) -> Error {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => {
            Error::Conflict(format!("there is a policy `{name}` already").into())
        }
        other => other.into(),
    }
}

async fn add_version(
    tx: &mut TenantTx,
    id: PolicyId,
    draft: &Draft,
    now: DateTime<Utc>,
    actor: &str,
) -> Result<(), Error> {
    let (_, calendar) = check(tx, draft).await?;
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO sla_policy_version (tenant_id, policy_id, version, conditions, target_s, at_risk_percent, calendar_id,
                                         calendar, pause_reasons, created_at, created_by)
         SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10
         FROM sla_policy_version WHERE tenant_id = $1 AND policy_id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(Json(&draft.conditions))
    .bind(draft.target_s)
    .bind(draft.at_risk_percent)
    .bind(draft.calendar.map(CalendarId::uuid))
    .bind(calendar)
    .bind(&draft.pause_reasons)
    .bind(now)
    .bind(actor)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Changes a policy; new terms are a new version, by which clocks start from now on.
pub async fn update(
    app: &App,
    tenant: TenantId,
    id: PolicyId,
    change: PolicyChange,
    actor: &str,
) -> Result<PolicyRow, Error> {
    let name = change.name.as_deref().map(check_name).transpose()?;
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    // Locks the policy, so that two changes at once get two versions.
    let found = sqlx::query(
        "UPDATE sla_policy SET name = coalesce($3, name), enabled = coalesce($4, enabled), place = coalesce($5, place)
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(&name)
    .bind(change.enabled)
    .bind(change.place)
    .execute(tx.connection())
    .await
    .map_err(|error| name_taken(error, name.as_deref().unwrap_or_default()))?;
    if found.rows_affected() == 0 {
        return Err(Error::not_found("policy", id));
    }
    if let Some(draft) = &change.draft {
        let current = by_id(&tx, id).await?;
        if !same(&current, draft) {
            add_version(&mut tx, id, draft, now, actor).await?;
        }
    }
    let row = by_id(&tx, id).await?;
    tx.commit().await?;
    Ok(row)
}

/// Whether that version says the same already.
fn same(row: &PolicyRow, draft: &Draft) -> bool {
    row.conditions.0 == draft.conditions
        && row.target_s == draft.target_s
        && row.at_risk_percent == draft.at_risk_percent
        && row.calendar_id == draft.calendar.map(CalendarId::uuid)
        && row.pause_reasons == draft.pause_reasons
}

/// A calendar has changed: a new version of every policy whose newest version uses it.
pub(super) async fn recalendared(
    connection: &mut PgConnection,
    tenant: TenantId,
    calendar: CalendarId,
    spec: &serde_json::Value,
    now: DateTime<Utc>,
    actor: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sla_policy_version (tenant_id, policy_id, version, conditions, target_s, at_risk_percent, calendar_id,
                                         calendar, pause_reasons, created_at, created_by)
         SELECT $1, v.policy_id, v.version + 1, v.conditions, v.target_s, v.at_risk_percent, v.calendar_id, $3,
                v.pause_reasons, $4, $5
         FROM (SELECT DISTINCT ON (policy_id) * FROM sla_policy_version WHERE tenant_id = $1
               ORDER BY policy_id, version DESC) v
         WHERE v.calendar_id = $2",
    )
    .bind(tenant.uuid())
    .bind(calendar.uuid())
    .bind(spec)
    .bind(now)
    .bind(actor)
    .execute(connection)
    .await?;
    Ok(())
}
