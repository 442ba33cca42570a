//! Keeps the queue small: jobs that ran out of attempts are kept for a month, to be looked at, and go then.

use std::sync::Arc;

use domain::ids::TenantId;
use serde::{Deserialize, Serialize};

use super::Job;
use crate::app::App;
use crate::error::Error;

/// How long a job that ran out of attempts is kept, in days.
const KEPT_DAYS: i32 = 30;

#[derive(Debug, Serialize, Deserialize)]
/// Removes jobs that ran out of attempts a month ago.
pub struct Tidy {}

impl Job for Tidy {
    const NAME: &'static str = "tidy_jobs";

    fn tenant(&self) -> Option<TenantId> {
        None
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let gone = sqlx::query(
            "DELETE FROM baton_jobs._private_jobs
             WHERE attempts >= max_attempts AND locked_at IS NULL AND updated_at < now() - make_interval(days => $1)",
        )
        .bind(KEPT_DAYS)
        .execute(&app.database.app)
        .await?;
        if gone.rows_affected() > 0 {
            tracing::info!(jobs = gone.rows_affected(), "removed jobs that ran out of attempts a month ago");
        }
        Ok(())
    }
}
