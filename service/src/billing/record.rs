//! Actions in: checked one by one, stored together, each exactly once.
//!
//! An action is named by its key, or by its content when the sender has none. The same again is answered as repeated and
//! changes nothing; a bad one says what is wrong with it and holds up none of the others.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use domain::billing::{Period, Rules, UNKNOWN};
use domain::ids::{LeadActionId, LeadId, PartnerId, RatePlanId, TenantId};
use entity::{partner, product};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::catalog::{self, PlanVersion};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// Actions of one transaction at most.
pub const BATCH_ACTIONS_MAX: usize = 5_000;
/// Bytes of a key at most.
const KEY_BYTES_MAX: usize = 200;
/// How far a sender's clock may be ahead.
const CLOCK_AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// An action as it was sent: nothing of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawAction {
    /// Names the action within its partner; without one its content does.
    pub key: Option<String>,
    /// The lead user.
    pub email: Option<String>,
    /// The product's slug.
    pub product: Option<String>,
    /// A lead type of the rate plan.
    pub lead_type: Option<String>,
    /// An action type of the rate plan.
    pub action_type: Option<String>,
    /// A level of the rate plan.
    pub level: Option<String>,
    /// RFC 3339, or a date and time of the partner's zone.
    pub occurred_at: Option<String>,
    /// The lead that the user came of.
    pub lead: Option<String>,
}

/// What is wrong with an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The field.
    pub field: &'static str,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is stored.
    New(LeadActionId),
    /// It was stored before.
    Repeated(LeadActionId),
    /// It is not stored.
    Refused(Vec<Fault>),
}

/// Records actions of a partner, at most [`BATCH_ACTIONS_MAX`], in one transaction. Answers come in the order of the actions.
pub async fn record(
    app: &App,
    tenant: TenantId,
    partner: PartnerId,
    actions: Vec<RawAction>,
) -> Result<Vec<Recorded>, Error> {
    if actions.len() > BATCH_ACTIONS_MAX {
        return Err(Error::Limit(format!("a batch has at most {BATCH_ACTIONS_MAX} actions").into()));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let checker = Checker::load(&tx, partner, app.clock.now()).await?;
    super::lock_for_recording(tx.connection(), partner).await?;
    let mut answers = Vec::with_capacity(actions.len());
    let mut good = Vec::new();
    for (at, action) in actions.into_iter().enumerate() {
        match checker.check(&action) {
            Ok(fact) => {
                good.push((at, fact));
                answers.push(Recorded::Refused(Vec::new()));
            }
            Err(faults) => answers.push(Recorded::Refused(faults)),
        }
    }
    let leads = known_leads(&mut tx, &good).await?;
    let mut batch = Batch::default();
    for (at, action) in good {
        match action.lead {
            Some(lead) if !leads.contains(&lead) => {
                let message = "there is no such lead".to_owned();
                answers[at] = Recorded::Refused(vec![Fault { field: "lead", code: "UNKNOWN_LEAD", message }]);
            }
            _ => batch.add(at, action, &mut answers),
        }
    }
    batch.store(app, &mut tx, &checker, &mut answers).await?;
    tx.commit().await?;
    Ok(answers)
}

/// A checked action.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Checked {
    id: Uuid,
    email: String,
    product: Uuid,
    lead: Option<Uuid>,
    lead_type: String,
    action_type: String,
    level: String,
    occurred_at: DateTime<Utc>,
}

/// What actions of one partner are checked against.
struct Checker {
    partner: partner::Model,
    zone: Tz,
    now: DateTime<Utc>,
    products: HashMap<String, Uuid>,
    plans: Vec<(PlanVersion, Rules)>,
    closed: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Checker {
    async fn load(tx: &TenantTx, partner: PartnerId, now: DateTime<Utc>) -> Result<Self, Error> {
        let partner = catalog::partner(tx, partner).await?;
        let zone = catalog::zone(&partner)?;
        let rows: Vec<product::Model> = catalog::products(tx).await?;
        let mut plans = Vec::new();
        for version in catalog::versions(tx, RatePlanId(partner.plan_id)).await? {
            let rules = version.rules(&rows, zone)?;
            plans.push((version, rules));
        }
        plans
            .sort_by_key(|(version, _)| std::cmp::Reverse((version.row.effective_from, version.row.version)));
        let products = rows.into_iter().map(|row| (row.slug, row.id)).collect();
        Ok(Self { partner, zone, now, products, plans, closed: Vec::new() })
    }

    /// The plan that rates the period of that moment.
    fn rules(&self, at: DateTime<Utc>) -> Option<&Rules> {
        let in_force = |(version, rules): &&(PlanVersion, Rules)| {
            version.row.effective_from <= rules.cycle().at(at, self.zone).start
        };
        self.plans.iter().find(in_force).map(|(_, rules)| rules)
    }

    fn check(&self, raw: &RawAction) -> Result<Checked, Vec<Fault>> {
        let mut faults = Faults(Vec::new());
        let key = faults.key(raw.key.as_deref());
        let email = faults.text("email", raw.email.as_deref()).and_then(|text| {
            catalog::email(text)
                .map_err(|_| {
                    faults.add("email", "INVALID_EMAIL", "the e-mail must be of the form name@domain.tld");
                })
                .ok()
        });
        let product = faults.text("product", raw.product.as_deref()).and_then(|slug| {
            let found = self.products.get(slug).copied();
            if found.is_none() {
                faults.add("product", "UNKNOWN_PRODUCT", format!("there is no product `{}`", short(slug)));
            }
            found
        });
        let lead = raw.lead.as_deref().map(str::trim).filter(|text| !text.is_empty()).and_then(|text| {
            let read = text.parse::<LeadId>();
            read.map_err(|error| faults.add("lead", "UNKNOWN_LEAD", error.to_string())).ok()
        });
        let occurred_at = faults.text("occurred_at", raw.occurred_at.as_deref()).and_then(|text| {
            let moment = self.moment(text);
            match moment {
                None => faults.add(
                    "occurred_at",
                    "INVALID_TIME",
                    "the time must be like 2026-10-01T09:00:00Z, or 2026-10-01 09:00 in the partner's zone",
                ),
                Some(at) if at > self.now + CLOCK_AHEAD_MAX => {
                    faults.add("occurred_at", "TIME_IN_FUTURE", "the time lies in the future");
                }
                Some(_) => {}
            }
            moment
        });
        let rules = occurred_at.and_then(|at| self.rules(at));
        if let (Some(at), None) = (occurred_at, rules) {
            faults.add(
                "occurred_at",
                "NO_RATE_PLAN",
                format!(
                    "the rate plan has no version in force on {}",
                    at.with_timezone(&self.zone).date_naive()
                ),
            );
        }
        let lead_type = faults.text("lead_type", raw.lead_type.as_deref());
        let action_type = faults.text("action_type", raw.action_type.as_deref());
        let level = faults.text("level", raw.level.as_deref());
        if let Some(rules) = rules {
            let mut known = |field, name: Option<&str>, number: fn(&Rules, &str) -> u16, all: Vec<&str>| {
                if let Some(name) = name
                    && number(rules, name) == UNKNOWN
                {
                    let message = format!("`{}` is none of the rate plan's: {}", short(name), all.join(", "));
                    faults.add(field, "UNKNOWN_NAME", message);
                }
            };
            known("lead_type", lead_type, Rules::lead_type, rules.lead_types().collect());
            known("action_type", action_type, Rules::action_type, names(rules.action_types()));
            known("level", level, Rules::level, names(rules.levels()));
        }
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        let (Some(email), Some(product), Some(occurred_at), Some(lead_type), Some(action_type), Some(level)) =
            (email, product, occurred_at, lead_type, action_type, level)
        else {
            return Err(faults.0);
        };
        let mut checked = Checked {
            id: Uuid::nil(),
            email,
            product,
            lead: lead.map(LeadId::uuid),
            lead_type: lead_type.to_owned(),
            action_type: action_type.to_owned(),
            level: level.to_owned(),
            occurred_at,
        };
        checked.id = name(self.partner.id, key, &checked);
        Ok(checked)
    }

    fn moment(&self, text: &str) -> Option<DateTime<Utc>> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return micros(at.to_utc());
        }
        let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
        micros(self.zone.from_local_datetime(&local).earliest()?.to_utc())
    }

    fn is_late(&self, at: DateTime<Utc>) -> bool {
        self.closed.iter().any(|(from, to)| (*from..*to).contains(&at))
    }
}

/// To the microsecond, which is what is stored, and within years that calendars of reports have.
fn micros(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let rounded = DateTime::from_timestamp_micros(at.timestamp_micros())?;
    (946_684_800..4_102_444_800).contains(&rounded.timestamp()).then_some(rounded)
}

fn names(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The action's id: UUID version 8 over partner and key, or content. The same action has the same id wherever it comes in.
fn name(partner: Uuid, key: Option<&str>, action: &Checked) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(partner.as_bytes());
    if let Some(key) = key {
        hash.update(b"key\0");
        hash.update(key.as_bytes());
    } else {
        hash.update(b"content\0");
        for part in [&action.email, &action.lead_type, &action.action_type, &action.level] {
            hash.update(part.as_bytes());
            hash.update(b"\0");
        }
        hash.update(action.product.as_bytes());
        hash.update(action.occurred_at.timestamp_micros().to_be_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: &'static str, code: &'static str, message: impl Into<String>) {
        self.0.push(Fault { field, code, message: message.into() });
    }

    fn text<'a>(&mut self, field: &'static str, text: Option<&'a str>) -> Option<&'a str> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        if text.is_none() {
            self.add(field, "MISSING_FIELD", format!("`{field}` is missing"));
        }
        text
    }

    fn key<'a>(&mut self, key: Option<&'a str>) -> Option<&'a str> {
        let key = key.map(str::trim).filter(|key| !key.is_empty())?;
        if key.len() > KEY_BYTES_MAX {
            self.add("key", "INVALID_KEY", format!("a key has at most {KEY_BYTES_MAX} bytes"));
        }
        Some(key)
    }
}

async fn known_leads(tx: &mut TenantTx, good: &[(usize, Checked)]) -> Result<HashSet<Uuid>, Error> {
    let wanted: Vec<Uuid> = good.iter().filter_map(|(_, action)| action.lead).collect();
    if wanted.is_empty() {
        return Ok(HashSet::new());
    }
    let tenant = tx.tenant().uuid();
    let found = sqlx::query_scalar("SELECT id FROM lead WHERE tenant_id = $1 AND id = ANY($2)")
        .bind(tenant)
        .bind(&wanted)
        .fetch_all(tx.connection())
        .await?;
    Ok(found.into_iter().collect())
}

/// Checked actions, each once, in the order of their ids: two batches with several in common then meet at the first of them.
#[derive(Default)]
struct Batch {
    actions: Vec<(usize, Checked)>,
    places: HashMap<Uuid, usize>,
    again: Vec<(usize, Uuid, bool)>,
}

impl Batch {
    fn add(&mut self, at: usize, action: Checked, answers: &mut [Recorded]) {
        if let Some(first) = self.places.get(&action.id) {
            let same = self.actions[*first].1 == action;
            self.again.push((at, action.id, same));
        } else {
            answers[at] = Recorded::Repeated(LeadActionId(action.id));
            self.places.insert(action.id, self.actions.len());
            self.actions.push((at, action));
        }
    }

    async fn store(
        mut self,
        app: &App,
        tx: &mut TenantTx,
        checker: &Checker,
        answers: &mut [Recorded],
    ) -> Result<(), Error> {
        for (at, id, same) in std::mem::take(&mut self.again) {
            answers[at] = if same { Recorded::Repeated(LeadActionId(id)) } else { other_content() };
        }
        if self.actions.is_empty() {
            return Ok(());
        }
        let tenant = tx.tenant();
        let checker = &Checker { closed: closed_periods(tx, checker).await?, ..checker.without_plans() };
        self.actions.sort_unstable_by_key(|(_, action)| action.id);
        let users = lead_users(app, tx, checker, &self.actions).await?;
        let inserted = insert(tx.connection(), tenant, checker, &self.actions, &users).await?;
        let rest: Vec<Uuid> =
            self.actions.iter().map(|(_, action)| action.id).filter(|id| !inserted.contains(id)).collect();
        let stored = stored(tx, &rest).await?;
        for (at, action) in &self.actions {
            answers[*at] = if inserted.contains(&action.id) {
                Recorded::New(LeadActionId(action.id))
            } else if stored.get(&action.id) == Some(action) {
                Recorded::Repeated(LeadActionId(action.id))
            } else {
                other_content()
            };
        }
        Ok(())
    }
}

fn other_content() -> Recorded {
    let message = "another action has this key: send the same again, or a new key".to_owned();
    Recorded::Refused(vec![Fault { field: "key", code: "KEY_REUSED", message }])
}

impl Checker {
    /// What storing needs of it.
    fn without_plans(&self) -> Self {
        Self {
            partner: self.partner.clone(),
            zone: self.zone,
            now: self.now,
            products: HashMap::new(),
            plans: Vec::new(),
            closed: Vec::new(),
        }
    }
}

/// From when to when the partner's periods are closed; read under the lock.
async fn closed_periods(
    tx: &mut TenantTx,
    checker: &Checker,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, Error> {
    let tenant = tx.tenant().uuid();
    let rows: Vec<(NaiveDate, NaiveDate, String)> = sqlx::query_as(
        "SELECT period_start, period_end, time_zone FROM billing_report
         WHERE tenant_id = $1 AND partner_id = $2 AND state = 'closed'",
    )
    .bind(tenant)
    .bind(checker.partner.id)
    .fetch_all(tx.connection())
    .await?;
    let bounds = |(start, end, zone): (NaiveDate, NaiveDate, String)| {
        Period { start, end }.bounds(zone.parse().unwrap_or(checker.zone))
    };
    Ok(rows.into_iter().map(bounds).collect())
}

async fn lead_users(
    app: &App,
    tx: &mut TenantTx,
    checker: &Checker,
    actions: &[(usize, Checked)],
) -> Result<HashMap<String, Uuid>, Error> {
    let mut emails: Vec<&str> = actions.iter().map(|(_, action)| action.email.as_str()).collect();
    emails.sort_unstable();
    emails.dedup();
    let ids: Vec<Uuid> = emails.iter().map(|_| app.ids.next(checker.now)).collect();
    let tenant = tx.tenant().uuid();
    sqlx::query(
        "INSERT INTO lead_user (tenant_id, id, partner_id, email, created_at)
         SELECT $1, new.id, $2, new.email, $3 FROM unnest($4::uuid[], $5::text[]) AS new(id, email)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(checker.partner.id)
    .bind(checker.now)
    .bind(&ids)
    .bind(&emails)
    .execute(tx.connection())
    .await?;
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT email, id FROM lead_user WHERE tenant_id = $1 AND partner_id = $2 AND email = ANY($3)",
    )
    .bind(tenant)
    .bind(checker.partner.id)
    .bind(&emails)
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().collect())
}

async fn insert(
    connection: &mut PgConnection,
    tenant: TenantId,
    checker: &Checker,
    actions: &[(usize, Checked)],
    users: &HashMap<String, Uuid>,
) -> Result<HashSet<Uuid>, Error> {
    fn column<'a, T>(actions: &'a [(usize, Checked)], pick: impl Fn(&'a Checked) -> T) -> Vec<T> {
        actions.iter().map(|(_, action)| pick(action)).collect()
    }
    let inserted = sqlx::query_scalar(
        "INSERT INTO lead_action (tenant_id, partner_id, received_at, id, lead_user_id, product_id, lead_id, lead_type,
             action_type, level, occurred_at, late)
         SELECT $1, $2, $3, new.* FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
             $10::text[], $11::timestamptz[], $12::boolean[]) AS new
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(tenant.uuid())
    .bind(checker.partner.id)
    .bind(checker.now)
    .bind(column(actions, |action| action.id))
    .bind(column(actions, |action| users.get(&action.email).copied()))
    .bind(column(actions, |action| action.product))
    .bind(column(actions, |action| action.lead))
    .bind(column(actions, |action| action.lead_type.as_str()))
    .bind(column(actions, |action| action.action_type.as_str()))
    .bind(column(actions, |action| action.level.as_str()))
    .bind(column(actions, |action| action.occurred_at))
    .bind(column(actions, |action| checker.is_late(action.occurred_at)))
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().collect())
}

type StoredRow = (Uuid, String, Uuid, Option<Uuid>, String, String, String, DateTime<Utc>);

async fn stored(tx: &mut TenantTx, ids: &[Uuid]) -> Result<HashMap<Uuid, Checked>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let tenant = tx.tenant().uuid();
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT a.id, u.email, a.product_id, a.lead_id, a.lead_type, a.action_type, a.level, a.occurred_at
         FROM lead_action a JOIN lead_user u ON u.tenant_id = a.tenant_id AND u.id = a.lead_user_id
         WHERE a.tenant_id = $1 AND a.id = ANY($2)",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(tx.connection())
    .await?;
    let checked = |(id, email, product, lead, lead_type, action_type, level, occurred_at): StoredRow| {
        (id, Checked { id, email, product, lead, lead_type, action_type, level, occurred_at })
    };
    Ok(rows.into_iter().map(checked).collect())
}
