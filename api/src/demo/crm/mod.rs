//! A CRM that behaves as Bonzo does, for the demo and for tests of the whole.
//!
//! `POST` to any path hands it a lead: 422 with Bonzo's own words when there is no first name, 200 otherwise.
//! Now and then – which leads is decided by the seed and the lead, so a run can be repeated – the *first*
//! request for a lead meets trouble: 429 with `Retry-After`, 500, a refusal that only a person's retry gets over, or
//! silence beyond any deadline. A lead that met silence is kept all the same, as a CRM that answers too late does, so its second copy shows as a double.
//!
//! `GET /received` tells what it got, by ids only: it is shown on screens. With a journal, a file of one line an event,
//! it remembers over restarts, as a CRM does.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::delivery::bonzo;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

mod book;
#[cfg(test)]
mod tests;

pub use book::Received;
use book::{Book, Event};

const BODY_BYTES_MAX: usize = 256 * 1024;

/// How the demo CRM behaves.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Decides which leads meet trouble.
    pub seed: u64,
    /// Leads in a hundred that meet trouble on their first request.
    pub trouble_percent: u8,
    /// What a 429 asks for, in seconds.
    pub retry_after_s: u32,
    /// How long silence lasts; longer than the deadline of whoever sends.
    pub silence: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, trouble_percent: 12, retry_after_s: 2, silence: Duration::from_mins(1) }
    }
}

/// What the first request for a lead meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    RateLimit,
    Error,
    Refusal,
    Silence,
}

/// A running demo CRM. It stops when it is dropped.
#[derive(Debug)]
pub struct DemoCrm {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    book: Mutex<Book>,
}

#[derive(Deserialize)]
struct Prospect {
    first_name: Option<String>,
    lead_id: Option<String>,
    external_id: Option<String>,
}

impl DemoCrm {
    /// Listens on 127.0.0.1; port 0 takes a free one. What stands in the journal happened before.
    pub async fn start(port: u16, settings: Settings, journal: Option<&Path>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let book = journal.map_or_else(|| Ok(Book::default()), Book::remember)?;
        let shared = Arc::new(Shared { settings, book: Mutex::new(book) });
        let router = router(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the demo CRM stopped");
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Where leads are posted, in the form of Bonzo's inbound webhooks.
    pub fn url(&self) -> String {
        format!("http://{}/api/webhook/00000000000000000000000000000000", self.address)
    }

    /// Where it tells what it got.
    pub fn received_url(&self) -> String {
        format!("http://{}/received", self.address)
    }

    /// What it got so far.
    pub fn received(&self) -> Received {
        self.shared.book().received.clone()
    }
}

impl Drop for DemoCrm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/received", get(received))
        .route("/{*path}", post(take))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

async fn received(State(shared): State<Arc<Shared>>) -> Json<Received> {
    Json(shared.book().received.clone())
}

async fn take(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match shared.decide(&body) {
        Verdict::Answer(response) => response,
        Verdict::Silence => {
            tokio::time::sleep(shared.settings.silence).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
    }
}

enum Verdict {
    Answer(Response),
    Silence,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, body: &[u8]) -> Verdict {
        let mut book = self.book();
        let prospect = serde_json::from_slice::<Prospect>(body).ok();
        let key = prospect
            .as_ref()
            .and_then(|prospect| prospect.lead_id.as_ref().or(prospect.external_id.as_ref()));
        let (Some(prospect), Some(key)) = (&prospect, key) else {
            book.note(Event::Malformed, "-");
            let words = json!({ "message": "The payload must be JSON with a lead_id or an external_id." });
            return Verdict::Answer((StatusCode::BAD_REQUEST, Json(words)).into_response());
        };
        if prospect.first_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
            book.note(Event::Refused, key);
            let words = Json(bonzo::first_name_refusal());
            return Verdict::Answer((StatusCode::UNPROCESSABLE_ENTITY, words).into_response());
        }
        let trouble = if book.is_new(key) { self.trouble(key) } else { None };
        match trouble {
            Some(Trouble::RateLimit) => {
                book.note(Event::RateLimited, key);
                let wait = [(RETRY_AFTER, self.settings.retry_after_s.to_string())];
                Verdict::Answer((StatusCode::TOO_MANY_REQUESTS, wait).into_response())
            }
            Some(Trouble::Error) => {
                book.note(Event::Failed, key);
                Verdict::Answer(StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
            Some(Trouble::Refusal) => {
                book.note(Event::Declined, key);
                let words = json!({ "errors": { "phone": ["The phone must be a valid number."] } });
                Verdict::Answer((StatusCode::UNPROCESSABLE_ENTITY, Json(words)).into_response())
            }
            Some(Trouble::Silence) => {
                book.note(Event::TakenInSilence, key);
                Verdict::Silence
            }
            None => {
                book.note(Event::Taken, key);
                Verdict::Answer(Json(json!({ "success": true })).into_response())
            }
        }
    }

    /// The trouble of that lead's first request, the same for the same seed.
    fn trouble(&self, key: &str) -> Option<Trouble> {
        let digest =
            Sha256::new().chain_update(self.settings.seed.to_be_bytes()).chain_update(key).finalize();
        let chance = u16::from_be_bytes([digest[0], digest[1]]) % 100;
        if chance >= u16::from(self.settings.trouble_percent) {
            return None;
        }
        // Silence costs the sender a whole deadline and a refusal a person's time, so they are the rarest.
        Some(match digest[2] % 8 {
            0 => Trouble::Silence,
            1 => Trouble::Refusal,
            2..=3 => Trouble::Error,
            _ => Trouble::RateLimit,
        })
    }
}
