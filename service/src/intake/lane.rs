//! Leads that are sent in one by one, and at the same time, share a transaction.
//!
//! Most of what a single lead costs is not the lead: a transaction is begun, the tenant looked at, its deliveries are claimed, the disk
//! is waited for. So the leads of one source that come while others are being stored wait for these to be durable and then go
//! together. Nobody waits for company, and the busier it is, the more of them share the cost.
//!
//! What is wrong with one is nobody else's matter: when a group cannot be stored, each of its leads is tried by itself. So it is when a
//! group waits long for another transaction, as that of an import with a lead in common.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::{SourceId, TenantId};
use domain::intake::Identity;
use domain::lead::{Issue, Lead};
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream;
use tokio::sync::oneshot;

use super::copy::CopyRows;
use super::idempotency::{self, Key};
use super::merge::{self, Candidate, Origin, Resolved};
use super::submit::{Outcome, Submitted};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// Leads that one transaction stores at most.
const GROUP_MAX: usize = 64;
/// Transactions of a lane at a time: while one waits for the disk, what has come since goes on.
const GROUPS: usize = 2;

/// Leads of a group that could not be stored together that are tried at a time: one may wait for another transaction.
const ALONE_AT_ONCE: usize = 8;

/// What the leads of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub tenant: TenantId,
    pub source: SourceId,
    /// `api` or `web`.
    pub channel: &'static str,
    pub identity: Identity,
}

/// A clean lead that was sent in.
pub(super) struct Sent {
    pub lead: Lead,
    pub warnings: Vec<Issue>,
    pub fingerprint: u128,
    pub key: Option<Key>,
}

impl Sent {
    fn candidate(&self, record: i32) -> Candidate {
        let Self { lead, warnings, fingerprint, .. } = self;
        Candidate { record, lead: lead.clone(), warnings: warnings.clone(), fingerprint: *fingerprint }
    }

    fn submitted(&self, resolved: Resolved) -> Submitted {
        let (outcome, lead) = (resolved.outcome.into(), Some(resolved.lead));
        Submitted { outcome, lead, failed: None, reasons: self.warnings.clone() }
    }
}

type Stored = Result<Submitted, Error>;
type Answer = oneshot::Sender<Stored>;

/// The leads that wait for their transaction, of one process.
#[derive(Default)]
pub struct Lanes(Mutex<HashMap<Lane, Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Sent, Answer)>,
    /// Transactions that are under way.
    groups: usize,
}

/// Stores a lead, with whatever else comes at the same time, and answers when it is durable. Who stops waiting before its turn has
/// sent nothing in; later it is stored all the same.
pub(super) async fn store(app: &Arc<App>, lane: Lane, sent: Sent) -> Result<Submitted, Error> {
    let (answer, answered) = oneshot::channel();
    if app.lanes.enter(lane, sent, answer) {
        tokio::spawn(store_waiting(Arc::clone(app), lane));
    }
    answered.await.map_err(|gone| Error::internal("storing a lead", gone))?
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many leads wait, in all lanes.
    #[cfg(feature = "testing")]
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|queue| queue.waiting.len()).sum()
    }

    /// Queues a lead; whether another group may be under way, which the caller then begins.
    fn enter(&self, lane: Lane, sent: Sent, answer: Answer) -> bool {
        let mut lanes = self.lock();
        let queue = lanes.entry(lane).or_default();
        queue.waiting.push_back((sent, answer));
        let free = queue.groups < GROUPS;
        queue.groups += usize::from(free);
        free
    }

    /// The next group, in the order of arrival; empty when nobody waits, and then the caller is no longer counted.
    fn next(&self, lane: Lane) -> Vec<(Sent, Answer)> {
        let mut lanes = self.lock();
        let Entry::Occupied(mut entry) = lanes.entry(lane) else { return Vec::new() };
        let group = entry.get_mut().take();
        if group.is_empty() {
            entry.get_mut().groups -= 1;
            if entry.get().groups == 0 {
                entry.remove();
            }
        }
        group
    }
}

impl Queue {
    /// Of leads with the same idempotency key only the first: the next one is to find its answer.
    fn take(&mut self) -> Vec<(Sent, Answer)> {
        let (mut group, mut later) = (Vec::new(), VecDeque::new());
        let mut keys = HashSet::new();
        while group.len() < GROUP_MAX
            && let Some((sent, answer)) = self.waiting.pop_front()
        {
            if answer.is_closed() {
                continue;
            }
            match &sent.key {
                Some(key) if !keys.insert(key.text.clone()) => later.push_back((sent, answer)),
                _ => group.push((sent, answer)),
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        group
    }
}

/// Stores one group after the other until nobody waits.
async fn store_waiting(app: Arc<App>, lane: Lane) {
    loop {
        let group = app.lanes.next(lane);
        if group.is_empty() {
            return;
        }
        // On a task of its own: should it panic, the leads behind it still have somebody who stores them.
        let _ = tokio::spawn(store_group(Arc::clone(&app), lane, group)).await;
    }
}

async fn store_group(app: Arc<App>, lane: Lane, group: Vec<(Sent, Answer)>) {
    let (sent, answers): (Vec<Sent>, Vec<Answer>) = group.into_iter().unzip();
    let together = match sent.as_slice() {
        [_] => Ok(vec![store_alone(&app, lane, &sent).await]),
        _ => store_together(&app, lane, &sent).await,
    };
    // Whether anybody still waits for an answer is nobody's concern here.
    match together {
        Ok(stored) => {
            for (answer, stored) in answers.into_iter().zip(stored) {
                let _ = answer.send(stored);
            }
        }
        // Nothing to do with any of them, and it may even have been committed: their senders are to ask again.
        Err(Error::Unavailable { what, source }) => {
            let source: Arc<dyn StdError + Send + Sync> = source.into();
            for answer in answers {
                let _ = answer.send(Err(Error::Unavailable { what, source: Box::new(Arc::clone(&source)) }));
            }
        }
        Err(error) => {
            tracing::info!(
                error = &error as &dyn StdError,
                leads = sent.len(),
                "leads that came together are stored one by one"
            );
            let each =
                stream::iter(sent.chunks(1).zip(answers)).filter(|(_, answer)| ready(!answer.is_closed()));
            let store = async |(one, answer): (&[Sent], Answer)| {
                let _ = answer.send(store_alone(&app, lane, one).await);
            };
            each.for_each_concurrent(ALONE_AT_ONCE, store).await;
        }
    }
}

async fn store_alone(app: &App, lane: Lane, one: &[Sent]) -> Stored {
    let mut attempts = 0;
    loop {
        match store_together(app, lane, one).await {
            Err(error) if error.is_contention() && attempts < super::CONTENTION_RETRIES => attempts += 1,
            other => return other?.pop().unwrap_or_else(|| Err(Error::contended())),
        }
    }
}

/// Stores leads in one transaction, and hands their deliveries over with it. An error of one of them, such as a key that was used with
/// another body, leaves the others as they are.
async fn store_together(app: &App, lane: Lane, sent: &[Sent]) -> Result<Vec<Stored>, Error> {
    let mut tx = app.begin(lane.tenant, Mode::ReadWrite).await?;
    let mut answers = remembered(&mut tx, sent).await?;
    let now = app.clock.now();
    let new = (1..).zip(sent).zip(&answers).filter(|(_, answer)| answer.is_none());
    let candidates: Vec<Candidate> = new.map(|((number, one), _)| one.candidate(number)).collect();
    let origin = Origin {
        tenant: lane.tenant,
        source: lane.source,
        import: None,
        identity: lane.identity,
        channel: lane.channel,
        actor: None,
        now,
    };
    let rows = &mut CopyRows::default();
    let (resolved, destinations) =
        merge::merge(tx.connection(), &origin, &candidates, None, &app.ids, rows).await?;
    // Both are in the order of their numbers.
    let new = sent.iter().zip(&mut answers).filter(|(_, answer)| answer.is_none());
    let (mut changed, mut to_remember) = (Vec::new(), Vec::new());
    for ((sent, answer), resolved) in new.zip(&resolved) {
        let submitted = sent.submitted(*resolved);
        changed.extend(submitted.lead.filter(|_| submitted.outcome.changes_a_lead()));
        to_remember.extend(sent.key.as_ref().map(|key| (key, submitted.clone())));
        *answer = Some(Ok(submitted));
    }
    idempotency::remember_each(&mut tx, &to_remember, now).await?;
    if changed.is_empty() {
        tx.commit().await?;
    } else {
        app.hand_over(tx, &changed, &destinations).await?;
    }
    for one in resolved {
        let outcome = Outcome::from(one.outcome).as_str();
        metrics::counter!("baton_records_total", "outcome" => outcome).increment(1);
    }
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(Error::contended()))).collect())
}

/// What is known of each by its idempotency key.
async fn remembered(tx: &mut TenantTx, sent: &[Sent]) -> Result<Vec<Option<Stored>>, Error> {
    let keys: Vec<&Key> = sent.iter().filter_map(|one| one.key.as_ref()).collect();
    let mut remembered = idempotency::remembered_each(tx, &keys).await?.into_iter();
    Ok(sent.iter().map(|one| one.key.as_ref().and_then(|_| remembered.next()?.transpose())).collect())
}
