//! Pages inside a CRM's frame, over HTTP: who may show them, how a person gets in, and that each way in is used once.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::ids::{LeadId, PartnerId, TenantId, UserId};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use service::access::Viewer;
use service::access::embedding;
use service::access::links::{self, LinkPage, Wanted};
use service::database::Mode;
use service::resealing;
use sha2::{Digest as _, Sha256};
use tenants::{FrameProofKind, NewPassword, NewUser, ResourceLink, Role};
use tests::TestApp;
use tests::data::everything;
use tests::web::{Answer, Web};

const PASSWORD: &str = "correct horse battery staple";
const ORIGIN: &str = "https://app.getbonzo.com";
const OPEN: &str = "mutation($link: String!) { openResourceLink(link: $link) { path error { code } } }";
const REDEEM: &str =
    "mutation($input: RedeemFrameCodeInput!) { redeemFrameCode(input: $input) { ok error { code } } }";

pub(super) async fn admin(test: &TestApp, tenant: TenantId) -> UserId {
    let new = NewUser {
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        role: Role::Admin,
        partner: None,
        password: NewPassword::Chosen(SecretString::from(PASSWORD)),
    };
    let database = test.app.tenants.open(tenant).await.expect("the tenant");
    database.create_user(new, test.app.clock.now()).await.expect("a user").user.id
}

pub(super) async fn leads_link(test: &TestApp, tenant: TenantId, user: UserId) -> ResourceLink {
    let wanted = Wanted {
        name: "Leads".to_owned(),
        page: LinkPage::Leads,
        filters: [("status".to_owned(), "FAILED".to_owned())].into(),
        roles: Vec::new(),
        expires_at: None,
    };
    links::create(&test.app, &Viewer::user(tenant, user, Role::Admin), wanted).await.expect("a link")
}

/// The cookies of an answer as a browser sends them back, and the value of the CSRF cookie.
fn jar(answer: &Answer) -> (String, String) {
    let all: Vec<(String, String)> = answer
        .cookies()
        .into_iter()
        .map(|(name, rest)| (name, rest.split(';').next().unwrap_or_default().to_owned()))
        .collect();
    let csrf = all.iter().find(|(name, _)| name.ends_with("csrf")).map(|(_, value)| value.clone());
    let sent: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (sent.join("; "), csrf.unwrap_or_default())
}

async fn ask(web: &Web, (cookies, csrf): &(String, String), query: &str, variables: Value) -> Value {
    web.graphql(&[("cookie", cookies), ("x-baton-csrf", csrf)], query, variables).await.json()
}

async fn sign_in(web: &Web) -> (String, String) {
    let query = "mutation($input: SignInInput!) { signIn(input: $input) { viewer { id } error { code } } }";
    let input = json!({ "input": { "tenant": "acme", "email": "ada@example.com", "password": PASSWORD } });
    let answer = web.graphql(&[], query, input).await;
    assert!(answer.json()["data"]["signIn"]["viewer"]["id"].is_string(), "{}", answer.text());
    jar(&answer)
}

fn salesforce(secret: &str, email: &str, issued_at: i64) -> String {
    let context = json!({
        "algorithm": "HMACSHA256", "issuedAt": issued_at, "context": { "user": { "email": email } },
    });
    let context = STANDARD.encode(context.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("{}.{context}", STANDARD.encode(hmac::sign(&key, context.as_bytes())))
}

fn form(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

async fn post_frame(web: &Web, link: &ResourceLink, body: String) -> Answer {
    let kind = [("content-type", "application/x-www-form-urlencoded"), ("origin", "https://crm.example.com")];
    web.post(&format!("/r/{}", link.token), &kind, body).await
}

/// Nobody but the tenant's own list may show a link; every other page stays closed to frames.
#[tokio::test]
async fn a_link_is_framed_by_the_tenants_list_alone() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let user = admin(&test, tenant).await;
    let link = leads_link(&test, tenant, user).await;
    let web = test.web();
    let ancestors = async |path: String| {
        let answer = web.get(&path, &[]).await;
        assert!(answer.headers.get("x-frame-options").is_none_or(|value| value == "DENY"), "{path}");
        let policy = answer.headers["content-security-policy"].to_str().expect("text").to_owned();
        let framed = answer.headers.get("x-frame-options").is_none();
        (policy.split("frame-ancestors ").nth(1).expect("a directive").to_owned(), framed)
    };
    assert_eq!(ancestors(format!("/r/{}", link.token)).await, ("'self'".to_owned(), true));
    let origins = vec![ORIGIN.to_owned(), "https://*.example.com".to_owned()];
    embedding::set_ancestors(&test.app, &Viewer::user(tenant, user, Role::Admin), origins)
        .await
        .expect("the list");
    let allowed = format!("'self' https://*.example.com {ORIGIN}");
    assert_eq!(ancestors(format!("/r/{}", link.token)).await.0, allowed);
    assert_eq!(ancestors(format!("/r/{}/leads", link.token)).await.0, allowed, "after a reload in the frame");
    assert_eq!(ancestors("/r/nothing".to_owned()).await.0, "'none'");
    let (head, last) = link.token.split_at(link.token.len() - 1);
    let foreign = format!("/r/{head}{}", if last == "A" { "Q" } else { "A" });
    assert_eq!(ancestors(foreign).await.0, "'none'");
    assert_eq!(ancestors("/leads".to_owned()).await.0, "'none'");
}

/// From a window that is signed in, by a code, into the frame: its cookies are the frame's own.
#[tokio::test]
async fn a_sign_in_is_carried_into_the_frame_by_a_code() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let user = admin(&test, tenant).await;
    let link = leads_link(&test, tenant, user).await;
    let web = test.web();
    let window = sign_in(&web).await;

    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("verifier"));
    let query = "mutation($link: String!, $challenge: String!) { issueFrameCode(link: $link, challenge: $challenge) { code error { field code } } }";
    let wrong = ask(&web, &window, query, json!({ "link": link.token, "challenge": "short" })).await;
    assert_eq!(wrong["data"]["issueFrameCode"]["error"]["field"], "challenge", "{wrong}");
    let issued = ask(&web, &window, query, json!({ "link": link.token, "challenge": challenge })).await;
    let code = issued["data"]["issueFrameCode"]["code"].as_str().expect("a code").to_owned();

    let input =
        |verifier: &str| json!({ "input": { "link": link.token, "code": code, "verifier": verifier } });
    let redeemed = web.graphql(&[], REDEEM, input("verifier")).await;
    assert_eq!(redeemed.json()["data"]["redeemFrameCode"]["ok"], true, "{}", redeemed.text());
    for (name, attributes) in redeemed.cookies() {
        assert!(name.starts_with("__Host-baton_frame"), "{name}");
        for attribute in ["Secure", "SameSite=None", "Partitioned", "Path=/"] {
            assert!(attributes.contains(attribute), "{name}: {attributes}");
        }
        assert_eq!(attributes.contains("HttpOnly"), !name.ends_with("csrf"), "{name}");
    }
    let again = web.graphql(&[], REDEEM, input("verifier")).await;
    assert_eq!(again.json()["data"]["redeemFrameCode"]["error"]["code"], "INVALID_CREDENTIALS");
    assert!(again.cookies().is_empty());

    let frame = jar(&redeemed);
    let opened = ask(&web, &frame, OPEN, json!({ "link": link.token })).await;
    assert_eq!(opened["data"]["openResourceLink"]["path"], "/leads?status=FAILED", "{opened}");
    // Its cookie needs its own CSRF token, and the window's is another.
    let foreign = (frame.0.clone(), window.1.clone());
    let refused = ask(&web, &foreign, OPEN, json!({ "link": link.token })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    // Where the browser sends both, each page is the one whose token it sends.
    let both = format!("{}; {}", window.0, frame.0);
    for csrf in [&window.1, &frame.1] {
        let opened = ask(&web, &(both.clone(), csrf.clone()), OPEN, json!({ "link": link.token })).await;
        assert!(opened["data"]["openResourceLink"]["path"].is_string(), "{opened}");
    }

    let revoke = "mutation($id: ID!) { revokeResourceLink(id: $id) { link { live openings } } }";
    let revoked = ask(&web, &window, revoke, json!({ "id": link.id.to_string() })).await;
    let expected = json!({ "live": false, "openings": 3 });
    assert_eq!(revoked["data"]["revokeResourceLink"]["link"], expected, "{revoked}");
    let after = ask(&web, &frame, OPEN, json!({ "link": link.token })).await;
    assert_eq!(
        after["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "its session ended with it: {after}"
    );
    let after = ask(&web, &window, OPEN, json!({ "link": link.token })).await;
    assert_eq!(after["data"]["openResourceLink"]["error"]["code"], "NOT_FOUND", "{after}");
}

/// A frame's session does what the pages of its links need, whatever else its person may do.
#[tokio::test]
async fn a_frames_session_may_do_what_its_links_pages_need() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let user = admin(&test, tenant).await;
    let link = leads_link(&test, tenant, user).await;
    let web = test.web();
    let viewer = Viewer::user(tenant, user, Role::Admin);
    let secret = Some(SecretString::from("consumer secret"));
    embedding::set_proof(&test.app, &viewer, FrameProofKind::Salesforce, secret, None)
        .await
        .expect("the proof");
    let now = test.app.clock.now().timestamp_millis();
    let signed = form("signed_request", &salesforce("consumer secret", "ada@example.com", now));
    let frame = jar(&post_frame(&web, &link, signed).await);
    let code = async |query: &str| {
        let answer = ask(&web, &frame, query, json!({})).await;
        answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned)
    };
    let forbidden = Some("FORBIDDEN".to_owned());
    assert_eq!(code("{ viewer { id } leads { nodes { id } } sources { id } }").await, None);
    for query in [
        "{ users { id } }",
        "{ auditLog { entries { id } } }",
        "{ partners { id } }",
        "mutation { createTeam(name: \"x\") { error { code } } }",
        "mutation { rotateSigningKey { __typename } }",
    ] {
        assert_eq!(code(query).await, forbidden, "{query}");
    }
    // Another link, opened in the same frame, adds what its page needs.
    let wanted = Wanted {
        name: "Bills".to_owned(),
        page: LinkPage::Billing,
        filters: [].into(),
        roles: Vec::new(),
        expires_at: None,
    };
    let bills = links::create(&test.app, &viewer, wanted).await.expect("a link");
    let opened = ask(&web, &frame, OPEN, json!({ "link": bills.token })).await;
    assert_eq!(opened["data"]["openResourceLink"]["path"], "/billing", "{opened}");
    assert_eq!(code("{ partners { id } leads { nodes { id } } }").await, None);
    assert_eq!(code("{ users { id } }").await, forbidden);
    // A session of a window is not narrowed by opening a link.
    let window = sign_in(&web).await;
    ask(&web, &window, OPEN, json!({ "link": bills.token })).await;
    let people = ask(&web, &window, "{ users { id } }", json!({})).await;
    assert!(people["errors"].is_null(), "{people}");
}

/// A CRM's word is taken when the tenant says so, while it is fresh, once, and for a person who has an account.
#[tokio::test]
async fn a_signed_frame_lets_its_person_in_once() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let user = admin(&test, tenant).await;
    let link = leads_link(&test, tenant, user).await;
    let web = test.web();
    let now = test.app.clock.now().timestamp_millis();
    let signed = |email: &str, at: i64| form("signed_request", &salesforce("consumer secret", email, at));

    let early = post_frame(&web, &link, signed("ada@example.com", now)).await;
    assert!(early.cookies().is_empty(), "this tenant does not take that word");
    let secret = Some(SecretString::from("consumer secret"));
    let set = embedding::set_proof(
        &test.app,
        &Viewer::user(tenant, user, Role::Admin),
        FrameProofKind::Salesforce,
        secret,
        None,
    )
    .await;
    set.expect("the proof");

    let framed = post_frame(&web, &link, signed("Ada@example.com", now)).await;
    assert_eq!(framed.status, StatusCode::SEE_OTHER);
    assert_eq!(framed.headers["location"], format!("/r/{}", link.token));
    let opened = ask(&web, &jar(&framed), OPEN, json!({ "link": link.token })).await;
    assert_eq!(opened["data"]["openResourceLink"]["path"], "/leads?status=FAILED", "{opened}");

    let wrong_secret = form("signed_request", &salesforce("another secret", "ada@example.com", now));
    for refused in [
        signed("Ada@example.com", now),
        signed("ada@example.com", now - 301_000),
        signed("eve@example.com", now),
        wrong_secret,
        form("signed_request", "nonsense"),
        form("other", "field"),
    ] {
        let answer = post_frame(&web, &link, refused.clone()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "the page is shown, and asks to sign in");
        assert!(answer.cookies().is_empty(), "{refused}");
    }
}

/// A CRM's secret is sealed: it survives the rotation of the key that seals, and the older key may then be forgotten.
#[tokio::test]
async fn a_crms_secret_survives_the_rotation_of_the_sealing_key() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let user = admin(&test, tenant).await;
    let link = leads_link(&test, tenant, user).await;
    let viewer = Viewer::user(tenant, user, Role::Admin);
    let secret = Some(SecretString::from("consumer secret"));
    embedding::set_proof(&test.app, &viewer, FrameProofKind::Salesforce, secret, None)
        .await
        .expect("the proof");
    test.app.secrets.rotate().expect("a new key");
    assert_eq!(resealing::reseal(&test.app).await.expect("sealed anew").values, 1);
    resealing::forget_older_keys(&test.app).await.expect("forgotten");
    let signed = salesforce("consumer secret", "ada@example.com", test.app.clock.now().timestamp_millis());
    let framed = post_frame(&test.web(), &link, form("signed_request", &signed)).await;
    assert_eq!(framed.cookies().len(), 2);
}

/// One tenant's link is nothing to another's people.
#[tokio::test]
async fn a_link_of_another_tenant_is_not_found() {
    let test = TestApp::new().await;
    let (acme, globex) = (test.tenant("acme").await, test.tenant("globex").await);
    admin(&test, acme).await;
    let theirs = leads_link(&test, globex, admin(&test, globex).await).await;
    let web = test.web();
    let window = sign_in(&web).await;
    let opened = ask(&web, &window, OPEN, json!({ "link": theirs.token })).await;
    assert_eq!(opened["data"]["openResourceLink"]["error"]["code"], "NOT_FOUND", "{opened}");
    let query = "mutation($link: String!, $challenge: String!) { issueFrameCode(link: $link, challenge: $challenge) { error { code } } }";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("verifier"));
    let issued = ask(&web, &window, query, json!({ "link": theirs.token, "challenge": challenge })).await;
    assert_eq!(issued["data"]["issueFrameCode"]["error"]["code"], "NOT_FOUND", "{issued}");
    let revoke = "mutation($id: ID!) { revokeResourceLink(id: $id) { error { code } } }";
    let revoked = ask(&web, &window, revoke, json!({ "id": theirs.id.to_string() })).await;
    assert_eq!(revoked["data"]["revokeResourceLink"]["error"]["code"], "NOT_FOUND", "{revoked}");
}

/// What cannot be a sign-in's end is sent back to the sign-in page with a word, and starts no session.
#[tokio::test]
async fn a_callback_that_nobody_began_ends_on_the_sign_in_page() {
    let test = TestApp::new().await;
    test.tenant("acme").await;
    let web = test.web();
    for (path, problem) in [
        ("/t/acme/oauth/google/start", "no-provider"),
        ("/t/nobody/oauth/google/start", "no-provider"),
        ("/t/acme/oauth/google/callback?code=x&state=y", "no-provider"),
    ] {
        let answer = web.get(path, &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let location = answer.headers["location"].to_str().expect("text");
        assert!(location.starts_with("/sign-in?tenant=") && location.ends_with(problem), "{location}");
        assert!(answer.cookies().is_empty());
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    }
}

/// To whoever does not see the lead, the CRM's id is nobody's.
#[tokio::test]
async fn a_link_to_a_lead_opens_for_whoever_sees_that_lead() {
    let test = TestApp::new().await;
    let tenant = everything(&test, "acme").await.tenant;
    let user = admin(&test, tenant).await;
    let mut tx = test.app.begin(tenant, Mode::ReadWrite).await.expect("a transaction");
    let lead: uuid::Uuid = sqlx::query_scalar(
        "UPDATE delivery SET remote_id = 'prospect-1' WHERE id = (SELECT id FROM delivery ORDER BY id LIMIT 1)
         RETURNING lead_id",
    )
    .fetch_one(tx.connection())
    .await
    .expect("a delivery");
    tx.commit().await.expect("stored");
    let wanted = Wanted {
        name: "Lead".to_owned(),
        page: LinkPage::Lead,
        filters: BTreeMap::new(),
        roles: Vec::new(),
        expires_at: None,
    };
    let owner = Viewer::user(tenant, user, Role::Owner);
    let link = links::create(&test.app, &owner, wanted).await.expect("a link");
    let open =
        async |viewer: &Viewer| links::open(&test.app, viewer, None, &link.token, Some("prospect-1")).await;
    assert_eq!(open(&owner).await.expect("a path"), format!("/leads/{}", LeadId(lead)));
    let agent = Viewer { sources: Some(Vec::new()), ..Viewer::user(tenant, user, Role::Agent) };
    let partner = Viewer {
        partner: Some(PartnerId(uuid::Uuid::from_u128(77))),
        ..Viewer::user(tenant, user, Role::Partner)
    };
    for stranger in [agent, partner] {
        let refused = open(&stranger).await;
        assert!(matches!(refused, Err(service::Error::NotFound { .. })), "{refused:?}");
    }
}
