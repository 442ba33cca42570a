//! Who may open a web socket, and what is known of whoever does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::graphql::Identity;
use api::http::{Options, router};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{PASSWORD, World};

/// For whatever must come.
const PATIENCE: Duration = Duration::from_secs(30);

const SIGN_IN: &str =
    "mutation ($input: SignInInput!) { signIn(input: $input) { accessToken error { code } } }";

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens one, and sends its `connection_init` with that payload.
    async fn begin(address: SocketAddr, headers: &[(&'static str, &str)], payload: Value) -> Self {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        for (name, value) in [("sec-websocket-protocol", "graphql-transport-ws")].iter().chain(headers) {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let mut socket = Self(connect_async(request).await.unwrap().0);
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message, or `{ "closed": code, "reason": text }`.
    async fn hear(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("it answers");
            match message.expect("the server closes with a frame").expect("the connection holds") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(Some(frame)) => {
                    return json!({ "closed": u16::from(frame.code), "reason": frame.reason.to_string() });
                }
                Message::Close(None) => return json!({ "closed": 0 }),
                _ => {}
            }
        }
    }

    /// The result of an operation.
    async fn ask(&mut self, query: &str, variables: Value) -> Value {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
        let next = self.hear().await;
        assert_eq!(next["type"], "next", "{next}");
        assert_eq!(self.hear().await, json!({ "type": "complete", "id": "1" }));
        next["payload"].clone()
    }
}

/// All routes over the app, on a port of their own.
async fn serve(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(Arc::clone(&world.app), Options::default()).unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn credentials(refresh: bool) -> Value {
    json!({ "input": { "tenant": "acme", "email": "ada@example.com", "password": PASSWORD, "refreshToken": refresh } })
}

#[tokio::test]
async fn a_web_socket_is_for_whoever_is_signed_in() {
    let world = World::new().await;
    let address = serve(&world).await;
    let nobody = json!({ "closed": 4403,
        "reason": "Forbidden: sign in first: a web socket is for whoever is signed in" });
    let made_up = format!("{}=made-up", tenants::COOKIE_NAME);
    for headers in [&[][..], &[("cookie", made_up.as_str())], &[("authorization", "Basic YTpi")]] {
        assert_eq!(Socket::begin(address, headers, json!({})).await.hear().await, nobody, "{headers:?}");
    }
    let wrong = Socket::begin(address, &[], json!({ "token": "made-up" })).await.hear().await;
    assert_eq!(wrong["closed"], 4403, "{wrong}");
}

/// A sign-in over a socket counts against the network address that it comes from, as over HTTP.
#[tokio::test]
async fn a_sign_in_over_a_web_socket_has_an_address() {
    let world = World::new().await;
    let signed_in = world.data(&Identity::default(), SIGN_IN, credentials(false)).await;
    let token = signed_in["signIn"]["accessToken"].as_str().expect("a token").to_owned();
    let mut socket = Socket::begin(serve(&world).await, &[], json!({ "token": token })).await;
    assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
    let again = socket.ask(SIGN_IN, credentials(true)).await;
    assert!(again["data"]["signIn"]["accessToken"].is_string(), "{again}");
    let sessions = socket.ask("{ sessions { address } }", json!({})).await;
    assert_eq!(sessions["data"], json!({ "sessions": [{ "address": "127.0.0.1" }] }), "{sessions}");
}
