//! Delivery: pending rows of `delivery` become requests, answers become outcomes.
//!
//! The promise is **at least once, and once where the receiver lets us make sure**. A worker *claims* due deliveries in
//! one short statement: it takes a lease (`lease`, `due_at` = its end) and counts the attempt. It sends, and *finishes*
//! in batches: the attempt's row and the delivery's new state commit together, and only where the delivery still bears
//! that lease and that attempt number. A worker that comes back late changes nothing. No transaction is open while a
//! request is on its way.
//!
//! So a worker that dies loses nothing: its leases run out and others claim them. Such a claim finds the older lease
//! still there, which nobody finished: the request may have arrived. It is *unsure*, as it is after a timeout. Before an
//! unsure delivery is sent again the destination is asked whether it has the lead, where its settings say how; where a
//! copy does no harm (the receiver tells it by `webhook-id`, or folds it) it is sent again; otherwise it becomes
//! `unknown` and a person decides.
//!
//! Leases are compared with the clock of the process that claims. Clocks of several machines may differ
//! by up to the lease less the deadline (20 s by default) before one delivery could be on its way twice
//! at a time; even then its id says so.
//!
//! A destination has a *breaker* in its row. Failures in a row open it: one delivery at a time is tried until one gets
//! through, which brings the others forward. A destination that does not let us in is *held* until a person resumes it.
//! What waits for a closed destination is never claimed, and costs the others nothing.
//!
//! One lead's order is kept because it has one delivery to a destination, one lease and one payload, read at the claim.
//!
//! The walk of one delivery: intake inserts its row beside the lead. Of a file's leads it calls [`Wake::wake`] after the commit, and
//! [`Worker`] finds tenant and destination and claims (`store`); those of leads that were sent in one by one it claims for the worker in
//! the same transaction ([`Wake::claim_with`]), so that nothing waits for the disk a second time → the worker builds the request from the
//! destination's template (`request`), asks first when it must (`lookup`), sends (`engine`, [`client`]) → `domain::delivery` judges
//! the answer and names the next step (`judgement`) → `store` commits it, and with it what others do at that moment (`settled`).
//!
//! Deliberately absent here: making deliveries (that is intake's, in the lead's own statement).
//!
//! * [`Worker`] – runs until told to stop, or does what is due now and returns.
//! * [`Wake`] – tells the worker of this process that there is something, or hands it a lead within the lead's own transaction.
//! * [`Retries`] – a person's second chance for what failed, is held or unknown; reconciliation's second sending.
//! * [`manage`] – destinations as people manage them; [`dry_run`] – what would be sent.
//! * [`reads`] – deliveries as people read them; [`analytics`] – what destinations answer.
//! * [`address`] – which URLs and addresses a destination may have.

use sea_orm::{DbErr, RuntimeErr};

pub mod address;
pub mod analytics;
mod claim;
pub mod client;
mod destinations;
pub mod dry_run;
mod engine;
mod facts;
mod gates;
mod judgement;
mod load;
mod lookup;
pub mod manage;
pub mod reads;
mod request;
mod retries;
mod settings;
mod settled;
mod store;
mod tally;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

pub use request::Shown;
pub use retries::{InDoubt, Retried, Retries, Seen};
pub use settings::Settings;
pub use settled::{End, Settled};
pub use tally::Tally;
pub use worker::{Handover, Wake, Worker};

/// The longest id of a destination's own that a person may give.
const REMOTE_ID_CHARS_MAX: usize = 200;

/// What can go wrong around deliveries. What goes wrong *with* one is its outcome and no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A transaction could not begin or commit.
    #[error("the transaction failed")]
    Transaction(#[from] DbErr),
    /// A statement failed.
    #[error("the statement failed")]
    Statement(#[from] sqlx::Error),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
    /// The clocks of service levels could not be told.
    #[error("service levels could not be told of deliveries")]
    Clocks(#[source] Box<crate::error::Error>),
    /// This tenant has no such delivery.
    #[error("there is no such delivery")]
    NotFound,
    /// Only of an unknown outcome can a person say that it arrived.
    #[error("the delivery is {state}; only an unknown one can be confirmed")]
    NotUnknown {
        /// Its state.
        state: String,
    },
    /// What a person gives as the destination's own id cannot be one.
    #[error(
        "the destination's own id has at most {} characters, and no control character",
        REMOTE_ID_CHARS_MAX
    )]
    InvalidRemoteId,
    /// Only what came to a bad end can be retried.
    #[error("the delivery is {state}; only a failed, held or unknown one can be retried")]
    NotRetryable {
        /// Its state.
        state: String,
    },
}

impl Error {
    /// Whether the database is away or overloaded, so that the same may succeed later; otherwise it
    /// dislikes what it was told, and will dislike it again.
    fn is_passing(&self) -> bool {
        match self {
            Self::Statement(error) => is_passing(error),
            Self::Clocks(error) => {
                matches!(**error, crate::error::Error::Unavailable { .. }) || error.is_contention()
            }
            Self::Transaction(DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => true,
            Self::Transaction(
                DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)),
            ) => is_passing(error),
            _ => false,
        }
    }
}

/// A destination's own id of a lead as a person gives it; none where only blanks are given.
fn given_id(text: Option<&str>) -> Result<Option<&str>, Error> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let is_id = |text: &str| text.chars().count() <= REMOTE_ID_CHARS_MAX && !text.contains(char::is_control);
    if text.is_none_or(is_id) { Ok(text) } else { Err(Error::InvalidRemoteId) }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // Connection, resources, operator intervention, serialisation and deadlock.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
