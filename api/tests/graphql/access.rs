//! Signing in and out, and who may ask for what.

use std::sync::Arc;

use api::graphql::{CookieSlot, Identity, Needs, PERMITS, SetCookies};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::access;

use crate::contract::roots;
use crate::world::{PASSWORD, World};

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

    let signed_in = Identity { viewer: Some(viewer), session: Some(session.id), cookies: Some(slot.clone()) };
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
    assert_eq!(data["viewer"]["role"], "MEMBER");
    assert_eq!(data["viewer"]["tenant"], json!({ "name": "acme", "slug": "acme" }));
}

/// An operation with that one root field. Arguments are valid, so that only the caller is refused.
fn operation(kind: &str, field: &str, world: &World) -> String {
    let (source, destination) = (&world.acme.source, &world.acme.destination);
    let some = "01jd2wq7x8e0hbrvy3k6m9f4tz";
    let call = match field {
        "lead" => format!("lead(id: \"lead_{some}\") {{ id }}"),
        "source" => format!("source(id: \"{source}\") {{ id }}"),
        "import" | "importProgress" => format!("{field}(id: \"import_{some}\") {{ id }}"),
        "failedRecord" => format!("failedRecord(id: \"failed_{some}\") {{ id }}"),
        "destination" => format!("destination(id: \"{destination}\") {{ id }}"),
        "delivery" => format!("delivery(id: \"delivery_{some}\") {{ id }}"),
        "deliveryStatistics" => "deliveryStatistics(since: \"2026-11-01T00:00:00Z\") { total }".to_owned(),
        "viewer" | "sources" | "destinations" => format!("{field} {{ id }}"),
        "leads" | "imports" | "failedRecords" | "deliveries" => format!("{field} {{ nodes {{ id }} }}"),
        "signIn" => {
            "signIn(input: { tenant: \"acme\", email: \"a@b.de\", password: \"x\" }) { expiresAt }".to_owned()
        }
        "signOut" => "signOut { ok }".to_owned(),
        "createSource" => "createSource(input: { slug: \"npa\", kind: NPA }) { error { code } }".to_owned(),
        "updateSource" => {
            format!("updateSource(input: {{ id: \"{source}\", name: \"N\" }}) {{ error {{ code }} }}")
        }
        "createSourceToken" => format!("createSourceToken(source: \"{source}\") {{ error {{ code }} }}"),
        "createDestination" => {
            "createDestination(input: { slug: \"b\", kind: BONZO, url: \"https://b.example/\" }) \
                                { error { code } }"
                .to_owned()
        }
        "updateDestination" => {
            format!(
                "updateDestination(input: {{ id: \"{destination}\", name: \"N\" }}) {{ error {{ code }} }}"
            )
        }
        "submitLead" => {
            format!("submitLead(input: {{ source: \"{source}\", record: {{}} }}) {{ error {{ code }} }}")
        }
        "correctFailedRecord" => {
            format!(
                "correctFailedRecord(input: {{ id: \"failed_{some}\", values: [] }}) {{ error {{ code }} }}"
            )
        }
        "dismissFailedRecord" => format!("dismissFailedRecord(id: \"failed_{some}\") {{ error {{ code }} }}"),
        "cancelImport" => format!("cancelImport(id: \"import_{some}\") {{ error {{ code }} }}"),
        "retryDelivery" => format!("retryDelivery(id: \"delivery_{some}\") {{ error {{ code }} }}"),
        "retryAllFailed" => "retryAllFailed { retried }".to_owned(),
        "reconciliations" => "reconciliations { nodes { id } }".to_owned(),
        "reconciliation" => format!("reconciliation(id: \"recon_{some}\") {{ id }}"),
        "differences" => "differences { nodes { id } }".to_owned(),
        "differenceHistory" => format!("differenceHistory(id: \"diff_{some}\") {{ at }}"),
        "differenceStanding" => format!("differenceStanding(destinationId: \"dest_{some}\") {{ open }}"),
        "reconciliationPlan" => format!("reconciliationPlan(destinationId: \"dest_{some}\") {{ mapping }}"),
        "startReconciliation" => {
            format!("startReconciliation(input: {{ destinationId: \"dest_{some}\" }}) {{ error {{ code }} }}")
        }
        "resendDifferences" => {
            format!("resendDifferences(input: {{ ids: [\"diff_{some}\"] }}) {{ error {{ code }} }}")
        }
        "proveDifferences" => {
            format!("proveDifferences(destinationId: \"dest_{some}\") {{ error {{ code }} }}")
        }
        "decideDifference" => {
            format!(
                "decideDifference(input: {{ id: \"diff_{some}\", decision: REOPEN }}) {{ error {{ code }} }}"
            )
        }
        "changeReconciliationPlan" => format!(
            "changeReconciliationPlan(input: {{ destinationId: \"dest_{some}\" }}) {{ error {{ code }} }}"
        ),
        other => panic!("say how `{other}` is called"),
    };
    format!("{} {{ {call} }}", kind.to_lowercase())
}

#[tokio::test]
async fn each_role_may_ask_for_what_the_table_says_and_for_nothing_else() {
    let world = World::new().await;
    let callers = [
        ("nobody", Identity::default(), &[Needs::Nobody][..], "UNAUTHENTICATED"),
        ("member", world.acme.member.clone(), &[Needs::Nobody, Needs::Member], "FORBIDDEN"),
        ("admin", world.acme.admin.clone(), &[Needs::Nobody, Needs::Member, Needs::Admin], "none"),
    ];
    for (kind, field) in roots().iter().filter(|(kind, _)| *kind != "Subscription") {
        let (_, needs) = PERMITS.iter().find(|(name, _)| name == field).unwrap();
        for (name, identity, may, refusal) in &callers {
            let response = world.ask(identity, &operation(kind, field, &world), Value::Null).await;
            let code = response["errors"][0]["extensions"]["code"].as_str().unwrap_or("none");
            if may.contains(needs) {
                assert_eq!(code, "none", "{name} may ask for {field}: {response}");
            } else {
                assert_eq!(code, *refusal, "{name} may not ask for {field}: {response}");
                assert_eq!(response["data"], Value::Null);
            }
        }
    }
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
    let document = operation("Subscription", "importProgress", &world);
    for (identity, code) in
        [(Identity::default(), "UNAUTHENTICATED"), (world.rival.member.clone(), "NOT_FOUND")]
    {
        let request = Request::new(&document).data(identity);
        let responses: Vec<_> = Arc::clone(&world.engine).subscribe(request).collect().await;
        assert_eq!(responses.len(), 1);
        let answered = serde_json::to_value(&responses[0]).unwrap();
        assert_eq!(answered["errors"][0]["extensions"]["code"], code, "{answered}");
    }
}
