//! What a partner's period is rated with, and the numbers that stand for names while it is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::billing::{Action, Period, Rules};
use domain::ids::{PartnerId, RatePlanId};
use entity::{partner, product};
use uuid::Uuid;

use super::copy::Fields;
use super::folding::Folding;
use super::plans::{self, PlanVersion};
use super::{partners, products};
use crate::database::TenantTx;
use crate::error::Error;

/// What a partner's period is rated with.
pub struct Book {
    /// The partner.
    pub partner: partner::Model,
    /// Its zone.
    pub zone: Tz,
    /// The period.
    pub period: Period,
    /// The plan's version in force on the period's first day.
    pub plan: PlanVersion,
    /// The same, ready to rate with.
    pub rules: Rules,
    /// Products; actions name them by their place.
    pub products: Vec<product::Model>,
    /// Lead users in the order of their addresses; actions name them by their place.
    pub users: Vec<(Uuid, String)>,
    /// The period's first moment and the first one after it.
    pub bounds: (DateTime<Utc>, DateTime<Utc>),
}

/// Lead types, action types and levels by number: those of the plan, then others that actions have.
#[derive(Default)]
pub struct Names {
    /// Lead types.
    pub lead_types: Interner,
    /// Action types.
    pub action_types: Interner,
    /// Levels.
    pub levels: Interner,
}

/// Names by number.
#[derive(Default)]
pub struct Interner {
    numbers: HashMap<Vec<u8>, u16, Folding>,
    names: Vec<String>,
}

impl Interner {
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        for name in names {
            all.number(name.as_bytes());
        }
        all
    }

    /// The number of a name; a new one when it has none yet.
    pub(super) fn number(&mut self, name: &[u8]) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(String::from_utf8_lossy(name).into_owned());
        self.numbers.insert(name.to_vec(), number);
        number
    }

    /// All names, by number.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The name of that number.
    pub fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("", String::as_str)
    }
}

impl Names {
    pub(super) fn of(rules: &Rules) -> Self {
        Self {
            lead_types: Interner::of(rules.lead_types()),
            action_types: Interner::of(rules.action_types().iter().map(String::as_str)),
            levels: Interner::of(rules.levels().iter().map(String::as_str)),
        }
    }
}

impl Book {
    /// The book of a partner's period. `plan` stands in for the one in force.
    pub async fn open(
        tx: &TenantTx,
        partner: PartnerId,
        period: Period,
        plan: Option<PlanVersion>,
    ) -> Result<Self, Error> {
        let partner = partners::partner(tx, partner).await?;
        let zone = partners::zone(&partner)?;
        let plan = match plan {
            Some(plan) => plan,
            None => plans::version_for(tx, RatePlanId(partner.plan_id), period).await?,
        };
        let products = products::products(tx).await?;
        let rules = plan.rules(&products, zone)?;
        if rules.cycle().of(period.start) != period {
            return Err(Error::invalid(
                "period",
                format!("the rate plan bills by {:?}: {period} is none of its periods", rules.cycle())
                    .to_lowercase(),
            ));
        }
        let tenant = tx.tenant().uuid();
        let users = sqlx::query_as(
            "SELECT id, email FROM lead_user WHERE tenant_id = $1 AND partner_id = $2 ORDER BY email COLLATE \"C\"",
        )
        .bind(tenant)
        .bind(partner.id)
        .fetch_all(&mut *tx.lock().await)
        .await?;
        let bounds = period.bounds(zone);
        Ok(Self { partner, zone, period, plan, rules, products, users, bounds })
    }

    /// The lead users' ids with their numbers.
    pub(super) fn numbered_users(&self) -> impl Iterator<Item = (Uuid, u32)> {
        self.users.iter().zip(0_u32..).map(|((id, _), number)| (*id, number))
    }

    pub(super) fn product_numbers(&self) -> ById {
        self.products.iter().zip(0_u32..).map(|(one, number)| (one.id, number)).collect()
    }
}

/// Numbers by id.
pub(super) type ById = HashMap<Uuid, u32, Folding>;

/// Lead users and products of a book by their ids.
pub(super) struct Numbers {
    pub(super) users: ById,
    pub(super) products: ById,
}

/// What turns a row into an action.
pub(super) struct Reading<'a> {
    pub(super) products: &'a ById,
    /// What happened earlier belongs to another period. Microseconds since 1970.
    pub(super) from: i64,
    pub(super) names: &'a mut Names,
    pub(super) late: &'a mut Vec<Uuid>,
}

impl Reading<'_> {
    /// The action of that lead user, from what stands behind the user's id in its row.
    pub(super) fn action(&mut self, user: u32, row: &mut Fields<'_>) -> Option<Action> {
        let id = row.uuid()?;
        let product = *self.products.get(&row.uuid()?)?;
        let lead_type = self.names.lead_types.number(row.next()?);
        let action_type = self.names.action_types.number(row.next()?);
        let level = self.names.levels.number(row.next()?);
        let at = row.micros()?;
        // Of late ones alone it is said whether another report has them.
        let elsewhere = if row.skip_null() {
            false
        } else {
            self.late.push(id);
            row.boolean()?
        };
        let before = at < self.from || elsewhere;
        Some(Action { id, at, user, product, lead_type, action_type, level, before })
    }
}
