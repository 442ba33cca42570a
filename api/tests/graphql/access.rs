//! Signing in and out, and who may ask for what.

use std::sync::Arc;

use api::graphql::{CookieSlot, Identity, Needs, SetCookies, needs};
use domain::access::ROLES;
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
        "viewer" | "sources" | "destinations" | "users" | "invitations" | "teams" | "apiKeys"
        | "sessions" => {
            format!("{field} {{ id }}")
        }
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
        "accessSettings" => "accessSettings { agentsSeeTheirTeamsOnly }".to_owned(),
        "auditLog" => "auditLog { entries { id } }".to_owned(),
        "inviteUser" => "inviteUser(input: { email: \"n@b.de\", role: AGENT }) { error { code } }".to_owned(),
        "revokeInvitation" => format!("revokeInvitation(id: \"invite_{some}\") {{ error {{ code }} }}"),
        "acceptInvitation" => {
            "acceptInvitation(input: { token: \"x\", name: \"N\", password: \"twelve characters\" }) \
                               { error { code } }"
                .to_owned()
        }
        "updateUser" => format!("updateUser(input: {{ id: \"user_{some}\" }}) {{ error {{ code }} }}"),
        "resetPassword" => format!("resetPassword(user: \"user_{some}\") {{ error {{ code }} }}"),
        "createTeam" => "createTeam(name: \"T\") { error { code } }".to_owned(),
        "updateTeam" => format!("updateTeam(input: {{ id: \"team_{some}\" }}) {{ error {{ code }} }}"),
        "removeTeam" => format!("removeTeam(id: \"team_{some}\") {{ error {{ code }} }}"),
        "updateAccessSettings" => "updateAccessSettings(agentsSeeTheirTeamsOnly: false) \
            { settings { agentsSeeTheirTeamsOnly } }"
            .to_owned(),
        "createApiKey" => {
            "createApiKey(input: { name: \"N\", scopes: [\"leads:read\"] }) { error { code } }".to_owned()
        }
        "revokeApiKey" => format!("revokeApiKey(id: \"key_{some}\") {{ error {{ code }} }}"),
        "rotateSigningKey" => "rotateSigningKey { kid }".to_owned(),
        "endSessions" => "endSessions { ended }".to_owned(),
        "changePassword" => {
            "changePassword(old: \"x\", new: \"twelve characters\") { error { code } }".to_owned()
        }
        other => sign_in_operation(other, some),
    };
    format!("{} {{ {call} }}", kind.to_lowercase())
}

/// The same for how people sign in and for pages inside a CRM.
fn sign_in_operation(field: &str, some: &str) -> String {
    match field {
        "rights" => "rights { name }".to_owned(),
        "signInOptions" => "signInOptions(tenant: \"acme\") { providers { slug } }".to_owned(),
        "identityProviders" | "resourceLinks" => format!("{field} {{ id }}"),
        "createIdentityProvider" => {
            "createIdentityProvider(input: { slug: \"p\", name: \"P\", kind: OIDC, issuer: \"none\", clientId: \"c\" }) \
                { error { code } }"
                .to_owned()
        }
        "updateIdentityProvider" => {
            format!("updateIdentityProvider(input: {{ id: \"provider_{some}\" }}) {{ error {{ code }} }}")
        }
        "deleteIdentityProvider" => format!("deleteIdentityProvider(id: \"provider_{some}\") {{ ok }}"),
        "linkDoor" => "linkDoor(link: \"none\") { live }".to_owned(),
        "embedding" => "embedding { ancestors }".to_owned(),
        "createResourceLink" => {
            "createResourceLink(input: { name: \"L\", page: LEADS }) { error { code } }".to_owned()
        }
        "revokeResourceLink" => format!("revokeResourceLink(id: \"link_{some}\") {{ error {{ code }} }}"),
        "openResourceLink" => "openResourceLink(link: \"none\") { error { code } }".to_owned(),
        "issueFrameCode" => {
            "issueFrameCode(link: \"none\", challenge: \"none\") { error { code } }".to_owned()
        }
        "redeemFrameCode" => {
            "redeemFrameCode(input: { link: \"none\", code: \"none\", verifier: \"none\" }) { ok }".to_owned()
        }
        "proveFrame" => "proveFrame(link: \"none\", payload: \"none\") { ok }".to_owned(),
        "setFrameAncestors" => "setFrameAncestors(ancestors: []) { error { code } }".to_owned(),
        "setFrameProof" => "setFrameProof(input: { kind: HUBSPOT }) { error { code } }".to_owned(),
        other => panic!("say how `{other}` is called"),
    }
}

#[tokio::test]
async fn each_role_may_ask_for_what_the_table_says_and_for_nothing_else() {
    let world = World::new().await;
    let mut callers = vec![(None, Identity::default())];
    for role in ROLES {
        callers.push((Some(role), world.somebody(&world.acme, role).await));
    }
    for (kind, field) in roots().iter().filter(|(kind, _)| *kind != "Subscription") {
        let needs = needs(field).unwrap();
        for (role, identity) in &callers {
            let refusal = match (needs, role) {
                (Needs::Right(_), None) => "UNAUTHENTICATED",
                (Needs::Right(right), Some(role)) if !right.roles().contains(role) => "FORBIDDEN",
                _ => "none",
            };
            let response = world.ask(identity, &operation(kind, field, &world), Value::Null).await;
            let code = response["errors"][0]["extensions"]["code"].as_str().unwrap_or("none");
            assert_eq!(code, refusal, "{role:?} asks for {field}: {response}");
            if refusal != "none" {
                assert_eq!(response["data"], Value::Null);
            }
        }
    }
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
