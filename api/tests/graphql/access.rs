//! Signing in and out, and who may ask for what.

use std::sync::Arc;

use api::graphql::{CookieSlot, Identity, SetCookies};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::access;

use crate::world::{PASSWORD, World, value};

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    viewer { email role tenant { slug timeZone } } accessToken expiresAt csrfToken error { field code message } } }";

fn credentials(password: &str) -> Value {
    json!({ "input": { "tenant": "acme", "email": "Ada@Example.com", "password": password } })
}

#[tokio::test]
async fn signing_in_answers_a_token_that_holds_and_without_http_no_session() {
    let world = World::new().await;
    let data = world.data(&Identity::default(), SIGN_IN, credentials(PASSWORD)).await;
    let payload = &data["signIn"];
    assert_eq!(
        payload["viewer"],
        json!({ "email": "ada@example.com", "role": "ADMIN", "tenant": { "slug": "acme", "timeZone": "America/Denver" } })
    );
    assert_eq!((&payload["error"], &payload["csrfToken"]), (&Value::Null, &Value::Null));
    let (viewer, _) = access::by_token(&world.app, payload["accessToken"].as_str().unwrap()).await.unwrap();
    assert_eq!(Some(viewer), world.acme.admin.viewer);
}

#[tokio::test]
async fn a_browser_gets_a_session_and_loses_it_when_it_signs_out() {
    let world = World::new().await;
    let slot = CookieSlot::default();
    let browser = Identity { cookies: Some(slot.clone()), ..Identity::default() };
    let data = world.data(&browser, SIGN_IN, credentials(PASSWORD)).await;
    let Some(SetCookies::Start(cookie)) = slot.take() else { panic!("no session has begun") };
    assert!(cookie.max_age_seconds > 3600);
    let (viewer, session) = access::by_cookie(&world.app, cookie.value.expose_secret()).await.unwrap();
    assert!(session.csrf_matches(data["signIn"]["csrfToken"].as_str().unwrap()));

    let signed_in =
        Identity { session: Some(session.id), cookies: Some(slot.clone()), ..Identity::of(viewer) };
    world.data(&signed_in, "mutation { signOut { ok } }", Value::Null).await;
    assert!(matches!(slot.take(), Some(SetCookies::Clear)));
    access::by_cookie(&world.app, cookie.value.expose_secret()).await.unwrap_err();
}

#[tokio::test]
async fn whoever_is_not_known_is_told_so_in_the_payload_and_the_same_for_every_reason() {
    let world = World::new().await;
    let unknown =
        json!({ "input": { "tenant": "nobody", "email": "ada@example.com", "password": PASSWORD } });
    let mut answers = Vec::new();
    for variables in [credentials("wrong password, wrong"), unknown] {
        let data = world.data(&Identity::default(), SIGN_IN, variables).await;
        let payload = &data["signIn"];
        assert_eq!((&payload["viewer"], &payload["accessToken"]), (&Value::Null, &Value::Null));
        assert_eq!(payload["error"]["code"], "INVALID_CREDENTIALS");
        answers.push(payload["error"].clone());
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn who_is_signed_in() {
    let world = World::new().await;
    let data = world
        .data(&world.acme.member, "{ viewer { id email name role tenant { name slug } } }", Value::Null)
        .await;
    let id = data["viewer"]["id"].as_str().unwrap();
    assert!(id.starts_with("user_"), "{id}");
    assert_eq!(data["viewer"]["role"], "AGENT");
    assert_eq!(data["viewer"]["tenant"], json!({ "name": "acme", "slug": "acme" }));
}

#[tokio::test]
async fn a_scope_narrows_what_a_role_may_do() {
    let world = World::new().await;
    let mut narrow = world.acme.admin.clone();
    narrow.viewer.as_mut().unwrap().scope = "sources:read".parse().unwrap();
    assert_eq!(world.code(&narrow, "{ sources { id } }", Value::Null).await, "none");
    assert_eq!(world.code(&narrow, "{ viewer { rights } }", Value::Null).await, "none");
    for document in ["{ leads { nodes { id } } }", "mutation { retryAllFailed { retried } }"] {
        assert_eq!(world.code(&narrow, document, Value::Null).await, "FORBIDDEN", "{document}");
    }
    let rights = world.data(&narrow, "{ viewer { rights } }", Value::Null).await;
    assert_eq!(rights["viewer"]["rights"], json!(["own", "sources:read"]));
}

#[tokio::test]
async fn nobody_introspects_without_signing_in_and_nobody_subscribes() {
    use async_graphql::Request;
    use futures_util::StreamExt;

    let world = World::new().await;
    let nobody = Identity::default();
    let hidden = [
        "{ __schema { types { name } } }",
        "{ __type(name: \"Lead\") { name } }",
        "{ a: __schema { types { name } } }",
    ];
    for document in hidden {
        assert_eq!(world.code(&nobody, document, Value::Null).await, "UNAUTHENTICATED", "{document}");
        assert_eq!(world.code(&world.acme.member, document, Value::Null).await, "none", "{document}");
    }
    let import = domain::ids::ImportId(uuid::Uuid::from_u128(1));
    let document = format!("subscription {{ importProgress(id: \"{import}\") {{ state }} }}");
    for (identity, code) in
        [(Identity::default(), "UNAUTHENTICATED"), (world.rival.member.clone(), "NOT_FOUND")]
    {
        let request = Request::new(&document).data(identity);
        let responses: Vec<_> = Arc::clone(&world.engine).subscribe(request).collect().await;
        assert_eq!(responses.len(), 1);
        let answered = value(&responses[0]);
        assert_eq!(answered["errors"][0]["extensions"]["code"], code, "{answered}");
    }
}
