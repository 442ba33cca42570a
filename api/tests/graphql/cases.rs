//! Cases of missed service levels as they are listed.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{BookingId, CaseId, TenantId};
use serde_json::{Value, json};
use service::database::Mode;
use service::sla::bookings;

use crate::world::World;

const PAGE: &str = "query ($first: Int, $after: String, $open: Boolean! = false) {
    slaCases(first: $first, after: $after, onlyOpen: $open) {
        edges { cursor node { id } } nodes { id clock closedAt bookings { id } }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }";

/// Writes a case that opens now.
async fn case(world: &World, tenant: TenantId, closed_at: Option<DateTime<Utc>>) -> CaseId {
    let now = world.app.clock.now();
    let case = CaseId(world.app.ids.next(now));
    let mut tx = world.app.begin(tenant, Mode::ReadWrite).await.unwrap();
    sqlx::query(
        "INSERT INTO sla_case (tenant_id, id, clock, opened_at, closed_at, met, missed, met_now, missed_now, lead_ids)
         VALUES ($1, $2, 'response', $3, $4, 1, 9, 1, 9, '{}')",
    )
    .bind(tenant.uuid())
    .bind(case.uuid())
    .bind(now)
    .bind(closed_at)
    .execute(tx.connection())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    case
}

/// Cases of one clock, minutes apart; the last one is open. Answers their ids, the newest first.
async fn cases(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1..=count {
        world.app.clock.advance(TimeDelta::minutes(10));
        let closed_at = (number < count).then(|| world.app.clock.now() + TimeDelta::minutes(5));
        ids.push(case(world, world.acme.id, closed_at).await.to_string());
    }
    ids.reverse();
    ids
}

/// A case of the rival's, and help that was booked for it.
pub async fn help(world: &World) -> (String, String) {
    let case = case(world, world.rival.id, None).await;
    let booking = bookings::book(&world.app, world.rival.id, case, None, None, "tests").await.unwrap();
    (case.to_string(), BookingId(booking.id).to_string())
}

#[tokio::test]
async fn a_threshold_is_set_and_removed_by_its_clock() {
    const SET: &str = "mutation ($input: SlaThresholdInput!) { it: setSlaThreshold(input: $input) {
        threshold { clock } error { field code } } }";
    const REMOVE: &str = "mutation { it: removeSlaThreshold(clock: \"response\") { error { field code } } }";
    let world = World::new().await;
    let who = &world.acme.admin;
    let input =
        |clock: &str| json!({ "input": { "clock": clock, "thresholdPercent": 90, "windowMinutes": 60 } });
    let refused = world.data(who, SET, input("nonsense")).await;
    assert_eq!(
        refused["it"],
        json!({ "threshold": null, "error": { "field": "clock", "code": "BAD_USER_INPUT" } })
    );
    let set = world.data(who, SET, input("response")).await;
    assert_eq!(set["it"], json!({ "threshold": { "clock": "response" }, "error": null }));
    let rivals = world.data(&world.rival.admin, REMOVE, Value::Null).await;
    assert_eq!(rivals["it"]["error"]["code"], "NOT_FOUND", "it has none");
    assert_eq!(world.data(who, REMOVE, Value::Null).await["it"]["error"], Value::Null);
    let left = world.data(who, "{ slaThresholds { clock } }", Value::Null).await;
    assert_eq!(left["slaThresholds"], json!([]));
}

#[tokio::test]
async fn a_case_is_closed_with_a_reason_once() {
    const CLOSE: &str = "mutation ($id: ID!, $reason: String!) { it: closeSlaCase(id: $id, reason: $reason) {
        case { id closedAt closedBy closeReason } error { field code } } }";
    let world = World::new().await;
    let who = &world.acme.admin;
    let id = cases(&world, 1).await.remove(0);
    let close = |reason: &str| json!({ "id": id, "reason": reason });
    let blank = world.data(who, CLOSE, close(" ")).await;
    assert_eq!(
        blank["it"],
        json!({ "case": null, "error": { "field": "reason", "code": "BAD_USER_INPUT" } })
    );
    let rivals = world.data(&world.rival.admin, CLOSE, close("not mine")).await;
    assert_eq!(rivals["it"]["error"]["code"], "NOT_FOUND");
    let closed = world.data(who, CLOSE, close("The campaign is over")).await;
    let actor = who.viewer.as_ref().unwrap().actor.to_string();
    let case = &closed["it"]["case"];
    assert_eq!((&case["id"], &case["closedBy"]), (&json!(id), &json!(actor)), "{closed}");
    assert_eq!(case["closeReason"], "The campaign is over");
    assert!(case["closedAt"].is_string(), "{closed}");
    let again = world.data(who, CLOSE, close("again")).await;
    assert_eq!(again["it"]["error"]["code"], "CONFLICT");
}

#[tokio::test]
async fn every_case_is_reached_by_pages() {
    let world = World::new().await;
    let who = &world.acme.admin;
    let newest = cases(&world, 7).await;
    let mut walked = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = world.data(who, PAGE, json!({ "first": 3, "after": after })).await;
        let (list, info) = (&page["slaCases"]["nodes"], &page["slaCases"]["pageInfo"]);
        assert_eq!(info["hasPreviousPage"], !after.is_null());
        walked.extend(list.as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()));
        if info["hasNextPage"] == false {
            break;
        }
        after = info["endCursor"].clone();
    }
    assert_eq!(walked, newest);

    let open = world.data(who, PAGE, json!({ "open": true })).await;
    assert_eq!(
        open["slaCases"]["nodes"],
        json!([{ "id": newest[0], "clock": "response", "closedAt": null, "bookings": [] }])
    );
    let rivals = world.data(&world.rival.admin, PAGE, Value::Null).await;
    assert_eq!(rivals["slaCases"]["nodes"], json!([]));
    assert_eq!(world.code(who, PAGE, json!({ "first": 101 })).await, "LIMIT_EXCEEDED");
    assert_eq!(world.code(who, PAGE, json!({ "after": "nonsense" })).await, "BAD_USER_INPUT");
}
