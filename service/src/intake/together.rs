//! Batches of one import that are merged at the same time and may have leads in common.
//!
//! A transaction that inserts a key which another one has inserted and not committed yet waits for that one's end. Repeats
//! of a lead are spread over a file, so nearly every two batches share some key, and without this two streams would take turns. Therefore a
//! batch holds back the records that share a key with a batch before it that is still being merged: it inserts its other leads, waits for
//! that commit, and then meets the leads in common as it meets any stored lead. Only a later batch waits for an earlier one, and while it
//! waits it has locked nothing that the earlier one wants: there is no circle between them. A transaction of others, which has what the
//! earlier one wants and wants what the later one has, could close one, of which Postgres would see a part only: therefore transactions
//! with several leads wait for a lock for some seconds at most, and begin again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use sqlx::{Executor as _, PgConnection};
use tokio::sync::watch;
use xxhash_rust::xxh3::xxh3_128;

use super::merge::{Candidate, Origin, identity};
use domain::intake::ContactIdentity;

/// The batches of an import that are being merged.
#[derive(Default)]
pub struct Together {
    running: Mutex<Vec<Running>>,
}

struct Running {
    batch: i32,
    keys: HashSet<u128>,
    ended: watch::Receiver<()>,
}

/// A batch's part in it, from before its transaction until after its commit; dropping it lets the others go on.
pub struct Part<'a> {
    together: &'a Together,
    batch: i32,
    held: Vec<bool>,
    earlier: Vec<watch::Receiver<()>>,
    _running: watch::Sender<()>,
}

/// Has a transaction with several leads give up when it waits long for a lock: it may be part of a circle. A file can wait longer
/// than a person.
pub(super) async fn limit_waits(connection: &mut PgConnection, origin: &Origin) -> Result<(), sqlx::Error> {
    let limit = match origin.import {
        Some(_) => "SET LOCAL lock_timeout = '15s'",
        None => "SET LOCAL lock_timeout = '2s'",
    };
    connection.execute(limit).await?;
    Ok(())
}

impl Together {
    /// Enters a batch. Batches must enter in the order of the file.
    pub fn enter(&self, batch: i32, origin: &Origin, candidates: &[Candidate]) -> Part<'_> {
        let each: Vec<[Option<u128>; 3]> =
            candidates.iter().map(|candidate| keys(origin, candidate)).collect();
        let (sender, ended) = watch::channel(());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = Vec::new();
        if !running.is_empty() {
            // A record after a held one, with a key of it, must not overtake it.
            let mut behind: HashSet<u128> = HashSet::new();
            held.extend(each.iter().map(|keys| {
                let keys = || keys.iter().flatten();
                let shared = keys()
                    .any(|key| behind.contains(key) || running.iter().any(|other| other.keys.contains(key)));
                if shared {
                    behind.extend(keys());
                }
                shared
            }));
        }
        let earlier = if held.contains(&true) {
            running.iter().map(|other| other.ended.clone()).collect()
        } else {
            Vec::new()
        };
        running.push(Running { batch, keys: each.into_iter().flatten().flatten().collect(), ended });
        Part { together: self, batch, held, earlier, _running: sender }
    }
}

impl Part<'_> {
    /// Whether the candidate at that position waits for earlier batches.
    pub fn holds(&self, position: usize) -> bool {
        self.held.get(position).copied().unwrap_or(false)
    }

    /// Returns when the earlier batches that this one shares leads with have committed or failed.
    pub async fn earlier_ended(&mut self) {
        while let Some(earlier) = self.earlier.last_mut() {
            // Nothing is ever sent: the wait ends with the sender.
            while earlier.changed().await.is_ok() {}
            self.earlier.pop();
        }
        self.held.clear();
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut running = self.together.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|other| other.batch != self.batch);
    }
}

/// What the unique indexes will compare, hashed. Equal keys have equal hashes; different ones that have, too, only wait in vain.
fn keys(origin: &Origin, candidate: &Candidate) -> [Option<u128>; 3] {
    let shared = origin.identity.contact_identity != ContactIdentity::None;
    let lead = &candidate.lead;
    let phone = lead.phone.as_deref().filter(|_| shared && origin.identity.phone);
    let email = lead.email.as_deref().filter(|_| shared && origin.identity.email);
    [
        Some(identity(origin.source, lead, candidate.fingerprint).as_u128()),
        phone.map(|phone| xxh3_128(phone.as_bytes())),
        email.map(|email| xxh3_128(email.as_bytes())),
    ]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::ids::{SourceId, TenantId};
    use domain::intake::Identity;
    use domain::lead::Lead;
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn origin() -> Origin {
        Origin {
            tenant: TenantId(Uuid::from_u128(1)),
            source: SourceId(Uuid::from_u128(2)),
            import: None,
            identity: Identity::default(),
            channel: "file",
            actor: None,
            now: DateTime::UNIX_EPOCH,
        }
    }

    fn candidates(leads: &[(&str, &str)]) -> Vec<Candidate> {
        let candidate = |(record, (phone, email)): (i32, &(&str, &str))| Candidate {
            record,
            lead: Lead { phone: Some((*phone).into()), email: Some((*email).into()), ..Lead::default() },
            warnings: Vec::new(),
            fingerprint: u128::from(xxhash_rust::xxh3::xxh3_64(format!("{phone}{email}").as_bytes())),
        };
        (1..).zip(leads).map(candidate).collect()
    }

    fn held(part: &Part<'_>, count: usize) -> Vec<bool> {
        (0..count).map(|place| part.holds(place)).collect()
    }

    #[test]
    fn what_an_earlier_batch_has_is_held_and_what_follows_it_too() {
        let together = Together::default();
        let first = together.enter(0, &origin(), &candidates(&[("+1", "a"), ("+2", "b")]));
        assert_eq!(held(&first, 2), [false, false], "there is nothing before the first");
        // By its phone; free; by the e-mail of a held one; free.
        let leads = [("+2", "c"), ("+3", "d"), ("+4", "c"), ("+5", "e")];
        let mut second = together.enter(1, &origin(), &candidates(&leads));
        assert_eq!(held(&second, 4), [true, false, true, false]);

        assert!(second.earlier_ended().now_or_never().is_none(), "the first batch is not done");
        drop(first);
        assert!(second.earlier_ended().now_or_never().is_some());
        assert_eq!(held(&second, 4), [false; 4]);
    }

    #[test]
    fn a_batch_that_shares_nothing_waits_for_nobody() {
        let together = Together::default();
        let _first = together.enter(0, &origin(), &candidates(&[("+1", "a")]));
        let mut second = together.enter(1, &origin(), &candidates(&[("+2", "b")]));
        assert!(second.earlier_ended().now_or_never().is_some());
    }
}
