//! Leads as they are listed and shown.

use serde_json::{Value, json};

use crate::world::World;

const PAGE: &str =
    "query($first: Int = 25, $after: String, $last: Int, $before: String, $filter: LeadFilter) {
    leads(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        edges { cursor node { id } } nodes { id }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount totalIsExact } }";

fn ids(page: &Value) -> Vec<String> {
    page["leads"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_in_both_directions() {
    let world = World::new().await;
    let who = world.acme.member.clone();
    let mut newest = world.submit(&world.acme, 7).await;
    newest.reverse();

    let mut walked = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = world.data(&who, PAGE, json!({ "first": 3, "after": after })).await;
        let info = &page["leads"]["pageInfo"];
        assert_eq!(info["hasPreviousPage"], !after.is_null());
        assert_eq!(page["leads"]["totalCount"], 7);
        assert_eq!(page["leads"]["totalIsExact"], true);
        let cursors: Vec<_> =
            page["leads"]["edges"].as_array().unwrap().iter().map(|edge| &edge["cursor"]).collect();
        assert_eq!((cursors[0], cursors[cursors.len() - 1]), (&info["startCursor"], &info["endCursor"]));
        walked.extend(ids(&page));
        if info["hasNextPage"] == false {
            break;
        }
        after = info["endCursor"].clone();
    }
    assert_eq!(walked, newest);

    let end = world.data(&who, PAGE, json!({ "last": 3 })).await;
    assert_eq!(ids(&end), newest[4..]);
    assert_eq!(end["leads"]["pageInfo"]["hasPreviousPage"], true);
    assert_eq!(end["leads"]["pageInfo"]["hasNextPage"], false);
    let before = &end["leads"]["pageInfo"]["startCursor"];
    let middle = world.data(&who, PAGE, json!({ "last": 3, "before": before })).await;
    assert_eq!(ids(&middle), newest[1..4]);
    assert_eq!(middle["leads"]["pageInfo"]["hasNextPage"], true);
    let none = world.data(&who, PAGE, json!({ "first": 0 })).await;
    assert_eq!(
        none["leads"]["pageInfo"],
        json!({
        "hasNextPage": true, "hasPreviousPage": false, "startCursor": null, "endCursor": null })
    );
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let world = World::new().await;
    let leads = world.submit(&world.acme, 4).await;
    let who = world.acme.member.clone();
    let deliveries = "query($id: ID!) { lead(id: $id) { deliveries { id } } }";
    let delivery = world.data(&who, deliveries, json!({ "id": leads[1] })).await;
    let delivery = delivery["lead"]["deliveries"][0]["id"].as_str().unwrap();
    world.attempt(&world.acme, delivery, "delivered", &[("delivered", Some(200))]).await;

    let cases = [
        (json!({ "states": ["tx"] }), vec![3, 1]),
        (json!({ "statuses": ["DELIVERED"] }), vec![1]),
        (json!({ "statuses": ["PENDING"] }), vec![3, 2, 0]),
        (json!({ "statuses": ["HELD", "FAILED"] }), vec![]),
        (json!({ "sourceIds": [world.acme.source] }), vec![3, 2, 1, 0]),
        (json!({ "sourceIds": [world.rival.source] }), vec![]),
        (
            json!({ "receivedFrom": "2026-11-20T12:02:00Z", "receivedBefore": "2026-11-20T12:04:00Z" }),
            vec![2, 1],
        ),
        (json!({ "search": "(970) 555-0102" }), vec![2]),
        (json!({ "search": "TEST03" }), vec![3]),
        (json!({ "search": "kara01@ex" }), vec![1]),
        (json!({ "search": "Test%" }), vec![]),
        (json!({ "warned": true }), vec![]),
    ];
    for (filter, expected) in cases {
        let page = world.data(&who, PAGE, json!({ "filter": filter })).await;
        let expected: Vec<_> = expected.into_iter().map(|index: usize| leads[index].clone()).collect();
        assert_eq!(ids(&page), expected, "{filter}");
        assert_eq!(page["leads"]["totalCount"], expected.len(), "{filter}");
    }
}

#[tokio::test]
async fn a_lead_shows_its_fields_its_deliveries_and_its_journey() {
    let world = World::new().await;
    let who = world.acme.member.clone();
    let lead = world.submit(&world.acme, 1).await.remove(0);
    let document = "query($id: ID!) { lead(id: $id) {
        status externalId leadType channel firstName lastName phone phoneE164 phoneExtension alternatePhones email
        alternateEmails address city state zip zip4 details extra warnings { code } receivedAt record
        source { slug kind leadCount } import { id }
        events { kind at summary actor }
        deliveries { state attemptCount reason nextAttemptAt finishedAt remoteId createdAt lead { id status }
            destination { name kind urlMasked pending failed }
            attempts { id number startedAt durationMs outcome httpStatus errorKind responseHeaders responseBody } } } }";
    let delivery = world.data(&who, "{ deliveries { nodes { id } } }", Value::Null).await;
    let delivery = delivery["deliveries"]["nodes"][0]["id"].as_str().unwrap();
    world.attempt(&world.acme, delivery, "failed", &[("retryable", Some(500)), ("unknown", None)]).await;

    let shown = world.data(&who, document, json!({ "id": lead })).await;
    insta::assert_json_snapshot!(shown, { ".lead.deliveries[0].lead.id" => "[lead]", ".lead.deliveries[0].attempts[].id" => "[attempt]" });

    world
        .data(
            &who,
            "mutation($id: ID!) { retryDelivery(id: $id) { delivery { state } } }",
            json!({ "id": delivery }),
        )
        .await;
    let journey = world
        .data(&who, "query($id: ID!) { lead(id: $id) { events { kind summary } } }", json!({ "id": lead }))
        .await;
    let kinds: Vec<_> =
        journey["lead"]["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["RECEIVED", "RETRIED"]);
    assert_eq!(journey["lead"]["events"][1]["summary"], "Delivery to The CRM was retried");
}
