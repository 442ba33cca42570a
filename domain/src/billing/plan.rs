//! A version of a rate plan as data: what a person edits and a report names.

use serde::{Deserialize, Serialize};

use super::money::Currency;
use super::period::Cycle;

/// A version of a rate plan. Amounts are decimal text in the currency, as in `"10.00"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// The currency of every amount.
    pub currency: Currency,
    /// How long a billing period is.
    #[serde(default)]
    pub cycle: Cycle,
    /// Engagement levels and what an action of that level costs.
    pub levels: Vec<LevelSpec>,
    /// The lead types that the plan knows, and whether they are billed.
    pub lead_types: Vec<LeadTypeSpec>,
    /// The action types that the plan knows.
    pub action_types: Vec<String>,
    /// Prices that differ; the one that names most wins, a product more than anything else.
    #[serde(default)]
    pub overrides: Vec<OverrideSpec>,
    /// What a lead user costs at most; without it there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<CapSpec>,
    /// When an action repeats another.
    #[serde(default)]
    pub duplicates: DuplicateSpec,
}

/// An engagement level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelSpec {
    /// As actions name it.
    pub name: String,
    /// What an action of it costs.
    pub price: String,
}

/// A lead type and whether it is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadTypeSpec {
    /// As actions name it.
    pub name: String,
    /// Whether its actions are billed.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub billable: bool,
    /// Why not, as the report says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A price that differs for the actions that it names; what it leaves out does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideSpec {
    /// The slug of a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// A lead type of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_type: Option<String>,
    /// An action type of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_type: Option<String>,
    /// A level of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// What such an action costs.
    pub price: String,
}

/// What a lead user costs at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapSpec {
    /// The most that is billed.
    pub amount: String,
    /// In how much time.
    #[serde(default)]
    pub per: CapPer,
}

/// The time that a cap holds for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapPer {
    /// The billing period.
    #[default]
    Period,
    /// A day of the partner's zone.
    Day,
}

/// When an action repeats another of the same lead user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DuplicateSpec {
    /// How near to the one before it.
    pub window: Window,
    /// In what the two agree.
    pub key: Vec<DuplicateField>,
}

impl Default for DuplicateSpec {
    fn default() -> Self {
        use DuplicateField::{ActionType, Level, Product};
        Self { window: Window::Period, key: vec![Product, ActionType, Level] }
    }
}

/// How near a repeat lies to the action before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// In the same billing period.
    Period,
    /// At most that many days of 24 hours after the one before it, in whatever period that lies.
    Days(u16),
    /// At any time after it.
    Forever,
}

/// What two actions of a lead user have in common when the later one repeats the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateField {
    /// The product.
    Product,
    /// The lead type.
    LeadType,
    /// The action type.
    ActionType,
    /// The engagement level.
    Level,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

impl PlanSpec {
    /// The plan that a tenant starts with: three levels, the usual lead and action types, a cap of 100.00 a period.
    pub fn standard(currency: Currency) -> Self {
        let amount = |major: i64| currency.show(major * 10_i64.pow(currency.digits()));
        let level = |name: &str, price| LevelSpec { name: name.to_owned(), price: amount(price) };
        let lead_type = |name: &&str| LeadTypeSpec { name: (*name).to_owned(), billable: true, reason: None };
        let own = |lead_type: &str, action_type: &str, price| OverrideSpec {
            product: None,
            lead_type: Some(lead_type.to_owned()),
            action_type: Some(action_type.to_owned()),
            level: Some("High".to_owned()),
            price: amount(price),
        };
        Self {
            currency,
            cycle: Cycle::Month,
            levels: vec![level("High", 10), level("Medium", 5), level("Low", 2)],
            lead_types: LEAD_TYPES.iter().map(lead_type).collect(),
            action_types: ACTION_TYPES.iter().map(|name| (*name).to_owned()).collect(),
            overrides: vec![
                own("Email Campaign", "Click", 15),
                own("Referral", "Signup", 20),
                own("Conference", "Attendance", 15),
            ],
            cap: Some(CapSpec { amount: amount(100), per: CapPer::Period }),
            duplicates: DuplicateSpec::default(),
        }
    }
}

const LEAD_TYPES: [&str; 11] = [
    "Website Visit",
    "Social Media",
    "Email Campaign",
    "Referral",
    "Webinar",
    "Event",
    "Demo Request",
    "Trade Show",
    "Conference",
    "Newsletter",
    "Feedback",
];

const ACTION_TYPES: [&str; 9] = [
    "Form Submission",
    "Like",
    "Share",
    "Click",
    "Signup",
    "Registration",
    "Attendance",
    "Submission",
    "Visit",
];
