//! How a run of an import ends: for good, or to be tried again after a pause.
//!
//! Some errors last. They are counted, so that an import that cannot go on ends and says so, instead of being tried until
//! somebody reads the log. Whoever reads a file where it lies is told of an error at once; nothing is counted there.

use domain::ids::{ImportId, TenantId};
use sqlx::PgConnection;

use super::imports::{self, Counts, Leased};
use super::run::{Ended, release};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Runs in a row that may end with an error. The pauses between them make some six minutes.
const FAILURES_MAX: i16 = 5;

/// What becomes of an import whose run has ended with that error.
pub(super) async fn interrupted(app: &App, leased: &Leased, error: Error) -> Result<Ended, Error> {
    if leased.import.stored_as.is_none() || passes(&error) {
        release(app, leased).await;
        return Err(error);
    }
    let id = ImportId(leased.import.id);
    match count_failure(app, leased).await {
        Ok(Some(failures)) if failures >= FAILURES_MAX => {}
        Ok(_) => return Err(error),
        Err(uncounted) => {
            // The lease ends by itself.
            tracing::warn!(import.id = %id, error = &uncounted as &dyn std::error::Error, "an import's failure was not counted");
            return Err(error);
        }
    }
    tracing::error!(import.id = %id, error = &error as &dyn std::error::Error, "import given up");
    let why = error.to_string();
    let message = format!(
        "it was tried {FAILURES_MAX} times and failed each time: {}. What was merged stays. The log says more under import {id}; when the cause is gone, send the file again: records that are in are not taken twice [IMPORT_GIVEN_UP]",
        why.trim_end_matches('.')
    );
    finish(app, leased, Ended::Failed(message)).await
}

/// Whether it passes by itself, so that the next run may begin at once and nothing counts.
fn passes(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. }) || error.is_contention()
}

/// Counts a failure and pauses the import, longer each time: 4, 16, 64, 256 seconds. Answers how many there are in a row; none when
/// somebody has cancelled the import or taken it over.
async fn count_failure(app: &App, leased: &Leased) -> Result<Option<i16>, Error> {
    let mut tx = app.begin(TenantId(leased.import.tenant_id), Mode::ReadWrite).await?;
    let failures = sqlx::query_scalar(
        "UPDATE import SET failures = failures + 1,
             leased_until = $4 + make_interval(secs => least(power(4::float8, failures + 1), 300))
         WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND state = 'running' RETURNING failures",
    )
    .bind(leased.import.tenant_id)
    .bind(leased.import.id)
    .bind(leased.lease)
    .bind(app.clock.now())
    .fetch_optional(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(failures)
}

/// A batch is about to commit: the import goes on, and what had failed before it counts no longer. The last statement of its
/// transaction, so that nobody who waits for the row holds up a batch that waits for a lead.
pub(super) async fn goes_on(connection: &mut PgConnection, leased: &Leased) -> Result<(), Error> {
    if leased.import.failures == 0 {
        return Ok(());
    }
    sqlx::query("UPDATE import SET failures = 0 WHERE tenant_id = $1 AND id = $2 AND failures > 0")
        .bind(leased.import.tenant_id)
        .bind(leased.import.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the import and removes its upload. When another process has it by now, or somebody has cancelled it, it is theirs and the
/// file stays: they may be reading it.
pub(super) async fn finish(app: &App, leased: &Leased, ended: Ended) -> Result<Ended, Error> {
    let (state, error) = match &ended {
        Ended::Done(_) => ("done", None),
        Ended::Failed(message) => ("failed", Some(message.as_str())),
        Ended::Stopped(_) => return Ok(ended),
    };
    let mut tx = app.begin(TenantId(leased.import.tenant_id), Mode::ReadWrite).await?;
    let finished = sqlx::query(
        "UPDATE import SET state = $4, error = $5, finished_at = $6, lease = NULL, leased_until = NULL
         WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND state = 'running'",
    )
    .bind(leased.import.tenant_id)
    .bind(leased.import.id)
    .bind(leased.lease)
    .bind(state)
    .bind(error)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?
    .rows_affected();
    tx.commit().await?;
    if finished != 1 {
        return Ok(Ended::Stopped(counts(app, leased).await?));
    }
    if leased.import.stored_as.is_some()
        && let Err(error) = tokio::fs::remove_file(&leased.path).await
    {
        tracing::warn!(import.id = %ImportId(leased.import.id), %error, "an imported file could not be removed");
    }
    Ok(ended)
}

/// What the import has come to.
pub(super) async fn counts(app: &App, leased: &Leased) -> Result<Counts, Error> {
    let tx = app.begin(TenantId(leased.import.tenant_id), Mode::ReadOnly).await?;
    let counts = imports::counts(&tx, &[ImportId(leased.import.id)]).await?;
    Ok(counts.first().map(|(_, counts)| *counts).unwrap_or_default())
}
