//! The processes that stay: the server and the worker, from their start to their orderly end.
//!
//! The end, on SIGINT or SIGTERM: no new connection is taken, requests under way are finished within a limit, the workers stop
//! (deliveries on their way are finished, an import stops after its batch and goes on next time), the database is closed, and the
//! last process that used the private Postgres stops it. A second signal ends the process at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use clap::Args;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use service::App;
use service::intake::{uploads, worker as imports};
use service::jobs;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::cli::{Done, Failure};
use crate::config::{Config, Http};
use crate::edge;

/// What `baton serve` takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    /// Serve only; imports, deliveries and jobs are another process's work.
    #[arg(long)]
    no_worker: bool,
}

/// Serves until told to stop.
pub(crate) async fn run(config: Config, arguments: Arguments) -> Result<Done, Failure> {
    // The port first: it costs nothing to find out that it is taken.
    let listener = bind(config.http.address()?).await?;
    let address =
        listener.local_addr().map_err(|error| Failure::failed("reading the server's port", error))?;
    let app = crate::cli::open(&config).await?;
    eprintln!("Baton listens on http://{address}; Postgres is {}", app.database.server());
    let stop = stop_token();
    let workers = if arguments.no_worker { JoinSet::new() } else { workers(&app, &stop)? };
    serve(listener, edge::router(Arc::clone(&app), &config.http)?, &config.http, stop.clone()).await;
    finish(&app, workers).await
}

/// Works until told to stop.
pub(crate) async fn work(config: Config) -> Result<Done, Failure> {
    let app = crate::cli::open(&config).await?;
    eprintln!("The worker runs; Postgres is {}", app.database.server());
    let stop = stop_token();
    let workers = workers(&app, &stop)?;
    stop.cancelled().await;
    finish(&app, workers).await
}

async fn finish(app: &App, workers: JoinSet<()>) -> Result<Done, Failure> {
    workers.join_all().await;
    crate::cli::close(app).await?;
    Ok(Done::Well)
}

/// The address that nobody else may have.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(
            format!("listening on {address} (another one: BATON_HTTP__LISTEN=127.0.0.1:PORT)"),
            error,
        )
    })
}

/// Starts the import worker, the sweep of its files, the delivery worker, the job worker and the one that records due
/// service-level clocks.
pub(crate) fn workers(app: &Arc<App>, stop: &CancellationToken) -> Result<JoinSet<()>, Failure> {
    let delivery = app.delivery_worker()?;
    let mut workers = JoinSet::new();
    let (for_delivery, for_jobs) = (stop.clone(), stop.clone());
    workers.spawn(imports::work(Arc::clone(app), stop.clone()));
    workers.spawn(uploads::work(Arc::clone(app), stop.clone()));
    workers.spawn(service::sla::due::work(Arc::clone(app), stop.clone()));
    workers.spawn(async move { delivery.run(for_delivery).await });
    workers.spawn(jobs::Worker::new(Arc::clone(app)).run(for_jobs));
    Ok(workers)
}

/// Cancelled at the first SIGINT or SIGTERM; the second one ends the process.
pub(crate) fn stop_token() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping; a second signal stops at once");
        told.cancel();
        stop_signal().await;
        std::process::exit(1);
    });
    stop
}

/// Returns at SIGINT or SIGTERM.
pub(crate) async fn stop_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be received here; only SIGKILL ends this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Answers requests until `stop`, then finishes those under way within the limit.
pub(crate) async fn serve(listener: TcpListener, router: Router, settings: &Http, stop: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.header_timeout());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(128);
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer, place) = accepted;
        let router = router.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new)
        });
        let service = TowerToHyperService::new(router);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &*error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(settings.stop_limit(), connections.shutdown()).await.is_err() {
        tracing::warn!("requests under way were cut off: they took longer than http.stop_limit_ms");
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A request's answer must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return (stream, peer, place);
            }
            Err(error) => {
                // Out of file descriptors, or a peer that has gone already: wait for others to close theirs.
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
