//! What this process has seen of each destination: failures in a row, and until when it asked to be left alone.
//!
//! The breaker itself stands in the destination's row, so that all workers and people see one; a transition is written
//! in the transaction that records the attempt which caused it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::delivery::{Signal, breaker};
use domain::ids::{DestinationId, TenantId};
use sqlx::PgConnection;

use super::Error;
use super::destinations::Key;

/// Deliveries that are brought forward when a destination answers again, at most; the rest come by their own time.
const FORWARD_MAX: i64 = 10_000;

/// The gates of one worker.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<Key, Gate>>);

#[derive(Default)]
struct Gate {
    failures: u16,
    /// Its rate limit has no place before; what is claimed has one.
    rationed: Option<DateTime<Utc>>,
    /// It asked to be left alone until then.
    asked: Option<DateTime<Utc>>,
    /// It was held as it was at that version.
    held: Option<i32>,
    wanted: Option<Transition>,
}

/// What is to become of a destination's breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transition {
    /// It answers again.
    Close,
    /// Too many failures in a row, or one more try in vain.
    Open { reason: String, first_pause: Duration, probe: bool },
    /// It lets nothing in, as it was at that version: what a person has changed or resumed since is another matter.
    Hold { reason: String, version: i32 },
}

/// What of a destination concerns its gate.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// How often a person had changed or resumed it when the request was made.
    pub version: i32,
    /// Failures in a row; 0: never.
    pub failures: u16,
    /// How long it is left alone at first.
    pub pause: Duration,
}

impl Gates {
    fn gates(&self) -> MutexGuard<'_, HashMap<Key, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing more is to be claimed for the destination at that time.
    pub(super) fn is_paused(&self, key: Key, now: DateTime<Utc>) -> bool {
        self.gates().get(&key).and_then(|gate| gate.rationed.max(gate.asked)).is_some_and(|until| until > now)
    }

    /// Until when what was claimed at that version is not to be sent: the destination has asked to be left alone since, or is held,
    /// and then the row says how long.
    pub(super) fn closed_until(&self, key: Key, version: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let gates = self.gates();
        let gate = gates.get(&key)?;
        let holding = match &gate.wanted {
            Some(Transition::Hold { version, .. }) => Some(*version),
            _ => None,
        };
        let is_held = gate.held.max(holding).is_some_and(|held| held >= version);
        gate.asked.filter(|until| *until > now).or_else(|| is_held.then_some(now))
    }

    /// Claims nothing more for the destination until its rate limit has a place.
    pub(super) fn ration(&self, key: Key, until: DateTime<Utc>) {
        let mut gates = self.gates();
        let gate = gates.entry(key).or_default();
        gate.rationed = gate.rationed.max(Some(until));
    }

    /// Leaves the destination alone until then, as it asked.
    pub(super) fn pause(&self, key: Key, until: DateTime<Utc>) {
        let mut gates = self.gates();
        let gate = gates.entry(key).or_default();
        gate.asked = gate.asked.max(Some(until));
    }

    /// Takes note of what an attempt said about the destination.
    pub(super) fn note(&self, key: Key, signal: Signal, probe: bool, limits: Limits) {
        let mut gates = self.gates();
        if matches!(signal, Signal::Well) && !probe && !gates.contains_key(&key) {
            return;
        }
        let gate = gates.entry(key).or_default();
        match signal {
            Signal::Well if probe => gate.wanted = Some(Transition::Close),
            Signal::Well => gate.failures = 0,
            Signal::Busy => {}
            Signal::Barred(reason) => {
                gate.wanted = Some(Transition::Hold { reason, version: limits.version });
            }
            Signal::Trouble(reason) => {
                gate.failures = gate.failures.saturating_add(1);
                if probe || (limits.failures > 0 && gate.failures >= limits.failures) {
                    gate.failures = 0;
                    gate.wanted = Some(Transition::Open { reason, first_pause: limits.pause, probe });
                }
            }
        }
    }

    /// What is to be written about that destination's breaker.
    pub(super) fn wanted(&self, key: Key) -> Option<Transition> {
        self.gates().get(&key).and_then(|gate| gate.wanted.clone())
    }

    /// It was written.
    pub(super) fn written(&self, key: Key, transition: &Transition) {
        if let Some(gate) = self.gates().get_mut(&key)
            && gate.wanted.as_ref() == Some(transition)
        {
            gate.wanted = None;
            if let Transition::Hold { version, .. } = transition {
                gate.held = gate.held.max(Some(*version));
            }
        }
    }
}

/// Writes a transition.
pub(super) async fn apply(
    connection: &mut PgConnection,
    (tenant, destination): Key,
    transition: &Transition,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match transition {
        Transition::Close => close(connection, (tenant, destination), now).await,
        Transition::Hold { reason, version } => {
            if hold(connection, (tenant, destination), (reason, Some(*version)), now).await? {
                tracing::warn!(tenant.id = %tenant, destination.id = %destination, reason, "the destination is held");
            }
            Ok(())
        }
        Transition::Open { reason, first_pause, probe } => {
            let state: Option<(String, i16)> = sqlx::query_as(
                "SELECT breaker, probes FROM destination WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
            )
            .bind(tenant.uuid())
            .bind(destination.uuid())
            .fetch_optional(&mut *connection)
            .await?;
            let Some((state, probes)) = state else { return Ok(()) };
            let tries = match (state.as_str(), probe) {
                ("closed", false) => 0,
                ("open", true) => probes.saturating_add(1),
                // What was under way when it opened says nothing new; what is held stays held.
                _ => return Ok(()),
            };
            let pause = breaker::pause(*first_pause, tries.unsigned_abs());
            let probe_at = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(1));
            sqlx::query(
                "UPDATE destination SET breaker = 'open', breaker_reason = $3, probe_at = $4, probes = $5,
                        breaker_since = CASE WHEN breaker = 'open' THEN breaker_since ELSE $6 END
                 WHERE tenant_id = $1 AND id = $2",
            )
            .bind(tenant.uuid())
            .bind(destination.uuid())
            .bind(reason)
            .bind(probe_at)
            .bind(tries)
            .bind(now)
            .execute(connection)
            .await?;
            if tries == 0 {
                tracing::warn!(tenant.id = %tenant, destination.id = %destination, reason, "the destination does not answer; its breaker is open");
            }
            Ok(())
        }
    }
}

/// Holds a destination, if it is still at that version when one is given; answers whether it was not held before.
pub(super) async fn hold(
    connection: &mut PgConnection,
    (tenant, destination): Key,
    (reason, version): (&str, Option<i32>),
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let held = sqlx::query(
        "UPDATE destination SET breaker = 'held', breaker_reason = $3, breaker_since = $4, probe_at = NULL
         WHERE tenant_id = $1 AND id = $2 AND breaker <> 'held' AND version = coalesce($5, version)",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(reason)
    .bind(now)
    .bind(version)
    .execute(connection)
    .await?;
    Ok(held.rows_affected() > 0)
}

async fn close(
    connection: &mut PgConnection,
    (tenant, destination): Key,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let closed = sqlx::query(
        "UPDATE destination SET breaker = 'closed', breaker_reason = NULL, breaker_since = NULL, probe_at = NULL,
                probes = 0
         WHERE tenant_id = $1 AND id = $2 AND breaker = 'open'",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .execute(&mut *connection)
    .await?;
    if closed.rows_affected() > 0 {
        forward(connection, tenant, destination, now).await?;
        tracing::info!(tenant.id = %tenant, destination.id = %destination, "the destination answers again");
    }
    Ok(())
}

/// Lets what waits for a later try be tried now.
pub(super) async fn forward(
    connection: &mut PgConnection,
    tenant: TenantId,
    destination: DestinationId,
    now: DateTime<Utc>,
) -> Result<u64, Error> {
    let moved = sqlx::query(
        "UPDATE delivery SET due_at = $3 WHERE tenant_id = $1 AND id = ANY (ARRAY(
             SELECT id FROM delivery
             WHERE tenant_id = $1 AND destination_id = $2 AND state = 'pending' AND due_at > $3 AND lease IS NULL
             ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED))",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(now)
    .bind(FORWARD_MAX)
    .execute(connection)
    .await?;
    Ok(moved.rows_affected())
}

#[cfg(test)]
mod tests {
    use domain::ids::{DestinationId, TenantId};
    use uuid::Uuid;

    use super::*;

    const LIMITS: Limits = Limits { version: 0, failures: 3, pause: Duration::from_secs(15) };

    fn key() -> Key {
        (TenantId(Uuid::from_u128(1)), DestinationId(Uuid::from_u128(2)))
    }

    fn trouble() -> Signal {
        Signal::Trouble("HTTP 500".to_owned())
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_answer_between_does_not() {
        let gates = Gates::default();
        for signal in [trouble(), trouble(), Signal::Well, trouble(), Signal::Busy, trouble()] {
            gates.note(key(), signal, false, LIMITS);
            assert_eq!(gates.wanted(key()), None);
        }
        gates.note(key(), trouble(), false, LIMITS);
        let wanted = gates.wanted(key()).expect("it opens");
        assert!(matches!(wanted, Transition::Open { probe: false, .. }));
        gates.written(key(), &wanted);
        assert_eq!(gates.wanted(key()), None);
    }

    #[test]
    fn a_probe_decides_alone() {
        let gates = Gates::default();
        gates.note(key(), trouble(), true, LIMITS);
        assert!(matches!(gates.wanted(key()), Some(Transition::Open { probe: true, .. })));
        gates.note(key(), Signal::Well, true, LIMITS);
        assert_eq!(gates.wanted(key()), Some(Transition::Close));
        gates.note(key(), Signal::Barred("HTTP 401".to_owned()), false, LIMITS);
        assert!(matches!(gates.wanted(key()), Some(Transition::Hold { .. })));
    }

    #[test]
    fn what_is_claimed_waits_for_the_destination_and_not_for_its_own_place() {
        let (gates, now) = (Gates::default(), DateTime::UNIX_EPOCH);
        let (soon, later) = (now + TimeDelta::seconds(1), now + TimeDelta::seconds(2));
        gates.ration(key(), later);
        assert_eq!((gates.is_paused(key(), now), gates.closed_until(key(), 0, now)), (true, None));
        gates.pause(key(), soon);
        assert_eq!(gates.closed_until(key(), 0, now), Some(soon));
        assert_eq!((gates.is_paused(key(), soon), gates.closed_until(key(), 0, soon)), (true, None));
        assert!(!gates.is_paused(key(), later));
    }

    #[test]
    fn a_hold_is_for_what_was_claimed_before_the_destination_was_changed() {
        let (gates, now) = (Gates::default(), DateTime::UNIX_EPOCH);
        let closed = || [3, 4, 5].map(|version| gates.closed_until(key(), version, now).is_some());
        gates.note(key(), Signal::Barred("HTTP 401".to_owned()), false, Limits { version: 4, ..LIMITS });
        assert_eq!(closed(), [true, true, false]);
        gates.written(key(), &gates.wanted(key()).expect("it is held"));
        assert_eq!((gates.wanted(key()), closed()), (None, [true, true, false]));
        // The late word about what was there before the change.
        gates.note(key(), Signal::Barred("HTTP 401".to_owned()), false, Limits { version: 3, ..LIMITS });
        assert_eq!(closed(), [true, true, false]);
    }
}
