//! A delivery and its attempts as they are shown.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::sync::Arc;

use async_graphql::{Enum, ID, Object};
use chrono::{DateTime, Utc};
use domain::ids::DeliveryId;
use service::delivery::reads::{AttemptRow, DeliveryRow};
use uuid::Uuid;

use super::at_hand::{AtHand, Below, Getter, Plan};
use super::destinations::Destination;
use super::error::ApiError;
use super::lead::{Lead, parsed};
use super::sources::not_loaded;
use super::wants::Asked;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waiting for its first or next try.
    Pending,
    /// Being sent right now.
    Sending,
    Delivered,
    /// The destination said no, or the attempts are used up.
    Failed,
    /// Cannot be sent as it is; says why.
    Held,
    /// It may have arrived: a person confirms it or sends it again.
    Unknown,
    /// A rule of the client stopped it before it was sent.
    Rejected,
}

impl DeliveryState {
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "pending" => Some(Self::Pending),
            "sending" => Some(Self::Sending),
            "delivered" => Some(Self::Delivered),
            "failed" => Some(Self::Failed),
            "held" => Some(Self::Held),
            "unknown" => Some(Self::Unknown),
            "rejected" => Some(Self::Rejected),
            _ => None,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum AttemptOutcome {
    Delivered,
    Refused,
    /// The destination lets nothing in: credentials or address are wrong.
    Barred,
    Retryable,
    Unknown,
}

impl AttemptOutcome {
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "delivered" => Some(Self::Delivered),
            "refused" => Some(Self::Refused),
            "barred" => Some(Self::Barred),
            "retryable" => Some(Self::Retryable),
            "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// One lead on its way to one destination.
pub struct Delivery {
    pub(super) row: DeliveryRow,
    pub(super) state: DeliveryState,
    pub(super) lead: Asked<Arc<Lead>>,
    pub(super) destination: Asked<Arc<Destination>>,
    pub(super) attempts: Asked<Vec<DeliveryAttempt>>,
}

impl Delivery {
    /// When its row was made, which its id says.
    pub(super) fn created_at(&self) -> DateTime<Utc> {
        time_of(self.row.id)
    }

    /// When it will be tried next; none when nothing more will happen by itself.
    pub(super) fn next_attempt_at(&self) -> Option<DateTime<Utc>> {
        (self.state == DeliveryState::Pending).then_some(self.row.due_at)
    }
}

/// The millisecond in which a `UUIDv7` was made (RFC 9562 §5.7).
fn time_of(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}

#[Object]
impl Delivery {
    async fn id(&self) -> ID {
        ID(DeliveryId(self.row.id).to_string())
    }

    async fn lead(&self) -> Result<&Lead, ApiError> {
        self.lead.as_deref().ok_or_else(|| not_loaded("Delivery.lead"))
    }

    async fn destination(&self) -> Result<&Destination, ApiError> {
        self.destination.as_deref().ok_or_else(|| not_loaded("Delivery.destination"))
    }

    async fn state(&self) -> DeliveryState {
        self.state
    }

    /// Why it failed or is held.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    #[expect(clippy::doc_markdown, reason = "the text is the schema's, which is not Markdown of this crate")]
    /// The reason in one word: refused, barred, retryable, exhausted, unknown, a category of rejection; of a delivered
    /// one no_remote_id, when the answer should have named its record.
    async fn code(&self) -> Option<&str> {
        self.row.code.as_deref()
    }

    async fn attempt_count(&self) -> i16 {
        self.row.attempts
    }

    #[graphql(name = "nextAttemptAt")]
    async fn next_attempt(&self) -> Option<DateTime<Utc>> {
        self.next_attempt_at()
    }

    #[graphql(name = "createdAt")]
    async fn created(&self) -> DateTime<Utc> {
        self.created_at()
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at
    }

    async fn remote_id(&self) -> Option<&str> {
        self.row.remote_id.as_deref()
    }

    #[graphql(complexity = "1 + 2 * child_complexity")]
    async fn attempts(&self) -> Result<&[DeliveryAttempt], ApiError> {
        self.attempts.as_deref().ok_or_else(|| not_loaded("Delivery.attempts"))
    }
}

/// One request to a destination and what came of it.
pub struct DeliveryAttempt {
    pub(super) row: AttemptRow,
    pub(super) outcome: AttemptOutcome,
}

impl DeliveryAttempt {
    /// The delivery's id and the number: an attempt has no id of its own, because nothing refers to one.
    pub(super) fn id(&self) -> ID {
        ID(format!("{}.{}", DeliveryId(self.row.delivery_id), self.row.number))
    }

    pub(super) fn duration_ms(&self) -> f64 {
        f64::from(self.row.duration_us) / 1000.0
    }
}

#[Object]
impl DeliveryAttempt {
    #[graphql(name = "id")]
    async fn public_id(&self) -> ID {
        self.id()
    }

    async fn number(&self) -> i16 {
        self.row.number
    }

    async fn started_at(&self) -> DateTime<Utc> {
        self.row.started_at
    }

    #[graphql(name = "durationMs")]
    async fn duration(&self) -> f64 {
        self.duration_ms()
    }

    async fn outcome(&self) -> AttemptOutcome {
        self.outcome
    }

    async fn http_status(&self) -> Option<i16> {
        self.row.http_status
    }

    #[expect(clippy::doc_markdown, reason = "the text is the schema's, which is not Markdown of this crate")]
    /// timeout, connect, tls, private_address, …
    async fn error_kind(&self) -> Option<&str> {
        self.row.error_kind.as_deref()
    }

    /// Response headers of interest, secrets redacted.
    async fn response_headers(&self) -> Result<Option<serde_json::Value>, ApiError> {
        self.row.response_headers.as_ref().map(parsed).transpose()
    }

    /// Capped at 4 KiB.
    async fn response_body(&self) -> Option<&str> {
        self.row.response_body.as_deref()
    }

    /// What was found when the destination was asked before sending again: found, absent or failed.
    async fn looked_up(&self) -> Option<&str> {
        self.row.looked_up.as_deref()
    }
}

impl AtHand for Delivery {
    fn getter(field: &str, below: &Below<'_>) -> Option<Getter<Self>> {
        Some(Getter::Leaf(match field {
            "id" => |delivery, out| out.id(DeliveryId(delivery.row.id)),
            "state" => |delivery, out| out.enumerated(delivery.state),
            "reason" => |delivery, out| out.text(delivery.row.reason.as_deref()),
            "code" => |delivery, out| out.text(delivery.row.code.as_deref()),
            "attemptCount" => |delivery, out| out.integer(Some(delivery.row.attempts)),
            "nextAttemptAt" => |delivery, out| out.moment(delivery.next_attempt_at()),
            "createdAt" => |delivery, out| out.moment(Some(delivery.created_at())),
            "finishedAt" => |delivery, out| out.moment(delivery.row.finished_at),
            "remoteId" => |delivery, out| out.text(delivery.row.remote_id.as_deref()),
            "destination" => {
                let plan = Plan::<Destination>::read(below)?;
                return Some(Getter::loaded(move |delivery: &Self, out| {
                    plan.object(delivery.destination.as_ref()?, out)
                }));
            }
            "lead" => {
                let plan = Plan::<Lead>::read(below)?;
                return Some(Getter::loaded(move |delivery: &Self, out| {
                    plan.object(delivery.lead.as_ref()?, out)
                }));
            }
            "attempts" => {
                let plan = Plan::<DeliveryAttempt>::read(below)?;
                return Some(Getter::loaded(move |delivery: &Self, out| {
                    plan.list(delivery.attempts.as_ref()?, out)
                }));
            }
            _ => return None,
        }))
    }
}

impl AsRef<Self> for DeliveryAttempt {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AtHand for DeliveryAttempt {
    fn getter(field: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        Some(Getter::Leaf(match field {
            "id" => |attempt, out| out.string(&attempt.id().0),
            "number" => |attempt, out| out.integer(Some(attempt.row.number)),
            "startedAt" => |attempt, out| out.moment(Some(attempt.row.started_at)),
            "durationMs" => |attempt, out| out.float(attempt.duration_ms()),
            "outcome" => |attempt, out| out.enumerated(attempt.outcome),
            "httpStatus" => |attempt, out| out.integer(attempt.row.http_status),
            "errorKind" => |attempt, out| out.text(attempt.row.error_kind.as_deref()),
            "responseHeaders" => |attempt, out| match &attempt.row.response_headers {
                Some(headers) => out.raw(headers.get()),
                None => out.null(),
            },
            "responseBody" => |attempt, out| out.text(attempt.row.response_body.as_deref()),
            "lookedUp" => |attempt, out| out.text(attempt.row.looked_up.as_deref()),
            _ => return None,
        }))
    }
}
