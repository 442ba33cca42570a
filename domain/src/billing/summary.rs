//! What rated actions add up to.

use std::collections::HashMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::rating::{Action, Fate, Rated};
use super::rules::Reason;

/// Counts and amounts, minor units. `gross = billed + duplicates + over_cap + not_billable`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Actions.
    pub actions: i64,
    /// Actions that repeat another.
    pub duplicate_actions: i64,
    /// Actions that the cap took something from.
    pub capped_actions: i64,
    /// Actions that are not billed at all.
    pub unbilled_actions: i64,
    /// What all of them cost before duplicates and cap.
    pub gross: i64,
    /// What is charged.
    pub billed: i64,
    /// What repeats would have cost.
    pub duplicates: i64,
    /// What the cap takes away.
    pub over_cap: i64,
    /// What the actions that are not billed would have cost.
    pub not_billable: i64,
}

impl Totals {
    /// Adds one action.
    pub fn add(&mut self, rated: &Rated) {
        self.actions += 1;
        self.gross += rated.price;
        match rated.fate {
            Fate::Billed => self.billed += rated.price,
            Fate::OverCap => {
                self.capped_actions += 1;
                self.billed += rated.billed;
                self.over_cap += rated.over_cap;
            }
            Fate::Duplicate(_) => {
                self.duplicate_actions += 1;
                self.duplicates += rated.price;
            }
            Fate::NotBillable(_) => {
                self.unbilled_actions += 1;
                self.not_billable += rated.price;
            }
        }
    }

    /// What the partner does not pay, for whatever reason.
    pub fn savings(&self) -> i64 {
        self.gross - self.billed
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.actions += other.actions;
        self.duplicate_actions += other.duplicate_actions;
        self.capped_actions += other.capped_actions;
        self.unbilled_actions += other.unbilled_actions;
        self.gross += other.gross;
        self.billed += other.billed;
        self.duplicates += other.duplicates;
        self.over_cap += other.over_cap;
        self.not_billable += other.not_billable;
    }
}

/// What the actions of one name add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// A product, lead type, level, lead user, day, or reason.
    pub name: String,
    /// What they add up to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Repeats of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repeats {
    /// The product's number.
    pub product: u32,
    /// The lead type's number.
    pub lead_type: u16,
    /// The action type's number.
    pub action_type: u16,
    /// The level's number.
    pub level: u16,
}

/// What a report adds up to, by the numbers of its actions.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Everything.
    pub totals: Totals,
    /// Of these, actions of periods that were closed before they came in.
    pub adjustments: Totals,
    /// By product.
    pub products: Vec<Totals>,
    /// By lead type; the last one is of those that the plan does not know.
    pub lead_types: Vec<Totals>,
    /// By lead user.
    pub users: Vec<Totals>,
    /// By day of the period; adjustments are of none.
    pub days: Vec<Totals>,
    /// Not billed, by reason.
    pub refusals: HashMap<Reason, Totals>,
    /// Repeats, by what repeated.
    pub repeats: HashMap<Repeats, Totals>,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Products.
    pub products: usize,
    /// Lead types of the plan.
    pub lead_types: usize,
    /// Lead users.
    pub users: usize,
    /// Days of the period.
    pub days: usize,
}

impl Summary {
    /// Nothing so far.
    pub fn new(sizes: Sizes) -> Self {
        let of = |many| vec![Totals::default(); many];
        Self {
            products: of(sizes.products),
            lead_types: of(sizes.lead_types + 1),
            users: of(sizes.users),
            days: of(sizes.days),
            ..Self::default()
        }
    }

    /// Adds one action, on that day of the period; none for an adjustment, which is of another one.
    pub fn add(&mut self, action: &Action, rated: &Rated, day: Option<usize>) {
        self.totals.add(rated);
        let unknown = self.lead_types.len().saturating_sub(1);
        let lead_type = usize::from(action.lead_type).min(unknown);
        let day = match day {
            Some(day) => self.days.get_mut(day),
            None => Some(&mut self.adjustments),
        };
        let groups = [
            self.products.get_mut(action.product as usize),
            self.lead_types.get_mut(lead_type),
            self.users.get_mut(action.user as usize),
            day,
        ];
        for group in groups.into_iter().flatten() {
            group.add(rated);
        }
        match rated.fate {
            Fate::NotBillable(reason) => self.refusals.entry(reason).or_default().add(rated),
            Fate::Duplicate(_) => {
                let repeats = Repeats {
                    product: action.product,
                    lead_type: action.lead_type,
                    action_type: action.action_type,
                    level: action.level,
                };
                self.repeats.entry(repeats).or_default().add(rated);
            }
            Fate::Billed | Fate::OverCap => {}
        }
    }
}
