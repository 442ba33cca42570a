//! Logs: to standard error, as text or as JSON, so that standard output belongs to results alone.

use std::io::IsTerminal as _;

use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Format, Log};

/// How much a command tells beside its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors: a command that a person waits for.
    Quiet,
    /// What the configuration says: a server, or `--verbose`.
    Configured,
}

/// Libraries that tell more than an operator wants to know.
const LIBRARIES: &str = "sqlx=warn,sea_orm_migration=warn,graphile_worker=warn,graphile_worker_migrations=warn,\
                         graphile_worker_queries=warn,graphile_worker_crontab_runner=warn,lettre=warn";

/// Begins to log. A second call changes nothing.
pub fn begin(log: &Log, verbosity: Verbosity) {
    let level = match verbosity {
        // A slow statement is news for a server's log, not for whoever waits for a command.
        Verbosity::Quiet => "warn,sqlx=error",
        Verbosity::Configured => log.level.as_str(),
    };
    // The wanted level comes last: it may name these parts too.
    let filter =
        EnvFilter::try_new(format!("{LIBRARIES},{level}")).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(tells_no_payload));
    // It fails only when somebody has begun already.
    let _begun = match log.format {
        Format::Text => registry.with(layer.with_ansi(std::io::stderr().is_terminal())).try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
}

/// The queue's library quotes a job's payload when it fails. That is nobody's to read in a log, whatever level is wanted;
/// `service::jobs` tells which job it was, and why.
fn tells_no_payload(metadata: &Metadata<'_>) -> bool {
    !(metadata.target().starts_with("graphile_worker") && metadata.fields().field("payload").is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{Context, Layer};

    use super::*;

    /// Keeps the target of each event that is told.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Told {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().target().to_owned());
        }
    }

    #[test]
    fn the_queue_tells_of_no_payload() {
        let told = Told::default();
        let registry = tracing_subscriber::registry().with(filter_fn(tells_no_payload)).with(told.clone());
        tracing::subscriber::with_default(registry, || {
            tracing::error!(target: "graphile_worker::runner::release::failure", payload = 7, "failed");
            tracing::warn!(target: "graphile_worker::recovery_tasks", worker = 7, "no heartbeat");
            tracing::warn!(target: "service::jobs", attempt = 7, "a job failed");
        });
        assert_eq!(*told.0.lock().unwrap(), ["graphile_worker::recovery_tasks", "service::jobs"]);
    }
}
