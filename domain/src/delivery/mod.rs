//! Handing a lead over: what is sent, what an answer means, and when to try again.
//!
//! Four outcomes, and nothing else decides what happens next:
//!
//! | outcome | means | next |
//! |---|---|---|
//! | [`Outcome::Delivered`] | the destination has it | done |
//! | [`Outcome::Refused`] | it will refuse the same request again | failed at once, a person looks |
//! | [`Outcome::Retryable`] | it did not take it, and may later | again by the [`RetrySchedule`] |
//! | [`Outcome::Unknown`] | sent, but no answer came | again, under the same idempotency key |
//!
//! `Unknown` is retried because the promise is *at least once*: the request carries the delivery's
//! id as `webhook-id`, the same on every attempt, by which a receiver recognises the second copy.
//! A destination whose duplicates cost money must be asked before that (a capability of its own).
//!
//! * [`judge`] – from a status, or the way a connection failed, to an outcome.
//! * [`retry`] – the schedule, its jitter and the clamp of `Retry-After`.
//! * [`payload`] – the bodies: [`payload::webhook`] and [`bonzo::body`].

pub mod bonzo;
pub mod judge;
pub mod payload;
pub mod retry;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use judge::{Failure, Reply, judge_failure, judge_reply};
pub use payload::{Hold, LeadFacts};
pub use retry::{Next, RetrySchedule};

/// What kind of receiver a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bonzo's inbound webhook: flat JSON, no authentication but the secret in its URL.
    Bonzo,
    /// Any receiver that follows Standard Webhooks 1.0.0: signed, with a message id.
    Webhook,
}

impl Kind {
    /// The word in the column `destination.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bonzo => "bonzo",
            Self::Webhook => "webhook",
        }
    }

    /// The kind of that word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "bonzo" => Some(Self::Bonzo),
            "webhook" => Some(Self::Webhook),
            _ => None,
        }
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
    /// The destination did not take it and may take it later.
    Retryable {
        /// The earliest time it asked for, already clamped; absent when it named none.
        not_before: Option<DateTime<Utc>>,
        /// One sentence, shown when the attempts are used up.
        reason: String,
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
            Self::Retryable { .. } => "retryable",
            Self::Unknown { .. } => "unknown",
        }
    }
}
