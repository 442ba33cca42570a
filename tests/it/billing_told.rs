//! Reports that close by themselves, and partners that are told of them over a real mail server.

use chrono::TimeDelta;
use domain::billing::{Currency, Cycle, PlanSpec};
use domain::ids::BillingReportId;
use service::access::{Actor, life};
use service::billing::partners::PartnerChange;
use service::billing::{announce, closing, partners, plans, reports, schedule};
use service::database::Mode;
use service::jobs::{self, How};
use service::mail::testing::MailServer;
use tenants::AuditFilter;
use tests::TestApp;
use tests::billing::{Books, books, close, id, sample};

async fn world() -> (TestApp, Books, MailServer) {
    let mut test = TestApp::new().await;
    let mail = MailServer::start(None).await;
    let settings = mail.settings();
    test.restart_with(|app| app.mail = settings);
    let tenant = test.tenant("acme").await;
    let books = books(&test.app, tenant).await;
    sample(&test.app, books).await;
    (test, books, mail)
}

async fn work(test: &TestApp) {
    jobs::run_due(&test.app).await.expect("jobs run");
}

async fn address(test: &TestApp, books: Books, email: &str) {
    let change = PartnerChange { email: Some(email.to_owned()), ..PartnerChange::default() };
    partners::update_partner(&test.app, books.tenant, books.partner, change, Actor::Operator)
        .await
        .expect("an address");
}

async fn told(test: &TestApp, books: Books, report: BillingReportId) -> (String, Option<String>) {
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let row = announce::of_report(&tx, report).await.expect("a row").expect("an order");
    (row.state, row.error)
}

#[tokio::test]
async fn the_partner_is_told_of_its_report_once_with_a_link_to_its_file() {
    let (test, books, mail) = world().await;
    let report = close(&test, books, "2026-10").await;
    assert_eq!(told(&test, books, id(&report)).await.0, "pending");
    assert_eq!(mail.taken().len(), 0, "no network inside of a transaction");
    work(&test).await;
    work(&test).await;
    let letters = mail.taken();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].to, ["billing@northwind.example"]);
    // Long lines are folded as quoted-printable.
    let letter = letters[0].text.replace("=\r\n", "").replace("=3D", "=");
    assert!(letter.contains("Subject: [acme] Billing report 2026-10\r\n"), "{letter}");
    for part in
        ["northwind for 2026-10 (2026-10-01 to 2026-10-31, UTC)", "100.00 USD", "194.00 USD", "94.00 USD"]
    {
        assert!(letter.contains(part), "{part} in {letter}");
    }
    assert!(!letter.contains("user@example.com"), "nobody's address is told: {letter}");
    assert_eq!(told(&test, books, id(&report)).await, ("sent".to_owned(), None));
    let link = letter.lines().find(|line| line.contains("report.pdf?link=")).expect("a link").trim();
    let path = &link[link.find("/reports/").expect("a path")..];
    let file = test.web().get(path, &[]).await;
    assert_eq!(file.status, 200);
    assert!(file.body.starts_with(b"%PDF-"));

    // A newer version says what is owed more or less.
    let again =
        closing::reissue(&test.app, books.tenant, id(&report), "looked at again", Actor::Operator).await;
    work(&test).await;
    let letters = mail.taken();
    assert_eq!(letters.len(), 2);
    let letter = &letters[1].text;
    assert!(letter.contains("Subject: [acme] Billing report 2026-10, version 2\r\n"), "{letter}");
    assert!(letter.contains("Why: looked at again"), "{letter}");
    assert!(letter.contains("It takes the place of version 1: the amount stays the same."), "{letter}");
    drop(again.expect("issued again"));
}

#[tokio::test]
async fn a_mail_that_is_not_taken_is_tried_again_or_given_up_and_says_so() {
    let (test, books, mail) = world().await;
    address(&test, books, "later@northwind.example").await;
    let report = close(&test, books, "2026-10").await;
    work(&test).await;
    let (state, error) = told(&test, books, id(&report)).await;
    assert_eq!(
        (state.as_str(), error.as_deref()),
        ("pending", Some("the mail server cannot take the message now"))
    );
    address(&test, books, "nobody@northwind.example").await;
    announce::again(&test.app, books.tenant, id(&report), Actor::Operator).await.expect("ordered");
    work(&test).await;
    let (state, error) = told(&test, books, id(&report)).await;
    assert_eq!((state.as_str(), error.as_deref()), ("failed", Some("the mail server refuses the message")));
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let links = service::billing::links::of_report(&tx, id(&report)).await.expect("links");
    assert!(
        links.len() == 2 && links.iter().all(|link| link.revoked_at.is_some()),
        "no link is left: {links:?}"
    );
    drop(tx);
    address(&test, books, "books@northwind.example").await;
    announce::again(&test.app, books.tenant, id(&report), Actor::Operator).await.expect("ordered");
    work(&test).await;
    assert_eq!(told(&test, books, id(&report)).await, ("sent".to_owned(), None));
    // A report that was taken back before anybody was told of it is told to nobody.
    announce::again(&test.app, books.tenant, id(&report), Actor::Operator).await.expect("ordered");
    closing::void(&test.app, books.tenant, id(&report), "a mistake", Actor::Operator).await.expect("void");
    work(&test).await;
    assert_eq!(told(&test, books, id(&report)).await.0, "failed");
    assert!(announce::again(&test.app, books.tenant, id(&report), Actor::Operator).await.is_err());
    assert_eq!(mail.taken().len(), 1);
}

/// The tick of a quarter of an hour, and everything that it queues.
async fn tick(test: &TestApp) {
    let mut connection = test.app.database.app.acquire().await.expect("a connection");
    jobs::enqueue(&mut connection, &schedule::Tick {}, How::default()).await.expect("queued");
    drop(connection);
    // The tick, what it queues, and what that queues.
    for _ in 0..3 {
        work(test).await;
    }
}

async fn closed(test: &TestApp, books: Books) -> Vec<String> {
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let all = reports::list(&tx, Some(books.partner), None).await.expect("reports");
    all.iter().map(|report| reports::period(report).to_string()).collect()
}

#[tokio::test]
async fn periods_close_by_themselves_once_they_are_over_also_after_a_time_in_which_nothing_ran() {
    let (test, books, mail) = world().await;
    tick(&test).await;
    assert!(closed(&test, books).await.is_empty(), "only of partners that want it");
    let change = PartnerChange { closes_itself: Some(true), ..PartnerChange::default() };
    partners::update_partner(&test.app, books.tenant, books.partner, change, Actor::Operator)
        .await
        .expect("changed");
    life::set_suspended(&test.app, books.tenant, true).await.expect("suspended");
    tick(&test).await;
    assert!(closed(&test, books).await.is_empty(), "a suspended tenant waits");
    life::set_suspended(&test.app, books.tenant, false).await.expect("resumed");
    tick(&test).await;
    tick(&test).await;
    assert_eq!(closed(&test, books).await, ["2026-10"]);
    assert_eq!(mail.taken().len(), 1);
    test.app.clock.advance(TimeDelta::days(75));
    tick(&test).await;
    assert_eq!(closed(&test, books).await, ["2027-01", "2026-12", "2026-11", "2026-10"]);
    let store = test.app.tenants.open(books.tenant).await.expect("a tenant");
    let filter = AuditFilter { action: Some("billing_report.".to_owned()), ..AuditFilter::default() };
    let lines = store.audit_entries(filter, 10).await.expect("the audit log");
    assert_eq!(lines.len(), 4);
    assert!(
        lines
            .iter()
            .all(|line| (line.action.as_str(), line.actor.as_str()) == ("billing_report.closed", "schedule"))
    );
    // What was taken back is a person's to close again.
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let last = reports::list(&tx, Some(books.partner), None).await.expect("reports").remove(0);
    drop(tx);
    closing::void(&test.app, books.tenant, id(&last), "a mistake", Actor::Operator).await.expect("void");
    tick(&test).await;
    assert_eq!(closed(&test, books).await.len(), 4);
}

/// What a plan billed by months until it billed by weeks is closed by months until then.
#[tokio::test]
async fn periods_of_before_another_cycle_close_by_the_cycle_of_then() {
    let (test, books, _mail) = world().await;
    let change = PartnerChange { closes_itself: Some(true), ..PartnerChange::default() };
    partners::update_partner(&test.app, books.tenant, books.partner, change, Actor::Operator)
        .await
        .expect("changed");
    tick(&test).await;
    assert_eq!(closed(&test, books).await, ["2026-10"]);
    let weekly = PlanSpec { cycle: Cycle::Week, ..PlanSpec::standard(Currency::USD) };
    let from = "2027-02-01".parse().expect("a day");
    plans::add_version(&test.app, books.tenant, books.plan, from, &weekly, Actor::Operator)
        .await
        .expect("a version");
    test.app.clock.advance(TimeDelta::days(85));
    tick(&test).await;
    assert_eq!(closed(&test, books).await, ["2027-W05", "2027-01", "2026-12", "2026-11", "2026-10"]);
}
