//! What is refused, with which code, and what an error looks like.

use api::graphql::Identity;
use async_graphql::Request;
use serde_json::{Value, json};

use crate::world::{World, value};

#[tokio::test]
async fn limits_say_what_they_are() {
    let world = World::new().await;
    let who = &world.acme.member;
    let cases = [
        ("{ leads(first: 101) { nodes { id } } }", "LIMIT_EXCEEDED", "at most 100 rows"),
        ("{ leads(last: 101) { nodes { id } } }", "LIMIT_EXCEEDED", "at most 100 rows"),
        ("{ deliveries(first: 1000000) { nodes { id } } }", "LIMIT_EXCEEDED", "at most 100 rows"),
        ("{ leads(first: -1) { nodes { id } } }", "BAD_USER_INPUT", "negative"),
        ("{ leads(after: \"nonsense\") { nodes { id } } }", "BAD_USER_INPUT", "not a cursor"),
        (
            "{ lead(id: \"source_01jd2wq7x8e0hbrvy3k6m9f4tz\") { id } }",
            "BAD_USER_INPUT",
            "not an id of kind `lead`",
        ),
        (
            "{ leads(filter: { sourceIds: [\"12\"] }) { nodes { id } } }",
            "BAD_USER_INPUT",
            "not an id of kind `source`",
        ),
        ("{ deliveries(filter: { httpStatus: 100000 }) { nodes { id } } }", "BAD_USER_INPUT", "three digits"),
        ("{ deliveryStatistics(since: \"2020-01-01T00:00:00Z\") { total } }", "LIMIT_EXCEEDED", "366 days"),
        ("{ deliveryStatistics(since: \"2030-01-01T00:00:00Z\") { total } }", "BAD_USER_INPUT", "after"),
    ];
    for (document, code, says) in cases {
        let response = world.ask(who, document, Value::Null).await;
        let error = &response["errors"][0];
        assert_eq!(error["extensions"]["code"], code, "{document}: {response}");
        assert!(error["message"].as_str().unwrap().contains(says), "{document}: {response}");
        assert!(error["path"].is_array(), "{response}");
    }
}

#[tokio::test]
async fn an_operation_that_comes_to_too_much_is_refused_before_it_runs() {
    let world = World::new().await;
    let who = &world.acme.member;
    let wide = "{ imports(first: 100) { nodes { failedRecords(first: 100) { nodes { id raw line } } } } }";
    let deep =
        "{ leads { nodes { deliveries { lead { deliveries { lead { deliveries { lead { deliveries { lead {
        deliveries { lead { deliveries { lead { deliveries { lead { id } } } } } } } } } } } } } } } } }";
    for (document, says) in [(wide, "too complex"), (deep, "too")] {
        let response = world.ask(who, document, Value::Null).await;
        assert_eq!(response["data"], Value::Null);
        assert!(response["errors"][0]["message"].as_str().unwrap().contains(says), "{response}");
    }
    let whole = "{ leads(first: 100) { nodes { id status firstName lastName phone email details extra warnings { code message }
        source { id name } import { id fileName } events { kind at summary }
        deliveries { id state reason destination { id name } attempts { id number startedAt outcome httpStatus } } } totalCount } }";
    assert_eq!(world.code(who, whole, Value::Null).await, "none");
}

#[tokio::test]
async fn a_fault_of_ours_says_nothing_but_a_request_id() {
    let world = World::new().await;
    let lead = world.submit(&world.acme, 1).await.remove(0);
    // A row as no version of the program writes it: its warnings are of another shape.
    let mut tx = world.app.begin(world.acme.id, service::database::Mode::ReadWrite).await.unwrap();
    sqlx::query("UPDATE lead SET warnings = '{\"secret\": \"+19705550100\"}' WHERE tenant_id = $1")
        .bind(world.acme.id.uuid())
        .execute(tx.connection())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let response = world
        .ask(
            &world.acme.member,
            "query($id: ID!) { lead(id: $id) { id warnings { code } } }",
            json!({ "id": lead }),
        )
        .await;
    let error = &response["errors"][0];
    assert_eq!(error["extensions"], json!({ "code": "INTERNAL", "request_id": "test-1" }));
    assert_eq!(error["path"], json!(["lead", "warnings"]));
    assert!(!response.to_string().contains("secret") && !response.to_string().contains("1970"), "{response}");
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable() {
    let world = World::new().await;
    world.app.database.app.close().await;
    let response = world.ask(&world.acme.member, "{ leads { nodes { id } } }", Value::Null).await;
    assert_eq!(response["errors"][0]["extensions"], json!({ "code": "UNAVAILABLE", "request_id": "test-1" }));
}

#[tokio::test]
async fn a_request_without_an_identity_is_nobodys() {
    let world = World::new().await;
    let response = world.engine.execute(Request::new("{ viewer { id } }")).await;
    let response = value(&response);
    assert_eq!(response["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(world.code(&Identity::default(), "{ viewer { id } }", Value::Null).await, "UNAUTHENTICATED");
}
