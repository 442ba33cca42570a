//! Two processes over the same databases: what one of them has suspended or erased, the other answers no more, whatever it
//! remembers.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde_json::json;
use service::App;
use service::access::life;
use tenants::{KeyKind, NewKey, NewPassword, NewUser, Role, SessionLimits};
use tests::TestApp;
use tests::data::{Everything, everything};
use tests::web::Web;

/// One credential of each kind, and how it is sent.
struct Credentials {
    headers: Vec<(&'static str, Vec<(&'static str, String)>)>,
    refresh: String,
}

async fn credentials(app: &App, acme: &Everything) -> Credentials {
    let (store, now) = (app.tenants.open(acme.tenant).await.expect("the database"), app.clock.now());
    let new = NewUser {
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        role: Role::Owner,
        partner: None,
        password: NewPassword::Absent,
    };
    let user = store.create_user(new, now).await.expect("a user").user;
    let token = app.tokens.issue(&store, &user, now).await.expect("a token").text;
    let key = NewKey {
        kind: KeyKind::Api,
        name: "program".to_owned(),
        role: Role::Service,
        scope: "*".to_owned(),
        created_by: None,
        expires_at: None,
    };
    let key = store.create_key(key, now).await.expect("a key").text;
    let session = store.start_session(user.id, SessionLimits::default(), now).await.expect("a session");
    let refresh = store.start_refreshing(session.session.id, now).await.expect("a refresh token");
    let bearer = |text: &str| vec![("authorization", format!("Bearer {text}"))];
    let cookie = format!("{}={}", tenants::COOKIE_NAME, session.cookie.expose_secret());
    let csrf = session.session.csrf().expose_secret().to_owned();
    Credentials {
        headers: vec![
            ("token", bearer(token.expose_secret())),
            ("key", bearer(key.expose_secret())),
            ("session", vec![("cookie", cookie), ("x-baton-csrf", csrf)]),
        ],
        refresh: refresh.expose_secret().to_owned(),
    }
}

impl Credentials {
    /// What each of them is answered: the statuses of GraphQL, and of a lead sent with the source's token.
    async fn statuses(&self, web: &Web, acme: &Everything) -> Vec<(&'static str, u16)> {
        let mut found = Vec::new();
        for (name, headers) in &self.headers {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = web.graphql(&headers, "{ viewer { id } }", json!({})).await;
            // A cookie that proves nobody is as none, so the field is refused and not the request.
            let code = answer.json()["errors"][0]["extensions"]["code"].clone();
            let status = if code == "UNAUTHENTICATED" { 401 } else { answer.status.as_u16() };
            found.push((*name, status));
        }
        let lead = web.lead("experian", &acme.token, &json!({ "First Name": "Ada" })).await;
        found.push(("source", lead.status.as_u16()));
        found
    }
}

/// A subscription goes on for hours; whoever has lost the right to come in hears no more of it.
#[tokio::test]
async fn a_subscription_ends_when_its_callers_session_is_ended() {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let all = credentials(&test.app, &acme).await;
    let store = test.app.tenants.open(acme.tenant).await.expect("the database");
    let user = store.user_by_email("ada@example.com").await.expect("read").expect("a user");
    let (_, headers) = all.headers.iter().find(|(name, _)| *name == "session").expect("a session");
    let mut request = http::Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body = json!({ "query": "subscription { slaChanges { __typename } }" }).to_string();
    let request = request.body(axum::body::Body::from(body)).expect("a request");
    let answer = test.web().router().oneshot(request).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    let mut events = answer.into_body();
    let mut next = async || {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(10), events.frame());
        let frame =
            frame.await.expect("in time").map(|frame| frame.expect("a frame").into_data().expect("data"));
        frame.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text"))
    };
    let first = next().await.expect("how it stands now");
    assert!(first.contains("slaChanges") && !first.contains("errors"), "{first}");
    store.revoke_sessions(user.id, None, test.app.clock.now()).await.expect("ended");
    let mut rest = String::new();
    // It looks again, although nothing has changed.
    test.app.wake.sla();
    while let Some(text) = next().await {
        rest.push_str(&text);
    }
    assert!(rest.contains("UNAUTHENTICATED") && !rest.contains("__typename"), "{rest}");
}

#[tokio::test]
async fn what_another_process_suspends_or_erases_is_answered_no_more_at_once() {
    let mut test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let all = credentials(&test.app, &acme).await;
    let other = Arc::clone(&test.app);
    let web = test.web();
    test.restart();

    // Everything is at hand in the other process: open database, signing keys, proven tokens.
    for _ in 0..2 {
        assert!(all.statuses(&web, &acme).await.iter().all(|(_, status)| matches!(status, 200 | 201 | 422)));
    }
    life::set_suspended(&test.app, acme.tenant, true).await.expect("suspended");
    for (name, status) in all.statuses(&web, &acme).await {
        assert_eq!(status, 403, "{name} of a suspended tenant");
    }
    life::set_suspended(&test.app, acme.tenant, false).await.expect("resumed");
    for (name, status) in all.statuses(&web, &acme).await {
        assert!(matches!(status, 200 | 201 | 422), "{name} of a resumed tenant: {status}");
    }
    life::erase(&test.app, acme.tenant).await.expect("erased");
    for (name, status) in all.statuses(&web, &acme).await {
        assert_eq!(status, 401, "{name} of an erased tenant");
    }
    let body = format!("grant_type=refresh_token&refresh_token={}", all.refresh);
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let refreshed = web.post("/t/acme/oauth/token", &kind, body).await;
    assert!(matches!(refreshed.status.as_u16(), 400 | 401 | 404), "{}", refreshed.text());
    assert_eq!(web.get("/t/acme/.well-known/jwks.json", &[]).await.status.as_u16(), 404);
    assert_eq!(other.tenants.open_databases(), 0, "nothing of it is kept open");
}
