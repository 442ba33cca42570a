//! GraphQL over web sockets: graphql-transport-ws, over a real socket.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::http::graphql::Limits;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::{Error, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::TestEdge;

/// Serves an edge on a port of its own, for as long as the test runs.
async fn serve(edge: &TestEdge) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = edge.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A client that speaks the protocol as badly as a test wants.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a client hears next.
#[derive(Debug, PartialEq)]
enum Heard {
    Message(Value),
    Closed(u16, String),
}

async fn handshake(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<Client, http::StatusCode> {
    let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((stream, _)) => Ok(Client(stream)),
        Err(Error::Http(response)) => Err(response.status()),
        Err(error) => panic!("{error}"),
    }
}

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

async fn connect(edge: &TestEdge) -> Client {
    handshake(serve(edge).await, &[PROTOCOL]).await.unwrap_or_else(|status| panic!("{status}"))
}

/// A client that is past its `connection_init`.
async fn open(edge: &TestEdge) -> Client {
    let mut client = connect(edge).await;
    client.send(json!({ "type": "connection_init" })).await;
    assert_eq!(client.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
    client
}

impl Client {
    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    async fn hear(&mut self) -> Heard {
        loop {
            match self.0.next().await.expect("the server closes with a frame").expect("the connection holds")
            {
                Message::Text(text) => return Heard::Message(serde_json::from_str(&text).unwrap()),
                Message::Close(Some(frame)) => {
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Message::Close(None) => return Heard::Closed(0, String::new()),
                _ => {}
            }
        }
    }

    async fn message(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) => message,
            Heard::Closed(code, reason) => panic!("closed with {code}: {reason}"),
        }
    }

    async fn closed(&mut self) -> u16 {
        match self.hear().await {
            Heard::Closed(code, _) => code,
            Heard::Message(message) => panic!("heard {message}"),
        }
    }
}

fn next(id: &str, data: &Value) -> Value {
    json!({ "type": "next", "id": id, "payload": { "data": data } })
}

fn complete(id: &str) -> Value {
    json!({ "type": "complete", "id": id })
}

#[tokio::test]
async fn the_subprotocol_is_negotiated() {
    let edge = TestEdge::new();
    let address = serve(&edge).await;
    let refused = |headers: &'static [(&'static str, &'static str)]| async move {
        handshake(address, headers).await.err()
    };
    assert_eq!(refused(&[]).await, Some(http::StatusCode::BAD_REQUEST));
    assert_eq!(
        refused(&[("sec-websocket-protocol", "graphql-ws")]).await,
        Some(http::StatusCode::BAD_REQUEST)
    );
    assert_eq!(refused(&[("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")]).await, None);
    assert_eq!(
        refused(&[PROTOCOL, ("origin", "https://evil.example")]).await,
        Some(http::StatusCode::FORBIDDEN)
    );
    let origin = format!("http://{address}");
    assert!(handshake(address, &[PROTOCOL, ("origin", &origin)]).await.is_ok());
}

#[tokio::test]
async fn queries_mutations_and_subscriptions_run() {
    let edge = TestEdge::new();
    let mut client = open(&edge).await;
    client.subscribe("q", "{ echo(text: \"é\") }").await;
    assert_eq!(client.message().await, next("q", &json!({ "echo": "é" })));
    assert_eq!(client.message().await, complete("q"));
    let mutation = json!({ "query": "mutation A($by: Int!) { add(by: $by) } query B { __typename }",
        "variables": { "by": 4 }, "operationName": "A", "extensions": null });
    client.send(json!({ "type": "subscribe", "id": "m", "payload": mutation })).await;
    assert_eq!(client.message().await, next("m", &json!({ "add": 4 })));
    assert_eq!(client.message().await, complete("m"));
    assert_eq!(edge.sum(), 4);
    // An id is free again once its operation is complete.
    for _ in 0..2 {
        client.subscribe("s", "subscription { count(to: 2) }").await;
        assert_eq!(client.message().await, next("s", &json!({ "count": 1 })));
        assert_eq!(client.message().await, next("s", &json!({ "count": 2 })));
        assert_eq!(client.message().await, complete("s"));
    }
    // A field that fails is a result; that is the difference to a refused operation.
    client.subscribe("f", "{ conflicts }").await;
    let message = client.message().await;
    assert_eq!(
        (&message["type"], &message["payload"]["data"]),
        (&json!("next"), &json!({ "conflicts": null }))
    );
    assert_eq!(client.message().await, complete("f"));
}

#[tokio::test]
async fn the_client_may_stop_an_operation() {
    let edge = TestEdge::new();
    let mut client = open(&edge).await;
    client.subscribe("s", "subscription { endless }").await;
    assert_eq!(client.message().await, next("s", &json!({ "endless": 0 })));
    assert_eq!(edge.effects.running.load(Ordering::SeqCst), 1);
    client.send(complete("s")).await;
    client.send(complete("never known")).await;
    client.send(json!({ "type": "ping" })).await;
    assert_eq!(client.message().await, json!({ "type": "pong" }), "no `complete` answers a `complete`");
    assert_eq!(edge.effects.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_operations() {
    let edge = TestEdge::new();
    let mut client = open(&edge).await;
    client.subscribe("s", "subscription { endless }").await;
    client.message().await;
    client.0.close(None).await.unwrap();
    while let Some(Ok(_)) = client.0.next().await {}
    while edge.effects.running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn pings_are_answered() {
    let edge = TestEdge::new();
    // Also before the acknowledgement.
    let mut client = connect(&edge).await;
    client.send(json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(client.message().await, json!({ "type": "pong", "payload": { "a": 1 } }));
    client.send(json!({ "type": "pong" })).await;
    client.send(json!({ "type": "connection_init", "payload": { "token": "x" } })).await;
    assert_eq!(client.message().await, json!({ "type": "connection_ack" }));
    client.subscribe("w", "{ who }").await;
    let who = client.message().await["payload"]["data"]["who"].as_str().unwrap().to_owned();
    assert!(who.starts_with("somebody in graphql-"), "{who}");
}

#[tokio::test]
async fn refused_operations_are_errors_and_the_socket_stays() {
    let edge = TestEdge::with(Limits { socket_operations_max: 2, ..Limits::default() });
    let mut client = open(&edge).await;
    let cases = [
        ("{ nothing }", "BAD_USER_INPUT"),
        ("{", "BAD_USER_INPUT"),
        ("{ dear }", "LIMIT_EXCEEDED"),
        (&"{a:".repeat(1231), "LIMIT_EXCEEDED"),
        ("query ($a: Int!) { small(number: $a) }", "BAD_USER_INPUT"),
        ("{ panics }", "INTERNAL"),
    ];
    for (query, code) in cases {
        client.subscribe("a", query).await;
        let message = client.message().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("a")), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{message}");
    }
    client.subscribe("p", "subscription { panics }").await;
    assert_eq!(client.message().await, next("p", &json!({ "panics": 0 })));
    let message = client.message().await;
    assert_eq!(
        (&message["type"], &message["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("INTERNAL"))
    );

    for id in ["1", "2"] {
        client.subscribe(id, "subscription { endless }").await;
        assert_eq!(client.message().await, next(id, &json!({ "endless": 0 })));
    }
    client.subscribe("3", "{ __typename }").await;
    let message = client.message().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    assert_eq!(message["payload"][0]["message"], "more than 2 operations run on this web socket");
    client.send(complete("1")).await;
    client.subscribe("3", "{ __typename }").await;
    assert_eq!(client.message().await, next("3", &json!({ "__typename": "Query" })));
}

#[tokio::test]
async fn bad_messages_close_the_socket() {
    let edge = TestEdge::new();
    let deep = format!(r#"{{"type":"ping","payload":{{"a":{}}}}}"#, "[".repeat(10_000));
    let cases = [
        "",
        "{",
        "[]",
        "1",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"start"}"#,
        r#"{"type":"connection_init","payload":1}"#,
        r#"{"type":"ping","payload":"x"}"#,
        r#"{"type":"subscribe","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":7,"payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":"a"}"#,
        r#"{"type":"subscribe","id":"a","payload":{}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","variables":[]}}"#,
        r#"{"type":"complete"}"#,
        &deep,
    ];
    for text in cases {
        let mut client = open(&edge).await;
        client.0.send(Message::text(text)).await.unwrap();
        assert_eq!(client.closed().await, 4400, "{}", &text[..text.len().min(80)]);
    }
    let mut client = open(&edge).await;
    client.0.send(Message::binary(br#"{"type":"ping"}"#.as_slice())).await.unwrap();
    assert_eq!(client.closed().await, 4400);
}

#[tokio::test]
async fn the_protocol_has_its_close_codes() {
    let edge = TestEdge::new();
    let mut early = connect(&edge).await;
    early.subscribe("a", "mutation { add(by: 1) }").await;
    assert_eq!(early.hear().await, Heard::Closed(4401, "Unauthorized".to_owned()));
    assert_eq!(edge.sum(), 0);

    let mut refused = connect(&edge).await;
    refused.send(json!({ "type": "connection_init", "payload": { "token": "refused" } })).await;
    assert_eq!(refused.hear().await, Heard::Closed(4403, "Forbidden: nobody knows you".to_owned()));

    let mut twice = open(&edge).await;
    twice.send(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.hear().await, Heard::Closed(4429, "Too many initialisation requests".to_owned()));

    let mut duplicate = open(&edge).await;
    duplicate.subscribe("a", "subscription { endless }").await;
    duplicate.message().await;
    duplicate.subscribe("a", "{ __typename }").await;
    assert_eq!(duplicate.hear().await, Heard::Closed(4409, "Subscriber for a already exists".to_owned()));

    let mut large = open(&edge).await;
    large.subscribe("a", &" ".repeat(300_000)).await;
    assert_eq!(large.closed().await, 1009);
}

#[tokio::test]
async fn time_closes_the_socket() {
    let edge =
        TestEdge::with(Limits { socket_init_time_max: Duration::from_millis(20), ..Limits::default() });
    let closed = connect(&edge).await.hear().await;
    assert_eq!(closed, Heard::Closed(4408, "Connection initialisation timeout".to_owned()));

    let mut short = connect(&TestEdge::new()).await;
    short.send(json!({ "type": "connection_init", "payload": { "token": "short" } })).await;
    assert_eq!(short.message().await, json!({ "type": "connection_ack" }));
    assert_eq!(short.hear().await, Heard::Closed(4403, "Forbidden: the credentials have expired".to_owned()));
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let idle_time = Duration::from_millis(400);
    let mut quiet = open(&TestEdge::with(Limits { idle_time, ..Limits::default() })).await;
    // The client's library answers pings while it is read from.
    let waited = tokio::time::timeout(idle_time * 3, quiet.hear()).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn a_client_that_gives_no_sign_of_life_is_dropped() {
    let edge = TestEdge::with(Limits { idle_time: Duration::from_millis(400), ..Limits::default() });
    let mut client = open(&edge).await;
    client.subscribe("s", "subscription { endless }").await;
    assert_eq!(client.message().await, next("s", &json!({ "endless": 0 })));
    // Nothing reads from here on, so nothing answers the server's pings.
    let dropped = async {
        while edge.effects.running.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), dropped).await.expect("the server lets go");
}
