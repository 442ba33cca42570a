//! Files on disk that wait for their import, and the removal of those for which nobody will come.
//!
//! A file goes with its import, and a request that fails takes its file along. What remains is a process that was killed between
//! the two, and a cancelled import: [`sweep`] finds their files. A folder a tenant, so that the sweep asks each tenant for its own
//! imports and nothing has to look across them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use domain::ids::TenantId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Below the data folder.
const FOLDER: &str = "uploads";
/// Since its last byte. A body that still comes is written to far more often, and its import follows at once.
const AGE: Duration = Duration::from_hours(1);
/// Between two sweeps.
const EVERY: Duration = Duration::from_hours(1);
/// Files of one tenant that one sweep looks at.
const FILES_MAX: usize = 10_000;

/// Where a tenant's files wait, relative to the data folder: what stands in `import.stored_as` before the file's name.
pub fn folder(tenant: TenantId) -> String {
    format!("{FOLDER}/{}", tenant.uuid().simple())
}

/// Sweeps now and every hour, until it is told to stop.
pub async fn work(app: Arc<App>, stop: CancellationToken) {
    loop {
        match sweep(&app).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "uploads without an import were removed"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "uploads could not be swept");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Removes the files that have lain for an hour and that no unfinished import or reconciliation wants. Answers how many.
pub async fn sweep(app: &App) -> Result<usize, Error> {
    let uploads = app.settings.data_dir.join(FOLDER);
    let written_before = SystemTime::from(app.clock.now()) - AGE;
    let old = tokio::task::spawn_blocking(move || old_files(uploads, written_before))
        .await
        .map_err(|error| Error::internal("reading the uploads", error))?
        .map_err(|error| Error::internal("reading the uploads", error))?;
    let mut swept = 0;
    for (tenant, names) in old {
        let stored: Vec<String> =
            names.into_iter().map(|name| format!("{}/{name}", folder(tenant))).collect();
        let wanted = wanted(app, tenant, &stored).await?;
        for file in stored.iter().filter(|file| !wanted.contains(file)) {
            match tokio::fs::remove_file(app.settings.data_dir.join(file)).await {
                Ok(()) => swept += 1,
                // Its import has ended meanwhile, or another process sweeps the same folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(%error, file, "an upload could not be removed"),
            }
        }
    }
    Ok(swept)
}

/// The names of the files of each tenant that were last written before that time.
fn old_files(uploads: PathBuf, written_before: SystemTime) -> io::Result<Vec<(TenantId, Vec<String>)>> {
    let folders = match fs::read_dir(uploads) {
        Ok(folders) => folders,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for folder in folders {
        let folder = folder?;
        let Some(tenant) = folder.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok()) else {
            continue;
        };
        let mut names = Vec::new();
        for file in fs::read_dir(folder.path())?.take(FILES_MAX) {
            let file = file?;
            // A file that is gone by now needs no sweep.
            let Ok(written) = file.metadata().and_then(|metadata| metadata.modified()) else { continue };
            if written < written_before
                && let Some(name) = file.file_name().to_str()
            {
                names.push(name.to_owned());
            }
        }
        if !names.is_empty() {
            found.push((TenantId(tenant), names));
        }
    }
    Ok(found)
}

/// Those of the files that an unfinished import or reconciliation will read.
async fn wanted(app: &App, tenant: TenantId, stored: &[String]) -> Result<Vec<String>, Error> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    let wanted = sqlx::query_scalar(
        "SELECT stored_as FROM import
         WHERE tenant_id = $1 AND state IN ('received', 'running') AND stored_as = ANY($2)
         UNION SELECT stored_as FROM reconciliation_run
         WHERE tenant_id = $1 AND state = 'running' AND stored_as = ANY($2)",
    )
    .bind(tenant.uuid())
    .bind(stored)
    .fetch_all(tx.connection())
    .await?;
    Ok(wanted)
}
