//! Mutations: what they change, and what of their outcome is data.

use serde_json::{Value, json};

use crate::world::{SUBMIT, World, record};

#[tokio::test]
async fn a_lead_is_submitted_once() {
    let world = World::new().await;
    let who = &world.acme.member;
    let submit = |record: Value, key: Option<&str>| json!({ "input": { "source": world.acme.source, "record": record, "idempotencyKey": key } });
    let first = world.data(who, SUBMIT, submit(record(1), Some("k-1"))).await;
    assert_eq!(first["submitLead"]["outcome"], "ACCEPT");
    let again = world.data(who, SUBMIT, submit(record(1), Some("k-1"))).await;
    assert_eq!(again, first);
    let twice = world.data(who, SUBMIT, submit(record(1), None)).await;
    assert_eq!(twice["submitLead"]["outcome"], "DUPLICATE");
    assert_eq!(twice["submitLead"]["lead"], first["submitLead"]["lead"]);
    let other = world.data(who, SUBMIT, submit(record(2), Some("k-1"))).await;
    assert_eq!(other["submitLead"]["error"]["code"], "CONFLICT");
    assert_eq!(other["submitLead"]["outcome"], Value::Null);
    let empty = world.data(who, SUBMIT, submit(json!({}), Some("é"))).await;
    assert_eq!(empty["submitLead"]["error"]["field"], "idempotencyKey");
    assert_eq!(empty["submitLead"]["error"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_refused_record_is_corrected_into_a_lead() {
    let world = World::new().await;
    let who = &world.acme.member;
    let bad = json!({ "Lead ID": "LS-9", "First Name": "Kara", "Pri. Phone": "12", "Email": "nope" });
    let refused =
        world.data(who, SUBMIT, json!({ "input": { "source": world.acme.source, "record": bad } })).await;
    let payload = &refused["submitLead"];
    assert_eq!(payload["outcome"], "REJECT");
    assert!(payload["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{payload}");
    let id = &payload["failedRecord"]["id"];

    let shown = world
        .data(
            who,
            "{ failedRecords(filter: { states: [OPEN] }) { totalCount nodes { id state raw line values { column value } reasons { field code columns } lead { id } } } }",
            Value::Null,
        )
        .await;
    let shown = &shown["failedRecords"];
    assert_eq!((&shown["totalCount"], &shown["nodes"][0]["id"]), (&json!(1), id));
    assert!(
        shown["nodes"][0]["values"]
            .as_array()
            .unwrap()
            .contains(&json!({ "column": "Pri. Phone", "value": "12" }))
    );

    let reasons = shown["nodes"][0]["reasons"].as_array().unwrap();
    let columns = |code: &str| &reasons.iter().find(|reason| reason["code"] == code).unwrap()["columns"];
    assert_eq!(columns("INVALID_EMAIL"), &json!(["Email"]));
    assert!(columns("MISSING_CONTACT").as_array().unwrap().contains(&json!("Pri. Phone")), "{reasons:?}");
    // What is named can be filled in, whether or not the record has it.
    let values = shown["nodes"][0]["values"].as_array().unwrap();
    let inputs: Vec<&Value> = values.iter().map(|value| &value["column"]).collect();
    let mut named = reasons.iter().flat_map(|reason| reason["columns"].as_array().unwrap());
    assert!(named.all(|column| inputs.contains(&column)), "{reasons:?} {inputs:?}");
    assert!(values.contains(&json!({ "column": "Sec. Phone", "value": "" })), "{values:?}");

    let correct = "mutation($input: CorrectFailedRecordInput!) { correctFailedRecord(input: $input) {
        outcome lead { firstName phone channel events { kind } } failedRecord { state resolvedAt lead { phone } } reasons { code } error { code } } }";
    let still = json!({ "input": { "id": id, "values": [{ "column": "Pri. Phone", "value": "13" }] } });
    let still = world.data(who, correct, still).await;
    assert_eq!(still["correctFailedRecord"]["outcome"], "REJECT");
    assert_eq!(still["correctFailedRecord"]["failedRecord"]["state"], "OPEN");
    let right = json!({ "input": { "id": id, "values": [
        { "column": "Pri. Phone", "value": "970-555-0109" }, { "column": "Email", "value": "" }] } });
    let done = world.data(who, correct, right.clone()).await;
    let payload = &done["correctFailedRecord"];
    assert_eq!(
        (&payload["outcome"], &payload["lead"]["phone"]),
        (&json!("ACCEPT"), &json!("9705550109")),
        "{payload}"
    );
    assert_eq!(payload["lead"]["events"], json!([{ "kind": "RECEIVED" }, { "kind": "CORRECTED" }]));
    assert_eq!(payload["failedRecord"]["state"], "CORRECTED");
    assert_eq!(payload["failedRecord"]["lead"]["phone"], "9705550109");
    let twice = world.data(who, correct, right).await;
    assert_eq!(twice["correctFailedRecord"]["error"]["code"], "CONFLICT");
}

#[tokio::test]
async fn failed_deliveries_get_another_chance() {
    let world = World::new().await;
    let (who, admin) = (&world.acme.member, &world.acme.admin);
    world.submit(&world.acme, 3).await;
    let list = "{ deliveries { nodes { id state attemptCount attempts { number } } } }";
    let listed = world.data(who, list, Value::Null).await;
    let ids: Vec<_> = listed["deliveries"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    for id in &ids {
        world.attempt(&world.acme, id, "failed", &[("refused", Some(422))]).await;
    }
    let failed = "{ deliveries(filter: { states: [FAILED], httpStatus: 422 }) { nodes { id } } }";
    assert_eq!(
        world.data(who, failed, Value::Null).await["deliveries"]["nodes"].as_array().unwrap().len(),
        3
    );
    let retry = "mutation($id: ID!) { retryDelivery(id: $id) { delivery { state nextAttemptAt reason } error { code } } }";
    let retried = world.data(who, retry, json!({ "id": ids[0] })).await;
    assert_eq!(retried["retryDelivery"]["delivery"]["state"], "PENDING");
    let again = world.data(who, retry, json!({ "id": ids[0] })).await;
    assert_eq!(again["retryDelivery"], json!({ "delivery": null, "error": { "code": "CONFLICT" } }));
    let all = world.data(admin, "mutation { retryAllFailed { retried } }", Value::Null).await;
    assert_eq!(all["retryAllFailed"]["retried"], 2);

    let figures = "{ deliveryStatistics(since: \"2026-11-20T00:00:00Z\", until: \"2026-11-21T00:00:00Z\") { total byState { state count } byHttpStatus { httpStatus count } series { attempts delivered failed p50Ms } } }";
    let figures = world.data(who, figures, Value::Null).await;
    let figures = &figures["deliveryStatistics"];
    assert_eq!(figures["total"], 3);
    assert_eq!(figures["byState"], json!([{ "state": "PENDING", "count": 3 }]));
    assert_eq!(figures["byHttpStatus"], json!([{ "httpStatus": 422, "count": 3 }]));
    let attempts: i64 =
        figures["series"].as_array().unwrap().iter().map(|point| point["failed"].as_i64().unwrap()).sum();
    assert_eq!(attempts, 3);
}

#[tokio::test]
async fn sources_and_destinations_are_made_and_changed() {
    let world = World::new().await;
    let admin = &world.acme.admin;
    let create = "mutation($input: CreateSourceInput!) { createSource(input: $input) { source { slug name kind enabled leadCount mapping } token error { field code message } } }";
    let taken =
        world.data(admin, create, json!({ "input": { "slug": "leadsource", "kind": "EXPERIAN" } })).await;
    assert_eq!(taken["createSource"]["error"]["code"], "CONFLICT");
    let wrong = world.data(admin, create, json!({ "input": { "slug": "No!", "kind": "NPA" } })).await;
    assert_eq!(wrong["createSource"]["error"]["field"], "slug");
    let made = world.data(admin, create, json!({ "input": { "slug": "tu", "kind": "TRANSUNION" } })).await;
    let shown_once = made["createSource"]["token"].as_str().unwrap();
    assert!(service::access::by_source_token(&world.app, shown_once).await.is_ok());
    assert!(made["createSource"]["source"]["mapping"].is_object());

    let switch = "mutation($input: UpdateSourceInput!) { updateSource(input: $input) { source { enabled name } error { code } } }";
    let off =
        world.data(admin, switch, json!({ "input": { "id": world.acme.source, "enabled": false } })).await;
    assert_eq!(off["updateSource"]["source"], json!({ "enabled": false, "name": "leadsource" }));
    let submitted = json!({ "input": { "source": world.acme.source, "record": record(1) } });
    let submitted = world.data(&world.acme.member, SUBMIT, submitted).await;
    assert_eq!(submitted["submitLead"]["error"]["code"], "CONFLICT");

    let destination = "mutation($input: UpdateDestinationInput!) { updateDestination(input: $input) { destination { name enabled firstNameFallback urlMasked pending } error { field code } } }";
    let change =
        json!({ "input": { "id": world.acme.destination, "firstNameFallback": "Friend", "enabled": false } });
    let changed = world.data(admin, destination, change).await;
    assert_eq!(changed["updateDestination"]["destination"]["firstNameFallback"], "Friend");
    assert!(!changed.to_string().contains("secret"), "{changed}");
    let cleared = json!({ "input": { "id": world.acme.destination, "clearFirstNameFallback": true } });
    let cleared = world.data(admin, destination, cleared).await;
    assert_eq!(cleared["updateDestination"]["destination"]["firstNameFallback"], Value::Null);
    let url = json!({ "input": { "id": world.acme.destination, "url": "ftp://x" } });
    let url = world.data(admin, destination, url).await;
    assert_eq!(url["updateDestination"]["error"], json!({ "field": "url", "code": "BAD_USER_INPUT" }));
}

#[tokio::test]
async fn every_list_can_be_read_from_its_end() {
    let world = World::new().await;
    let who = &world.acme.member;
    for number in 0..3 {
        let bad = json!({ "Lead ID": format!("LS-bad-{number}"), "Pri. Phone": "12" });
        world.data(who, SUBMIT, json!({ "input": { "source": world.acme.source, "record": bad } })).await;
    }
    world.submit(&world.acme, 3).await;
    for list in ["failedRecords", "deliveries"] {
        let page = |arguments: &str| {
            format!(
                "{{ {list}({arguments}) {{ pageInfo {{ hasNextPage hasPreviousPage startCursor }} nodes {{ id }} }} }}"
            )
        };
        let all = world.data(who, &page("first: 10"), Value::Null).await[list].clone();
        let ids = all["nodes"].as_array().unwrap();
        assert_eq!(ids.len(), 3, "{all}");
        let end = world.data(who, &page("last: 2"), Value::Null).await[list].clone();
        assert_eq!(end["nodes"].as_array().unwrap(), &ids[1..], "{list}");
        assert_eq!(
            (&end["pageInfo"]["hasNextPage"], &end["pageInfo"]["hasPreviousPage"]),
            (&json!(false), &json!(true))
        );
        let start = end["pageInfo"]["startCursor"].as_str().unwrap();
        let newer =
            world.data(who, &page(&format!("last: 2, before: \"{start}\"")), Value::Null).await[list].clone();
        assert_eq!(newer["nodes"].as_array().unwrap(), &ids[..1], "{list}");
        assert_eq!(newer["pageInfo"]["hasPreviousPage"], false, "{list}");
    }
    let none = world.data(who, "{ imports(last: 5) { nodes { id } } }", Value::Null).await;
    assert_eq!(none["imports"]["nodes"], json!([]));
}
