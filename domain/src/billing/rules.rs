//! A rate plan, checked and ready to rate with: names became numbers, prices a table.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use super::money::Currency;
use super::period::Cycle;
use super::plan::{CapPer, DuplicateField, OverrideSpec, PlanSpec, Window};
use super::rating::Action;

/// The number of a name that the plan does not know.
pub const UNKNOWN: u16 = u16::MAX;

/// Names of one kind, and overrides, at most.
const NAMES_MAX: usize = 200;
/// Characters of a name at most.
const NAME_CHARS_MAX: usize = 80;
/// Days of a duplicate window at most.
const WINDOW_DAYS_MAX: u16 = 3660;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What is wrong with a rate plan, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidPlan {
    /// The field, dotted, as in `levels.0.price`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Why an action is not billed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its lead type is not billable.
    LeadType(u16),
    /// The plan has no price for it: its lead type, action type or level is none of the plan's.
    NoPrice,
}

/// A rate plan, ready to rate with.
#[derive(Clone, Debug)]
pub struct Rules {
    currency: Currency,
    cycle: Cycle,
    zone: Tz,
    levels: Vec<String>,
    lead_types: Vec<LeadType>,
    action_types: Vec<String>,
    /// Which table of prices a product uses; 0 is that of the products without prices of their own.
    price_table: Vec<u16>,
    prices: Vec<i64>,
    cap: Option<(i64, CapPer)>,
    window: Window,
    /// The parts of a packed key in which a repeat agrees with its original.
    key_mask: u128,
}

#[derive(Clone, Debug)]
struct LeadType {
    name: String,
    /// Why its actions are not billed; none when they are.
    reason: Option<String>,
}

impl Rules {
    /// Checks the plan. Actions name products by their place in `products`, which are slugs.
    pub fn new(spec: &PlanSpec, products: &[&str], zone: Tz) -> Result<Self, InvalidPlan> {
        let currency = spec.currency;
        names("levels", spec.levels.iter().map(|level| level.name.as_str()))?;
        names("lead_types", spec.lead_types.iter().map(|one| one.name.as_str()))?;
        names("action_types", spec.action_types.iter().map(String::as_str))?;
        let level_prices = spec
            .levels
            .iter()
            .enumerate()
            .map(|(at, level)| amount(currency, &format!("levels.{at}.price"), &level.price))
            .collect::<Result<Vec<_>, _>>()?;
        let overrides = overrides(spec)?;
        let cap = match &spec.cap {
            None => None,
            Some(cap) => Some((amount(currency, "cap.amount", &cap.amount)?, cap.per)),
        };
        if let Window::Days(days) = spec.duplicates.window
            && !(1..=WINDOW_DAYS_MAX).contains(&days)
        {
            return Err(invalid("duplicates.window", format!("a window has 1 to {WINDOW_DAYS_MAX} days")));
        }
        let mut rules = Self {
            currency,
            cycle: spec.cycle,
            zone,
            levels: spec.levels.iter().map(|level| level.name.clone()).collect(),
            lead_types: spec.lead_types.iter().map(LeadType::of).collect(),
            action_types: spec.action_types.clone(),
            price_table: vec![0; products.len()],
            prices: Vec::new(),
            cap,
            window: spec.duplicates.window,
            key_mask: spec.duplicates.key.iter().fold(0, |mask, field| mask | part(*field)),
        };
        rules.fill_prices(&level_prices, &overrides, products);
        Ok(rules)
    }

    fn fill_prices(&mut self, level_prices: &[i64], overrides: &[Override<'_>], products: &[&str]) {
        let own: Vec<&str> = overrides.iter().filter_map(|one| one.spec.product.as_deref()).collect();
        self.push_table(level_prices, overrides, None);
        let mut tables: HashMap<&str, u16> = HashMap::new();
        for (product, table) in products.iter().zip(0..) {
            if own.contains(product) {
                let next = u16::try_from(tables.len() + 1).unwrap_or(0);
                let number = *tables.entry(product).or_insert(next);
                if number == next {
                    self.push_table(level_prices, overrides, Some(product));
                }
                let at: usize = table;
                self.price_table[at] = number;
            }
        }
    }

    /// One price for each lead type, action type and level, of a product or of those without prices of their own.
    fn push_table(&mut self, level_prices: &[i64], overrides: &[Override<'_>], product: Option<&str>) {
        for lead_type in &self.lead_types {
            for action_type in &self.action_types {
                for (level, price) in self.levels.iter().zip(level_prices) {
                    let fits = |one: &&Override<'_>| one.fits(product, &lead_type.name, action_type, level);
                    // Of equals the first: max_by_key answers the last one, hence the reversal.
                    let own = overrides.iter().rev().filter(fits).max_by_key(|one| one.weight());
                    self.prices.push(own.map_or(*price, |one| one.price));
                }
            }
        }
    }

    /// The currency of every amount.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// How long a billing period is.
    pub fn cycle(&self) -> Cycle {
        self.cycle
    }

    /// When an action repeats another.
    pub fn window(&self) -> Window {
        self.window
    }

    /// The cap in minor units; none without one.
    pub fn cap(&self) -> Option<i64> {
        self.cap.map(|(amount, _)| amount)
    }

    /// The number of a lead type, [`UNKNOWN`] when the plan has none of that name.
    pub fn lead_type(&self, name: &str) -> u16 {
        number(self.lead_types.iter().position(|one| one.name == name))
    }

    /// The number of an action type, [`UNKNOWN`] when the plan has none of that name.
    pub fn action_type(&self, name: &str) -> u16 {
        number(self.action_types.iter().position(|one| one == name))
    }

    /// The number of a level, [`UNKNOWN`] when the plan has none of that name.
    pub fn level(&self, name: &str) -> u16 {
        number(self.levels.iter().position(|one| one == name))
    }

    /// The names of the lead types, by number.
    pub fn lead_types(&self) -> impl Iterator<Item = &str> {
        self.lead_types.iter().map(|one| one.name.as_str())
    }

    /// The names of the action types, by number.
    pub fn action_types(&self) -> &[String] {
        &self.action_types
    }

    /// The names of the levels, by number.
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// Why an action is not billed, in words.
    pub fn explain(&self, reason: Reason) -> &str {
        match reason {
            Reason::LeadType(number) => self
                .lead_types
                .get(usize::from(number))
                .and_then(|one| one.reason.as_deref())
                .unwrap_or("the lead type is not billed"),
            Reason::NoPrice => "the rate plan has no price for it",
        }
    }

    /// What the action costs before duplicates and cap; nothing when the plan does not know it.
    pub(super) fn price(&self, action: &Action) -> i64 {
        let (lead_type, action_type, level) =
            (usize::from(action.lead_type), usize::from(action.action_type), usize::from(action.level));
        let (types, actions, levels) = (self.lead_types.len(), self.action_types.len(), self.levels.len());
        if lead_type >= types || action_type >= actions || level >= levels {
            return 0;
        }
        let table = usize::from(self.price_table.get(action.product as usize).copied().unwrap_or(0));
        self.prices[((table * types + lead_type) * actions + action_type) * levels + level]
    }

    /// Why the action is not billed at all; none when it is recognised.
    pub fn refusal(&self, action: &Action) -> Option<Reason> {
        let known = usize::from(action.action_type) < self.action_types.len()
            && usize::from(action.level) < self.levels.len();
        match self.lead_types.get(usize::from(action.lead_type)) {
            Some(LeadType { reason: Some(_), .. }) => Some(Reason::LeadType(action.lead_type)),
            Some(_) if known => None,
            _ => Some(Reason::NoPrice),
        }
    }

    /// In what an action agrees with those that it repeats.
    pub(super) fn key(&self, action: &Action) -> u128 {
        let packed = u128::from(action.product)
            | u128::from(action.lead_type) << 32
            | u128::from(action.action_type) << 48
            | u128::from(action.level) << 64;
        packed & self.key_mask
    }

    /// Whether an action repeats one of the same key at that earlier moment. Microseconds since 1970.
    pub(super) fn repeats(&self, earlier: i64, at: i64) -> bool {
        match self.window {
            Window::Period | Window::Forever => true,
            Window::Days(days) => at - earlier <= i64::from(days) * MICROS_PER_DAY,
        }
    }

    /// Within what the cap counts: a number that actions of one cap share.
    pub fn cap_span(&self, at: i64) -> i32 {
        match self.cap {
            Some((_, CapPer::Day)) => DateTime::from_timestamp_micros(at)
                .map_or(0, |at| at.with_timezone(&self.zone).date_naive().num_days_from_ce()),
            _ => 0,
        }
    }
}

/// Where a field stands in a packed key.
const fn part(field: DuplicateField) -> u128 {
    match field {
        DuplicateField::Product => 0xffff_ffff,
        DuplicateField::LeadType => 0xffff << 32,
        DuplicateField::ActionType => 0xffff << 48,
        DuplicateField::Level => 0xffff << 64,
    }
}

impl LeadType {
    fn of(spec: &super::plan::LeadTypeSpec) -> Self {
        let reason = || {
            spec.reason
                .clone()
                .filter(|reason| !reason.trim().is_empty())
                .unwrap_or_else(|| "the lead type is not billed".to_owned())
        };
        Self { name: spec.name.clone(), reason: (!spec.billable).then(reason) }
    }
}

struct Override<'a> {
    spec: &'a OverrideSpec,
    price: i64,
}

impl Override<'_> {
    fn fits(&self, product: Option<&str>, lead_type: &str, action_type: &str, level: &str) -> bool {
        let is = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        (self.spec.product.is_none() || self.spec.product.as_deref() == product)
            && is(&self.spec.lead_type, lead_type)
            && is(&self.spec.action_type, action_type)
            && is(&self.spec.level, level)
    }

    /// A product weighs more than anything else, then whoever names more.
    fn weight(&self) -> u8 {
        let spec = self.spec;
        let named = [&spec.lead_type, &spec.action_type, &spec.level].into_iter().flatten().count();
        u8::from(spec.product.is_some()) * 4 + u8::try_from(named).unwrap_or(0)
    }
}

fn overrides(spec: &PlanSpec) -> Result<Vec<Override<'_>>, InvalidPlan> {
    if spec.overrides.len() > NAMES_MAX {
        return Err(invalid("overrides", format!("a plan has at most {NAMES_MAX} overrides")));
    }
    let mut seen = HashSet::new();
    let mut read = Vec::new();
    for (at, one) in spec.overrides.iter().enumerate() {
        let field = |part: &str| format!("overrides.{at}.{part}");
        let known = |part: &str, name: &Option<String>, there: Vec<&str>| match name {
            Some(name) if !there.contains(&name.as_str()) => {
                Err(invalid(&field(part), format!("`{name}` is not among the plan's own")))
            }
            _ => Ok(()),
        };
        let own_types = spec.lead_types.iter().map(|one| one.name.as_str());
        known("lead_type", &one.lead_type, own_types.collect())?;
        known("action_type", &one.action_type, spec.action_types.iter().map(String::as_str).collect())?;
        known("level", &one.level, spec.levels.iter().map(|one| one.name.as_str()).collect())?;
        let names = (&one.product, &one.lead_type, &one.action_type, &one.level);
        if names == (&None, &None, &None, &None) {
            return Err(invalid(
                &field("price"),
                "an override names a product, lead type, action type or level",
            ));
        }
        if !seen.insert(names) {
            return Err(invalid(&field("price"), "there is an override for the same actions already"));
        }
        read.push(Override { spec: one, price: amount(spec.currency, &field("price"), &one.price)? });
    }
    Ok(read)
}

fn names<'a>(field: &str, names: impl Iterator<Item = &'a str>) -> Result<(), InvalidPlan> {
    let mut seen = HashSet::new();
    for name in names {
        if name.trim().is_empty() || name.trim() != name || name.chars().count() > NAME_CHARS_MAX {
            return Err(invalid(
                field,
                format!("a name has 1 to {NAME_CHARS_MAX} characters and no space at its ends"),
            ));
        }
        if !seen.insert(name) {
            return Err(invalid(field, format!("`{name}` is there twice")));
        }
    }
    match seen.len() {
        0 => Err(invalid(field, "at least one is needed")),
        many if many > NAMES_MAX => Err(invalid(field, format!("at most {NAMES_MAX} are possible"))),
        _ => Ok(()),
    }
}

fn amount(currency: Currency, field: &str, text: &str) -> Result<i64, InvalidPlan> {
    currency.read(text).map_err(|error| invalid(field, error.to_string()))
}

fn invalid(field: &str, message: impl Into<String>) -> InvalidPlan {
    InvalidPlan { field: field.to_owned(), message: message.into() }
}

fn number(place: Option<usize>) -> u16 {
    place.and_then(|place| u16::try_from(place).ok()).unwrap_or(UNKNOWN)
}
