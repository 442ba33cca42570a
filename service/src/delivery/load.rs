//! How much this worker holds, and how much more each tenant may have.
//!
//! A tenant may hold a third of what is free at that moment (the dynamic threshold of shared switch
//! buffers, Choudhury and Hahne 1998). One tenant alone gets a quarter of all places, and each further one
//! a quarter of the rest: even when many tenants' destinations hang, a newcomer finds room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::destinations::Key;
use domain::ids::TenantId;
use tokio::sync::{Notify, Semaphore};

/// The places of one worker.
pub(super) struct Load {
    places: usize,
    counts: Mutex<Counts>,
    /// Told whenever a place becomes free.
    pub freed: Notify,
}

#[derive(Default)]
struct Counts {
    held: usize,
    by_tenant: HashMap<TenantId, usize>,
    by_destination: HashMap<Key, Queue>,
}

/// Deliveries to one destination that wait or are on their way.
struct Queue {
    waiting: usize,
    concurrency: usize,
    turns: Arc<Semaphore>,
}

impl Queue {
    fn of(concurrency: usize) -> Self {
        Self { waiting: 0, concurrency, turns: Arc::new(Semaphore::new(concurrency)) }
    }
}

/// A delivery's place, from its claim until its outcome is committed.
pub(super) struct Place {
    load: Arc<Load>,
    tenant: TenantId,
}

/// A delivery's claim on its destination, until the answer is there.
pub(super) struct Turn {
    load: Arc<Load>,
    key: Key,
    pub turns: Arc<Semaphore>,
}

impl Load {
    pub(super) fn new(places: usize) -> Self {
        Self { places, counts: Mutex::default(), freed: Notify::new() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many more deliveries that tenant may have.
    pub(super) fn allowance(&self, tenant: TenantId) -> usize {
        let counts = self.counts();
        let free = self.places.saturating_sub(counts.held);
        let held = counts.by_tenant.get(&tenant).copied().unwrap_or(0);
        // Each one taken also makes the free ones fewer, hence a quarter and not a third of the rest; rounded
        // up, so that the last place counts.
        free.saturating_sub(3 * held).div_ceil(4)
    }

    /// Whether that tenant has any delivery here.
    pub(super) fn is_served(&self, tenant: TenantId) -> bool {
        self.counts().by_tenant.contains_key(&tenant)
    }

    /// How many deliveries to that destination wait or are on their way.
    pub(super) fn waiting(&self, key: Key) -> usize {
        self.counts().by_destination.get(&key).map_or(0, |queue| queue.waiting)
    }

    /// How many deliveries are held, those being committed included.
    pub(super) fn held(&self) -> usize {
        self.counts().held
    }

    /// Takes a place for a claimed delivery to a destination of that concurrency. A claim is bounded by
    /// [`Load::allowance`], so this never waits. A concurrency that was changed counts from here on; what was taken before
    /// goes out by the old one meanwhile, so for a moment there may be as many on their way as both allow.
    pub(super) fn take(self: &Arc<Self>, key: Key, concurrency: usize) -> (Place, Turn) {
        let mut counts = self.counts();
        counts.held += 1;
        *counts.by_tenant.entry(key.0).or_default() += 1;
        let queue = counts.by_destination.entry(key).or_insert_with(|| Queue::of(concurrency));
        if queue.concurrency != concurrency {
            *queue = Queue { waiting: queue.waiting, ..Queue::of(concurrency) };
        }
        queue.waiting += 1;
        let turns = Arc::clone(&queue.turns);
        (Place { load: Arc::clone(self), tenant: key.0 }, Turn { load: Arc::clone(self), key, turns })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.load.counts();
        counts.held -= 1;
        if let Some(held) = counts.by_tenant.get_mut(&self.tenant) {
            *held -= 1;
            if *held == 0 {
                counts.by_tenant.remove(&self.tenant);
            }
        }
        drop(counts);
        self.load.freed.notify_one();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.load.counts();
        if let Some(queue) = counts.by_destination.get_mut(&self.key) {
            queue.waiting -= 1;
            if queue.waiting == 0 {
                counts.by_destination.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::DestinationId;
    use uuid::Uuid;

    use super::*;

    fn key(tenant: u128) -> Key {
        (TenantId(Uuid::from_u128(tenant)), DestinationId(Uuid::from_u128(1)))
    }

    fn fill(load: &Arc<Load>, tenant: u128) -> Vec<(Place, Turn)> {
        (0..load.allowance(key(tenant).0)).map(|_| load.take(key(tenant), 10)).collect()
    }

    #[test]
    fn one_tenant_gets_a_quarter_and_a_newcomer_always_finds_room() {
        let load = Arc::new(Load::new(1_000));
        let mut hogs = Vec::new();
        // Each of nine tenants takes whatever it may, again and again, and gives nothing back.
        for _ in 0..20 {
            for tenant in 1..=9 {
                hogs.push(fill(&load, tenant));
            }
        }
        assert!(load.allowance(key(10).0) >= 15, "{}", load.allowance(key(10).0));
        hogs.clear();
        assert_eq!((load.held(), load.allowance(key(1).0)), (0, 250));
        let alone: usize = (0..40)
            .map(|_| {
                let got = fill(&load, 1);
                let n = got.len();
                hogs.push(got);
                n
            })
            .sum();
        assert!((250..=251).contains(&alone), "{alone}");
    }

    #[test]
    fn a_destinations_queue_is_counted_until_the_answers_are_there() {
        let load = Arc::new(Load::new(1_000));
        let mut held: Vec<_> = (0..30).map(|_| load.take(key(1), 10)).collect();
        assert_eq!((load.waiting(key(1)), load.waiting(key(2))), (30, 0));
        let turns = Arc::clone(&held[0].1.turns);
        assert_eq!(turns.available_permits(), 10);
        held.pop();
        assert_eq!(load.waiting(key(1)), 29);
        held.clear();
        assert_eq!((load.waiting(key(1)), load.held()), (0, 0));
    }

    #[test]
    fn a_changed_concurrency_counts_though_the_queue_is_never_empty() {
        let load = Arc::new(Load::new(1_000));
        let before = load.take(key(1), 10);
        for concurrency in [2, 2, 30] {
            let (_place, turn) = load.take(key(1), concurrency);
            assert_eq!((turn.turns.available_permits(), load.waiting(key(1))), (concurrency, 2));
        }
        assert_eq!(before.1.turns.available_permits(), 10);
        let (first, second) = (load.take(key(1), 2), load.take(key(1), 2));
        assert!(Arc::ptr_eq(&first.1.turns, &second.1.turns), "they take turns with one another");
    }
}
