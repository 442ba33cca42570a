//! Service levels: thresholds and the cases that they open, as people set, remove and close them.

use chrono::TimeDelta;
use domain::ids::{CaseId, TenantId};
use service::alerts::reads::alerts;
use service::database::Mode;
use service::intake::leads::Page;
use service::sla::due::{self, Recorded};
use service::sla::escalation::{self, CaseRow, Setting};
use service::sla::{bookings, policies};
use service::{App, Error};
use tests::TestApp;
use tests::data::deliver;

use super::sla::{clocks_of, contacted, draft, journey, lead, told, world};

fn threshold(clock: &str) -> Setting {
    Setting {
        clock: clock.to_owned(),
        threshold_percent: 90,
        window_minutes: 600,
        clocks_min: 2,
        booking_url: None,
    }
}

/// Every case, the newest first.
async fn cases(app: &App, tenant: TenantId) -> Vec<CaseRow> {
    let page = Page { rows: 100, after: None, before: None, from_end: false };
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    escalation::cases(&tx, false, page).await.expect("cases").rows
}

/// How many alerts are open.
async fn alerted(app: &App, tenant: TenantId) -> usize {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    alerts(&tx, true, 100).await.expect("alerts").len()
}

/// Two leads that nobody reaches in time, so that a case opens for the clock of responses.
async fn in_need(test: &TestApp, tenant: TenantId) -> CaseRow {
    let app = &test.app;
    escalation::set(app, tenant, threshold("response")).await.expect("set");
    for number in 1..=2 {
        lead(test, tenant, number).await;
    }
    deliver(app).await;
    app.clock.advance(TimeDelta::hours(2));
    due::run_due(app).await.expect("a round");
    let mut opened = cases(app, tenant).await;
    assert_eq!((opened.len(), opened[0].closed_at, alerted(app, tenant).await), (1, None, 1));
    opened.remove(0)
}

#[tokio::test]
async fn a_threshold_is_of_a_clock_that_there_is() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let new = policies::NewPolicy {
        name: "Qualified within the hour".to_owned(),
        clock: "qualifying".to_owned(),
        starts_with: Some("contacted".to_owned()),
        stops_with: Some("qualified".to_owned()),
        place: 100,
        draft: draft(60, None),
    };
    policies::create(app, tenant, new, "tests").await.expect("a policy");
    escalation::set(app, tenant, threshold("qualifying")).await.expect("a clock of a policy");
    let refused = escalation::set(app, tenant, threshold("respond")).await.expect_err("no such clock");
    let Error::Invalid { field, message, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(field.as_deref(), Some("clock"));
    assert!(message.ends_with("processing, response, qualifying"), "{message}");
}

#[tokio::test]
async fn a_threshold_that_is_removed_takes_its_case_and_its_alert_with_it() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let case = in_need(&test, tenant).await;
    escalation::remove(app, tenant, "response", "user_x").await.expect("removed");
    let left = cases(app, tenant).await;
    assert_eq!((left[0].id, left[0].closed_at), (case.id, Some(app.clock.now())));
    assert_eq!(left[0].closed_by.as_deref(), Some("user_x"));
    assert_eq!(left[0].close_reason.as_deref(), Some("its threshold was removed"));
    assert_eq!(alerted(app, tenant).await, 0);
    due::run_due(app).await.expect("a round");
    escalation::look(app, tenant).await.expect("a look");
    assert_eq!(cases(app, tenant).await.len(), 1, "nothing is below a threshold that there is not");
    let again = escalation::remove(app, tenant, "response", "user_x").await.expect_err("there is none");
    assert!(matches!(again, Error::NotFound { .. }), "{again:?}");
}

/// Everybody is reached late, before a round has seen that the time is over: nothing is left to run out, yet help opens.
#[tokio::test]
async fn a_miss_that_stops_before_its_round_opens_a_case_too() {
    let (mut test, tenant, _crm) = world(vec![]).await;
    escalation::set(&test.app, tenant, threshold("response")).await.expect("set");
    let leads = [lead(&test, tenant, 1).await, lead(&test, tenant, 2).await];
    deliver(&test.app).await;
    test.app.clock.advance(TimeDelta::hours(2));
    for late in leads {
        assert!(contacted(&test.app, tenant, late, None).await);
    }
    // The round may well be another process's.
    test.restart();
    let app = &test.app;
    assert_eq!(due::run_due(app).await.expect("a round"), Recorded::default(), "all is told already");
    let opened = cases(app, tenant).await;
    assert_eq!((opened.len(), opened[0].closed_at, opened[0].missed), (1, None, 2));
    due::run_due(app).await.expect("a round");
    for late in leads {
        let clock = &clocks_of(app, tenant, late).await[1];
        assert_eq!((clock.in_target, clock.elapsed_us), (Some(false), Some(2 * 3600 * 1_000_000)));
        assert_eq!(told(&journey(app, tenant, late).await, "breached").len(), 1);
    }
}

/// No more leads come, so nothing would recover: a person closes the case. The next look finds what it finds.
#[tokio::test]
async fn a_person_closes_a_case_and_says_why() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let case = in_need(&test, tenant).await;
    let id = CaseId(case.id);
    let close = async |tenant, reason: &str| escalation::close(app, tenant, id, reason, "user_x").await;
    let other = test.tenant("globex").await;
    let refused = close(other, "not ours").await.expect_err("another tenant's");
    assert!(matches!(refused, Error::NotFound { .. }), "{refused:?}");
    for reason in ["  ", &"x".repeat(501)] {
        let refused = close(tenant, reason).await.expect_err("no reason, or too long a one");
        assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
    }
    assert_eq!(alerted(app, tenant).await, 1, "nothing has changed so far");

    app.clock.advance(TimeDelta::minutes(1));
    let closed = close(tenant, " The campaign is over. ").await.expect("closed");
    assert_eq!((closed.id, closed.closed_at), (case.id, Some(app.clock.now())));
    assert_eq!(closed.closed_by.as_deref(), Some("user_x"));
    assert_eq!(closed.close_reason.as_deref(), Some("The campaign is over."));
    assert_eq!(alerted(app, tenant).await, 0);
    let refused = close(tenant, "again").await.expect_err("it is closed");
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    bookings::book(app, tenant, id, None, None, "user_x").await.expect_err("no help for a closed case");

    // A round without a miss looks at nothing; the next miss finds adherence still below.
    due::run_due(app).await.expect("a round");
    assert_eq!(cases(app, tenant).await.len(), 1);
    lead(&test, tenant, 3).await;
    deliver(app).await;
    app.clock.advance(TimeDelta::hours(2));
    due::run_due(app).await.expect("a round");
    let all = cases(app, tenant).await;
    assert_eq!((all.len(), all[0].closed_at, all[1].closed_at), (2, None, closed.closed_at));
    assert_eq!(alerted(app, tenant).await, 1);
}
