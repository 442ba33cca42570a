//! What administrators do is in the audit log: once each, by whom, to what, and nothing of what was typed.

use std::collections::BTreeSet;

use api::graphql::{AUDITED, Audited};
use apollo_compiler::Schema;
use serde_json::{Value, json};
use service::access;
use tenants::{AuditEntry, AuditFilter, NewPassword, NewUser, Role};
use tests::TestApp;
use tests::data::{Everything, everything};
use tests::web::Web;

use secrecy::ExposeSecret as _;

struct Admin {
    web: Web,
    credential: String,
    actor: String,
}

impl Admin {
    async fn new(test: &TestApp, acme: &Everything) -> Self {
        let store = test.app.tenants.open(acme.tenant).await.expect("the database");
        let new = NewUser {
            email: "ada@example.com".to_owned(),
            name: "Ada".to_owned(),
            role: Role::Owner,
            partner: None,
            password: NewPassword::Absent,
        };
        let user = store.create_user(new, test.app.clock.now()).await.expect("a user").user;
        let token = test.app.tokens.issue(&store, &user, test.app.clock.now()).await.expect("a token").text;
        let credential = format!("Bearer {}", token.expose_secret());
        Self { web: test.web(), credential, actor: user.id.to_string() }
    }

    async fn ask(&self, document: &str) -> Value {
        let headers = [("authorization", self.credential.as_str())];
        self.web.graphql(&headers, document, json!({})).await.json()
    }

    /// A mutation that succeeds.
    async fn does(&self, mutation: &str) -> Value {
        let answer = self.ask(&format!("mutation {{ it: {mutation} }}")).await;
        let it = answer["data"]["it"].clone();
        assert!(it.is_object() && it["error"].is_null(), "{mutation}: {answer:#}");
        it
    }
}

async fn log(test: &TestApp, acme: &Everything) -> Vec<AuditEntry> {
    let store = test.app.tenants.open(acme.tenant).await.expect("the database");
    assert_eq!(store.verify_audit().await.expect("read"), None);
    store.audit_entries(AuditFilter::default(), 200).await.expect("the log")
}

#[tokio::test]
async fn what_an_administrator_does_is_in_the_audit_log() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let admin = Admin::new(&test, &acme).await;
    let before = log(&test, &acme).await.len();
    let destination = acme.destination.to_string();
    let source = domain::ids::SourceId(acme.source.id).to_string();

    admin.does(r#"createSource(input: { slug: "walkins", kind: LEADSOURCE }) { error { code } }"#).await;
    admin
        .does(&format!(
            r#"updateSource(input: {{ id: "{source}", name: "Experian" }}) {{ error {{ code }} }}"#
        ))
        .await;
    admin
        .does(&format!(r#"createSourceToken(source: "{source}", name: "second") {{ error {{ code }} }}"#))
        .await;
    admin
        .does(r#"createDestination(input: { slug: "crm-two", kind: WEBHOOK, url: "https://secret.example.com/hook/abc123" }) { error { code } }"#)
        .await;
    admin.does(&format!(r#"updateDestination(input: {{ id: "{destination}", url: "https://app.getbonzo.com/api/webhook/def456" }}) {{ error {{ code }} }}"#)).await;
    admin
        .does(&format!(
            r#"holdDestination(id: "{destination}", reason: "maintenance") {{ error {{ code }} }}"#
        ))
        .await;
    admin.does(&format!(r#"resumeDestination(id: "{destination}") {{ error {{ code }} }}"#)).await;
    admin
        .does(r#"createSlaCalendar(input: { name: "Walk-ins", timeZone: "America/Denver", windows: [{ weekday: 1, from: "09:00", until: "17:00" }] }) { error { code } }"#)
        .await;
    admin
        .does(r#"createSlaPolicy(input: { name: "Walk-ins are called", clock: "response", draft: { targetSeconds: 600 } }) { error { code } }"#)
        .await;
    let rule = admin
        .does(r#"createAlertRule(input: { name: "waiting", kind: FAILED_LEADS, threshold: 10 }) { rule { id } error { code } }"#)
        .await;
    let rule = rule["rule"]["id"].as_str().expect("an id").to_owned();
    admin.does(&format!(r#"deleteAlertRule(id: "{rule}") {{ error {{ code }} }}"#)).await;
    admin.does("setAlertSummaryHour(hour: 7) { error { code } }").await;
    admin.does(r#"suppress(contact: "kara@example.com", reason: "asked") { error { code } }"#).await;
    admin.does(r#"createProduct(input: { slug: "walk-in", name: "Walk-in" }) { error { code } }"#).await;

    let entries = log(&test, &acme).await;
    let new = &entries[..entries.len() - before];
    let told: Vec<(&str, &str)> =
        new.iter().rev().map(|entry| (entry.action.as_str(), entry.subject.as_str())).collect();
    assert_eq!(
        told,
        [
            ("source.created", "walkins"),
            ("source.updated", source.as_str()),
            ("source.token_created", source.as_str()),
            ("destination.created", "crm-two"),
            ("destination.updated", destination.as_str()),
            ("destination.held", destination.as_str()),
            ("destination.resumed", destination.as_str()),
            ("sla.calendar_created", "Walk-ins"),
            ("sla.policy_created", "Walk-ins are called"),
            ("alert.rule_created", "waiting"),
            ("alert.rule_removed", rule.as_str()),
            ("alert.summary_hour_set", acme.tenant.to_string().as_str()),
            ("suppression.added", acme.tenant.to_string().as_str()),
            ("product.created", "walk-in"),
        ]
    );
    assert!(new.iter().all(|entry| entry.actor == admin.actor));
    let written = format!("{new:?}");
    for typed in ["abc123", "def456", "kara@example.com", "maintenance", "asked"] {
        assert!(!written.contains(typed), "{typed} is in the log");
    }
    assert_eq!(new[new.len() - 5].detail, json!({ "given": ["id", "url"] }));
}

#[tokio::test]
async fn what_was_refused_or_is_no_act_of_an_administrator_leaves_no_line() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    let admin = Admin::new(&test, &acme).await;
    let before = log(&test, &acme).await.len();
    for mutation in [
        r#"createSource(input: { slug: "experian", kind: EXPERIAN }) { error { code } }"#,
        r#"holdDestination(id: "dest_01jd2wq7x8e0hbrvy3k6m9f4tz") { error { code } }"#,
        r#"createDestination(input: { slug: "x y", kind: WEBHOOK, url: "nonsense" }) { error { code } }"#,
    ] {
        let answer = admin.ask(&format!("mutation {{ it: {mutation} }}")).await;
        assert!(
            answer["data"]["it"]["error"]["code"].is_string() || answer["errors"].is_array(),
            "{answer:#}"
        );
    }
    let source = domain::ids::SourceId(acme.source.id);
    let lead = format!(
        r#"submitLead(input: {{ source: "{source}", record: {{ FIRST: "Ada" }} }}) {{ error {{ code }} }}"#
    );
    let answer = admin.ask(&format!("mutation {{ it: {lead} }}")).await;
    assert!(answer["errors"].is_null(), "{answer:#}");
    assert_eq!(log(&test, &acme).await.len(), before, "{:?}", log(&test, &acme).await.first());
}

/// Nobody can add a mutation without deciding what it leaves in the log.
#[test]
fn every_mutation_is_decided_on() {
    let schema =
        Schema::parse_and_validate(api::graphql::sdl(), "schema.graphql").expect("the schema is valid");
    let fields: BTreeSet<&str> = schema
        .get_object("Mutation")
        .expect("mutations")
        .fields
        .keys()
        .map(apollo_compiler::Name::as_str)
        .collect();
    let decided: BTreeSet<&str> = AUDITED.iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, decided);
    assert_eq!(AUDITED.len(), decided.len(), "each once");
    // A name of an action is a capability's word and what was done.
    for (field, audited) in AUDITED {
        if let Audited::As(action) = audited {
            assert!(
                action.split_once('.').is_some_and(|(of, done)| !of.is_empty() && !done.is_empty()),
                "{field}"
            );
        }
    }
}

/// The operator's log has what is done to tenants, where the tenant's own log goes with it.
#[tokio::test]
async fn the_operators_acts_are_in_a_log_that_outlives_the_tenant() {
    let test = TestApp::new().await;
    let acme = everything(&test, "acme").await;
    access::life::set_suspended(&test.app, acme.tenant, true).await.expect("suspended");
    access::life::erase(&test.app, acme.tenant).await.expect("erased");
    let log = std::fs::read_to_string(test.folder.path().join("operator-audit.ndjson")).expect("the log");
    let actions: Vec<String> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON")["action"].as_str().expect("text").to_owned()
        })
        .collect();
    assert_eq!(actions.last().map(String::as_str), Some("tenant.erased"), "{log}");
    assert!(actions.iter().any(|action| action == "tenant.suspended"));
}
