//! What the demo CRM remembers: every request that it got, and with a journal over restarts too.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

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
    /// Answered 422: without a first name, or declined at first.
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

/// What it remembers.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) received: Received,
    /// Requests by lead.
    seen: HashMap<String, Seen>,
    journal: Option<File>,
}

/// What became of a request, as the journal writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Taken,
    TakenInSilence,
    Refused,
    Declined,
    Malformed,
    RateLimited,
    Failed,
}

impl Event {
    const ALL: [(Self, &str); 7] = [
        (Self::Taken, "taken"),
        (Self::TakenInSilence, "taken-in-silence"),
        (Self::Refused, "refused"),
        (Self::Declined, "declined"),
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

impl Book {
    /// Goes on after what the journal tells.
    pub(super) fn remember(journal: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(journal)?;
        let mut book = Self::default();
        for line in BufReader::new(&file).lines() {
            let line = line?;
            // The last line may have been cut off by a crash: then its request had no answer either.
            let Some((word, key)) = line.split_once(' ') else { continue };
            if let Some((event, _)) = Event::ALL.into_iter().find(|(_, name)| *name == word) {
                book.count(event, key);
            }
        }
        book.journal = Some(file);
        Ok(book)
    }

    /// Whether no request for that lead came before.
    pub(super) fn is_new(&self, key: &str) -> bool {
        self.seen.get(key).is_none_or(|seen| seen.requests == 0)
    }

    /// Writes it down, then counts it.
    pub(super) fn note(&mut self, event: Event, key: &str) {
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
            Event::Declined => received.refused += 1,
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
