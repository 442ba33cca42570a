//! Files on their way in, leads on their way out, and a tenant that has some of everything.

use std::path::Path;
use std::sync::Arc;

use domain::billing::Currency;
use domain::ids::{BillingReportId, CalendarId, CaseId, DestinationId, ImportId, SlotId, SourceId, TenantId};
use domain::sla::{CalendarSpec, WindowSpec};
use entity::lead_source;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::access::Actor;
use service::alerts::manage::{NewChannel, NewRule};
use service::billing::files::Format;
use service::billing::links;
use service::database::Mode;
use service::delivery::Tally;
use service::delivery::manage::{self, NewDestination};
use service::delivery::testing::{FakeCrm, Step};
use service::intake::imports::{self, Counts, ReceivedFile};
use service::intake::run::{self as importing, Ended};
use service::intake::submit::{self, Submission, Submitted};
use service::reconciliation::curated;
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::proof;
use service::reconciliation::run::{self, List, Request};
use service::sla::escalation::{self, Setting};
use service::sla::policies::{Draft, NewPolicy};
use service::sla::{bookings, costs};
use service::{App, access, alerts, inbound, sla, suppression};
use sha2::{Digest, Sha256};
use tenants::{NewProvider, ProviderKind, Role};

use crate::{TestApp, fixture, source_id};

/// What every tenant of [`everything`] has: the ids of what came of it.
pub struct Everything {
    /// The tenant.
    pub tenant: TenantId,
    /// Its source of kind experian, by which `import` came.
    pub source: lead_source::Model,
    /// The import of the Experian fixture, with refused records.
    pub import: ImportId,
    /// Its destination.
    pub destination: DestinationId,
    /// Its source's token.
    pub token: String,
    /// Its closed billing report.
    pub report: BillingReportId,
}

/// Imports a file that lies there, to its end.
pub async fn import_file(
    app: &Arc<App>,
    tenant: TenantId,
    source: &lead_source::Model,
    path: &Path,
) -> (ImportId, Ended) {
    let content = std::fs::read(path).expect("the file is there");
    let received = ReceivedFile {
        name: path.file_name().expect("a name").to_string_lossy().into_owned(),
        bytes: content.len() as u64,
        hash: Sha256::digest(&content).into(),
        stored_as: None,
    };
    let id = imports::receive(app, tenant, source, received, None).await.expect("received").import;
    let leased = imports::lease(app, tenant, id, Some(path.to_owned())).await.expect("no error");
    let ended = importing::run(app, &leased.expect("nobody else has it")).await.expect("an end");
    (id, ended)
}

/// What an import has come to.
pub async fn counts(app: &App, tenant: TenantId, import: ImportId) -> Counts {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let found = imports::counts(&tx, &[import]).await.expect("counts");
    found.first().map(|(_, counts)| *counts).unwrap_or_default()
}

/// The state of an import and why it failed.
pub async fn import_state(app: &App, tenant: TenantId, import: ImportId) -> (String, Option<String>) {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let row = imports::by_id(&tx, import).await.expect("the import");
    (row.state, row.error)
}

/// Sends one record in as a program does.
pub async fn submit(
    app: &Arc<App>,
    tenant: TenantId,
    source: &lead_source::Model,
    record: &Value,
) -> Submitted {
    let record = record.to_string();
    let submission = Submission { source, record: &record, channel: "api", idempotency_key: None };
    submit::submit(app, tenant, submission).await.expect("an answer")
}

/// A destination of that kind at that address.
pub async fn destination(
    app: &App,
    tenant: TenantId,
    kind: &str,
    url: String,
    fallback: Option<&str>,
) -> DestinationId {
    let new = NewDestination {
        slug: kind.to_owned(),
        name: None,
        kind: kind.to_owned(),
        url: url.into(),
        first_name_fallback: fallback.map(str::to_owned),
        settings: None,
        credentials: std::collections::BTreeMap::new(),
    };
    DestinationId(manage::create(app, tenant, new).await.expect("a destination").0.id)
}

/// A token for the source.
pub async fn token(app: &App, tenant: TenantId, source: &lead_source::Model) -> String {
    let made = access::create_source_token(app, tenant, source_id(source), "test", None).await;
    made.expect("a token").expose_secret().to_owned()
}

/// Delivers what is due now.
pub async fn deliver(app: &App) -> Tally {
    app.delivery_worker().expect("a worker").run_due_work().await.expect("the work is done")
}

/// Every row of those tables that the tenant sees, as JSON, in a fixed order.
pub async fn rows(app: &App, tenant: TenantId, tables: &[&str]) -> Vec<Value> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let mut rows = Vec::new();
    for table in tables {
        let sql = format!("SELECT to_jsonb(t) FROM {table} t ORDER BY 1");
        let found: Vec<Value> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(tx.connection()).await.expect("rows");
        rows.extend(found);
    }
    rows
}

/// Business time, a policy by it, a threshold, and a case in which help was booked.
async fn service_levels(app: &App, tenant: TenantId) {
    let window = WindowSpec { weekday: 1, from: "09:00".to_owned(), until: "17:00".to_owned() };
    let spec =
        CalendarSpec { time_zone: "America/Denver".to_owned(), windows: vec![window], holidays: Vec::new() };
    let calendar = sla::calendars::create(app, tenant, "Mondays", &spec).await.expect("a calendar");
    let draft = Draft {
        conditions: domain::sla::Conditions::default(),
        target_s: 900,
        at_risk_percent: 80,
        calendar: Some(CalendarId(calendar.id)),
        pause_reasons: Vec::new(),
    };
    let policy = NewPolicy {
        name: "Delivered on Monday".to_owned(),
        clock: "processing".to_owned(),
        starts_with: None,
        stops_with: None,
        place: 1,
        draft,
    };
    sla::policies::create(app, tenant, policy, "tests").await.expect("a policy");
    let setting = Setting {
        clock: "processing".to_owned(),
        threshold_percent: 90,
        window_minutes: 60,
        clocks_min: 1_000,
        booking_url: None,
    };
    escalation::set(app, tenant, setting).await.expect("a threshold");
    let now = app.clock.now();
    let case = CaseId(app.ids.next(now));
    let mut tx = app.begin(tenant, Mode::ReadWrite).await.expect("a transaction");
    sqlx::query(
        "INSERT INTO sla_case (tenant_id, id, clock, opened_at, met, missed, met_now, missed_now, lead_ids)
         VALUES ($1, $2, 'response', $3, 1, 9, 1, 9, '{}')",
    )
    .bind(tenant.uuid())
    .bind(case.uuid())
    .bind(now)
    .execute(tx.connection())
    .await
    .expect("a case");
    tx.commit().await.expect("committed");
    let hour = chrono::TimeDelta::hours(1);
    let slot = bookings::add_slot(app, tenant, now + hour, now + hour * 2).await.expect("a slot");
    bookings::book(app, tenant, case, Some(SlotId(slot.id)), None, "tests").await.expect("a booking");
}

/// A tenant with rows in every table: an imported file with refused records, a lead that came by itself under an
/// idempotency key, a revision of it, a destination whose CRM refused one delivery and took the others.
pub async fn everything(test: &TestApp, slug: &str) -> Everything {
    let app = &test.app;
    let tenant = test.tenant(slug).await;
    let crm = FakeCrm::start([Step::status(400)]).await;
    let destination = destination(app, tenant, "bonzo", crm.url(), Some("Friend")).await;
    service_levels(app, tenant).await;
    let source = test.source(tenant, "experian").await;
    let (import, ended) = import_file(app, tenant, &source, &fixture("experian.csv")).await;
    assert!(matches!(ended, Ended::Done(_)), "{ended:?}");
    let own = test.source(tenant, "leadsource").await;
    let record = json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550901"}).to_string();
    let submission = Submission { source: &own, record: &record, channel: "api", idempotency_key: Some("k") };
    submit::submit(app, tenant, submission).await.expect("a lead");
    let revised =
        json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550901", "City": "Boulder"});
    let answer = submit(app, tenant, &own, &revised).await;
    assert_eq!(answer.outcome, submit::Outcome::Updated);
    let tally = deliver(app).await;
    assert!(tally.delivered > 10 && tally.failed == 1, "{tally:?}");
    let report = bill(app, tenant).await;
    let (usd, day) = (Currency::USD, "2026-01-01".parse().expect("a day"));
    let cost = costs::set(app, tenant, source_id(&source), day, (usd, "2.50"), Actor::Operator).await;
    cost.expect("a cost");
    reconciled(test, tenant, destination).await;
    let token = token(app, tenant, &source).await;
    watched(app, tenant, destination).await;
    Everything { tenant, source, import, destination, token, report }
}

/// A closed billing report with its files, a link to one, and a download.
async fn bill(app: &Arc<App>, tenant: TenantId) -> BillingReportId {
    let books = crate::billing::books(app, tenant).await;
    crate::billing::sample(app, books).await;
    let period = crate::billing::october();
    let closed = service::billing::closing::close(app, tenant, books.partner, period, Actor::Operator).await;
    let report = BillingReportId(closed.expect("a report").id);
    links::create(app, tenant, report, Format::Csv, 60, Actor::Operator).await.expect("a link");
    links::log(app, tenant, report, Format::Csv, "test").await.expect("a download");
    report
}

/// A run over a list without our leads, and a copy of the service's users and campaigns.
async fn reconciled(test: &TestApp, tenant: TenantId, destination: DestinationId) {
    let app = &test.app;
    let users = r#"{"data": [{"id": 1, "name": "Ada"}], "meta": {"last_page": 1}}"#;
    let api = FakeCrm::start([Step::body(200, users), Step::body(200, users)]).await;
    let change = PlanChange {
        api_url: Some(Some(format!("http://127.0.0.1:{}/v3", api.port()))),
        api_token: Some("secret-token".to_owned().into()),
        ..PlanChange::default()
    };
    plans::change(app, tenant, destination, change).await.expect("a plan");
    curated::sync(app, tenant, destination).await.expect("users and campaigns");
    let mut tx = app.begin(tenant, Mode::ReadWrite).await.expect("a transaction");
    let linked = "INSERT INTO crm_link (tenant_id, destination_id, kind, remote_id, lead_id, since)
                  SELECT tenant_id, destination_id, 'user', '1', lead_id, finished_at FROM delivery
                  WHERE state = 'delivered' ORDER BY id LIMIT 1";
    sqlx::query(linked).execute(tx.connection()).await.expect("a lead of that user");
    tx.commit().await.expect("committed");
    let path = test.folder.path().join(format!("list-{tenant}.csv"));
    std::fs::write(&path, "id,phone\n1,3035550999\n").expect("a list");
    let list = List::File { path, name: "list.csv".to_owned() };
    let request = Request::whole(destination, list, "operator");
    let report = run::run(app, tenant, request).await.expect("a reconciliation");
    assert!(report.counts.missing > 10, "{:?}", report.counts);
    proof::start(app, tenant, destination, "operator").await.expect("a proof");
}

/// An alert that a channel is told of, a report of the destination, somebody who wants no more contact.
async fn watched(app: &App, tenant: TenantId, destination: DestinationId) {
    let channel = NewChannel {
        name: "ops".to_owned(),
        kind: "email".to_owned(),
        target: "ops@example.com".into(),
        daily_summary: false,
    };
    alerts::manage::create_channel(app, tenant, channel).await.expect("a channel");
    let rule = NewRule {
        name: "failed".to_owned(),
        kind: domain::alerts::Kind::FailedLeads,
        destination: Some(destination),
        source: None,
        threshold: 0,
        window_minutes: None,
        channels: None,
    };
    alerts::manage::create_rule(app, tenant, rule).await.expect("a rule");
    alerts::manage::set_summary_hour(app, tenant, 7).await.expect("an hour");
    alerts::evaluate::tenant(app, tenant).await.expect("an alert and its notice");
    let kind = domain::inbound::Kind::Bonzo;
    let code = inbound::open(app, tenant, destination, kind, None).await.expect("an endpoint");
    let mut headers = http::HeaderMap::new();
    headers.insert("x-bonzo-code", code.expose_secret().parse().expect("a header"));
    let body =
        json!({"event": "prospects.created", "prospect": {"id": 1, "updated_at": "2026-11-20T12:00:00Z"}});
    let received = inbound::receive(app, destination, &headers, body.to_string().as_bytes()).await;
    assert!(received.expect("a report").new);
    let entry = suppression::Entry {
        contact: suppression::Contact::read("nobody@example.net").expect("a contact"),
        reason: None,
        lead: None,
        actor: "test".to_owned(),
    };
    suppression::add(app, tenant, entry).await.expect("entered");
}

/// A provider that people could sign in with.
pub fn identity_provider() -> NewProvider {
    NewProvider {
        slug: "example".to_owned(),
        name: "Example".to_owned(),
        kind: ProviderKind::Oidc,
        issuer: "https://id.example.com".to_owned(),
        client_id: "baton".to_owned(),
        authorization_url: None,
        token_url: None,
        userinfo_url: None,
        scopes: "openid".to_owned(),
        email_trusted: false,
        join_domains: Vec::new(),
        join_role: Role::Agent,
    }
}

impl Everything {
    /// The source's id.
    pub fn source_id(&self) -> SourceId {
        source_id(&self.source)
    }
}
