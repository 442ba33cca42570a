//! The processes that stay: the server and the worker, from their start to their orderly end.
//!
//! The end, on SIGINT or SIGTERM: no new connection is taken, requests under way are finished within a limit, the workers stop
//! (deliveries on their way are finished, an import is let go and goes on from its last batch in whichever process comes next), the
//! database is closed, and the last process that used the private Postgres stops it. A second signal ends the process at once.

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
        // Each request has a part in the place: a web socket keeps its handshake's parts, and so the place, when the connection
        // that it came by counts as finished.
        let place = Arc::new(place);
        let router = router.clone().map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(Arc::clone(&place));
            request.map(axum::body::Body::new)
        });
        let service = TowerToHyperService::new(router);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &*error, "a connection broke");
            }
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

#[cfg(test)]
mod tests {
    use async_graphql::{Request, Response};
    use futures_util::future::BoxFuture;
    use futures_util::stream::{self, BoxStream};
    use futures_util::{FutureExt as _, StreamExt as _};
    use http::request::Parts;
    use serde_json::{Map, Value};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
    use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

    use super::*;
    use crate::http::graphql::{self, Authenticate, Caller, Engine, Limits, Refusal};

    /// For whatever must come.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A schema that nobody asks.
    struct Nothing;

    impl Engine for Nothing {
        fn sdl(&self) -> String {
            "type Query { nothing: Int }".to_owned()
        }

        fn execute(&self, _: Request) -> BoxFuture<'_, Response> {
            async { Response::default() }.boxed()
        }

        fn subscribe(&self, _: Request) -> BoxStream<'static, Response> {
            stream::empty().boxed()
        }
    }

    impl Authenticate for Nothing {
        fn http<'a>(&'a self, _: &'a Parts) -> BoxFuture<'a, Result<Caller, Refusal>> {
            async { Ok(Caller::new(())) }.boxed()
        }

        fn socket<'a>(
            &'a self,
            parts: &'a Parts,
            _: &'a Map<String, Value>,
        ) -> BoxFuture<'a, Result<Caller, Refusal>> {
            self.http(parts)
        }
    }

    async fn web_socket(address: SocketAddr) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("a request");
        let protocol = "graphql-transport-ws".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let opened = timeout(PATIENCE, connect_async(request)).await.expect("there is a place");
        opened.expect("a web socket").0
    }

    #[tokio::test]
    async fn a_web_socket_has_its_place_until_it_ends_and_holds_up_no_stop() {
        let mut settings = Config::defaults().http;
        settings.connections_max = 1;
        settings.stop_limit_ms = 600_000;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router =
            graphql::router(Arc::new(Nothing), Arc::new(Nothing), Limits::default()).expect("a schema");
        let stop = CancellationToken::new();
        let told = stop.clone();
        let serving = tokio::spawn(async move { serve(listener, router, &settings, told).await });

        let mut socket = web_socket(address).await;
        let mut second = TcpStream::connect(address).await.expect("the system takes it");
        second.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.expect("sent");
        let mut answer = [0; 12];
        let early = timeout(Duration::from_millis(300), second.read_exact(&mut answer)).await;
        assert!(early.is_err(), "the one place is taken: {early:?}");
        socket.close(None).await.expect("it says good-bye");
        while let Some(Ok(_)) = socket.next().await {}
        let answered = timeout(PATIENCE, second.read_exact(&mut answer)).await;
        answered.expect("the place is free").expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 404");
        drop(second);

        let _open = web_socket(address).await;
        stop.cancel();
        timeout(PATIENCE, serving).await.expect("the server stops").expect("no panic");
    }
}
