//! Imports that meet trouble: what costs a record, what costs a try, and what ends them.

use domain::ids::TenantId;
use serde_json::{Value, json};
use tests::TestApp;
use tests::data::{counts, import_file, rows, submit};

/// The conversation of a lead, as a provider of the kind `npa` sends it.
fn conversation(number: u32, channel: &str) -> Value {
    let phone = format!("406555{:04}", 100 + number);
    let said = json!({ "full_name": "Pat Rider", "phone": phone, "vehicle_year": "2020" });
    json!({ "session_id": number, "channel": channel, "lead_data": said })
}

async fn channels(test: &TestApp, tenant: TenantId) -> Vec<String> {
    let mut channels: Vec<String> = rows(&test.app, tenant, &["lead"])
        .await
        .iter()
        .map(|lead| lead["channel"].as_str().expect("a channel").to_owned())
        .collect();
    channels.sort();
    channels
}

/// A word that no lead can be stored under costs a warning, not the batch with every record in it.
#[tokio::test]
async fn a_channel_that_nobody_knows_becomes_the_way_in() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "npa").await;
    let lines: String = ["SMS", "fax", "voice"]
        .into_iter()
        .zip(1..)
        .map(|(channel, number)| format!("{}\n", conversation(number, channel)))
        .collect();
    let path = test.folder.path().join("npa.ndjson");
    std::fs::write(&path, lines).expect("written");
    let (import, _) = import_file(&test.app, tenant, &source, &path).await;
    let counts = counts(&test.app, tenant, import).await;
    assert_eq!((counts.accepted, counts.warned, counts.rejected), (2, 1, 0));
    assert_eq!(channels(&test, tenant).await, ["file", "sms", "voice"]);
    let kept: Vec<Value> = rows(&test.app, tenant, &["lead"])
        .await
        .into_iter()
        .filter(|lead| lead["channel"] == "file")
        .map(|lead| lead["extra"]["channel"].clone())
        .collect();
    assert_eq!(kept, [json!("fax")], "what it said is kept");

    let answer = submit(&test.app, tenant, &source, &conversation(4, "Fax")).await;
    assert_eq!(answer.reasons[0].field, "channel");
    assert_eq!(channels(&test, tenant).await, ["api", "file", "sms", "voice"]);
}
