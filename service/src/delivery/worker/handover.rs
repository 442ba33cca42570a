//! From whoever makes deliveries to the worker of the same process.
//!
//! A worker that looks for what is due finds a delivery, claims it and waits until the claim is durable: a second wait for the disk
//! after that of the lead. Leads that come one by one need not wait for it: their deliveries are claimed in the transaction that makes
//! them, and sent as soon as that is committed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use domain::ids::{DestinationId, LeadId};
use sea_orm::{DbErr, RuntimeErr};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{CLAIMED_AHEAD, Run, Taken};
use crate::database::TenantTx;
use crate::delivery::Error;
use crate::delivery::claim::Room;

/// Tells a worker of the same process that there is something to deliver. Whoever commits pending
/// deliveries calls it after the commit; a worker elsewhere finds them by its poll.
#[derive(Clone, Default)]
pub struct Wake(Arc<Bell>);

#[derive(Default)]
struct Bell {
    rung: Notify,
    running: Mutex<Weak<Run>>,
}

/// Deliveries within the transaction that makes them, some or all of them claimed already. Dropped, it is as if they had not been
/// claimed, for the transaction goes with it.
#[must_use = "the transaction is committed through it"]
pub struct Handover {
    tx: TenantTx,
    wake: Wake,
    taken: Option<Taken>,
    /// Something is left for the worker to look for.
    rest: bool,
}

impl fmt::Debug for Wake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Wake").finish_non_exhaustive()
    }
}

impl Wake {
    /// Wakes the worker, or keeps it from falling asleep when it is just about to.
    pub fn wake(&self) {
        self.0.rung.notify_one();
    }

    pub(super) fn notified(&self) -> Notified<'_> {
        self.0.rung.notified()
    }

    /// That worker is the one from now on.
    pub(super) fn runs(&self, run: &Arc<Run>) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(run);
    }

    fn running(&self) -> Option<Arc<Run>> {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        running.filter(|run| !run.stop.is_cancelled())
    }

    /// Claims for the worker, when it runs and as far as it has room, the deliveries that this transaction has made: of each of the
    /// leads one to each of the destinations. The rest is found by the worker, which is woken after the commit.
    pub async fn claim_with(
        &self,
        mut tx: TenantTx,
        leads: &[LeadId],
        destinations: &[DestinationId],
    ) -> Result<Handover, Error> {
        let (mut taken, mut rest) = (None, true);
        let (tenant, made) = (tx.tenant(), leads.len() * destinations.len());
        if let Some(run) = self.running() {
            let waiting = |destination| run.load.waiting((tenant, destination));
            let limit = made.min(run.load.allowance(tenant));
            let room = Room { limit, waiting: &waiting, ahead: CLAIMED_AHEAD, rationed: false };
            if limit >= destinations.len() && limit > 0 {
                let jobs = run.engine.claim_in(&mut tx, destinations, &room).await?.jobs;
                // The oldest are claimed, and where some have waited these are others' than the leads'.
                rest = jobs.iter().filter(|job| leads.contains(&job.lead.id)).count() < made;
                taken = Some(Taken::new(&run, jobs));
            }
        }
        Ok(Handover { tx, wake: self.clone(), taken, rest })
    }
}

impl Handover {
    /// Makes it all durable, and begins to send. Who no longer waits for it does not stop it: what is committed is sent.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { tx, wake, taken, rest } = self;
        let committed = tokio::spawn(async move {
            tx.commit().await?;
            if let Some(taken) = taken {
                taken.begin();
            }
            if rest {
                wake.wake();
            }
            Ok(())
        });
        committed.await.unwrap_or_else(|ended| {
            Err(DbErr::Exec(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(std::io::Error::other(ended))))))
        })
    }
}
