//! Alerts: conditions that a person should know of, told once each until they clear (S003-28, S003-25).
//!
//! * A **condition** has a key. [`raise`] makes an alert of it unless one of that key is open, and queues one notice a channel, all
//!   in the caller's transaction; [`clear`] ends it. So however often a condition is found, it is told once.
//! * A **rule** is a tenant's own: what is measured, from where on it is an alert, which channels hear of it ([`manage`]). A tick a
//!   minute measures every tenant that has one ([`evaluate`]); a capability that learns something at a moment of its own says so with
//!   [`measured`].
//! * A **channel** is a mail address or a webhook ([Standard Webhooks](https://www.standardwebhooks.com); an SMS gateway is one). Each
//!   notice is a row and a job: it is tried again for hours, and its end is written beside it ([`send`]).
//! * The **daily summary** goes to the channels that want it, at the tenant's hour ([`summary`]).
//!
//! Deliberately absent: a lead's data. A notice says how many and where to look; it travels over other people's servers.

use domain::alerts::{Kind, Limits, Measure, Verdict, judge};
use domain::ids::{AlertChannelId, AlertId, AlertRuleId, DestinationId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::database::TenantTx;
use crate::error::Error;
use crate::jobs::{self, How};

pub mod evaluate;
pub mod manage;
pub mod reads;
pub mod send;
pub mod summary;

/// What to do about differences with a destination.
pub const OPEN_DIFFERENCES: &str = "Open Reconciliation on the dashboard, or run `baton reconcile list`.";

/// Something that holds and that a person should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What tells it apart: while an alert of this key is open, there is no second one.
    pub key: String,
    /// In one word, as in `destination_held`.
    pub kind: &'static str,
    /// In one line, without a lead's data.
    pub title: String,
    /// What it means and what to do, without a lead's data.
    pub detail: String,
    /// The rule that found it, if one did.
    pub rule: Option<AlertRuleId>,
    /// Who hears of it; every enabled channel when none is named.
    pub channels: Option<Vec<AlertChannelId>>,
}

/// Makes an alert of a condition unless it is known, and queues its notices. Answers the new alert. The caller commits.
pub async fn raise(app: &App, tx: &TenantTx, condition: &Condition) -> Result<Option<AlertId>, Error> {
    let now = app.clock.now();
    let id = AlertId(app.ids.next(now));
    let mut connection = tx.lock().await;
    let made = sqlx::query(
        "INSERT INTO alert (tenant_id, id, rule_id, kind, condition, title, detail, raised_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, condition) WHERE cleared_at IS NULL DO NOTHING",
    )
    .bind(tx.tenant().uuid())
    .bind(id.uuid())
    .bind(condition.rule.map(AlertRuleId::uuid))
    .bind(condition.kind)
    .bind(&condition.key)
    .bind(&condition.title)
    .bind(&condition.detail)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(None);
    }
    let wanted: Option<Vec<Uuid>> =
        condition.channels.as_ref().map(|channels| channels.iter().map(|id| id.uuid()).collect());
    let channels: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM alert_channel WHERE tenant_id = $1 AND enabled AND ($2::uuid[] IS NULL OR id = ANY($2)) ORDER BY id",
    )
    .bind(tx.tenant().uuid())
    .bind(wanted)
    .fetch_all(&mut *connection)
    .await?;
    for channel in channels {
        let about = Notice { channel, alert: Some(id.uuid()), day: None };
        notice(app, &mut connection, tx.tenant(), about, &condition.title, &condition.detail).await?;
    }
    Ok(Some(id))
}

/// Ends the alert of that key, if one is open. Answers whether there was one. The caller commits.
pub async fn clear(app: &App, tx: &TenantTx, key: &str) -> Result<bool, Error> {
    let mut connection = tx.lock().await;
    let cleared = sqlx::query(
        "UPDATE alert SET cleared_at = $3 WHERE tenant_id = $1 AND condition = $2 AND cleared_at IS NULL",
    )
    .bind(tx.tenant().uuid())
    .bind(key)
    .bind(app.clock.now())
    .execute(&mut *connection)
    .await?;
    Ok(cleared.rows_affected() > 0)
}

/// What a notice is about.
struct Notice {
    channel: Uuid,
    alert: Option<Uuid>,
    day: Option<chrono::NaiveDate>,
}

/// Queues a notice, unless its channel was told the same.
async fn notice(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    about: Notice,
    title: &str,
    body: &str,
) -> Result<(), Error> {
    let now = app.clock.now();
    let id = app.ids.next(now);
    let made = sqlx::query(
        "INSERT INTO alert_notice (tenant_id, id, channel_id, alert_id, day, title, body, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(id)
    .bind(about.channel)
    .bind(about.alert)
    .bind(about.day)
    .bind(title)
    .bind(body)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() > 0 {
        jobs::enqueue(connection, &send::SendNotice { tenant, notice: id }, How::default()).await?;
    }
    Ok(())
}

/// What a rule says, as it is evaluated.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Rule {
    id: Uuid,
    name: String,
    kind: String,
    destination_id: Option<Uuid>,
    source_id: Option<Uuid>,
    threshold: i32,
    window_minutes: Option<i32>,
    channels: Option<Vec<Uuid>>,
}

impl Rule {
    fn limits(&self) -> Result<Limits, Error> {
        let kind = Kind::parse(&self.kind).ok_or_else(|| {
            Error::internal("reading a rule", format!("alert_rule {}: kind `{}`", self.id, self.kind))
        })?;
        Ok(Limits { kind, threshold: self.threshold, window_minutes: self.window_minutes })
    }
}

async fn enabled_rules(tx: &TenantTx) -> Result<Vec<Rule>, Error> {
    let mut connection = tx.lock().await;
    let rules = sqlx::query_as(
        "SELECT id, name, kind, destination_id, source_id, threshold, window_minutes, channels
         FROM alert_rule WHERE tenant_id = $1 AND enabled ORDER BY id",
    );
    Ok(rules.bind(tx.tenant().uuid()).fetch_all(&mut *connection).await?)
}

/// What a rule has measured, in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The measure.
    pub measure: Measure,
    /// In one line, as in `7 leads failed`.
    pub title: String,
    /// What to do.
    pub detail: String,
    /// What it is about, when a rule watches several things: its part of the key.
    pub subject: Option<String>,
}

/// For a capability that measures by itself, such as a reconciliation at its end: every rule of that kind which watches this
/// destination is judged. The caller commits.
pub async fn measured(
    app: &App,
    tx: &TenantTx,
    kind: Kind,
    destination: DestinationId,
    finding: &Finding,
) -> Result<(), Error> {
    for rule in enabled_rules(tx).await? {
        let watches = rule.destination_id.is_none_or(|id| id == destination.uuid());
        if rule.limits()?.kind == kind && watches {
            let finding = Finding { subject: Some(destination.to_string()), ..finding.clone() };
            apply(app, tx, &rule, &finding).await?;
        }
    }
    Ok(())
}

/// Begins or ends the alert that a rule's finding asks for.
async fn apply(app: &App, tx: &TenantTx, rule: &Rule, finding: &Finding) -> Result<(), Error> {
    let limits = rule.limits()?;
    let id = AlertRuleId(rule.id);
    let key = match &finding.subject {
        Some(subject) => format!("{id}:{subject}"),
        None => id.to_string(),
    };
    match judge(limits, finding.measure) {
        Verdict::Unknown => {}
        Verdict::Clear => {
            clear(app, tx, &key).await?;
        }
        Verdict::Holds => {
            let condition = Condition {
                key,
                kind: limits.kind.as_str(),
                title: finding.title.clone(),
                detail: format!("{}\n\nRule: {}", finding.detail, rule.name),
                rule: Some(id),
                channels: rule.channels.as_ref().map(|ids| ids.iter().copied().map(AlertChannelId).collect()),
            };
            raise(app, tx, &condition).await?;
        }
    }
    Ok(())
}
