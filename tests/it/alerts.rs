//! Alerts: told once a condition, by mail and by webhook, until it clears; the day's summary at the tenant's hour.

use chrono::TimeDelta;
use domain::alerts::Kind;
use domain::ids::{AlertChannelId, DestinationId, ExceptionId, TenantId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use service::alerts::manage::{self, NewChannel, NewRule, RuleChange};
use service::alerts::{evaluate, reads};
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step};
use service::jobs;
use service::mail::testing::MailServer;
use service::reconciliation::exceptions::{self, Decision, Filter};
use service::reconciliation::{List, Request, run};
use service::suppression::{self, Contact, Entry};
use standardwebhooks::Webhook;
use tests::TestApp;
use tests::data::{deliver, destination, submit};

struct World {
    test: TestApp,
    tenant: TenantId,
    mail: MailServer,
}

impl World {
    async fn new() -> Self {
        let mut test = TestApp::new().await;
        let mail = MailServer::start(None).await;
        let settings = mail.settings();
        test.restart_with(|app| app.mail = settings);
        let tenant = test.tenant("acme").await;
        Self { test, tenant, mail }
    }

    async fn channel(
        &self,
        kind: &str,
        target: &str,
        daily_summary: bool,
    ) -> (AlertChannelId, Option<SecretString>) {
        let new = NewChannel {
            name: format!("{kind} {target}"),
            kind: kind.to_owned(),
            target: target.into(),
            daily_summary,
        };
        let (row, secret) =
            manage::create_channel(&self.test.app, self.tenant, new).await.expect("a channel");
        (AlertChannelId(row.id), secret)
    }

    async fn rule(
        &self,
        kind: Kind,
        threshold: i32,
        window_minutes: Option<i32>,
    ) -> domain::ids::AlertRuleId {
        let new = NewRule {
            name: kind.as_str().to_owned(),
            kind,
            destination: None,
            source: None,
            threshold,
            window_minutes,
            channels: None,
        };
        domain::ids::AlertRuleId(
            manage::create_rule(&self.test.app, self.tenant, new).await.expect("a rule").id,
        )
    }

    /// Measures, and tells what is to be told.
    async fn minute(&self) {
        evaluate::tenant(&self.test.app, self.tenant).await.expect("measured");
        jobs::run_due(&self.test.app).await.expect("told");
    }

    async fn alerts(&self) -> Vec<(String, bool)> {
        let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let rows = reads::alerts(&tx, false, 100).await.expect("alerts");
        rows.into_iter().map(|row| (row.kind, row.cleared_at.is_none())).collect()
    }

    /// Compares with a list that has none of our leads.
    async fn compare(&self, destination: DestinationId) {
        let app = &self.test.app;
        app.clock.advance(TimeDelta::hours(1));
        let path = self.test.folder.path().join("list.csv");
        std::fs::write(&path, "id,phone\n9,3035559999\n").expect("a list");
        let list = List::File { path, name: "list.csv".to_owned() };
        let request = Request::whole(destination, list, "test");
        let report = run::run(app, self.tenant, request).await.expect("a report");
        assert_eq!(report.counts.missing, 1, "{report:?}");
    }

    /// A person puts right what is open.
    async fn settle(&self) {
        let app = &self.test.app;
        let tx = app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
        let page = service::intake::leads::Page { rows: 10, after: None, before: None, from_end: false };
        let open = exceptions::list(&tx, &Filter::default(), page).await.expect("differences").rows;
        drop(tx);
        for row in open {
            let (id, resolved) = (ExceptionId(row.id), Decision::Resolve("put in by hand".to_owned()));
            exceptions::decide(app, self.tenant, id, resolved, "ada").await.expect("settled");
        }
    }

    async fn lead(&self, number: usize) {
        let source = {
            let tx = self.test.app.begin(self.tenant, Mode::ReadOnly).await.expect("a transaction");
            service::intake::sources::by_slug(&tx, "leadsource").await.expect("the source")
        };
        let record = json!({"Lead ID": format!("LS-{number}"), "First Name": "Ada", "Pri. Phone": format!("303555{:04}", 100 + number)});
        submit(&self.test.app, self.tenant, &source, &record).await;
    }
}

#[tokio::test]
async fn a_condition_is_told_once_until_it_clears() {
    let world = World::new().await;
    world.test.source(world.tenant, "leadsource").await;
    let gateway = FakeCrm::start([]).await;
    let crm = FakeCrm::start([Step::status(422), Step::status(422), Step::status(422)]).await;
    destination(&world.test.app, world.tenant, "bonzo", crm.url(), None).await;
    world.channel("email", "ada@example.com", false).await;
    let (_, secret) = world.channel("webhook", &gateway.url(), false).await;
    world.rule(Kind::FailedLeads, 1, None).await;
    for number in 0..2 {
        world.lead(number).await;
    }
    deliver(&world.test.app).await;
    world.minute().await;
    world.minute().await;
    assert_eq!(world.alerts().await, [("failed_leads".to_owned(), true)]);
    let letters = world.mail.taken();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].text.contains("2 leads wait for a person"), "{}", letters[0].text);
    let told = gateway.received();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0].json()["type"], &told[0].json()["data"]["kind"]),
        (&json!("alert.raised"), &json!("failed_leads"))
    );
    let signer = Webhook::new(secret.expect("of a webhook").expose_secret()).expect("a secret");
    let at: i64 = told[0].headers["webhook-timestamp"].parse().expect("a time");
    let expected = signer.sign(told[0].webhook_id(), at, told[0].body.as_bytes()).expect("signed");
    assert_eq!(told[0].headers["webhook-signature"], expected);
    for text in [letters[0].text.clone(), told[0].body.clone()] {
        assert!(!text.contains("555") && !text.contains("Ada"), "a lead's data went out: {text}");
    }

    // One is resolved: within the limit again. Another two fail: told again.
    world.test.app.retries().retry_all_failed(world.tenant, None, "test").await.expect("retried");
    deliver(&world.test.app).await;
    world.minute().await;
    assert_eq!(
        world.alerts().await,
        [("failed_leads".to_owned(), false)],
        "one still fails, which the rule allows"
    );
    world.lead(7).await;
    let refusing = FakeCrm::start([Step::status(422), Step::status(422)]).await;
    let change = service::delivery::manage::DestinationChange {
        url: Some(refusing.url().into()),
        ..Default::default()
    };
    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let crm = service::delivery::manage::by_slug(&tx, "bonzo").await.expect("the destination");
    drop(tx);
    let crm = domain::ids::DestinationId(crm.id);
    service::delivery::manage::update(&world.test.app, world.tenant, crm, change).await.expect("changed");
    deliver(&world.test.app).await;
    world.minute().await;
    assert_eq!(world.alerts().await, [("failed_leads".to_owned(), true), ("failed_leads".to_owned(), false)]);
    assert_eq!((world.mail.taken().len(), gateway.count()), (2, 2));
}

#[tokio::test]
async fn silence_and_a_rate_are_measured_and_a_rule_switched_off_clears() {
    let world = World::new().await;
    let source = world.test.source(world.tenant, "leadsource").await;
    let crm = FakeCrm::start([Step::status(422)]).await;
    destination(&world.test.app, world.tenant, "bonzo", crm.url(), None).await;
    let rate = world.rule(Kind::SuccessRate, 90, Some(60)).await;
    let silence = NewRule {
        name: "silence".to_owned(),
        kind: Kind::SilentSource,
        destination: None,
        source: Some(tests::source_id(&source)),
        threshold: 6,
        window_minutes: None,
        channels: None,
    };
    manage::create_rule(&world.test.app, world.tenant, silence).await.expect("a rule");
    world.minute().await;
    assert_eq!(world.alerts().await, [], "no lead, no rate; no silence yet");
    world.lead(1).await;
    world.lead(2).await;
    deliver(&world.test.app).await;
    world.test.app.clock.advance(TimeDelta::minutes(1));
    world.minute().await;
    assert_eq!(world.alerts().await, [("success_rate".to_owned(), true)]);
    world.test.app.clock.advance(TimeDelta::hours(6));
    world.minute().await;
    // The window is empty now: nothing can be said, and the alert stays.
    assert_eq!(world.alerts().await, [("silent_source".to_owned(), true), ("success_rate".to_owned(), true)]);
    let off = RuleChange { enabled: Some(false), ..RuleChange::default() };
    manage::update_rule(&world.test.app, world.tenant, rate, off).await.expect("changed");
    world.lead(3).await;
    world.minute().await;
    assert_eq!(
        world.alerts().await,
        [("silent_source".to_owned(), false), ("success_rate".to_owned(), false)]
    );
}

/// Nobody can do anything about them, so they would keep an alert up for ever.
#[tokio::test]
async fn whoever_wants_no_more_contact_waits_for_nobody() {
    let world = World::new().await;
    world.test.source(world.tenant, "leadsource").await;
    let crm = FakeCrm::start([Step::status(422)]).await;
    destination(&world.test.app, world.tenant, "bonzo", crm.url(), None).await;
    world.rule(Kind::FailedLeads, 0, None).await;
    world.lead(0).await;
    let entry = Entry {
        contact: Contact::read("303 555 0100").expect("a contact"),
        reason: None,
        lead: None,
        actor: "test".to_owned(),
    };
    suppression::add(&world.test.app, world.tenant, entry).await.expect("entered");
    deliver(&world.test.app).await;
    assert_eq!(crm.count(), 0);
    world.minute().await;
    assert_eq!(world.alerts().await, []);
    world.lead(1).await;
    deliver(&world.test.app).await;
    world.minute().await;
    assert_eq!(world.alerts().await, [("failed_leads".to_owned(), true)]);
}

/// Nothing fails while everything is tried again by itself: that nobody answers is told all the same.
#[tokio::test]
async fn a_destination_that_does_not_answer_is_told_after_a_quarter_of_an_hour() {
    let world = World::new().await;
    world.test.source(world.tenant, "leadsource").await;
    let crm = FakeCrm::answering(|_| Step::status(503)).await;
    destination(&world.test.app, world.tenant, "bonzo", crm.url(), None).await;
    world.channel("email", "ada@example.com", false).await;
    world.rule(Kind::DestinationHeld, 0, None).await;
    for number in 0..12 {
        world.lead(number).await;
    }
    deliver(&world.test.app).await;
    world.minute().await;
    assert_eq!(world.alerts().await, []);
    for _ in 0..16 {
        world.test.app.clock.advance(TimeDelta::minutes(1));
        deliver(&world.test.app).await;
    }
    world.minute().await;
    world.minute().await;
    assert_eq!(world.alerts().await, [("destination_held".to_owned(), true)]);
    let letters = world.mail.taken();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].text.contains("has not answered for"), "{}", letters[0].text);
}

/// The fixture's noon in Denver is five in the morning: at seven, two hours later, yesterday is summed up, once.
#[tokio::test]
async fn the_summary_comes_once_at_the_tenants_hour() {
    let world = World::new().await;
    world.channel("email", "ada@example.com", true).await;
    let mut tx = world.test.app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    for sql in [
        "UPDATE tenant SET time_zone = 'America/Denver'",
        "UPDATE alert_channel SET created_at = created_at - interval '1 day'",
    ] {
        sqlx::query(sql).execute(tx.connection()).await.expect(sql);
    }
    tx.commit().await.expect("it commits");
    world.minute().await;
    world.test.app.clock.advance(TimeDelta::minutes(119));
    world.minute().await;
    assert_eq!(world.mail.taken().len(), 0, "not before seven");
    world.test.app.clock.advance(TimeDelta::minutes(1));
    world.minute().await;
    world.minute().await;
    let letters = world.mail.taken();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].text.contains("2026-11-19: 0 leads received"), "{}", letters[0].text);
    manage::set_summary_hour(&world.test.app, world.tenant, 9).await.expect("set");
    world.test.app.clock.advance(TimeDelta::hours(24));
    world.minute().await;
    assert_eq!(world.mail.taken().len(), 1, "seven is no longer the hour");
    world.test.app.clock.advance(TimeDelta::hours(2));
    world.minute().await;
    assert_eq!(world.mail.taken().len(), 2);
}

/// The mail server is busy: the notice is tried again later, and nobody is told twice. A mailbox that is not there is the end of it.
#[tokio::test]
async fn what_cannot_be_told_says_why() {
    let world = World::new().await;
    let (nobody, _) = world.channel("email", "nobody@example.com", false).await;
    let (later, _) = world.channel("email", "later@example.com", false).await;
    let mut tx = world.test.app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    let condition = service::alerts::Condition {
        key: "test".to_owned(),
        kind: "destination_held",
        title: "CRM is held".to_owned(),
        detail: "Resume it.".to_owned(),
        rule: None,
        channels: None,
    };
    let id = service::alerts::raise(&world.test.app, &tx, &condition).await.expect("raised").expect("new");
    assert_eq!(service::alerts::raise(&world.test.app, &tx, &condition).await.expect("known"), None);
    let queued: i64 = sqlx::query_scalar("SELECT count(*) FROM alert_notice")
        .fetch_one(tx.connection())
        .await
        .expect("a count");
    assert_eq!(queued, 2);
    tx.commit().await.expect("it commits");
    jobs::run_due(&world.test.app).await.expect("tried");
    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let notices = reads::notices_of(&tx, &[id]).await.expect("notices");
    let state = |channel: AlertChannelId| {
        let row = notices.iter().find(|row| row.channel_id == channel.uuid()).expect("a notice");
        (row.state.clone(), row.error.clone().unwrap_or_default())
    };
    assert_eq!(state(nobody), ("failed".to_owned(), "the mail server refuses the message".to_owned()));
    assert_eq!(
        state(later),
        ("pending".to_owned(), "the mail server cannot take the message now".to_owned())
    );
    let waiting: Vec<Value> = sqlx::query_scalar("SELECT to_jsonb(j) FROM baton_jobs._private_jobs j")
        .fetch_all(&world.test.app.database.app)
        .await
        .expect("the queue");
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(!waiting[0].to_string().contains("example.com"), "an address stands in the queue");
    drop(tx);

    // Half a day later it is given up, and does not stay pending for ever.
    world.test.app.clock.advance(TimeDelta::hours(13));
    sqlx::query("UPDATE baton_jobs._private_jobs SET run_at = now() - interval '1 second'")
        .execute(&world.test.app.database.app)
        .await
        .expect("due");
    jobs::run_due(&world.test.app).await.expect("tried");
    let tx = world.test.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let notices = reads::notices_of(&tx, &[id]).await.expect("notices");
    let row = notices.iter().find(|row| row.channel_id == later.uuid()).expect("a notice");
    let error = row.error.as_deref().unwrap_or_default();
    assert!(row.state == "failed" && error.ends_with("given up after 12 hours"), "{}: {error}", row.state);
}

/// What people settle between two runs clears the alert, so that the next run is told of anew.
#[tokio::test]
async fn differences_that_come_back_are_told_anew() {
    let world = World::new().await;
    world.test.source(world.tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    let crm = destination(&world.test.app, world.tenant, "bonzo", crm.url(), None).await;
    world.channel("email", "ada@example.com", false).await;
    world.rule(Kind::Reconciliation, 0, None).await;
    world.lead(0).await;
    deliver(&world.test.app).await;
    world.compare(crm).await;
    world.minute().await;
    assert_eq!(world.alerts().await, [("reconciliation".to_owned(), true)]);
    world.settle().await;
    world.minute().await;
    assert_eq!(world.alerts().await, [("reconciliation".to_owned(), false)]);
    world.compare(crm).await;
    world.minute().await;
    assert_eq!(
        world.alerts().await,
        [("reconciliation".to_owned(), true), ("reconciliation".to_owned(), false)]
    );
    assert_eq!(world.mail.taken().len(), 2);
}
