//! Actions that came in after their period was closed: rated as if they had come last in it.
//!
//! What was billed stays billed. A late action that happened before a billed one of the same kind is still the repeat; the cap
//! leaves it what the closed report has left.

use std::collections::HashMap;

use uuid::Uuid;

use super::rating::{Action, Fate, Rated, under_cap};
use super::rules::Rules;

/// An action of the closed period and what it was billed.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// The action.
    pub action: Action,
    /// What was billed for it, minor units.
    pub billed: i64,
}

/// Rates late actions of one partner and closed period against what is settled there. `settled` is wanted for the lead users
/// of the late actions alone; `each` gets the late ones by lead user, time and id.
pub fn rate_late(
    rules: &Rules,
    settled: &[Settled],
    late: &mut [Action],
    mut each: impl FnMut(&Action, Rated),
) {
    let mut charged: HashMap<(u32, i32), i64> = HashMap::new();
    let mut seen: HashMap<(u32, u128), Vec<(i64, Uuid)>> = HashMap::new();
    for one in settled {
        let action = &one.action;
        *charged.entry((action.user, rules.cap_span(action.at))).or_default() += one.billed;
        if rules.refusal(action).is_none() {
            seen.entry((action.user, rules.key(action))).or_default().push((action.at, action.id));
        }
    }
    late.sort_unstable_by_key(|action| (action.user, action.at, action.id));
    for action in &*late {
        let price = rules.price(action);
        if let Some(reason) = rules.refusal(action) {
            each(action, Rated::saved(price, Fate::NotBillable(reason)));
            continue;
        }
        let same = seen.entry((action.user, rules.key(action))).or_default();
        let original = same
            .iter()
            .find(|(at, _)| rules.repeats(*at.min(&action.at), *at.max(&action.at)))
            .map(|(_, id)| *id);
        same.push((action.at, action.id));
        if let Some(original) = original {
            each(action, Rated::saved(price, Fate::Duplicate(original)));
            continue;
        }
        let sum = charged.entry((action.user, rules.cap_span(action.at))).or_default();
        let rated = under_cap(rules, *sum, price);
        *sum += rated.billed;
        each(action, rated);
    }
}
