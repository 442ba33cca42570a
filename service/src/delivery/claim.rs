//! How many deliveries to claim, and of which destinations.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::delivery::rate;
use domain::ids::{DestinationId, TenantId};
use sqlx::PgConnection;

use super::Error;
use super::destinations::{Known, Opener};
use super::engine::{Engine, Job};
use super::store::{self, Lease};
use crate::database::{Mode, TenantTx};

/// How much may be claimed.
pub(super) struct Room<'a> {
    /// Of the tenant.
    pub limit: usize,
    /// Deliveries to a destination that wait or are on their way.
    pub waiting: &'a (dyn Fn(DestinationId) -> usize + Sync),
    /// Deliveries that are claimed ahead, as a multiple of those that may be on their way.
    pub ahead: usize,
    /// Of destinations with a rate limit too, whose rows stay locked until the claim is committed.
    pub rationed: bool,
}

/// What a claim came to.
pub(super) struct Claim {
    /// Nobody's until the transaction is committed; from then on this worker's until their leases end.
    pub jobs: Vec<Job>,
    /// Some destination had no room: there may be more when it has.
    pub crowded: bool,
}

impl Engine {
    /// Claims due deliveries of a tenant to those of its destinations that have room, in a transaction of their own that the
    /// caller commits.
    pub(super) async fn claim(
        &self,
        tenant: TenantId,
        destinations: &[DestinationId],
        room: &Room<'_>,
    ) -> Result<(TenantTx, Claim), Error> {
        let mut tx = TenantTx::begin(&self.pool, tenant, Mode::ReadWrite).await?;
        let claim = self.claim_in(&mut tx, destinations, room).await?;
        Ok((tx, claim))
    }

    /// The same in a transaction that is under way.
    pub(super) async fn claim_in(
        &self,
        tx: &mut TenantTx,
        destinations: &[DestinationId],
        room: &Room<'_>,
    ) -> Result<Claim, Error> {
        let tenant = tx.tenant();
        let now = self.clock.now();
        let leased_until = now + TimeDelta::from_std(self.settings.lease).unwrap_or(TimeDelta::hours(1));
        let lease = Lease { holder: self.holder, now, until: leased_until };
        let open = Opener {
            secrets: &self.secrets,
            allow_private: self.client.settings().allow_private_addresses,
            now,
        };
        let mut known = self.destinations.get(tx.connection(), tenant, destinations.to_vec(), &open).await?;
        let (mut wanted, crowded) = self.wanted(tenant, destinations, &known, room, now);
        let slots = self.take_slots(tx.connection(), tenant, &mut wanted, &known, now).await?;
        if wanted.is_empty() {
            return Ok(Claim { jobs: Vec::new(), crowded });
        }
        let claimed = store::claim(tx.connection(), tenant, lease, &wanted).await?;
        for (destination, per_second, from) in slots {
            let taken = claimed.iter().filter(|one| one.destination == destination).count();
            let next = rate::after(from, per_second, taken);
            store::take_slots(tx.connection(), (tenant, destination), next).await?;
        }
        // Changed or resumed since they were read: what was wrong with them then may be right by now.
        let stale = claimed.iter().filter(|one| {
            known.get(&one.destination).is_some_and(|known| known.version != one.destination_version)
        });
        let stale: Vec<DestinationId> = stale.map(|one| one.destination).collect();
        if !stale.is_empty() {
            for id in &stale {
                self.destinations.forget_one((tenant, *id));
            }
            known.extend(self.destinations.get(tx.connection(), tenant, stale, &open).await?);
        }
        let jobs = claimed.into_iter().map(|claimed| Job {
            tenant,
            destination_id: claimed.destination,
            concurrency: self.concurrency(known.get(&claimed.destination)),
            id: claimed.id,
            number: claimed.number,
            budget_from: claimed.budget_from,
            doubt: claimed.doubt,
            probe: claimed.probe,
            leased_until,
            lead: claimed.lead,
            suppressed: claimed.suppressed,
            destination: known.get(&claimed.destination).cloned(),
        });
        let jobs = jobs.collect();
        Ok(Claim { jobs, crowded })
    }

    /// How many to claim for each destination.
    fn wanted(
        &self,
        tenant: TenantId,
        destinations: &[DestinationId],
        known: &HashMap<DestinationId, Known>,
        room: &Room<'_>,
        now: DateTime<Utc>,
    ) -> (Vec<(DestinationId, i32)>, bool) {
        let limit = room.limit.min(self.settings.batch);
        let mut crowded = false;
        let mut free = Vec::new();
        for &destination in destinations {
            if self.gates.is_paused((tenant, destination), now) {
                continue;
            }
            let found = known.get(&destination);
            if !room.rationed && per_second(found).is_some() {
                crowded = true;
                continue;
            }
            let concurrency = self.concurrency(found);
            // What may not be sent twice is not claimed ahead: were this process killed, nobody would know whether
            // it was sent, and a person would have to decide for each.
            let usable = found.and_then(|known| known.usable());
            let repeatable = usable.is_some_and(|destination| destination.plan.profile.is_repeatable());
            let depth = if repeatable { concurrency * room.ahead } else { concurrency };
            let waiting = (room.waiting)(destination);
            let left = depth.saturating_sub(waiting);
            // Small claims cost as much as large ones: where some are at work it pays to wait for more room.
            if left == 0 || (waiting > 0 && left < depth.div_ceil(4)) {
                crowded = true;
            } else {
                free.push((destination, left));
            }
        }
        // Beginning anywhere, so that none is always the last one to find the room taken.
        let start = usize::try_from(self.ids.jitter()).unwrap_or(0) % free.len().max(1);
        free.rotate_left(start);
        free.truncate(limit.max(1));
        let share = limit.div_ceil(free.len().max(1));
        let places = |left: usize| i32::try_from(left.min(share)).unwrap_or(i32::MAX);
        (free.into_iter().map(|(destination, left)| (destination, places(left))).collect(), crowded)
    }

    fn concurrency(&self, known: Option<&Known>) -> usize {
        let of_destination = known
            .and_then(|known| known.usable())
            .and_then(|destination| destination.plan.profile.limits.concurrency)
            .map_or(usize::MAX, usize::from);
        of_destination.min(self.settings.requests_per_destination).max(1)
    }

    /// Keeps to the rate limits: lowers what is wanted, and answers from when on slots are counted where there is one.
    async fn take_slots(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        wanted: &mut Vec<(DestinationId, i32)>,
        known: &HashMap<DestinationId, Known>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(DestinationId, f64, DateTime<Utc>)>, Error> {
        let mut slots = Vec::new();
        // The rows are locked in the order in which outcomes lock them.
        let mut in_order: Vec<&mut (DestinationId, i32)> = wanted.iter_mut().collect();
        in_order.sort_unstable_by_key(|(destination, _)| *destination);
        for (destination, limit) in in_order {
            let Some(per_second) = per_second(known.get(destination)) else { continue };
            let key = (tenant, *destination);
            let (from, free) = store::slots(connection, key, per_second, now).await?;
            *limit = free.min(*limit);
            if *limit > 0 {
                slots.push((*destination, per_second, from));
            } else {
                self.gates.ration(key, rate::after(from, per_second, 1));
            }
        }
        wanted.retain(|(_, limit)| *limit > 0);
        Ok(slots)
    }
}

/// The rate limit of a destination that could be opened.
fn per_second(known: Option<&Known>) -> Option<f64> {
    known?.usable()?.plan.profile.limits.per_second
}
