//! Tracking: what succeeded, what failed, what was resolved, and the rate that follows.

use chrono::TimeDelta;
use domain::ids::{DeliveryId, TenantId};
use serde_json::json;
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step};
use service::intake::leads::Page;
use service::tracking::rates::{self, Rate};
use service::tracking::submissions::{self, Ending, Filter, SubmissionRow};
use tests::TestApp;
use tests::data::{deliver, destination, submit};

const PAGE: Page = Page { rows: 100, after: None, before: None, from_end: false };

async fn list(test: &TestApp, tenant: TenantId, filter: Filter) -> Vec<SubmissionRow> {
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    submissions::list(&tx, &filter, PAGE).await.expect("submissions").rows
}

fn of(ending: Ending) -> Filter {
    Filter { ending, ..Filter::default() }
}

/// Conversations and an API: three leads, of which one fails and is resolved, and one fails for good.
#[tokio::test]
async fn each_lead_counts_once_by_its_first_submission() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "npa").await;
    let script = [
        Step::body(200, r#"{"id":"88001"}"#),
        Step::status(422),
        Step::status(422),
        Step::status(204),
        Step::status(422),
    ];
    let crm = FakeCrm::start(script).await;
    destination(&test.app, tenant, "webhook", crm.url(), None).await;
    let since = test.app.clock.now() - TimeDelta::hours(1);
    for (number, channel) in [(1, "sms"), (2, "voice"), (3, "sms")] {
        let record = json!({"session_id": 900 + number, "channel": channel, "session_key": format!("SM{number}"),
            "from_number": format!("+1406555010{number}"),
            "lead_data": {"full_name": "Pat Rider", "phone": format!("406555010{number}"), "zip_code": "59101",
                          "vehicle_make": "Harley-Davidson", "vehicle_model": "Street Glide", "vehicle_year": "2020"}});
        submit(&test.app, tenant, &source, &record).await;
        // One after the other, so that the script meets them in order.
        test.app.clock.advance(TimeDelta::minutes(1));
        deliver(&test.app).await;
    }
    let succeeded = list(&test, tenant, of(Ending::Succeeded)).await;
    assert_eq!(succeeded.len(), 1);
    let row = &succeeded[0];
    assert_eq!(
        (row.session_id.as_deref(), row.session_key.as_deref(), row.channel.as_str()),
        (Some("901"), Some("SM1"), "sms")
    );
    assert_eq!(
        (row.remote_id.as_deref(), row.response.as_deref()),
        (Some("88001"), Some(r#"{"id":"88001"}"#))
    );
    assert_eq!(row.lead["vehicle_make"], "Harley-Davidson");
    let failed = list(&test, tenant, of(Ending::Failed)).await;
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| row.reason.is_some() && row.attempts == 1 && row.retries() == 0));

    // The second one is retried and taken without a word; the third fails again.
    let second = failed.iter().find(|row| row.session_id.as_deref() == Some("902")).expect("the second");
    let third = failed.iter().find(|row| row.session_id.as_deref() == Some("903")).expect("the third");
    test.app.clock.advance(TimeDelta::minutes(1));
    for row in [second, third] {
        test.app.retries().retry(tenant, DeliveryId(row.id), "test").await.expect("retried");
        deliver(&test.app).await;
    }
    let resolved = list(&test, tenant, of(Ending::Resolved)).await;
    assert_eq!(resolved.iter().map(|row| row.id).collect::<Vec<_>>(), [second.id]);
    assert!(resolved[0].resolved && resolved[0].retries() == 1);
    assert_eq!(list(&test, tenant, of(Ending::SucceededWithoutResponse)).await.len(), 1);
    assert_eq!(
        list(&test, tenant, Filter { phone: Some("+14065550103".to_owned()), ..Filter::default() })
            .await
            .len(),
        1
    );
    let voice = Filter { channels: vec!["voice".to_owned()], ..of(Ending::Succeeded) };
    assert_eq!(list(&test, tenant, voice).await.len(), 1);

    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let until = test.app.clock.now() + TimeDelta::hours(1);
    let rate = rates::of_period(&tx, since, until, None).await.expect("a rate");
    assert_eq!(
        rate,
        Rate { succeeded: 1, failed: 2, pending: 0 },
        "resolved or not, a lead that failed has failed"
    );
    let by_channel = rates::by_channel(&tx, since, until, None).await.expect("rates");
    let counts: Vec<_> =
        by_channel.iter().map(|row| (row.channel.as_str(), row.rate.succeeded, row.rate.failed)).collect();
    assert_eq!(counts, [("sms", 1, 1), ("voice", 0, 1)]);
    let by_day = rates::by_day(&tx, since, until, "America/Denver").await.expect("rates");
    assert_eq!(by_day.iter().map(|row| row.rate.succeeded + row.rate.failed).sum::<i64>(), 3);
    assert_eq!(by_day[0].day.to_string(), "2026-11-20");
    // A period after the first submissions: the retries do not count again.
    let later = test.app.clock.now();
    assert_eq!(rates::of_period(&tx, later, until, None).await.expect("a rate"), Rate::default());

    let sessions = submissions::sessions(&tx, false, PAGE).await.expect("conversations").rows;
    let ends: Vec<_> =
        sessions.iter().rev().map(|row| (row.session_id.as_str(), row.closed_by.as_deref())).collect();
    assert_eq!(ends, [("901", Some("submitted")), ("902", Some("submitted")), ("903", Some("failed"))]);
}

/// What Baton goes on with by itself is no failure, though a destination that lets nothing in is one that a person has to see to.
#[tokio::test]
async fn a_lead_that_only_waited_has_not_failed() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([Step::status(401), Step::status(204)]).await;
    let to = destination(&test.app, tenant, "webhook", crm.url(), None).await;
    let since = test.app.clock.now() - TimeDelta::hours(1);
    let record = json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550101"});
    submit(&test.app, tenant, &source, &record).await;
    assert_eq!(deliver(&test.app).await.again, 1, "it waits");
    test.app.retries().resume(tenant, to, "test").await.expect("resumed");
    assert_eq!(deliver(&test.app).await.delivered, 1);
    let succeeded = list(&test, tenant, of(Ending::Succeeded)).await;
    assert_eq!(succeeded.iter().map(|row| (row.attempts, row.resolved)).collect::<Vec<_>>(), [(2, false)]);
    assert_eq!(list(&test, tenant, of(Ending::Resolved)).await.len(), 0);
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let until = test.app.clock.now() + TimeDelta::hours(1);
    let rate = rates::of_period(&tx, since, until, None).await.expect("a rate");
    assert_eq!(rate, Rate { succeeded: 1, failed: 0, pending: 0 });
}
