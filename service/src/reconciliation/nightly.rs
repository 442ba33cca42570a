//! Runs that begin by themselves, once a day, when the hour of the tenant's day that the plan names has come.
//!
//! A night has one run: its id goes with the job, so a try after a failure goes on with the same row and counts itself there.

use std::sync::Arc;

use domain::ids::{DestinationId, ReconciliationId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::run::{self, List, Request};
use super::{background, curated, proof};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::jobs::{self, How, Job};

/// Who acts in runs that nobody asked for.
const ACTOR: &str = "schedule";

/// Looks, once an hour, which destinations are due, and queues a job for each.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tick {}

impl Job for Tick {
    const NAME: &'static str = "reconciliation_tick";

    fn tenant(&self) -> Option<TenantId> {
        None
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let now = app.clock.now();
        let due: Vec<(Uuid, Uuid)> =
            sqlx::query_as("SELECT tenant_id, destination_id FROM due_reconciliations($1) WHERE tenant_id NOT IN (SELECT suspended_tenants())")
                .bind(now)
                .fetch_all(&app.database.app)
                .await?;
        for (tenant, destination) in due {
            let run = ReconciliationId(app.ids.next(now));
            let job = Nightly { tenant: TenantId(tenant), destination: DestinationId(destination), run };
            let mut tx = app.begin(job.tenant, Mode::ReadWrite).await?;
            let key = format!("{} {} {}", Nightly::NAME, job.tenant, job.destination);
            jobs::enqueue(tx.connection(), &job, How::keyed(key)).await?;
            tx.commit().await?;
        }
        background::take_over(&app).await.map(|_| ())
    }
}

/// Synchronises the service's users and campaigns, reconciles with its API, and looks up what was sent again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Nightly {
    /// Whose leads.
    pub tenant: TenantId,
    /// Where they went.
    pub destination: DestinationId,
    /// The night's run; it is made by the first try.
    pub run: ReconciliationId,
}

impl Job for Nightly {
    const NAME: &'static str = "reconciliation";
    /// The day after is another run; until then a service that is down is asked a few times.
    const ATTEMPTS_MAX: i16 = 5;

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let now = app.clock.now();
        let request = Request { as_of: Some(now), ..Request::whole(self.destination, List::Api, ACTOR) };
        let before = self.before(&app);
        Box::pin(run::try_again(&app, self.tenant, self.run, &request, before)).await
    }
}

impl Nightly {
    /// What goes before the comparison. A service without these tables is reconciled all the same; where its API is away, the run says so.
    async fn before(&self, app: &App) {
        if let Err(error) = curated::sync(app, self.tenant, self.destination).await {
            tracing::warn!(destination.id = %self.destination, error = &error as &dyn std::error::Error, "users and campaigns were not synchronised");
        }
        // What stays unproved is proved by the list that is read next.
        if let Err(error) = proof::prove(app, self.tenant, self.destination, ACTOR).await {
            tracing::warn!(destination.id = %self.destination, error = &error as &dyn std::error::Error, "what was sent again was not looked up");
        }
    }
}
