//! Service levels: help that opens, pauses, lists by pages, what sources cost and bring, every list as CSV.

use chrono::TimeDelta;
use domain::billing::Currency;
use domain::ids::{BookingId, CaseId, LeadId, SlotId, SourceId};
use domain::sla::Conditions;
use serde_json::json;
use service::access::Actor;
use service::billing::{closing, ingest};
use service::database::{Mode, TenantTx};
use service::sla::escalation::{self, Setting};
use service::sla::policies;
use service::sla::reads::{self, ClockFilter, ClockPage, Place};
use service::sla::{bookings, costs, due, parquet, pauses, sources, what_if};
use tests::data::deliver;

use super::sla::{MINUTES, around, clocks_of, contacted, draft, filter, journey, lead, told, world};

#[tokio::test]
async fn help_opens_below_the_threshold_is_booked_and_closes_when_it_recovers() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let setting = Setting {
        clock: "response".to_owned(),
        threshold_percent: 90,
        window_minutes: 600,
        clocks_min: 2,
        booking_url: None,
    };
    escalation::set(app, tenant, setting.clone()).await.expect("set");
    let late = lead(&test, tenant, 1).await;
    let also_late = lead(&test, tenant, 2).await;
    deliver(app).await;
    app.clock.advance(TimeDelta::hours(2));
    due::run_due(app).await.expect("a round");
    let open = async || {
        let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
        escalation::open_cases(&tx).await.expect("cases")
    };
    let cases = open().await;
    assert_eq!((cases.len(), cases[0].met, cases[0].missed), (1, 0, 2));
    let mut leads: Vec<LeadId> = cases[0].lead_ids.iter().copied().map(LeadId).collect();
    leads.sort_unstable();
    assert_eq!(leads, [late, also_late]);
    assert_eq!(told(&journey(app, tenant, late).await, "escalated").len(), 1);
    due::run_due(app).await.expect("a round");
    assert_eq!(open().await.len(), 1, "it is opened once");

    let case = CaseId(cases[0].id);
    let now = app.clock.now();
    let slot = bookings::add_slot(app, tenant, now + TimeDelta::hours(1), now + TimeDelta::hours(2)).await;
    let slot = SlotId(slot.expect("a slot").id);
    let booked = bookings::book(app, tenant, case, Some(slot), None, "user_x").await.expect("booked");
    assert_eq!(booked.state, "confirmed");
    bookings::book(app, tenant, case, Some(slot), None, "user_y").await.expect_err("it is taken");
    let wish =
        bookings::book(app, tenant, case, None, Some("Fridays".to_owned()), "user_y").await.expect("a wish");
    let moved = async |state: &str| {
        bookings::move_booking(app, tenant, BookingId(wish.id), state, None, "operator").await
    };
    moved("done").await.expect_err("it is not confirmed yet");
    moved("confirmed").await.expect("confirmed");
    moved("done").await.expect("done");
    moved("cancelled").await.expect_err("it is done");
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let history = bookings::booking_events(&tx, &[wish.id]).await.expect("history");
    assert_eq!(
        history.iter().map(|event| event.state.as_str()).collect::<Vec<_>>(),
        ["requested", "confirmed", "done"]
    );
    assert!(bookings::free_slots(&tx, now).await.expect("slots").is_empty());
    drop(tx);
    assert_eq!(told(&journey(app, tenant, late).await, "booked").len(), 2);

    // The window moves on, and with nothing decided in it nothing has recovered; then new leads are answered at once.
    app.clock.advance(TimeDelta::hours(9));
    due::run_due(app).await.expect("a round");
    assert_eq!(open().await.len(), 1, "nobody has been answered in time since");
    for number in 3..6 {
        let quick = lead(&test, tenant, number).await;
        deliver(app).await;
        assert!(contacted(app, tenant, quick, None).await);
    }
    due::run_due(app).await.expect("a round");
    assert!(open().await.is_empty(), "adherence has recovered");
    bookings::book(app, tenant, case, None, None, "user_x").await.expect_err("the case is closed");
}

/// A clock that was told to be at risk tells it once, whatever pauses follow; one that is paused at risk is told all the same.
#[tokio::test]
async fn a_clock_tells_once_that_it_is_at_risk_whatever_pauses_follow() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let start = app.clock.now();
    let (told_before, told_by_pause) = (lead(&test, tenant, 1).await, lead(&test, tenant, 2).await);
    deliver(app).await;
    let pause = async |lead, reason| {
        pauses::set_paused(app, tenant, lead, "response", reason, "user_x").await.expect("paused or resumed");
    };
    app.clock.advance(MINUTES(50));
    // Of the second nobody has recorded yet that it is at risk.
    pause(told_by_pause, Some("customer asked")).await;
    assert_eq!(due::run_due(app).await.expect("a round").at_risk, 1);
    pause(told_before, Some("customer asked")).await;
    app.clock.advance(TimeDelta::hours(2));
    for lead in [told_before, told_by_pause] {
        pause(lead, None).await;
        assert_eq!(clocks_of(app, tenant, lead).await[1].due_at, Some(app.clock.now() + MINUTES(10)));
    }
    assert_eq!(due::run_due(app).await.expect("a round").at_risk, 0);
    app.clock.advance(MINUTES(11));
    let round = due::run_due(app).await.expect("a round");
    assert_eq!((round.at_risk, round.breached), (0, 2));
    for lead in [told_before, told_by_pause] {
        assert_eq!(told(&journey(app, tenant, lead).await, "at_risk"), [start + MINUTES(48)]);
    }
    // Other terms are tried with the same pauses: with 45 minutes more, both would have been in time until now.
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    for (minutes, missed) in [(60, 2), (62, 0)] {
        let (terms, _) = policies::check(&tx, &draft(minutes, None)).await.expect("terms");
        let other =
            what_if::compare(&tx, "response", (&Conditions::default(), &terms), around(app), app.clock.now())
                .await
                .expect("figures");
        assert_eq!((other.clocks, other.missed, other.would_miss), (2, 2, missed), "{minutes} minutes");
    }
}

#[tokio::test]
async fn lists_of_clocks_go_on_where_a_page_ended() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let mut leads = Vec::new();
    for number in 0..5 {
        leads.push(lead(&test, tenant, number).await);
    }
    deliver(app).await;
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let mut seen = Vec::new();
    let mut page = ClockPage::first(2);
    loop {
        let rows = reads::open(&tx, &filter("response"), None, &page, app.clock.now()).await.expect("rows");
        let Some(last) = rows.last() else { break };
        page.after = Some(Place { at: last.due_at, lead: last.lead_id, clock: last.clock.clone() });
        seen.extend(rows.into_iter().map(|row| LeadId(row.lead_id)));
    }
    seen.sort_unstable();
    leads.sort_unstable();
    assert_eq!(seen, leads, "each once");
    drop(tx);
    app.clock.advance(TimeDelta::hours(2));
    due::run_due(app).await.expect("a round");
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let first =
        reads::breaches(&tx, &filter("response"), around(app), &ClockPage::first(3)).await.expect("rows");
    let last = first.last().expect("rows");
    let after = Some(Place { at: last.breached_at, lead: last.lead_id, clock: last.clock.clone() });
    let next = ClockPage { rows: 3, after };
    let rest = reads::breaches(&tx, &filter("response"), around(app), &next).await.expect("rows");
    assert_eq!((first.len(), rest.len()), (3, 2));
    assert!(rest.iter().all(|row| first.iter().all(|other| other.lead_id != row.lead_id)));
}

/// Who sold is counted of the leads that are asked for, as the figures beside it are.
#[tokio::test]
async fn sold_leads_are_counted_with_the_filter() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let sold = lead(&test, tenant, 1).await;
    deliver(app).await;
    assert!(contacted(app, tenant, sold, None).await);
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await.expect("a transaction");
    sqlx::query("INSERT INTO lead_event (tenant_id, lead_id, id, kind, at) VALUES ($1, $2, $3, 'sold', $4)")
        .bind(tenant.uuid())
        .bind(sold.uuid())
        .bind(app.ids.next(now))
        .bind(now)
        .execute(tx.connection())
        .await
        .expect("it is sold");
    let by = async |filter: ClockFilter, team| {
        let rows = sources::sold_by(&tx, &filter, team, around(app)).await.expect("rows");
        rows.into_iter().map(|row| (row.key.unwrap_or_default(), row.sold)).collect::<Vec<_>>()
    };
    assert_eq!(by(filter("response"), false).await, [("Grace".to_owned(), 1)]);
    assert_eq!(by(filter("response"), true).await, [("West".to_owned(), 1)]);
    let elsewhere = ClockFilter { states: vec!["TX".to_owned()], ..filter("response") };
    assert_eq!(by(elsewhere, false).await, []);
}

/// What reports outside of Baton see of the leads' costs and revenues.
async fn amounts(tx: &TenantTx) -> Vec<(String, String, f64)> {
    let sql = "SELECT kind, currency, amount FROM report_amount WHERE tenant_id = $1 ORDER BY kind, amount";
    let mut connection = tx.lock().await;
    sqlx::query_as(sql).bind(tx.tenant().uuid()).fetch_all(&mut *connection).await.expect("amounts")
}

/// What a source costs and brings, as the reads and the CSV have it; the other lists as CSV; faults name their field.
#[tokio::test]
async fn every_list_is_had_as_csv_with_what_sources_cost_and_bring() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let books = tests::billing::books(app, tenant).await;
    let mine = lead(&test, tenant, 1).await;
    lead(&test, tenant, 2).await;
    deliver(app).await;
    app.clock.advance(MINUTES(70));
    due::run_due(app).await.expect("a round");
    assert!(contacted(app, tenant, mine, None).await);
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let source = SourceId(service::intake::sources::by_slug(&tx, "leadsource").await.expect("a source").id);
    drop(tx);
    let day = |text: &str| text.parse().expect("a day");
    for (from, per_lead) in [("2026-01-01", "9.99"), ("2026-11-01", "2.50"), ("2027-01-01", "7.00")] {
        costs::set(app, tenant, source, day(from), (Currency::USD, per_lead), Actor::Operator)
            .await
            .expect("a cost");
    }
    let refused =
        costs::set(app, tenant, source, day("2026-11-01"), (Currency::USD, "2.505"), Actor::Operator);
    assert!(refused.await.expect_err("three decimals").to_string().contains("USD"));
    // November is over when its actions are billed.
    let action = json!({"email": "ann@example.com", "product": "ABC", "lead_type": "Event", "action_type": "Click", "level": "High",
        "occurred_at": "2026-11-10T00:00:00Z", "lead": mine.to_string()});
    let sum = ingest::ingest(app, tenant, books.partner, std::io::Cursor::new(action.to_string()));
    assert_eq!(sum.await.expect("recorded").accepted, 1);
    let period = around(app);
    app.clock.advance(TimeDelta::days(20));
    let november = "2026-11".parse().expect("a period");
    closing::close(&test.app, tenant, books.partner, november, Actor::Operator).await.expect("closed");
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let worth = sources::worth(&tx, &filter("response"), period).await.expect("worth");
    assert_eq!(worth.len(), 1);
    assert_eq!((worth[0].cost, worth[0].revenue), (Some(500), Some(1_000)), "two leads, one action");
    let told = [("cost", "USD", 2.5), ("cost", "USD", 2.5), ("revenue", "USD", 10.0)];
    let told = told.map(|(kind, currency, sum)| (kind.to_owned(), currency.to_owned(), sum));
    assert_eq!(amounts(&tx).await, told);
    let folder = tempfile::tempdir().expect("a folder");
    let written = parquet::export(&tx, period, folder.path()).await.expect("files");
    assert_eq!(written.rows, 2 + 4 + 3, "leads, their clocks, amounts");
    drop(tx);

    let database = app.tenants.open(tenant).await.expect("a tenant");
    let new = tenants::NewKey {
        kind: tenants::KeyKind::Api,
        name: "test".to_owned(),
        role: domain::access::Role::Manager,
        scope: "*".to_owned(),
        created_by: None,
        expires_at: None,
    };
    let key = database.create_key(new, app.clock.now()).await.expect("a key");
    let key = format!("Bearer {}", secrecy::ExposeSecret::expose_secret(&key.text));
    let web = test.web();
    let span = format!(
        "since={}&until={}",
        period.from.format("%Y-%m-%dT%H:%M:%SZ"),
        period.until.format("%Y-%m-%dT%H:%M:%SZ")
    );
    let read = async |address: &str| {
        let answer = web.get(&format!("/exports/sla/{address}"), &[("authorization", &key)]).await;
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        answer.text().to_owned()
    };
    let bought = read(&format!("sources.csv?{span}")).await;
    let columns =
        "source,received,accepted,refused,delivered,contacted,sold,refusals,cost,revenue,before_received,";
    assert!(bought.starts_with(columns), "{bought}");
    assert!(bought.contains("leadsource,2,2,0,2,1,0,,5.00 USD,10.00 USD,0,0,0,0,0,0,,\n"), "{bought}");
    let elsewhere = read(&format!("sources.csv?{span}&states=TX")).await;
    assert!(elsewhere.contains("leadsource,,0,,0,0,0,,,,,0,,0,0,0,,\n"), "{elsewhere}");
    let adherence = read(&format!("adherence.csv?{span}&dimension=source")).await;
    assert!(
        adherence.lines().nth(1).is_some_and(|line| line.contains(",leadsource,2,0,2,0,0.0000,")),
        "{adherence}"
    );
    for (list, rows) in [("open", 1), ("breaches", 2), ("heat-map", 1), ("agents", 2), ("teams", 2)] {
        let more = if list == "open" { "standing=overdue".to_owned() } else { span.clone() };
        let csv = read(&format!("{list}.csv?{more}")).await;
        assert_eq!(csv.lines().count(), rows + 1, "{list}: {csv}");
    }
    for (address, status) in [
        ("nothing.csv", 404),
        ("adherence.csv?bucket=year", 400),
        ("adherence.csv?dimension=weather", 400),
        ("adherence.csv?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 400),
        ("open.csv?standing=lying", 400),
        ("open.csv?sources=x", 400),
        ("open.csv?what=1", 400),
    ] {
        let answer = web.get(&format!("/exports/sla/{address}"), &[("authorization", &key)]).await;
        assert_eq!(answer.problem().0, status, "{address}");
    }
    assert_eq!(web.get("/exports/sla/open.csv", &[]).await.problem().0, 401);
}
