//! What programs and browsers meet over HTTP: leads and files in, downloads out, credentials on the way.

use flate2::{Compression, write::GzEncoder};
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use service::access;
use service::intake::sources::{self, SourceChange};
use service::intake::worker;
use std::fs;
use std::io::Write;
use tenants::{KeyKind, NewKey, NewPassword, NewUser, Role};
use tests::data::{self, counts, everything, import_state, token};
use tests::web::{Answer, Web};
use tests::{TestApp, fixture, source_id};

pub(super) const PASSWORD: &str = "correct horse battery staple";

fn lead(number: u32) -> Value {
    json!({"Lead ID": format!("LS-{number}"), "First Name": "Ada", "Pri. Phone": format!("303555{number:04}")})
}

/// One lead: what became of it is the status, and the body says it in full.
#[tokio::test]
async fn one_lead_is_answered_by_what_became_of_it() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let (web, token) = (test.web(), token(&test.app, tenant, &source).await);

    let first = web.lead("leadsource", &token, &lead(101)).await;
    assert_eq!((first.status, &first.json()["outcome"]), (StatusCode::CREATED, &json!("accept")));
    let id = first.json()["lead_id"].clone();
    assert!(id.as_str().is_some_and(|id| id.starts_with("lead_")), "{id}");

    let again = web.lead("leadsource", &token, &lead(101)).await.json();
    assert_eq!((&again["outcome"], &again["lead_id"]), (&json!("duplicate"), &id));

    let mut revised = lead(101);
    revised["City"] = json!("Boulder");
    let answer = web.lead("leadsource", &token, &revised).await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (StatusCode::OK, &json!("update")));

    let mut warned = lead(102);
    warned["Email"] = json!("not an address");
    let answer = web.lead("leadsource", &token, &warned).await;
    assert_eq!((answer.status, &answer.json()["outcome"]), (StatusCode::CREATED, &json!("warn")));
    assert_eq!(answer.json()["reasons"][0]["field"], "email", "{}", answer.text());

    let nobody = json!({"Lead ID": "LS-9", "First Name": "Bob", "Pri. Phone": "12"});
    let refused = web.lead("leadsource", &token, &nobody).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let body = refused.json();
    assert_eq!(body["outcome"], "reject");
    assert_eq!(body["lead_id"], Value::Null);
    assert!(body["failed_record_id"].as_str().is_some_and(|id| id.starts_with("failed_")), "{body}");
    let repeated = web.lead("leadsource", &token, &nobody).await;
    assert_eq!(
        (repeated.status, repeated.json()),
        (refused.status, body.clone()),
        "refused once, listed once"
    );
    let reasons = body["reasons"].as_array().expect("reasons");
    assert!(reasons.iter().any(|reason| reason["code"] == "MISSING_CONTACT"), "{body}");
    assert!(
        reasons.iter().all(|reason| reason["message"].as_str().is_some_and(|text| text.len() > 5)),
        "{body}"
    );
}

/// The key belongs to its body: the same again is the same answer, another body is a conflict.
#[tokio::test]
async fn an_idempotency_key_is_kept_over_http() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let (web, token) = (test.web(), token(&test.app, tenant, &source).await);
    let credential = format!("Bearer {token}");
    let post = async |key: &str, record: &Value| {
        let headers = [
            ("authorization", credential.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        web.post("/ingest/leadsource", &headers, record.to_string()).await
    };
    let first = post("order-1", &lead(1)).await;
    let second = post("order-1", &lead(1)).await;
    assert_eq!((first.status, first.json()), (second.status, second.json()));
    assert_eq!(post("order-1", &lead(2)).await.problem(), (409, "CONFLICT".to_owned()));
    assert_eq!(post("order-2", &lead(2)).await.status, StatusCode::CREATED);
    assert_eq!(post(&"k".repeat(201), &lead(3)).await.problem().0, 400);
    assert_eq!(post("", &lead(3)).await.problem().0, 400);
    assert_eq!(data::rows(&test.app, tenant, &["lead"]).await.len(), 2);
}

/// A file is answered at once with an import, and comes to the counts that the fixture expects – compressed or not.
#[tokio::test]
async fn a_file_becomes_an_import() {
    let expected: Value =
        serde_json::from_slice(&fs::read(fixture("expected.json")).expect("a fixture")).expect("JSON");
    for compressed in [false, true] {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let source = test.source(tenant, "transunion").await;
        let (web, token) = (test.web(), token(&test.app, tenant, &source).await);
        let mut content = fs::read(fixture("transunion.csv")).expect("a fixture");
        if compressed {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&content).expect("compressed");
            content = gzip.finish().expect("compressed");
        }
        let credential = format!("Bearer {token}");
        let headers = [
            ("authorization", credential.as_str()),
            ("content-type", "text/csv"),
            ("x-baton-file-name", "..%2Fmy%20leads%0A.csv"),
        ];
        let import = web.post("/ingest/transunion", &headers, content.clone()).await.import();
        assert_eq!(import_state(&test.app, tenant, import).await.0, "received");
        assert_eq!(fs::read(&test.uploads()[0]).expect("it waits"), content);

        assert_eq!(worker::run_waiting(&test.app).await.expect("it runs"), 1);
        let counts = counts(&test.app, tenant, import).await;
        let wanted = |outcome: &str| expected["counts"]["transunion.csv"][outcome].as_i64().unwrap_or(0);
        assert_eq!(
            [
                counts.records,
                counts.accepted,
                counts.warned,
                counts.duplicates,
                counts.rejected,
                counts.skipped
            ],
            ["records", "accept", "warn", "duplicate", "reject", "skip"].map(wanted)
        );
        assert_eq!(import_state(&test.app, tenant, import).await, ("done".to_owned(), None));
        assert!(test.uploads().is_empty(), "an imported file is not kept");
        let row = &data::rows(&test.app, tenant, &["import"]).await[0];
        assert_eq!(row["file_name"], "my leads.csv", "no folder and no control character");
    }
}

/// Lines of JSON are a file, even when they are sent as if they were one object.
#[tokio::test]
async fn several_objects_sent_as_one_are_a_file() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let (web, token) = (test.web(), token(&test.app, tenant, &source).await);
    let credential = format!("Bearer {token}");
    let headers = [("authorization", credential.as_str()), ("content-type", "application/json")];
    let lines = format!("{}\n{}\n", lead(1), lead(2));
    let import = web.post("/ingest/leadsource", &headers, lines).await.import();
    assert_eq!(worker::run_waiting(&test.app).await.expect("it runs"), 1);
    let counts = counts(&test.app, tenant, import).await;
    assert_eq!((counts.records, counts.accepted), (2, 2));
}

/// No credential is good for more than its own source.
#[tokio::test]
async fn a_source_token_opens_its_own_source_only() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    test.source(tenant, "transunion").await;
    let (web, good) = (test.web(), token(&test.app, tenant, &source).await);
    let globex = test.tenant("globex").await;
    test.source(globex, "npa").await;

    let mut forged = good.clone();
    let last = forged.pop().expect("a token");
    forged.push(if last == '0' { '1' } else { '0' });
    for (slug, credential, answer) in [
        ("leadsource", forged.as_str(), (401, "UNAUTHENTICATED")),
        ("leadsource", "baton_source_nonsense", (401, "UNAUTHENTICATED")),
        ("leadsource", "nonsense", (401, "UNAUTHENTICATED")),
        ("transunion", good.as_str(), (404, "NOT_FOUND")),
        ("nowhere", good.as_str(), (404, "NOT_FOUND")),
        ("npa", good.as_str(), (404, "NOT_FOUND")),
    ] {
        let (status, code) = web.lead(slug, credential, &lead(1)).await.problem();
        assert_eq!((status, code.as_str()), answer, "{slug}");
        let (status, code) = web.file(slug, credential, "a,b\n1,2\n").await.problem();
        assert_eq!((status, code.as_str()), answer, "a file for {slug}");
    }
    let nobody = web.post("/ingest/leadsource", &[], lead(1).to_string()).await;
    assert_eq!(nobody.problem(), (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    // What exists under another's name is told apart from nothing by not one byte.
    let (hidden, absent) = (web.lead("npa", &good, &lead(1)).await, web.lead("xyz", &good, &lead(1)).await);
    assert_eq!(hidden.text().replace("npa", "xyz"), absent.text());

    let off = SourceChange { enabled: Some(false), ..SourceChange::default() };
    sources::update(&test.app, tenant, source_id(&source), off).await.expect("switched off");
    assert_eq!(web.lead("leadsource", &good, &lead(1)).await.problem(), (409, "CONFLICT".to_owned()));
    assert_eq!(web.file("leadsource", &good, "Email\na@example.com\n").await.problem().0, 409);
    assert!(test.uploads().is_empty(), "a file that is refused is not kept");
    assert!(data::rows(&test.app, tenant, &["lead", "import"]).await.is_empty());
}

pub(super) async fn user(test: &TestApp, tenant: domain::ids::TenantId, email: &str) {
    let new = NewUser {
        email: email.to_owned(),
        name: "Ada".to_owned(),
        role: Role::Agent,
        partner: None,
        password: NewPassword::Chosen(SecretString::from(PASSWORD)),
    };
    let database = test.app.tenants.open(tenant).await.expect("the tenant's database");
    database.create_user(new, test.app.clock.now()).await.expect("a user");
}

pub(super) async fn sign_in(web: &Web, email: &str, password: &str) -> Answer {
    let query = "mutation ($input: SignInInput!) { signIn(input: $input) {
        viewer { email tenant { slug } } csrfToken accessToken error { code message } } }";
    web.graphql(&[], query, json!({"input": {"tenant": "acme", "email": email, "password": password}})).await
}

/// A browser's session: cookies that no other page can read or send with effect.
#[tokio::test]
async fn a_session_needs_its_cookie_and_its_csrf_header() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    test.source(tenant, "leadsource").await;
    user(&test, tenant, "ada@example.com").await;
    let web = test.web();

    let refused = sign_in(&web, "ada@example.com", "wrong").await;
    assert!(refused.json()["data"]["signIn"]["error"]["code"].is_string(), "{}", refused.text());
    assert!(refused.cookies().is_empty());

    let signed_in = sign_in(&web, "Ada@Example.com", PASSWORD).await;
    let payload = signed_in.json()["data"]["signIn"].clone();
    assert_eq!(payload["viewer"], json!({"email": "ada@example.com", "tenant": {"slug": "acme"}}));
    let cookies = signed_in.cookies();
    let (_, session) =
        cookies.iter().find(|(name, _)| name == "__Host-baton_session").expect("the session's cookie");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(session.split("; ").any(|part| part == attribute), "{attribute}");
    }
    assert!(!session.contains("Domain"), "a __Host- cookie has none");

    let cookie = format!("__Host-baton_session={}", session.split(';').next().expect("a value"));
    let csrf = payload["csrfToken"].as_str().expect("a token");
    let json_type = ("content-type", "application/json");
    let post = async |headers: &[(&str, &str)], number: u32| {
        web.post("/ingest/leadsource", headers, lead(number).to_string()).await
    };
    let without = post(&[json_type, ("cookie", &cookie)], 1).await;
    assert_eq!(without.problem(), (403, "FORBIDDEN".to_owned()));
    let wrong = post(&[json_type, ("cookie", &cookie), ("x-baton-csrf", "wrong")], 1).await;
    assert_eq!(wrong.problem(), (403, "FORBIDDEN".to_owned()));
    let stranger = post(&[json_type, ("cookie", "__Host-baton_session=x"), ("x-baton-csrf", csrf)], 1).await;
    assert_eq!(stranger.problem(), (401, "UNAUTHENTICATED".to_owned()));
    let right = post(&[json_type, ("cookie", &cookie), ("x-baton-csrf", csrf)], 1).await;
    assert_eq!(right.status, StatusCode::CREATED, "{}", right.text());
    assert_eq!(data::rows(&test.app, tenant, &["lead"]).await[0]["channel"], "web");

    let viewer = "{ viewer { email } }";
    let answer = web.graphql(&[("cookie", &cookie)], viewer, json!({})).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    let answer = web.graphql(&[("cookie", &cookie), ("x-baton-csrf", csrf)], viewer, json!({})).await;
    assert_eq!(answer.json()["data"]["viewer"]["email"], "ada@example.com");

    let out = web
        .graphql(&[("cookie", &cookie), ("x-baton-csrf", csrf)], "mutation { signOut { ok } }", json!({}))
        .await;
    assert!(out.cookies().iter().all(|(_, rest)| rest.contains("Max-Age=0")), "{:?}", out.cookies());
    let ended = post(&[json_type, ("cookie", &cookie), ("x-baton-csrf", csrf)], 2).await;
    assert_eq!(ended.problem().0, 401, "a session that was signed out is gone on the server too");
}

/// Refused records as a download: complete, and nothing in it that a spreadsheet would run.
#[tokio::test]
async fn refused_records_are_downloaded_without_formulas() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let globex = everything(&test, "globex").await;
    let web = test.web();
    let key = NewKey {
        kind: KeyKind::Api,
        name: "reader".to_owned(),
        role: tenants::Role::Service,
        scope: "*".to_owned(),
        created_by: None,
        expires_at: None,
    };
    let database = test.app.tenants.open(acme.tenant).await.expect("the tenant's database");
    let key = database.create_key(key, test.app.clock.now()).await.expect("a key").text;
    let credential = format!("Bearer {}", secrecy::ExposeSecret::expose_secret(&key));
    let headers = [("authorization", credential.as_str())];

    // A refused row of which each cell is a formula, in all the forms that spreadsheets know.
    let header = fs::read(fixture("experian.csv")).expect("a fixture");
    let header = String::from_utf8_lossy(&header).into_owned();
    let header = header.lines().next().expect("a header");
    let row = "=HYPERLINK(\"\"http://evil.example\"\"),+1+1,-2+3,@SUM(A1),\t=1,\r=1,\n=1";
    let quoted: Vec<String> = row.split(',').map(|cell| format!("\"{cell}\"")).collect();
    let blank = ",".repeat(header.split(',').count() - quoted.len() + 1);
    let content = format!("{header},=cmd|' /C calc'!A0\n{}{blank}\n=1,short\n", quoted.join(","));
    let import = web.file("experian", &acme.token, content).await.import();
    worker::run_waiting(&test.app).await.expect("it runs");
    let counts = counts(&test.app, acme.tenant, import).await;
    assert_eq!((counts.records, counts.rejected), (2, 2));

    let download = web.get(&format!("/imports/{import}/failed.csv"), &headers).await;
    assert_eq!(download.status, StatusCode::OK, "{}", download.text());
    assert_eq!(download.headers["content-type"], "text/csv; charset=utf-8");
    assert!(download.headers["content-disposition"].to_str().expect("text").starts_with("attachment;"));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(download.body.as_slice());
    let records: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("CSV")).collect();
    assert_eq!(records.len(), 3);
    let cells: Vec<&str> = records.iter().flatten().collect();
    for cell in &cells {
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']),
            "a spreadsheet would run {cell:?}"
        );
    }
    let hyperlink = "'=HYPERLINK(\"http://evil.example\")";
    assert!(cells.contains(&hyperlink), "the text is there, neutralised: {cells:?}");
    for code in ["MISSING_CONTACT", "MALFORMED_ROW"] {
        assert!(cells.iter().any(|cell| cell.contains(code)), "{cells:?}");
    }

    let whole = web.get(&format!("/imports/{}/failed.csv", acme.import), &headers).await;
    let rows = csv::Reader::from_reader(whole.body.as_slice()).into_records().count();
    let refused = data::counts(&test.app, acme.tenant, acme.import).await.rejected;
    assert_eq!(i64::try_from(rows).expect("small"), refused);

    let theirs = web.get(&format!("/imports/{}/failed.csv", globex.import), &headers).await;
    assert_eq!(theirs.problem(), (404, "NOT_FOUND".to_owned()));
    let garbage = web.get("/imports/lead_nonsense/failed.csv", &headers).await;
    assert_eq!(garbage.problem(), (404, "NOT_FOUND".to_owned()));
    let nobody = web.get(&format!("/imports/{}/failed.csv", acme.import), &[]).await;
    assert_eq!(nobody.problem(), (401, "UNAUTHENTICATED".to_owned()));
    let of_source = format!("Bearer {}", acme.token);
    let sender =
        web.get(&format!("/imports/{}/failed.csv", acme.import), &[("authorization", &of_source)]).await;
    assert_eq!(sender.problem().0, 401, "a source's token sends and does not read");
}

/// The public keys of a tenant verify its tokens and hold nothing secret.
#[tokio::test]
async fn a_tenant_publishes_its_keys() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    test.tenant("globex").await;
    user(&test, tenant, "ada@example.com").await;
    let web = test.web();
    let answer = web.get("/t/acme/.well-known/jwks.json", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let keys = answer.json()["keys"].as_array().expect("keys").clone();
    assert!(!keys.is_empty());
    for key in &keys {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
        assert!(key["x"].is_string() && key["kid"].is_string() && key["d"].is_null(), "{key}");
    }
    let other = web.get("/t/globex/.well-known/jwks.json", &[]).await.json();
    assert_ne!(other["keys"][0]["x"], keys[0]["x"], "each tenant signs with its own");
    assert_eq!(web.get("/t/nobody/.well-known/jwks.json", &[]).await.problem().0, 404);

    let token =
        sign_in(&web, "ada@example.com", PASSWORD).await.json()["data"]["signIn"]["accessToken"].clone();
    let (viewer, _) = access::by_token(&test.app, token.as_str().expect("a token")).await.expect("it holds");
    assert_eq!(viewer.tenant, tenant);
    let credential = format!("Bearer {}", token.as_str().expect("a token"));
    let answer = web.graphql(&[("authorization", &credential)], "{ viewer { role } }", json!({})).await;
    assert_eq!(answer.json()["data"]["viewer"]["role"], "AGENT");
}

#[tokio::test]
async fn health_is_the_processs_and_readiness_the_databases() {
    let test = TestApp::new().await;
    let web = test.web();
    assert_eq!(web.get("/healthz", &[]).await.text(), "ok");
    assert_eq!(web.get("/readyz", &[]).await.json(), json!({"status": "ready"}));
    test.app.database.app.close().await;
    let away = web.get("/readyz", &[]).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(web.get("/healthz", &[]).await.status, StatusCode::OK);
    assert_eq!(web.get("/ingest/leadsource", &[]).await.problem().0, 405);
}
