//! The progress of an import, as a subscriber sees it.

use std::sync::Arc;

use api::http::graphql::RequestId;
use async_graphql::Request;
use domain::ids::{ImportId, SourceId};
use futures_util::StreamExt;
use serde_json::{Value, json};
use service::database::Mode;
use service::intake::imports::{ReceivedFile, receive};
use service::intake::{sources, worker};

use crate::world::{World, record, value};

/// A file that waits to be imported.
async fn file(world: &World, records: usize) -> ImportId {
    let lines: Vec<Value> = (0..records).map(record).collect();
    let text = Value::from(lines).to_string();
    let folder = world.app.settings.data_dir.join("uploads");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.json"), &text).unwrap();
    let tx = world.app.begin(world.acme.id, Mode::ReadOnly).await.unwrap();
    let source: SourceId = world.acme.source.parse().unwrap();
    let source = sources::by_id(&tx, source).await.unwrap();
    drop(tx);
    let file = ReceivedFile {
        name: "a.json".to_owned(),
        bytes: text.len() as u64,
        hash: [7; 32],
        stored_as: Some("uploads/a.json".to_owned()),
    };
    receive(&world.app, world.acme.id, &source, file, None).await.unwrap().import
}

#[tokio::test]
async fn a_subscriber_sees_the_import_begin_and_end_and_nothing_twice() {
    let world = World::new().await;
    let import = file(&world, 20).await;
    let document = format!(
        "subscription {{ importProgress(id: \"{import}\") {{ state records accepted source {{ slug }}
            failedRecords {{ nodes {{ id }} }} }} }}"
    );
    let request = Request::new(document).data(world.acme.member.clone()).data(RequestId("test-1".to_owned()));
    let mut responses = Arc::clone(&world.engine).subscribe(request);
    let mut seen = Vec::new();
    let first = value(&responses.next().await.unwrap());
    assert_eq!(
        first["data"]["importProgress"],
        json!({ "state": "RECEIVED", "records": 0, "accepted": 0, "source": { "slug": "leadsource" },
            "failedRecords": { "nodes": [] } }),
        "{first}"
    );
    let running = worker::run_waiting(&world.app);
    let watching = async {
        while let Some(response) = responses.next().await {
            seen.push(value(&response)["data"]["importProgress"].clone());
        }
    };
    let (ran, ()) = tokio::join!(running, watching);
    assert_eq!(ran.unwrap(), 1);
    let last = seen.last().unwrap();
    assert_eq!(
        (&last["state"], &last["records"], &last["accepted"]),
        (&json!("DONE"), &json!(20), &json!(20))
    );
    seen.dedup();
    assert!(seen.iter().filter(|one| one["state"] == "DONE").count() == 1, "{seen:?}");
}
