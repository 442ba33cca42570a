//! What destinations answer, counted from the attempts.

use chrono::TimeDelta;
use serde_json::json;
use service::database::Mode;
use service::delivery::analytics;
use service::delivery::reads::Period;
use service::delivery::testing::{FakeCrm, Step};
use tests::TestApp;
use tests::data::{deliver, destination, submit};

#[tokio::test]
async fn answers_are_counted_by_class_latency_and_kind_of_trouble() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let script = [Step::status(200), Step::status(422), Step::status(422), Step::status(503), Step::Cut];
    let crm = FakeCrm::start(script).await;
    let to = destination(&test.app, tenant, "webhook", crm.url(), None).await;
    for number in 1..=5 {
        let record = json!({"Lead ID": format!("LS-{number}"), "First Name": "Ada", "Pri. Phone": format!("303555010{number}")});
        submit(&test.app, tenant, &source, &record).await.lead.expect("a lead");
    }
    let since = test.app.clock.now() - TimeDelta::minutes(1);
    deliver(&test.app).await;
    let period = Period { since, until: since + TimeDelta::hours(1), destination: Some(to) };
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let rows = analytics::by_destination(&tx, period).await.expect("counted");
    let [one] = &rows[..] else { panic!("one destination: {rows:?}") };
    assert_eq!((one.attempts, one.delivered), (5, 1));
    let classes = one.classes;
    assert_eq!(
        (classes.ok, classes.client_error, classes.server_error, classes.silent, classes.throttled),
        (1, 2, 1, 1, 0)
    );
    let (p50, p99) = (one.latency.p50_ms.expect("a median"), one.latency.p99_ms.expect("a percentile"));
    assert!(0.0 < p50 && p50 <= p99 && p99 <= one.latency.max_ms.expect("the longest"), "{:?}", one.latency);

    let intervals = analytics::over_time(&tx, period).await.expect("counted");
    assert_eq!(intervals.iter().map(|one| one.classes.client_error).sum::<i64>(), 2);
    let troubles = analytics::troubles(&tx, period).await.expect("counted");
    let told: Vec<_> =
        troubles.iter().map(|one| (one.http_status, one.outcome.as_str(), one.count)).collect();
    assert_eq!(told[0], (Some(422), "refused", 2), "the most frequent first: {told:?}");
    assert_eq!(told.len(), 3);
    let before = Period { since: since - TimeDelta::hours(2), until: since, destination: None };
    assert!(analytics::by_destination(&tx, before).await.expect("counted").is_empty());
}
