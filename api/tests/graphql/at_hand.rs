//! Both ways in which a list of leads is answered say the same: at once, and field by field by the engine.

use api::http::graphql::to_json;
use async_graphql::{Request, Value, Variables};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::world::World;

const LEAD: &[&str] = &[
    "__typename",
    "id",
    "status",
    "externalId",
    "leadType",
    "channel",
    "firstName",
    "lastName",
    "phone",
    "phoneE164",
    "phoneExtension",
    "alternatePhones",
    "email",
    "alternateEmails",
    "address",
    "city",
    "state",
    "zip",
    "zip4",
    "details",
    "extra",
    "receivedAt",
    "record",
];
const DELIVERY: &[&str] = &[
    "__typename",
    "id",
    "state",
    "reason",
    "attemptCount",
    "nextAttemptAt",
    "createdAt",
    "finishedAt",
    "remoteId",
];
const ATTEMPT: &[&str] = &[
    "__typename",
    "id",
    "number",
    "startedAt",
    "durationMs",
    "outcome",
    "httpStatus",
    "errorKind",
    "responseHeaders",
    "responseBody",
];
const SOURCE: &[&str] = &["__typename", "id", "slug", "name", "kind", "enabled"];
const DESTINATION: &[&str] = &["__typename", "id", "slug", "name", "kind", "enabled", "urlMasked"];

/// Some leaves of a type, in any order, with aliases, conditions, and inside of fragments.
fn leaves(kind: &'static str, names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let decorated =
        (prop::sample::select(names), 0..9_usize).prop_map(move |(name, decoration)| match decoration {
            0 => format!("alias_{name}: {name}"),
            1 => format!("{name} @include(if: $yes)"),
            2 => format!("{name} @skip(if: $yes)"),
            3 => format!("... on {kind} {{ {name} }}"),
            4 => format!("... @include(if: $no) {{ {name} }}"),
            5 => format!("... {{ {name} again_{name}: {name} }}"),
            _ => name.to_owned(),
        });
    prop::collection::vec(decorated, 1..8).prop_map(|leaves| leaves.join(" "))
}

/// A selection of a lead, two or three levels deep; now and then an object twice, whose selections merge.
fn selection() -> impl Strategy<Value = String> {
    let attempts = leaves("DeliveryAttempt", ATTEMPT).prop_map(|leaves| format!("attempts {{ {leaves} }}"));
    let destination =
        leaves("Destination", DESTINATION).prop_map(|leaves| format!("destination {{ {leaves} }}"));
    let lead = leaves("Lead", LEAD).prop_map(|leaves| format!("lead {{ {leaves} }}"));
    let below =
        prop::collection::vec(prop_oneof![attempts, destination, lead, leaves("Delivery", DELIVERY)], 1..4);
    let deliveries = below.prop_map(|parts| format!("deliveries {{ {} }}", parts.join(" ")));
    let source = leaves("Source", SOURCE).prop_map(|leaves| format!("source {{ {leaves} }}"));
    let spread = Just("...Some".to_owned());
    prop::collection::vec(prop_oneof![deliveries, source, spread, leaves("Lead", LEAD)], 1..5)
        .prop_map(|parts| parts.join(" "))
}

/// The nodes of a page. `beside` is what stands beside the selection in each node, and is taken out of the answer.
async fn nodes(world: &World, edges: bool, selection: &str, beside: &str) -> String {
    let node = format!("{selection} {beside}");
    let list = if edges { format!("edges {{ node {{ {node} }} }}") } else { format!("nodes {{ {node} }}") };
    let document = format!(
        "query($yes: Boolean!, $no: Boolean!) {{ leads {{ {list} }} }}
         fragment Some on Lead {{ city found: lastName @skip(if: $no) deliveries {{ id }} }}"
    );
    let request = Request::new(document)
        .variables(Variables::from_json(json!({ "yes": true, "no": false })))
        .data(world.acme.member.clone());
    let response = world.engine.execute(request).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    // Read back as the engine's values: they keep the order of the fields.
    let mut sent: Value = serde_json::from_str(&to_json(&response)).unwrap();
    remove(&mut sent, "beside");
    sent.to_string()
}

fn remove(value: &mut Value, name: &str) {
    match value {
        Value::List(items) => items.iter_mut().for_each(|item| remove(item, name)),
        Value::Object(object) => {
            object.shift_remove(name);
            object.values_mut().for_each(|value| remove(value, name));
        }
        _ => {}
    }
}

#[test]
fn any_selection_is_answered_alike() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.submit(&world.acme, 3).await;
        let member = &world.acme.member;
        let listed = world.data(member, "{ deliveries { nodes { id } } }", serde_json::Value::Null).await;
        let ids: Vec<_> = listed["deliveries"]["nodes"].as_array().unwrap().iter().collect();
        let id = |index: usize| ids[index]["id"].as_str().unwrap();
        world.attempt(&world.acme, id(0), "delivered", &[("unknown", None), ("delivered", Some(201))]).await;
        world.attempt(&world.acme, id(1), "held", &[]).await;
        world
    });
    let mut runner = TestRunner::new(Config { cases: 128, failure_persistence: None, ..Config::default() });
    let property = |(edges, selection): (bool, String)| {
        let (at_once, by_field) = runtime.block_on(async {
            // What a warning's stored text says can be wrong, so this field is always the engine's.
            (
                nodes(&world, edges, &selection, "").await,
                nodes(&world, edges, &selection, "beside: warnings { code }").await,
            )
        });
        prop_assert_eq!(at_once, by_field, "{}", selection);
        Ok(())
    };
    runner.run(&(any::<bool>(), selection()), property).unwrap();
}
