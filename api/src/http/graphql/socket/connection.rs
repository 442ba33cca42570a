//! The life of one web socket.

use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};
use tokio_stream::StreamMap;

use super::super::answer::{Answer, Fault, LIMIT_EXCEEDED, RequestId, coded};
use super::super::auth::{Caller, Refusal};
use super::super::edge::{Edge, internal};
use super::super::params::Params;
use super::protocol::{Close, Incoming, Outgoing};

/// Longer than any socket lives.
const FAR_AWAY: Duration = Duration::from_hours(24 * 365);

/// What happens next to a socket: on, or closed for a reason. `None` is a client that is gone.
type Flow = ControlFlow<Option<Close>>;

/// Where a socket stands with its `connection_init`.
enum Phase {
    /// Connected; by then it must have come and been answered.
    Waiting { until: Instant },
    /// It has come, and its caller is being recognised.
    Recognising { caller: BoxFuture<'static, Result<Caller, Refusal>>, until: Instant },
    /// Acknowledged.
    Open { caller: Caller, until: Instant },
}

/// One web socket and its operations.
pub(super) struct Connection {
    edge: Arc<Edge>,
    /// Of the handshake. Kept to the socket's end: its place among the server's connections is in them.
    parts: Arc<Parts>,
    id: RequestId,
    socket: WebSocket,
    phase: Phase,
    /// Running operations by id; `None` from a stream is its completion.
    operations: StreamMap<String, BoxStream<'static, Option<Answer>>>,
    /// When the client was last heard of, and whether it was asked for a sign of life since.
    heard: Instant,
    asked: bool,
}

/// Something that a socket waits for.
enum Occurrence {
    Read(Option<Result<Message, axum::Error>>),
    Answered(String, Option<Box<Answer>>),
    Recognised(Result<Caller, Refusal>),
    Deadline,
    Idle,
}

impl Connection {
    pub(super) fn new(edge: Arc<Edge>, parts: Parts, id: RequestId, socket: WebSocket) -> Self {
        let now = Instant::now();
        let until = now + edge.limits.socket_init_time_max;
        Self {
            edge,
            parts: Arc::new(parts),
            id,
            socket,
            phase: Phase::Waiting { until },
            operations: StreamMap::new(),
            heard: now,
            asked: false,
        }
    }

    /// Serves the socket to its end.
    pub(super) async fn serve(mut self) {
        let id = self.id.clone();
        let close = match AssertUnwindSafe(self.run()).catch_unwind().await {
            Ok(close) => close,
            Err(_panic) => {
                drop(internal(&id));
                Some(Close::internal())
            }
        };
        self.close(close).await;
    }

    async fn run(&mut self) -> Option<Close> {
        loop {
            let occurrence = self.next().await;
            if let ControlFlow::Break(close) = self.handle(occurrence).await {
                return close;
            }
        }
    }

    async fn next(&mut self) -> Occurrence {
        let idle = sleep_until(self.heard + self.edge.limits.idle_time * if self.asked { 2 } else { 1 });
        let (recognising, deadline) = match &mut self.phase {
            Phase::Recognising { caller, until } => (Some(caller), *until),
            Phase::Waiting { until } | Phase::Open { until, .. } => (None, *until),
        };
        let recognising = async {
            match recognising {
                Some(future) => future.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = self.socket.recv() => Occurrence::Read(read),
            Some((id, answer)) = self.operations.next() => Occurrence::Answered(id, answer.map(Box::new)),
            recognised = recognising => Occurrence::Recognised(recognised),
            () = sleep_until(deadline) => Occurrence::Deadline,
            () = idle => Occurrence::Idle,
        }
    }

    async fn handle(&mut self, occurrence: Occurrence) -> Flow {
        match occurrence {
            Occurrence::Read(read) => {
                self.heard = Instant::now();
                self.asked = false;
                match read {
                    Some(Ok(Message::Text(text))) => match Incoming::read(&text, &self.edge.limits) {
                        Ok(message) => self.receive(message).await,
                        Err(close) => Flow::Break(Some(close)),
                    },
                    Some(Ok(Message::Binary(_))) => {
                        Flow::Break(Some(Close::bad_request("a message is text")))
                    }
                    // The library answers pings of the transport by itself.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Flow::Continue(()),
                    Some(Ok(Message::Close(_))) | None => Flow::Break(None),
                    Some(Err(error)) => Flow::Break(self.read_failed(&error)),
                }
            }
            Occurrence::Answered(id, answer) => self.answered(&id, answer).await,
            Occurrence::Recognised(Ok(caller)) => {
                let until = Instant::now() + caller.rest().unwrap_or(FAR_AWAY);
                self.phase = Phase::Open { caller, until };
                self.send(&Outgoing::ConnectionAck).await
            }
            Occurrence::Recognised(Err(refusal)) => Flow::Break(Some(Close::forbidden(&refusal.message))),
            Occurrence::Deadline => Flow::Break(Some(match self.phase {
                Phase::Open { .. } => Close::forbidden("the credentials have expired"),
                Phase::Waiting { .. } | Phase::Recognising { .. } => Close::init_timeout(),
            })),
            Occurrence::Idle if self.asked => Flow::Break(Some(Close::normal())),
            Occurrence::Idle => {
                self.asked = true;
                self.send_message(Message::Ping(axum::body::Bytes::new())).await
            }
        }
    }

    async fn receive(&mut self, message: Incoming) -> Flow {
        match message {
            Incoming::Init(payload) => self.init(payload),
            Incoming::Ping(payload) => self.send(&Outgoing::Pong { payload }).await,
            Incoming::Pong => Flow::Continue(()),
            Incoming::Subscribe { id, params } => self.subscribe(id, params).await,
            Incoming::Complete { id } => {
                // A completion may cross our own; then there is nothing left to stop.
                self.operations.remove(&id);
                Flow::Continue(())
            }
        }
    }

    fn init(&mut self, payload: Map<String, Value>) -> Flow {
        let Phase::Waiting { until } = self.phase else { return Flow::Break(Some(Close::too_many_inits())) };
        let (edge, parts) = (Arc::clone(&self.edge), Arc::clone(&self.parts));
        let caller = async move { edge.auth.socket(&parts, &payload).await }.boxed();
        self.phase = Phase::Recognising { caller, until };
        Flow::Continue(())
    }

    async fn subscribe(&mut self, id: String, params: Params) -> Flow {
        let Phase::Open { caller, .. } = &self.phase else { return Flow::Break(Some(Close::unauthorized())) };
        if self.operations.contains_key(&id) {
            return Flow::Break(Some(Close::subscriber_exists(&id)));
        }
        let operations_max = self.edge.limits.socket_operations_max;
        let prepared = if self.operations.len() < operations_max {
            self.edge.prepare(params)
        } else {
            let message = format!("more than {operations_max} operations run on this web socket");
            Err(Fault::request(vec![coded(LIMIT_EXCEEDED, message, None)]))
        };
        match prepared {
            Ok(ready) => {
                let answers = self.edge.stream(ready, caller, &self.id).map(Some);
                self.operations.insert(id, answers.chain(stream::once(async { None })).boxed());
                Flow::Continue(())
            }
            Err(fault) => self.send(&Outgoing::Error { id: &id, payload: &fault.errors }).await,
        }
    }

    async fn answered(&mut self, id: &str, answer: Option<Box<Answer>>) -> Flow {
        match answer {
            Some(answer) if answer.data.is_some() => {
                self.send(&Outgoing::Next { id, payload: answer.body() }).await
            }
            // Nothing was executed: the error ends the operation, and no `complete` follows it.
            Some(answer) => {
                self.operations.remove(id);
                self.send(&Outgoing::Error { id, payload: &answer.errors }).await
            }
            None => {
                self.operations.remove(id);
                self.send(&Outgoing::Complete { id }).await
            }
        }
    }

    async fn send(&mut self, message: &Outgoing<'_>) -> Flow {
        match serde_json::to_string(message) {
            Ok(text) => self.send_message(Message::Text(text.into())).await,
            Err(_) => Flow::Break(Some(Close::internal())),
        }
    }

    /// Sends, and gives up on a client that does not take what it asked for.
    async fn send_message(&mut self, message: Message) -> Flow {
        match tokio::time::timeout(self.edge.limits.socket_send_time_max, self.socket.send(message)).await {
            Ok(Ok(())) => Flow::Continue(()),
            Ok(Err(_)) | Err(_) => Flow::Break(None),
        }
    }

    /// Why reading failed: of a broken connection nobody needs to be told.
    fn read_failed(&self, error: &axum::Error) -> Option<Close> {
        let text = error.to_string();
        if text.contains("Space limit exceeded") {
            return Some(Close::message_too_big(self.edge.limits.socket_message_bytes_max));
        }
        text.contains("UTF-8").then(|| Close::bad_request("a message is UTF-8"))
    }

    /// Sends the close frame, if it is for us to begin, and waits for the client's: without it the last bytes may be lost.
    async fn close(&mut self, close: Option<Close>) {
        // Nobody will hear their results, and a client that is gone is only missed when the farewell's time is over.
        self.operations.clear();
        if let Some(close) = close
            && self.send_message(Message::Close(Some(close.into_frame()))).await.is_break()
        {
            return;
        }
        let farewell = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        drop(tokio::time::timeout(self.edge.limits.socket_send_time_max, farewell).await);
    }
}
