//! Handing a lead over: what is sent, what an answer means, and when to try again.
//!
//! Five outcomes, and with the destination's settings they decide what happens next:
//!
//! | outcome | means | next |
//! |---|---|---|
//! | [`Outcome::Delivered`] | the destination has it | done |
//! | [`Outcome::Refused`] | it will refuse the same request again | failed at once, a person looks |
//! | [`Outcome::Barred`] | it lets nothing in | the destination is held, its leads wait for a person |
//! | [`Outcome::Retryable`] | it did not take it, and may later | again by the [`RetrySchedule`] |
//! | [`Outcome::Unknown`] | sent, but no answer came | looked up, else sent again under the same id, else a person decides |
//!
//! The promise is *at least once*: the request carries the delivery's id as `webhook-id`, the same on every attempt,
//! by which a receiver recognises the second copy. Before a second copy is sent the destination is asked whether it has
//! the first, when it can be asked; where it cannot and a copy would cost something, nothing is sent without a person.
//!
//! * [`profile`] – what a destination is, as data; [`template`], [`condition`] – the parts of it.
//! * [`judge`] – from a status and a body, or the way a connection failed, to an outcome.
//! * [`lookup`] – reading what a destination has.
//! * [`retry`] – the schedule, its jitter, the clamp of `Retry-After`, and what follows an outcome.
//! * [`rate`] – how many requests a second.
//! * [`breaker`] – when a destination that does not answer is left alone.
//! * [`payload`] – the kinds' own bodies: [`payload::webhook`] and [`bonzo::body`].

pub mod bonzo;
pub mod breaker;
pub mod condition;
pub mod judge;
pub mod lookup;
pub mod payload;
pub mod profile;
pub mod rate;
pub mod retry;
pub mod template;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use breaker::Signal;
pub use judge::{Failure, Reply, judge_failure, judge_reply};
pub use payload::{Hold, LeadFacts};
pub use profile::{Plan, Profile};
pub use retry::{Code, Next, Policy, RetrySchedule};

/// What kind of receiver a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bonzo's inbound webhook: flat JSON, no authentication but the secret in its URL.
    Bonzo,
    /// Bonzo's API v3: the same fields with a token, and prospects can be searched.
    BonzoApi,
    /// NPA's lead API: credentials in the body, success in the answer's body.
    Npa,
    /// boberdoo's posting API: a form, always answered 200.
    Boberdoo,
    /// Any receiver that follows Standard Webhooks 1.0.0: signed, with a message id.
    Webhook,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Bonzo, Self::BonzoApi, Self::Npa, Self::Boberdoo, Self::Webhook];

    /// The word in the column `destination.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bonzo => "bonzo",
            Self::BonzoApi => "bonzo_api",
            Self::Npa => "npa",
            Self::Boberdoo => "boberdoo",
            Self::Webhook => "webhook",
        }
    }

    /// The kind of that word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has the lead.
    Delivered {
        /// Its own id of the record, when its answer names one.
        remote_id: Option<String>,
    },
    /// The destination will refuse the same request again.
    Refused {
        /// One sentence for the person who looks at it.
        reason: String,
    },
    /// The destination lets nothing in: credentials are not accepted, or there is nothing at its address.
    Barred {
        /// One sentence for the person who looks at it.
        reason: String,
    },
    /// The destination did not take it and may take it later.
    Retryable {
        /// The earliest time it asked for, already clamped; absent when it named none.
        not_before: Option<DateTime<Utc>>,
        /// One sentence, shown when the attempts are used up.
        reason: String,
        /// It asked for fewer requests, and is otherwise well.
        rate_limited: bool,
    },
    /// The request was on its way and no answer came: it may or may not have been taken.
    Unknown {
        /// One sentence, shown when the attempts are used up.
        reason: String,
    },
}

impl Outcome {
    /// The word in the column `delivery_attempt.outcome`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Refused { .. } => "refused",
            Self::Barred { .. } => "barred",
            Self::Retryable { .. } => "retryable",
            Self::Unknown { .. } => "unknown",
        }
    }
}
