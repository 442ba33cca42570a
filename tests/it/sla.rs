//! Service levels from end to end: clocks start and stop with the journey, run out on time, and open help.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{CalendarId, LeadId, PolicyId, TenantId};
use domain::sla::{Bucket, CalendarSpec, Conditions, Period, WindowSpec};
use serde_json::json;
use service::App;
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step};
use service::intake::leads::{EventRow, events};
use service::sla::contact::{self, Contact};
use service::sla::due::{self, Recorded};
use service::sla::policies::{self, Draft, NewPolicy, PolicyChange, PolicyRow};
use service::sla::reads::{self, ClockFilter, ClockPage, ClockRow, Dimension, Question, Standing};
use service::sla::{calendars, pauses, sources, what_if};
use tests::TestApp;
use tests::data::{deliver, destination, import_file, submit};

pub(super) const MINUTES: fn(i64) -> TimeDelta = TimeDelta::minutes;

pub(super) fn draft(minutes: i32, calendar: Option<CalendarId>) -> Draft {
    Draft {
        conditions: Conditions::default(),
        target_s: minutes * 60,
        at_risk_percent: 80,
        calendar,
        pause_reasons: vec!["customer asked".to_owned()],
    }
}

pub(super) async fn policy(app: &App, tenant: TenantId, clock: &str, draft: Draft) -> PolicyRow {
    let new = NewPolicy {
        name: format!("{clock} {}", draft.target_s),
        clock: clock.to_owned(),
        starts_with: None,
        stops_with: None,
        place: 100,
        draft,
    };
    policies::create(app, tenant, new, "tests").await.expect("a policy")
}

pub(super) async fn lead(test: &TestApp, tenant: TenantId, number: u32) -> LeadId {
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let source = service::intake::sources::by_slug(&tx, "leadsource").await.expect("the source");
    drop(tx);
    let record = json!({"Lead ID": format!("L-{number}"), "First Name": "Ada", "Pri. Phone": format!("303555{number:04}")});
    submit(&test.app, tenant, &source, &record).await.lead.expect("a lead")
}

pub(super) async fn clocks_of(app: &App, tenant: TenantId, lead: LeadId) -> Vec<ClockRow> {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    reads::of_lead(&tx, lead.uuid()).await.expect("clocks")
}

pub(super) async fn journey(app: &App, tenant: TenantId, lead: LeadId) -> Vec<EventRow> {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    events(&tx, lead).await.expect("events")
}

pub(super) fn told(journey: &[EventRow], kind: &str) -> Vec<DateTime<Utc>> {
    journey.iter().filter(|event| event.kind == kind).map(|event| event.at).collect()
}

pub(super) async fn contacted(app: &App, tenant: TenantId, lead: LeadId, at: Option<DateTime<Utc>>) -> bool {
    let contact =
        Contact { lead, at, agent: Some("Grace".to_owned()), team: Some("West".to_owned()), note: None };
    contact::record(app, tenant, contact, "user_x").await.expect("recorded")
}

pub(super) fn filter(clock: &str) -> ClockFilter {
    ClockFilter { clock: clock.to_owned(), ..ClockFilter::default() }
}

pub(super) fn around(app: &App) -> Period {
    let now = app.clock.now();
    Period { from: now - TimeDelta::days(2), until: now + TimeDelta::days(2) }
}

/// A tenant with a source, a CRM that takes everything, and both clocks.
pub(super) async fn world(steps: Vec<Step>) -> (TestApp, TenantId, FakeCrm) {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start(steps).await;
    destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    policy(&test.app, tenant, "processing", draft(15, None)).await;
    policy(&test.app, tenant, "response", draft(60, None)).await;
    (test, tenant, crm)
}

#[tokio::test]
async fn the_clocks_of_a_lead_follow_its_journey() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let start = app.clock.now();
    let lead = lead(&test, tenant, 1).await;
    let processing = &clocks_of(app, tenant, lead).await[0];
    assert_eq!((processing.clock.as_str(), processing.started_at), ("processing", start));
    assert_eq!(
        (processing.at_risk_at, processing.due_at),
        (Some(start + MINUTES(12)), Some(start + MINUTES(15)))
    );
    app.clock.advance(MINUTES(5));
    assert_eq!(deliver(app).await.delivered, 1);
    let found = clocks_of(app, tenant, lead).await;
    let [processing, response] = &found[..] else { panic!("{found:?}") };
    assert_eq!((processing.in_target, processing.elapsed_us), (Some(true), Some(5 * 60 * 1_000_000)));
    assert_eq!((response.clock.as_str(), response.started_at), ("response", start + MINUTES(5)));
    app.clock.advance(MINUTES(20));
    assert!(contacted(app, tenant, lead, None).await);
    assert!(!contacted(app, tenant, lead, None).await, "the first contact alone counts");
    let response = &clocks_of(app, tenant, lead).await[1];
    assert_eq!((response.in_target, response.elapsed_us), (Some(true), Some(20 * 60 * 1_000_000)));
    assert_eq!((response.agent.as_deref(), response.team.as_deref()), (Some("Grace"), Some("West")));
    assert_eq!(told(&journey(app, tenant, lead).await, "contacted"), [start + MINUTES(25)]);
    assert_eq!(due::run_due(app).await.expect("a round"), Recorded::default());

    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let question = Question {
        filter: filter("response"),
        period: around(app),
        bucket: Some(Bucket::Day),
        dimension: Some(Dimension::Agent),
        compared: false,
    };
    let rows = reads::adherence(&tx, &question).await.expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].key.as_deref(), rows[0].figures.met, rows[0].figures.missed), (Some("Grace"), 1, 0));
    assert_eq!((rows[0].figures.p50_us, &rows[0].before), (Some(1_200_000_000.0), &None));
    let worth = sources::effectiveness(&tx, &filter("response"), around(app)).await.expect("sources");
    let brought = (worth[0].received, worth[0].delivered, worth[0].contacted, worth[0].sold);
    assert_eq!(brought, (Some(1), 1, 1, 0));
}

/// Down while deadlines pass: they are recorded afterwards with their true times, once.
#[tokio::test]
async fn what_ran_out_while_nobody_looked_is_recorded_at_its_time() {
    let (mut test, tenant, _crm) = world(vec![Step::status(400)]).await;
    let start = test.app.clock.now();
    let lead = lead(&test, tenant, 1).await;
    assert_eq!(deliver(&test.app).await.failed, 1);
    test.app.clock.advance(TimeDelta::hours(3));
    test.restart();
    let app = &test.app;
    assert_eq!(due::run_due(app).await.expect("a round"), Recorded { at_risk: 1, breached: 1 });
    assert_eq!(due::run_due(app).await.expect("a round"), Recorded::default());
    let clock = &clocks_of(app, tenant, lead).await[0];
    assert_eq!((clock.breached_at, clock.in_target), (Some(start + MINUTES(15)), Some(false)));
    assert!(
        clock.reason.as_deref().is_some_and(|reason| reason.starts_with("the delivery is failed")),
        "{clock:?}"
    );
    assert_eq!(clock.standing(app.clock.now()), Some(Standing::Overdue));
    let journey = journey(app, tenant, lead).await;
    assert_eq!(told(&journey, "at_risk"), [start + MINUTES(12)]);
    assert_eq!(told(&journey, "breached"), [start + MINUTES(15)]);
    // Delivered late: it stays missed, and the time that it took is known.
    app.retries().retry_all_failed(tenant, None, "user_x").await.expect("retried");
    assert_eq!(deliver(app).await.delivered, 1);
    let clock = &clocks_of(app, tenant, lead).await[0];
    assert_eq!((clock.in_target, clock.elapsed_us), (Some(false), Some(3 * 3600 * 1_000_000)));
}

#[tokio::test]
async fn at_risk_comes_before_breached_and_the_lists_tell_them_apart() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let (first, second) = (lead(&test, tenant, 1).await, lead(&test, tenant, 2).await);
    deliver(app).await;
    app.clock.advance(MINUTES(10));
    let third = lead(&test, tenant, 3).await;
    deliver(app).await;
    app.clock.advance(MINUTES(40));
    assert_eq!(due::run_due(app).await.expect("a round"), Recorded { at_risk: 2, breached: 0 });
    app.clock.advance(MINUTES(15));
    assert!(contacted(app, tenant, second, None).await, "between the deadline and its record");
    assert_eq!(due::run_due(app).await.expect("a round"), Recorded { at_risk: 1, breached: 1 });
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let now = app.clock.now();
    let open = async |standing| {
        let rows =
            reads::open(&tx, &filter("response"), standing, &ClockPage::first(50), now).await.expect("rows");
        rows.into_iter().map(|row| LeadId(row.lead_id)).collect::<Vec<_>>()
    };
    assert_eq!(open(None).await, [third]);
    assert_eq!(open(Some(Standing::AtRisk)).await, [third]);
    assert_eq!(open(Some(Standing::Overdue)).await, [first]);
    assert_eq!(open(Some(Standing::Running)).await, []);
    let counts = reads::now(&tx, &filter("response"), now).await.expect("counts");
    assert_eq!((counts.running, counts.at_risk, counts.overdue, counts.paused), (0, 1, 1, 0));
    let breaches =
        reads::breaches(&tx, &filter("response"), around(app), &ClockPage::first(50)).await.expect("rows");
    assert_eq!(breaches.len(), 2, "the one that was contacted late is among them");
    let heat = reads::heat_map(&tx, &filter("response"), around(app)).await.expect("cells");
    assert_eq!((heat[0].weekday, heat[0].hour, heat[0].total, heat[0].missed), (5, 12, 3, 2));
    // Each has told once that it was at risk, and the missed ones that they ran out.
    for (lead, breached) in [(first, 1), (second, 1), (third, 0)] {
        let journey = journey(app, tenant, lead).await;
        assert_eq!((told(&journey, "at_risk").len(), told(&journey, "breached").len()), (1, breached));
    }
}

/// The CRM tells late that a person was reached in time: then it was in time.
#[tokio::test]
async fn a_contact_that_is_told_late_counts_when_it_happened() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let lead = lead(&test, tenant, 1).await;
    deliver(app).await;
    let called = app.clock.now() + MINUTES(30);
    app.clock.advance(TimeDelta::hours(2));
    assert_eq!(due::run_due(app).await.expect("a round").breached, 1);
    assert!(contacted(app, tenant, lead, Some(called)).await);
    let response = &clocks_of(app, tenant, lead).await[1];
    assert_eq!((response.in_target, response.breached_at, &response.reason), (Some(true), None, &None));
    assert_eq!(response.elapsed_us, Some(30 * 60 * 1_000_000));
    // What lies before the lead, or ahead of now, is refused.
    for at in [called - TimeDelta::days(1), app.clock.now() + TimeDelta::hours(1)] {
        let contact = Contact { lead, at: Some(at), agent: None, team: None, note: None };
        contact::record(app, tenant, contact, "user_x").await.expect_err("refused");
    }
}

#[tokio::test]
async fn a_pause_takes_nothing_from_the_target_and_needs_a_known_reason() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let lead = lead(&test, tenant, 1).await;
    deliver(app).await;
    app.clock.advance(MINUTES(50));
    pauses::set_paused(app, tenant, lead, "response", Some("holiday"), "user_x").await.expect_err("unknown");
    let pause = Some("customer asked");
    pauses::set_paused(app, tenant, lead, "response", pause, "user_x").await.expect("paused");
    app.clock.advance(TimeDelta::hours(5));
    due::run_due(app).await.expect("a round");
    pauses::set_paused(app, tenant, lead, "response", pause, "user_x").await.expect_err("paused already");
    assert_eq!(clocks_of(app, tenant, lead).await[1].standing(app.clock.now()), Some(Standing::Paused));
    pauses::set_paused(app, tenant, lead, "response", None, "user_x").await.expect("goes on");
    let resumed = &clocks_of(app, tenant, lead).await[1];
    assert_eq!(resumed.due_at, Some(app.clock.now() + MINUTES(10)));
    app.clock.advance(MINUTES(9));
    assert!(contacted(app, tenant, lead, None).await);
    let response = &clocks_of(app, tenant, lead).await[1];
    assert_eq!((response.in_target, response.elapsed_us), (Some(true), Some(59 * 60 * 1_000_000)));
    let kinds: Vec<String> = journey(app, tenant, lead).await.into_iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&"paused".to_owned()) && kinds.contains(&"resumed".to_owned()), "{kinds:?}");
}

fn office() -> CalendarSpec {
    let window = |weekday| WindowSpec { weekday, from: "09:00".to_owned(), until: "17:00".to_owned() };
    CalendarSpec {
        time_zone: "America/Denver".to_owned(),
        windows: (1..=5).map(window).collect(),
        holidays: Vec::new(),
    }
}

/// A calendar that changes makes a new version; a clock that runs keeps what it was promised.
#[tokio::test]
async fn versions_are_kept_and_other_terms_can_be_tried() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let calendar = calendars::create(app, tenant, "Office", &office()).await.expect("a calendar");
    let calendar = CalendarId(calendar.id);
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let saturday = "2026-11-21T22:00:00Z".parse().expect("a time");
    let deadlines = policies::preview(&tx, &draft(60, Some(calendar)), saturday).await.expect("deadlines");
    assert_eq!(deadlines.due_at.to_rfc3339(), "2026-11-23T17:00:00+00:00", "Monday 10:00 in Denver");
    let all = policies::list(&mut *tx.lock().await, tenant).await.expect("policies");
    drop(tx);
    let response = all.iter().find(|row| row.clock == "response").expect("the policy");
    let id = PolicyId(response.id);
    let change = |draft| PolicyChange { draft: Some(draft), ..PolicyChange::default() };
    let second = policies::update(app, tenant, id, change(draft(60, Some(calendar))), "user_x")
        .await
        .expect("changed");
    assert_eq!(second.version, 2);
    let same = policies::update(app, tenant, id, change(draft(60, Some(calendar))), "user_x")
        .await
        .expect("the same");
    assert_eq!(same.version, 2, "what says the same is no version");

    // 12:00 UTC is 5:00 in Denver: due at 10:00, 17:00 UTC.
    let lead = lead(&test, tenant, 1).await;
    deliver(app).await;
    let due = Some("2026-11-20T17:00:00Z".parse().expect("a time"));
    assert_eq!(clocks_of(app, tenant, lead).await[1].due_at, due);
    let mut closed = office();
    closed.holidays.push("2026-11-20".parse().expect("a day"));
    calendars::update(app, tenant, calendar, None, Some(&closed), "user_x").await.expect("changed");
    let kept = clocks_of(app, tenant, lead).await;
    assert_eq!((kept[1].due_at, kept[1].version), (due, 2));
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    assert_eq!(policies::versions(&tx, id).await.expect("versions").len(), 3);
    drop(tx);

    // Reached after 4.5 hours of calendar time: in business time it took none.
    app.clock.advance(MINUTES(270));
    assert!(contacted(app, tenant, lead, None).await);
    assert_eq!(clocks_of(app, tenant, lead).await[1].elapsed_us, Some(30 * 60 * 1_000_000));
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let now = app.clock.now();
    let (terms, _) = policies::check(&tx, &draft(60, None)).await.expect("terms");
    let other = what_if::compare(&tx, "response", (&Conditions::default(), &terms), around(app), now)
        .await
        .expect("figures");
    assert_eq!((other.clocks, other.met, other.would_miss, other.newly_missed), (1, 1, 1, 1));
    let nobody = Conditions { states: vec!["UT".to_owned()], ..Conditions::default() };
    let none = what_if::compare(&tx, "response", (&nobody, &terms), around(app), now).await.expect("figures");
    assert_eq!(none.clocks, 0);
}

/// The first policy that is about a lead counts; clocks of one's own run between any two events; who has no policy has no clock.
#[tokio::test]
async fn policies_choose_by_what_the_lead_is() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let mut strict = draft(5, None);
    strict.conditions.states = vec!["co".to_owned()];
    let new = NewPolicy {
        name: "Colorado first".to_owned(),
        clock: "processing".to_owned(),
        starts_with: None,
        stops_with: None,
        place: 1,
        draft: strict,
    };
    policies::create(app, tenant, new.clone(), "tests").await.expect("a policy");
    policies::create(app, tenant, new, "tests").await.expect_err("the name is taken");
    let own = |starts: &str, stops: &str| NewPolicy {
        name: "Qualified".to_owned(),
        clock: "qualification".to_owned(),
        starts_with: Some(starts.to_owned()),
        stops_with: Some(stops.to_owned()),
        place: 100,
        draft: draft(2 * 24 * 60, None),
    };
    for (starts, stops) in [("qualified", "received"), ("sold", "sold"), ("breached", "sold")] {
        policies::create(app, tenant, own(starts, stops), "tests").await.expect_err("no clock");
    }
    policies::create(app, tenant, own("delivered", "qualified"), "tests").await.expect("a policy");
    let source = test.source(tenant, "experian").await;
    import_file(app, tenant, &source, &tests::fixture("experian.csv")).await;
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let due: Vec<(Option<String>, i64, i64)> = sqlx::query_as(
        "SELECT state, extract(epoch FROM due_at - started_at)::bigint, count(*) FROM sla_clock
         WHERE clock = 'processing' GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .fetch_all(&mut *tx.lock().await)
    .await
    .expect("rows");
    assert!(due.len() > 1, "{due:?}");
    for (state, seconds, _) in &due {
        assert_eq!(*seconds, if state.as_deref() == Some("CO") { 300 } else { 900 }, "{due:?}");
    }
    drop(tx);
    let rival = test.tenant("globex").await;
    test.source(rival, "leadsource").await;
    let theirs = lead(&test, rival, 1).await;
    assert!(clocks_of(app, rival, theirs).await.is_empty());
    let mine = lead(&test, tenant, 9).await;
    deliver(app).await;
    let names: Vec<String> = clocks_of(app, tenant, mine).await.into_iter().map(|row| row.clock).collect();
    assert_eq!(names, ["processing", "qualification", "response"]);
}
