//! Numbers that no floating point holds.

use serde_json::json;
use tests::TestApp;
use tests::data::{rows, token};
use tests::source_id;

use crate::http::{PASSWORD, sign_in, user};

/// An id of many digits and an amount with many decimals come through every door as they were sent.
#[tokio::test]
async fn numbers_keep_every_digit() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    user(&test, tenant, "ada@example.com").await;
    let (web, ingest) = (test.web(), token(&test.app, tenant, &source).await);
    let signed_in = sign_in(&web, "ada@example.com", PASSWORD).await.json();
    let credential =
        format!("Bearer {}", signed_in["data"]["signIn"]["accessToken"].as_str().expect("a token"));
    let headers = [("authorization", credential.as_str()), ("content-type", "application/json")];
    let source = source_id(&source);
    let record = |id: &str| {
        format!(
            r#"{{"Lead ID": {id}, "First Name": "Ada", "Pri. Phone": "303555010{}"}}"#,
            &id[id.len() - 1..]
        )
    };
    let (first, second, third) =
        ("98765432109876543210123", "98765432109876543210124", "98765432109876543210125");

    let variables = format!(r#"{{"input": {{"source": "{source}", "record": {}}}}}"#, record(first));
    let query =
        "mutation ($input: SubmitLeadInput!) { submitLead(input: $input) { outcome lead { externalId } } }";
    let body = format!(r#"{{"query": "{query}", "variables": {variables}}}"#);
    let answer = web.post("/graphql", &headers, body).await.json();
    assert_eq!(answer["data"]["submitLead"]["lead"]["externalId"], first, "as a variable: {answer}");

    let literal = r#"mutation ($record: JSON!) { submitLead(input: { source: \"SOURCE\", record: $record }) { lead { externalId } } }"#
        .replace("SOURCE", &source.to_string());
    let body = format!(r#"{{"query": "{literal}", "variables": {{"record": {}}}}}"#, record(second));
    let answer = web.post("/graphql", &headers, body).await.json();
    assert_eq!(answer["data"]["submitLead"]["lead"]["externalId"], second, "within the document: {answer}");

    let bearer = format!("Bearer {ingest}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = web.post("/ingest/leadsource", &headers, record(third)).await;
    assert_eq!(answer.json()["outcome"], json!("accept"), "{}", answer.text());
    let leads = rows(&test.app, tenant, &["lead"]).await;
    let ids: Vec<_> = leads.iter().map(|lead| lead["external_id"].as_str().expect("an id")).collect();
    assert!([first, second, third].iter().all(|id| ids.contains(id)), "{ids:?}");
}
