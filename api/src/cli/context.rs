//! What commands work with.

use std::future::Future;
use std::sync::Arc;

use domain::ids::TenantId;
use service::App;
use service::access::{self, Actor};
use service::database::Database;
use service::runtime::{Clock, Ids};

use super::acts::Act;
use super::{Done, Failure, Output};
use crate::config::Config;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) output: Output,
    pub(crate) tenant: Option<String>,
    /// What the command does to the tenant, for its audit log; none when it only reads.
    pub(crate) act: Option<Act>,
}

impl Context {
    /// Opens the app, runs the command, and closes what was opened: the last user of the private Postgres stops it.
    pub(crate) async fn with_app<F, R>(&self, work: F) -> Result<Done, Failure>
    where
        F: FnOnce(Arc<App>) -> R,
        R: Future<Output = Result<Done, Failure>>,
    {
        let app = open(&self.config).await?;
        let done = work(Arc::clone(&app)).await;
        close(&app).await?;
        done
    }

    /// As [`Context::with_app`], for the tenant that the command line names.
    pub(crate) async fn with_tenant<F, R>(&self, work: F) -> Result<Done, Failure>
    where
        F: FnOnce(Arc<App>, TenantId) -> R,
        R: Future<Output = Result<Done, Failure>>,
    {
        let slug = self.tenant.clone().ok_or_else(|| {
            Failure::Usage(
                "which tenant? Say --tenant SLUG or set BATON_TENANT; `baton tenant list` shows them"
                    .to_owned(),
            )
        })?;
        self.with_app(async move |app| {
            let tenant = access::tenant(&app, &slug).await?;
            let done = work(Arc::clone(&app), tenant).await?;
            if let Some(Act { action, subject }) = &self.act {
                let detail = serde_json::json!({ "command": true });
                access::audit(&app, tenant, Actor::Operator, action, subject, detail).await?;
            }
            Ok(done)
        })
        .await
    }
}

/// Opens everything.
pub(crate) async fn open(config: &Config) -> Result<Arc<App>, Failure> {
    open_on(&config.database_settings(), config.app_settings()).await
}

/// Opens everything over that database.
pub(crate) async fn open_on(
    database: &service::database::Settings,
    settings: service::app::Settings,
) -> Result<Arc<App>, Failure> {
    let app = App::open(database, settings, Clock::system(), Ids::random()).await;
    app.map(Arc::new).map_err(|error| match error {
        // Its own text says what to do; `try again` would not be it.
        service::Error::Unavailable { source, what } => match source.downcast::<service::database::Error>() {
            Ok(database) => Failure::Database(*database),
            Err(source) => Failure::Service(service::Error::Unavailable { what, source }),
        },
        other => Failure::Service(other),
    })
}

/// How long connections that somebody still holds are waited for.
const CLOSE_LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// Closes the pools, and leaves the private Postgres.
pub(crate) async fn close(app: &App) -> Result<(), Failure> {
    close_database(app.database.clone()).await
}

/// As [`close`], for a command that has opened the database alone.
pub(crate) async fn close_database(database: Database) -> Result<(), Failure> {
    if let Ok(closed) = tokio::time::timeout(CLOSE_LIMIT, database.close()).await {
        closed?;
    } else {
        tracing::warn!("the database's connections did not close in time");
    }
    Ok(())
}
