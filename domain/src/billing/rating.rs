//! Rating: each action to its fate, in one pass over the actions in the order of lead user, time and id.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use uuid::Uuid;

use super::rules::{Reason, Rules};

/// An action of a lead user, its names as numbers: 40 bytes, because a million of them are held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its id; of two at the same moment the smaller one counts as the earlier.
    pub id: Uuid,
    /// When it happened, microseconds since 1970.
    pub at: i64,
    /// The lead user's number; lines come out in its order.
    pub user: u32,
    /// The product's number, its place in the list that [`Rules::new`] was given.
    pub product: u32,
    /// The lead type's number.
    pub lead_type: u16,
    /// The action type's number.
    pub action_type: u16,
    /// The level's number.
    pub level: u16,
    /// It belongs to an earlier period: later ones may repeat it, it is not rated again.
    pub before: bool,
}

/// What lead users were charged for the same period elsewhere, by lead user and [`Rules::cap_span`], minor units.
pub type Charged = HashMap<(u32, i32), i64>;

/// What becomes of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Billed in full.
    Billed,
    /// It repeats that action and is not charged.
    Duplicate(Uuid),
    /// The cap leaves a part of its price, or nothing.
    OverCap,
    /// Not charged, for that reason.
    NotBillable(Reason),
}

/// An action's price and how it is parted. `price = billed + over_cap`, or the fate says where all of it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rated {
    /// What it costs before duplicates and cap, minor units.
    pub price: i64,
    /// What is charged.
    pub billed: i64,
    /// What the cap takes away.
    pub over_cap: i64,
    /// What became of it.
    pub fate: Fate,
}

impl Rated {
    pub(super) fn saved(price: i64, fate: Fate) -> Self {
        Self { price, billed: 0, over_cap: 0, fate }
    }
}

/// Rates the actions of one partner and period; `each` gets them with their fates, by lead user, time and id.
///
/// The order of the input does not matter; it is sorted in place. Actions marked `before` only take part as what later ones
/// repeat, and are wanted for the windows that reach beyond the period alone. What is charged elsewhere counts under the cap.
pub fn rate(rules: &Rules, actions: &mut [Action], charged: &Charged, mut each: impl FnMut(&Action, Rated)) {
    actions.sort_unstable_by_key(|action| (action.user, action.at, action.id));
    let mut ledger = Ledger::default();
    let mut user = None;
    for action in &*actions {
        if user != Some(action.user) {
            user = Some(action.user);
            ledger.begin();
        }
        if action.before {
            ledger.remember(rules, action);
        } else {
            let rated = ledger.rate(rules, charged, action);
            each(action, rated);
        }
    }
}

/// What is known of one lead user so far.
#[derive(Default)]
struct Ledger {
    seen: HashMap<u128, Seen, BuildHasherDefault<KeyHasher>>,
    spans: Spans,
}

/// The last action of a key, and the first of the row of repeats that it stands in.
struct Seen {
    last: i64,
    original: Uuid,
}

impl Ledger {
    /// A new lead user.
    fn begin(&mut self) {
        // Clearing costs by capacity: one lead user with many actions must not slow down all that follow.
        if self.seen.capacity() > 1024 {
            self.seen = HashMap::default();
        }
        self.seen.clear();
        self.spans = Spans::default();
    }

    fn remember(&mut self, rules: &Rules, action: &Action) {
        if rules.refusal(action).is_none() {
            self.meet(rules, action);
        }
    }

    /// The action that this one repeats, if it does. From now on it is the last of its key.
    fn meet(&mut self, rules: &Rules, action: &Action) -> Option<Uuid> {
        let seen = self.seen.entry(rules.key(action)).or_insert(Seen { last: i64::MIN, original: action.id });
        let repeats = seen.last != i64::MIN && rules.repeats(seen.last, action.at);
        seen.last = action.at;
        if repeats {
            Some(seen.original)
        } else {
            seen.original = action.id;
            None
        }
    }

    fn rate(&mut self, rules: &Rules, charged: &Charged, action: &Action) -> Rated {
        let price = rules.price(action);
        if let Some(reason) = rules.refusal(action) {
            return Rated::saved(price, Fate::NotBillable(reason));
        }
        match self.meet(rules, action) {
            Some(original) => Rated::saved(price, Fate::Duplicate(original)),
            None => self.spans.charge(rules, charged, action, price),
        }
    }
}

/// What one lead user was charged within each span of the cap; in the order of time, so only the last one is open.
#[derive(Default)]
struct Spans {
    span: Option<i32>,
    charged: i64,
}

impl Spans {
    fn charge(&mut self, rules: &Rules, elsewhere: &Charged, action: &Action, price: i64) -> Rated {
        let span = rules.cap_span(action.at);
        if self.span != Some(span) {
            let charged = elsewhere.get(&(action.user, span)).copied().unwrap_or(0);
            *self = Self { span: Some(span), charged };
        }
        let rated = under_cap(rules, self.charged, price);
        self.charged += rated.billed;
        rated
    }
}

/// Parts a price by what is left under the cap.
pub(super) fn under_cap(rules: &Rules, charged: i64, price: i64) -> Rated {
    let billed = rules.cap().map_or(price, |cap| price.min((cap - charged).max(0)));
    let fate = if billed < price { Fate::OverCap } else { Fate::Billed };
    Rated { price, billed, over_cap: price - billed, fate }
}

/// Keys are a few small numbers packed together: one multiplication spreads them well enough, and nobody outside chooses them.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(*byte));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    fn write_u128(&mut self, key: u128) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let [low, high] = [key as u64, (key >> 64) as u64];
        let mixed = u128::from(self.0 ^ low ^ high.rotate_left(40)) * u128::from(ODD);
        self.0 = (mixed as u64) ^ (mixed >> 64) as u64;
    }
}
