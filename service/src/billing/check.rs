//! An action as it was sent, checked against its partner's plans: everything that is wrong with it is said at once.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use domain::billing::{Rules, UNKNOWN};
use domain::ids::{LeadId, PartnerId, RatePlanId};
use entity::{partner, product};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::plans::{self, PlanVersion};
use super::{partners, products};
use crate::database::TenantTx;
use crate::error::Error;

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

/// A checked action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) id: Uuid,
    pub(super) email: String,
    pub(super) product: Uuid,
    pub(super) lead: Option<Uuid>,
    pub(super) lead_type: String,
    pub(super) action_type: String,
    pub(super) level: String,
    pub(super) occurred_at: DateTime<Utc>,
}

/// What actions of one partner are checked against.
pub(super) struct Checker {
    pub(super) partner: partner::Model,
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
    pub(super) products: HashMap<String, Uuid>,
    pub(super) plans: Vec<(PlanVersion, Rules)>,
    pub(super) closed: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Checker {
    pub(super) async fn load(tx: &TenantTx, partner: PartnerId, now: DateTime<Utc>) -> Result<Self, Error> {
        let partner = partners::partner(tx, partner).await?;
        let zone = partners::zone(&partner)?;
        let rows: Vec<product::Model> = products::products(tx).await?;
        let mut plans = Vec::new();
        for version in plans::versions(tx, RatePlanId(partner.plan_id)).await? {
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

    /// The action, when all of it is good; or everything that is wrong with it.
    pub(super) fn check(&self, raw: &RawAction) -> Result<Checked, Vec<Fault>> {
        let mut faults = Faults(Vec::new());
        let key = faults.key(raw.key.as_deref());
        let email = faults.text("email", raw.email.as_deref()).and_then(|text| {
            partners::email(text)
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

    /// What storing needs of it.
    pub(super) fn without_plans(&self) -> Self {
        Self {
            partner: self.partner.clone(),
            zone: self.zone,
            now: self.now,
            products: HashMap::new(),
            plans: Vec::new(),
            closed: Vec::new(),
        }
    }

    pub(super) fn is_late(&self, at: DateTime<Utc>) -> bool {
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
