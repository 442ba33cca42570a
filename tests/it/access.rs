//! Who gets in, and what is told of it.

use api::http::throttle;
use domain::access::{Right, Role, Scope};
use domain::ids::TenantId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use service::access::keys::{self, NewApiKey};
use service::access::{Actor, Viewer, life};
use tenants::{NewPassword, NewUser};
use tests::TestApp;
use tests::data::everything;
use tests::web::{Answer, Web};

async fn user(test: &TestApp, tenant: TenantId, role: Role, password: NewPassword) -> tenants::User {
    let new = NewUser {
        email: format!("{role}@example.com"),
        name: role.to_string(),
        role,
        partner: None,
        password,
    };
    let store = test.app.tenants.open(tenant).await.expect("the tenant's database");
    store.create_user(new, test.app.clock.now()).await.expect("a user").user
}

async fn token_of(test: &TestApp, tenant: TenantId, user: &tenants::User) -> String {
    let store = test.app.tenants.open(tenant).await.expect("the tenant's database");
    let token = test.app.tokens.issue(&store, user, test.app.clock.now()).await.expect("a token");
    format!("Bearer {}", token.text.expose_secret())
}

async fn form(web: &Web, slug: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    web.post(&format!("/t/{slug}/oauth/token"), &all, body.to_owned()).await
}

/// An OAuth client gets a token for what it asks for and no more; a wrong secret, another tenant, a wider scope get none.
#[tokio::test]
async fn a_program_exchanges_its_secret_for_a_narrow_token() {
    let test = TestApp::new().await;
    let (acme, _) = (test.tenant("acme").await, test.tenant("globex").await);
    let operator = Viewer::new(acme, Actor::Operator, Role::Owner);
    let new = NewApiKey {
        name: "importer".to_owned(),
        role: Role::Service,
        scope: Scope::only([Right::LeadsRead, Right::SourcesRead]),
        oauth_client: true,
        expires_at: None,
    };
    let (key, secret) = keys::create_key(&test.app, &operator, new).await.expect("a client");
    let (id, secret) = (key.id.to_string(), secret.expose_secret().to_owned());
    let web = test.web();
    let credentials = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = form(&web, "acme", &[], &format!("{credentials}&scope=leads:read")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = answer.json();
    assert_eq!(
        (&body["token_type"], &body["expires_in"], &body["scope"]),
        (&json!("Bearer"), &json!(900), &json!("leads:read"))
    );
    let bearer = format!("Bearer {}", body["access_token"].as_str().expect("a token"));
    let ask = async |query: &str| web.graphql(&[("authorization", &bearer)], query, json!({})).await.json();
    assert!(ask("{ leads { nodes { id } } }").await["errors"].is_null());
    assert_eq!(ask("{ sources { id } }").await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(
        ask("{ viewer { id role rights } }").await["data"]["viewer"],
        json!({ "id": id, "role": "SERVICE", "rights": ["own", "leads:read"] })
    );

    let basic = {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
    };
    let answer = form(&web, "acme", &[("authorization", &basic)], "grant_type=client_credentials").await;
    assert_eq!(answer.json()["scope"], "leads:read sources:read", "{}", answer.text());
    for (slug, body, status, code) in [
        ("acme", format!("{credentials}x"), 401, "invalid_client"),
        ("acme", credentials.replace("key_", "user_"), 401, "invalid_client"),
        ("acme", "grant_type=client_credentials".to_owned(), 401, "invalid_client"),
        ("globex", credentials.clone(), 401, "invalid_client"),
        ("nobody", credentials.clone(), 401, "invalid_client"),
        ("acme", format!("{credentials}&scope=leads:write"), 400, "invalid_scope"),
        ("acme", format!("{credentials}&scope=everything"), 400, "invalid_scope"),
        ("acme", "grant_type=password".to_owned(), 400, "unsupported_grant_type"),
        ("acme", "grant_type=refresh_token&refresh_token=x".to_owned(), 400, "invalid_grant"),
        ("acme", "what".to_owned(), 400, "invalid_request"),
    ] {
        let answer = form(&web, slug, &[], &body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"].as_str()), (status, Some(code)), "{body}");
        assert!(!answer.text().contains(&secret), "a secret is not repeated");
    }
    keys::revoke_key(&test.app, &operator, key.id).await.expect("revoked");
    assert_eq!(form(&web, "acme", &[], &credentials).await.status.as_u16(), 401);
}

/// A program that a person has signed in stays so by refresh tokens; a stolen one ends the session, and the log says so.
#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_and_is_told() {
    let test = TestApp::new().await;
    let acme = test.tenant("acme").await;
    let password = "correct horse battery staple";
    user(&test, acme, Role::Owner, NewPassword::Chosen(SecretString::from(password))).await;
    let web = test.web();
    let query =
        "mutation ($input: SignInInput!) { signIn(input: $input) { refreshToken csrfToken error { code } } }";
    let input =
        json!({ "tenant": "acme", "email": "owner@example.com", "password": password, "refreshToken": true });
    let answer = web.graphql(&[], query, json!({ "input": input })).await;
    assert!(answer.cookies().is_empty(), "a program gets no cookie");
    let first = answer.json()["data"]["signIn"]["refreshToken"].as_str().expect("a token").to_owned();
    let refresh = async |token: &str| {
        form(&web, "acme", &[], &format!("grant_type=refresh_token&refresh_token={token}")).await
    };
    let next = refresh(&first).await.json();
    let bearer = format!("Bearer {}", next["access_token"].as_str().expect("a token"));
    let asked = web
        .graphql(&[("authorization", &bearer)], "{ viewer { email } sessions { method } }", json!({}))
        .await
        .json();
    assert_eq!(
        asked["data"],
        json!({ "viewer": { "email": "owner@example.com" }, "sessions": [{ "method": "password" }] })
    );
    assert_eq!(refresh(&first).await.json()["error"], "invalid_grant");
    assert_eq!(
        refresh(next["refresh_token"].as_str().expect("a token")).await.json()["error"],
        "invalid_grant"
    );
    let log = web
        .graphql(
            &[("authorization", &bearer)],
            "{ auditLog(filter: { action: \"session.\" }) { entries { action detail } } }",
            json!({}),
        )
        .await
        .json();
    assert_eq!(log["data"]["auditLog"]["entries"][0]["action"], "session.revoked", "{log}");
}

/// What an agent sees where the tenant says so: the leads of its teams' sources, enforced by the database.
#[tokio::test]
async fn an_agent_sees_the_leads_of_its_teams_only_where_the_tenant_says_so() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let agent = user(&test, acme.tenant, Role::Agent, NewPassword::Absent).await;
    let owner = user(&test, acme.tenant, Role::Owner, NewPassword::Absent).await;
    let (agent_token, owner_token) =
        (token_of(&test, acme.tenant, &agent).await, token_of(&test, acme.tenant, &owner).await);
    let web = test.web();
    let ask =
        async |who: &str, query: &str| web.graphql(&[("authorization", who)], query, json!({})).await.json();
    let sources = "{ leads(first: 100) { nodes { id source { slug } } } }";
    let seen = async |who: &str| {
        let answer = ask(who, sources).await;
        let nodes = answer["data"]["leads"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        let mut slugs: Vec<String> =
            nodes.iter().map(|node| node["source"]["slug"].as_str().expect("a slug").to_owned()).collect();
        slugs.sort();
        slugs.dedup();
        slugs
    };
    assert_eq!(seen(&agent_token).await, ["experian", "leadsource"]);
    let set = "mutation { updateAccessSettings(agentsSeeTheirTeamsOnly: true) { settings { agentsSeeTheirTeamsOnly } } }";
    assert!(ask(&owner_token, set).await["errors"].is_null());
    assert_eq!(seen(&agent_token).await, Vec::<String>::new(), "in no team");
    let team = ask(&owner_token, "mutation { createTeam(name: \"East\") { team { id } } }").await;
    let team = team["data"]["createTeam"]["team"]["id"].as_str().expect("a team").to_owned();
    let change = format!(
        "mutation {{ updateTeam(input: {{ id: \"{team}\", memberIds: [\"{}\"], sourceIds: [\"{}\"] }}) {{ error {{ code }} team {{ sourceIds }} }} }}",
        agent.id,
        acme.source_id()
    );
    let changed = ask(&owner_token, &change).await;
    assert!(changed["data"]["updateTeam"]["error"].is_null(), "{changed}");
    assert_eq!(seen(&agent_token).await, ["experian"]);
    assert_eq!(seen(&owner_token).await, ["experian", "leadsource"]);
    // Figures over all leads would tell of the others; a lead of another source is not there to be changed.
    for query in [
        "{ deliveries { nodes { id } } }",
        "{ deliveryStatistics(since: \"2026-11-01T00:00:00Z\") { total } }",
    ] {
        assert_eq!(ask(&agent_token, query).await["errors"][0]["extensions"]["code"], "FORBIDDEN", "{query}");
    }
    let headers = [("authorization", agent_token.as_str()), ("content-type", "application/json")];
    let record = json!({ "Lead ID": "LS-9", "First Name": "Ada", "Pri. Phone": "3035550909" }).to_string();
    assert_eq!(web.post("/ingest/leadsource", &headers, record).await.problem().0, 404);
    // A source of nobody's is refused for a team.
    let stranger = change.replace(&acme.source_id().to_string(), "source_01jd2wq7x8e0hbrvy3k6m9f4tz");
    assert_eq!(ask(&owner_token, &stranger).await["data"]["updateTeam"]["error"]["code"], "NOT_FOUND");
}

/// Suspended: nobody gets in by any credential, nothing goes out; resumed: everything is as before.
#[tokio::test]
async fn a_suspended_tenant_lets_nobody_in_and_loses_nothing() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let owner = user(&test, acme.tenant, Role::Owner, NewPassword::Absent).await;
    let token = token_of(&test, acme.tenant, &owner).await;
    let web = test.web();
    let ask = async || web.graphql(&[("authorization", &token)], "{ viewer { id } }", json!({})).await;
    assert_eq!(ask().await.status.as_u16(), 200);
    let record = json!({ "First Name": "Ada", "Telephone # 1": "3035550911" });
    life::set_suspended(&test.app, acme.tenant, true).await.expect("suspended");
    assert_eq!(ask().await.status.as_u16(), 403, "{}", ask().await.text());
    assert_eq!(web.lead("experian", &acme.token, &record).await.problem(), (403, "FORBIDDEN".to_owned()));
    let due = test.app.delivery_worker().expect("a worker").run_due_work().await.expect("the work is done");
    assert_eq!(due.delivered, 0);
    life::set_suspended(&test.app, acme.tenant, false).await.expect("resumed");
    assert_eq!(ask().await.status.as_u16(), 200);
    assert_eq!(web.lead("experian", &acme.token, &record).await.status.as_u16(), 201);
    let log = std::fs::read_to_string(test.folder.path().join("operator-audit.ndjson"))
        .expect("the operator's log");
    assert_eq!(log.lines().count(), 2, "{log}");
}

/// Asks who is signed in, from that network address.
async fn ask_from(web: &Web, address: &str, header: Option<(&str, &str)>) -> Answer {
    let mut request = http::Request::post("/graphql").header("content-type", "application/json");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let body = json!({ "query": "{ viewer { id } }" }).to_string();
    send_from(web, address, request.body(body.into()).expect("a request")).await
}

async fn send_from(web: &Web, address: &str, mut request: http::Request<axum::body::Body>) -> Answer {
    let peer: std::net::SocketAddr = format!("{address}:4000").parse().expect("an address");
    request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
    web.send(request).await
}

/// Too many requests are told when to come again; an office at work is not.
#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_again() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let owner = user(&test, acme.tenant, Role::Owner, NewPassword::Absent).await;
    let token = token_of(&test, acme.tenant, &owner).await;
    let limits = throttle::Settings {
        per_credential: 3,
        per_address: 2,
        https_only: true,
        ..throttle::Settings::default()
    };
    let web = Web::with(std::sync::Arc::clone(&test.app), limits);
    let from = async |address: &str, credential: Option<&str>| {
        ask_from(&web, address, credential.map(|text| ("authorization", text))).await
    };
    for left in [2, 1, 0] {
        let answer = from("203.0.113.1", Some(&token)).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.headers["ratelimit-policy"], "\"credential\";q=3;w=60");
        assert!(answer.headers["ratelimit"].to_str().expect("text").contains(&format!("r={left};")));
    }
    let refused = from("203.0.113.1", Some(&token)).await;
    assert_eq!(refused.problem(), (429, "LIMIT_EXCEEDED".to_owned()));
    assert_eq!(refused.headers["retry-after"], "20");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        assert_eq!(refused.headers[name], value, "a refusal is protected like any answer");
    }
    test.app.clock.advance(chrono::TimeDelta::seconds(20));
    assert_eq!(from("203.0.113.1", Some(&token)).await.status.as_u16(), 200);
    // Guessing tokens spends the address, and so does asking without one; the right token is not hindered elsewhere.
    for guess in ["Bearer guess-1", "Bearer guess-2"] {
        assert_eq!(from("203.0.113.2", Some(guess)).await.status.as_u16(), 401);
    }
    assert_eq!(from("203.0.113.2", Some("Bearer guess-3")).await.problem().0, 429);
    assert_eq!(from("203.0.113.2", None).await.problem().0, 429);
    test.app.clock.advance(chrono::TimeDelta::seconds(60));
    assert_eq!(from("203.0.113.3", Some(&token)).await.status.as_u16(), 200);
    // Who proves nothing is told of the address before it is refused.
    for left in [1, 0] {
        let answer = from("203.0.113.4", None).await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"address\";q=2;w=60");
        assert!(answer.headers["ratelimit"].to_str().expect("text").contains(&format!("r={left};")));
    }
}

/// What looks like a credential and is nobody's spends the address as if it were none.
#[tokio::test]
async fn a_credential_of_nobody_is_as_none() {
    let test = TestApp::new().await;
    let acme = test.tenant("acme").await;
    let owner = user(&test, acme, Role::Owner, NewPassword::Absent).await;
    let token = token_of(&test, acme, &owner).await;
    let limits = throttle::Settings { per_address: 2, ..throttle::Settings::default() };
    let web = Web::with(std::sync::Arc::clone(&test.app), limits);
    let cookie = format!("{}=made-up", tenants::COOKIE_NAME);
    for (address, name, made_up) in
        [("203.0.113.1", "cookie", cookie.as_str()), ("203.0.113.2", "authorization", "Basic made-up")]
    {
        for number in 1..=2 {
            let answer = ask_from(&web, address, Some((name, &format!("{made_up}-{number}")))).await;
            let code = answer.json()["errors"][0]["extensions"]["code"].clone();
            assert_eq!((answer.status.as_u16(), code), (200, json!("UNAUTHENTICATED")), "{name} {number}");
        }
        let refused = ask_from(&web, address, Some((name, &format!("{made_up}-3")))).await;
        assert_eq!(refused.problem(), (429, "LIMIT_EXCEEDED".to_owned()), "{name}");
        assert_eq!(ask_from(&web, address, None).await.problem().0, 429, "{name}");
    }
    for _ in 0..3 {
        let answer = ask_from(&web, "203.0.113.3", Some(("authorization", &token))).await;
        assert!(answer.json()["errors"].is_null(), "{}", answer.text());
    }
    // Where access begins, nothing that comes along is a credential.
    for (number, status) in [(1, 400), (2, 400), (3, 429)] {
        let body = format!("grant_type=refresh_token&refresh_token=guess-{number}");
        let request = http::Request::post("/t/acme/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Basic made-up-{number}"))
            .body(body.into())
            .expect("a request");
        assert_eq!(send_from(&web, "203.0.113.4", request).await.status.as_u16(), status, "{number}");
    }
}

/// Other origins get nothing: no CORS answer, no framing, no sniffing; and forged requests are refused.
#[tokio::test]
async fn pages_of_other_origins_get_nothing() {
    let test = TestApp::new().await;
    let web = test.web();
    let request = http::Request::options("/graphql")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .body(axum::body::Body::empty())
        .expect("a request");
    let preflight = web.send(request).await;
    assert!(preflight.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
    let healthy = web.get("/healthz", &[("origin", "https://evil.example")]).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(healthy.headers[name], value);
    }
    assert!(!healthy.headers.contains_key("access-control-allow-origin"));
    // A mutation by GET, by text/plain and as a form: what a page of another origin can send without asking.
    let get = web.get("/graphql?query=mutation%7BsignOut%7Bok%7D%7D", &[]).await;
    assert_eq!(get.status.as_u16(), 405, "{}", get.text());
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let answer =
            web.post("/graphql", &[("content-type", kind)], r#"{"query":"mutation{signOut{ok}}"}"#).await;
        assert_eq!(answer.status.as_u16(), 415, "{kind}: {}", answer.text());
    }
}
