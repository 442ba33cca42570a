//! A CRM that behaves as Bonzo does, for the demo and for tests of the whole.
//!
//! `POST` to any path hands it a lead: 422 with Bonzo's own words when there is no first name, 200 otherwise.
//! Now and then – which leads is decided by the seed and the lead, so a run can be repeated – the *first*
//! request for a lead meets trouble: 429 with `Retry-After`, 500, or silence beyond any deadline. A lead that
//! met silence is kept all the same, as a CRM that answers too late does, so its second copy shows as a double.
//!
//! `GET /received` tells what it got, by ids only: it is shown on screens. With a journal, a file of one line an event,
//! it remembers over restarts, as a CRM does.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
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
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

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

/// What it got so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Requests of any kind.
    pub requests: u64,
    /// Leads taken, each copy counted.
    pub accepted: u64,
    /// Different leads taken, by `lead_id`, else by `external_id`.
    pub unique_leads: u64,
    /// Copies of a lead that was there already.
    pub doubles: u64,
    /// Answered 422.
    pub refused: u64,
    /// Answered 400: not JSON, or no id.
    pub malformed: u64,
    /// Answered 429.
    pub rate_limited: u64,
    /// Answered 500.
    pub errors: u64,
    /// Not answered in time.
    pub silences: u64,
    /// The ids of the leads taken, in order.
    pub leads: Vec<String>,
}

/// What the first request for a lead meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    RateLimit,
    Error,
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
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    received: Received,
    /// Requests by lead.
    seen: HashMap<String, Seen>,
    journal: Option<File>,
}

/// What became of a request, as the journal writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Taken,
    TakenInSilence,
    Refused,
    Malformed,
    RateLimited,
    Failed,
}

impl Event {
    const ALL: [(Self, &str); 6] = [
        (Self::Taken, "taken"),
        (Self::TakenInSilence, "taken-in-silence"),
        (Self::Refused, "refused"),
        (Self::Malformed, "malformed"),
        (Self::RateLimited, "rate-limited"),
        (Self::Failed, "failed"),
    ];
}

#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    taken: bool,
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
        let inner = journal.map_or_else(|| Ok(Inner::default()), Inner::remember)?;
        let shared = Arc::new(Shared { settings, inner: Mutex::new(inner) });
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
        self.shared.inner().received.clone()
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
    Json(shared.inner().received.clone())
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
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, body: &[u8]) -> Verdict {
        let mut inner = self.inner();
        let prospect = serde_json::from_slice::<Prospect>(body).ok();
        let key = prospect
            .as_ref()
            .and_then(|prospect| prospect.lead_id.as_ref().or(prospect.external_id.as_ref()));
        let (Some(prospect), Some(key)) = (&prospect, key) else {
            inner.note(Event::Malformed, "-");
            let words = json!({ "message": "The payload must be JSON with a lead_id or an external_id." });
            return Verdict::Answer((StatusCode::BAD_REQUEST, Json(words)).into_response());
        };
        if prospect.first_name.as_deref().is_none_or(|name| name.trim().is_empty()) {
            inner.note(Event::Refused, key);
            let words = Json(bonzo::first_name_refusal());
            return Verdict::Answer((StatusCode::UNPROCESSABLE_ENTITY, words).into_response());
        }
        let first = inner.seen.get(key).is_none_or(|seen| seen.requests == 0);
        let trouble = if first { self.trouble(key) } else { None };
        match trouble {
            Some(Trouble::RateLimit) => {
                inner.note(Event::RateLimited, key);
                let wait = [(RETRY_AFTER, self.settings.retry_after_s.to_string())];
                Verdict::Answer((StatusCode::TOO_MANY_REQUESTS, wait).into_response())
            }
            Some(Trouble::Error) => {
                inner.note(Event::Failed, key);
                Verdict::Answer(StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
            Some(Trouble::Silence) => {
                inner.note(Event::TakenInSilence, key);
                Verdict::Silence
            }
            None => {
                inner.note(Event::Taken, key);
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
        // Silence costs the sender a whole deadline, so it is the rarest.
        Some(match digest[2] % 8 {
            0 => Trouble::Silence,
            1..=3 => Trouble::Error,
            _ => Trouble::RateLimit,
        })
    }
}

impl Inner {
    /// Goes on after what the journal tells.
    fn remember(journal: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(journal)?;
        let mut inner = Self::default();
        for line in BufReader::new(&file).lines() {
            let line = line?;
            // The last line may have been cut off by a crash: then its request had no answer either.
            let Some((word, key)) = line.split_once(' ') else { continue };
            if let Some((event, _)) = Event::ALL.into_iter().find(|(_, name)| *name == word) {
                inner.count(event, key);
            }
        }
        inner.journal = Some(file);
        Ok(inner)
    }

    /// Writes it down, then counts it.
    fn note(&mut self, event: Event, key: &str) {
        if let Some(journal) = &mut self.journal {
            let word = Event::ALL.into_iter().find(|(known, _)| *known == event).map_or("", |(_, word)| word);
            // A key is somebody else's text: it must not make a line of its own.
            let key: String = key.chars().filter(|one| !one.is_control()).collect();
            if let Err(error) = writeln!(journal, "{word} {key}") {
                tracing::warn!(%error, "the demo CRM cannot write its journal");
            }
        }
        self.count(event, key);
    }

    fn count(&mut self, event: Event, key: &str) {
        let received = &mut self.received;
        received.requests += 1;
        match event {
            Event::Malformed => return received.malformed += 1,
            Event::Refused => return received.refused += 1,
            Event::RateLimited => received.rate_limited += 1,
            Event::Failed => received.errors += 1,
            Event::TakenInSilence => received.silences += 1,
            Event::Taken => {}
        }
        let seen = self.seen.entry(key.to_owned()).or_default();
        seen.requests += 1;
        if matches!(event, Event::Taken | Event::TakenInSilence) {
            received.accepted += 1;
            if seen.taken {
                received.doubles += 1;
            } else {
                seen.taken = true;
                received.unique_leads += 1;
                received.leads.push(key.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    const QUICK: Settings =
        Settings { seed: 3, trouble_percent: 40, retry_after_s: 2, silence: Duration::from_millis(1) };

    fn crm(settings: Settings) -> Router {
        router(Arc::new(Shared { settings, inner: Mutex::default() }))
    }

    async fn send(router: &Router, body: &str) -> (StatusCode, String) {
        let request = http::Request::post("/api/webhook/abc")
            .body(axum::body::Body::from(body.to_owned()))
            .expect("a request");
        let response = router.clone().oneshot(request).await.expect("it answers");
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn told(router: &Router) -> Received {
        let request = http::Request::get("/received").body(axum::body::Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("it answers");
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[tokio::test]
    async fn a_lead_without_first_name_is_refused_in_bonzos_words() {
        let crm = crm(Settings { trouble_percent: 0, ..QUICK });
        let (status, words) = send(&crm, r#"{"lead_id":"lead_1","last_name":"Roe"}"#).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(words, r#"{"errors":{"first_name":["The first name field is required."]}}"#);
        assert_eq!(send(&crm, r#"{"lead_id":"lead_1","first_name":"Jane"}"#).await.0, StatusCode::OK);
        assert_eq!(send(&crm, "<xml/>").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(send(&crm, r#"{"external_id":"LS-1","first_name":"Jane"}"#).await.0, StatusCode::OK);
        let told = told(&crm).await;
        assert_eq!(
            (told.requests, told.accepted, told.refused, told.malformed, told.doubles),
            (4, 2, 1, 1, 0)
        );
        assert_eq!(told.leads, ["lead_1", "LS-1"]);
    }

    #[tokio::test]
    async fn trouble_comes_first_by_seed_and_every_lead_gets_through_the_second_time() {
        let crms = [crm(QUICK), crm(QUICK)];
        let mut statuses = [Vec::new(), Vec::new()];
        for round in 0..2 {
            for number in 0..300 {
                let lead = format!(r#"{{"lead_id":"lead_{number}","first_name":"Jane"}}"#);
                for (crm, statuses) in crms.iter().zip(&mut statuses) {
                    let status = send(crm, &lead).await.0;
                    assert!(
                        round == 0 || status == StatusCode::OK,
                        "the second request for {number}: {status}"
                    );
                    statuses.push(status);
                }
            }
        }
        assert_eq!(statuses[0], statuses[1], "the same seed, the same trouble");
        let told = told(&crms[0]).await;
        let trouble = told.rate_limited + told.errors + told.silences;
        assert!((85..=155).contains(&trouble), "{trouble} of 300, where 40 in a hundred are due");
        assert!(told.rate_limited > 0 && told.errors > 0 && told.silences > 0, "{told:?}");
        assert_eq!(told.unique_leads, 300);
        assert_eq!(told.doubles, told.accepted - 300);
    }

    #[tokio::test]
    async fn with_a_journal_it_remembers_over_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("crm.journal");
        let mut before = None;
        for round in 0..3 {
            let inner = Inner::remember(&journal).expect("a journal");
            assert!(before.is_none_or(|told| told == inner.received), "round {round}");
            let crm = router(Arc::new(Shared { settings: QUICK, inner: Mutex::new(inner) }));
            for number in 0..60 {
                let name = if number % 10 == 0 { "" } else { "Jane" };
                send(&crm, &format!(r#"{{"lead_id":"lead_{number}","first_name":"{name}"}}"#)).await;
            }
            before = Some(told(&crm).await);
        }
        let told = before.expect("three rounds");
        assert_eq!((told.requests, told.unique_leads, told.refused), (180, 54, 18));
    }
}
