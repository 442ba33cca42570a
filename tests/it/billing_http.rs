//! Billing over HTTP: a file of actions in, a report's files out.

use chrono::TimeDelta;
use domain::access::Role;
use domain::ids::{BillingReportId, ReportLinkId, TenantId};
use entity::billing_report;
use secrecy::ExposeSecret as _;
use service::access::{Actor, life};
use service::billing::files::Format;
use service::billing::links;
use service::database::Mode;
use tenants::{KeyKind, NewKey, NewPassword, NewUser};
use tests::TestApp;
use tests::billing::{Books, books, close, id, sample};
use tests::web::Web;

/// A tenant whose October is recorded, and an administrator's key to it.
struct World {
    test: TestApp,
    web: Web,
    books: Books,
    key: String,
}

impl World {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let books = books(&test.app, tenant).await;
        sample(&test.app, books).await;
        let (web, key) = (test.web(), key(&test, tenant).await);
        Self { test, web, books, key }
    }

    /// The header of whoever has the key.
    fn mine(&self) -> (&str, &str) {
        ("authorization", &self.key)
    }

    /// Closes October.
    async fn closed(&self) -> billing_report::Model {
        close(&self.test, self.books, "2026-10").await
    }

    /// A link to the CSV of a report, good for an hour, and what is asked for with it.
    async fn link(&self, report: BillingReportId) -> (ReportLinkId, String) {
        let tenant = self.books.tenant;
        let made = links::create(&self.test.app, tenant, report, Format::Csv, 60, Actor::Operator).await;
        let link = made.expect("a link");
        let shared = format!("/reports/{report}/report.csv?link={}", link.secret.expose_secret());
        (ReportLinkId(link.row.id), shared)
    }

    /// What somebody of another tenant is told.
    async fn told_to_a_stranger(&self, address: &str) -> u16 {
        let theirs = key(&self.test, self.test.tenant("globex").await).await;
        self.web.get(address, &[("authorization", &theirs)]).await.problem().0
    }
}

async fn key(test: &TestApp, tenant: TenantId) -> String {
    let database = test.app.tenants.open(tenant).await.expect("a tenant");
    let new = NewKey {
        kind: KeyKind::Api,
        name: "test".to_owned(),
        role: Role::Admin,
        scope: "*".to_owned(),
        created_by: None,
        expires_at: None,
    };
    let key = database.create_key(new, test.app.clock.now()).await.expect("a key");
    format!("Bearer {}", key.text.expose_secret())
}

#[tokio::test]
async fn a_file_of_actions_is_counted_and_its_faults_are_named() {
    let world = World::new().await;
    let (web, headers) = (&world.web, [world.mine()]);
    let address = "/ingest/actions/northwind";
    let body = "{\"email\":\"ann@example.com\",\"product\":\"ABC\",\"lead_type\":\"Event\",\"action_type\":\"Click\",\"level\":\"High\",\
                \"occurred_at\":\"2026-10-05T00:00:00Z\"}\n{\"email\":\"bob@example.com\",\"product\":\"ABC\",\"level\":7}\n[1]\n";
    let answer = web.post(address, &headers, body).await.json();
    assert_eq!(
        (&answer["records"], &answer["accepted"], &answer["refused"]),
        (&3.into(), &1.into(), &2.into()),
        "{answer}"
    );
    assert_eq!(answer["refusals"][1]["faults"][0]["code"], "MISSING_FIELD", "{answer}");
    let again = web.post(address, &headers, body).await.json();
    assert_eq!((&again["accepted"], &again["repeated"]), (&0.into(), &1.into()), "{again}");

    assert_eq!(web.post(address, &headers, "").await.problem(), (400, "EMPTY_FILE".to_owned()));
    assert_eq!(web.post("/ingest/actions/nobody", &headers, body).await.problem().0, 404);
    assert_eq!(web.post(address, &[], body).await.problem().0, 401);
    let theirs = key(&world.test, world.test.tenant("globex").await).await;
    assert_eq!(web.post(address, &[("authorization", &theirs)], body).await.problem().0, 404);
}

#[tokio::test]
async fn a_reports_file_is_fetched_whole_in_parts_and_by_a_link() {
    let world = World::new().await;
    let (test, web, mine) = (&world.test, &world.web, world.mine());
    let (report, tenant) = (world.closed().await, world.books.tenant);
    let id = id(&report);
    let address = format!("/reports/{id}/report.csv");

    let whole = web.get(&address, &[mine]).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.headers["content-disposition"], "attachment; filename=\"northwind-2026-10-v1.csv\"");
    let etag = whole.headers["etag"].to_str().expect("text").to_owned();
    assert_eq!(
        etag,
        format!("\"{}\"", service::billing::files::hex(&report.line_hash)),
        "the CSV's hash is the report's"
    );
    let part = web.get(&address, &[mine, ("range", "bytes=5-9")]).await;
    assert_eq!((part.status.as_u16(), part.body.as_slice()), (206, &whole.body[5..10]));
    assert_eq!(part.headers["content-range"], format!("bytes 5-9/{}", whole.body.len()));
    let other = web.get(&address, &[mine, ("range", "bytes=5-9"), ("if-range", "\"another\"")]).await;
    assert_eq!(other.status, 200, "a part of another file is of no use");
    assert_eq!(web.get(&address, &[mine, ("range", "bytes=999999-")]).await.status, 416);
    assert_eq!(web.get(&address, &[mine, ("if-none-match", &etag)]).await.status, 304);

    let (_, shared) = world.link(id).await;
    assert_eq!(web.get(&shared, &[]).await.body, whole.body);
    let other_file = shared.replace("report.csv", "report.pdf");
    assert_eq!(web.get(&other_file, &[]).await.problem().0, 404, "a link is for one file");
    assert_eq!(web.get(&format!("{address}?link=AAAA"), &[]).await.problem().0, 404);
    assert_eq!(web.get(&address, &[]).await.problem().0, 401);
    let tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let fetched = links::downloads(&tx, id).await.expect("downloads");
    assert_eq!(fetched.len(), 4, "whole, part, whole again, by the link");
    assert!(fetched[0].actor.starts_with("filelink_"), "{:?}", fetched[0]);
    drop(tx);

    test.app.clock.advance(TimeDelta::minutes(60));
    assert_eq!(web.get(&shared, &[]).await.problem().0, 404, "it has expired");
    let (link, shared) = world.link(id).await;
    assert_eq!(web.get(&shared, &[]).await.body, whole.body);
    links::revoke(&test.app, tenant, link, Actor::Operator).await.expect("revoked");
    assert_eq!(web.get(&shared, &[]).await.problem().0, 404, "it is revoked");

    assert_eq!(world.told_to_a_stranger(&address).await, 404);
    assert_eq!(web.get("/reports/report_x/report.csv", &[mine]).await.problem().0, 404);
    assert_eq!(web.get(&format!("/reports/{id}/report.exe"), &[mine]).await.problem().0, 404);
}

/// A storage that was changed for another, or restored from an older copy, does not have every file.
#[tokio::test]
async fn a_file_that_the_storage_has_lost_is_made_again() {
    let world = World::new().await;
    let (web, mine) = (&world.web, world.mine());
    let (report, tenant) = (world.closed().await, world.books.tenant);
    let id = id(&report);
    for format in ["csv", "json", "xlsx", "pdf"] {
        let address = format!("/reports/{id}/report.{format}");
        let first = web.get(&address, &[mine]).await;
        assert_eq!(first.status, 200, "{format}");
        let stored = format!("files/{}/reports/{}.{format}", tenant.uuid(), report.id);
        std::fs::remove_file(world.test.folder.path().join(stored)).expect("it was there");
        let again = web.get(&address, &[mine, ("range", "bytes=3-")]).await;
        assert_eq!((again.status.as_u16(), again.body.as_slice()), (206, &first.body[3..]), "{format}");
    }
}

#[tokio::test]
async fn a_link_of_a_suspended_tenant_opens_nothing_until_it_is_resumed() {
    let world = World::new().await;
    let (_, shared) = world.link(id(&world.closed().await)).await;
    for (suspended, status) in [(true, 403), (false, 200)] {
        life::set_suspended(&world.test.app, world.books.tenant, suspended).await.expect("set");
        assert_eq!(world.web.get(&shared, &[]).await.status, status);
    }
}

/// Somebody of a partner sees its own partner's billing on every way, changes nothing, and sees nothing else.
#[tokio::test]
async fn a_partners_person_sees_its_own_billing_alone() {
    let world = World::new().await;
    let (test, web, books) = (&world.test, &world.web, world.books);
    let tenant = books.tenant;
    let other = tests::billing::partner(&test.app, tenant, books.plan, "contoso").await;
    let others = Books { partner: other, ..books };
    sample(&test.app, others).await;
    let (own, theirs) = (id(&world.closed().await), id(&close(test, others, "2026-10").await));

    let database = test.app.tenants.open(tenant).await.expect("a tenant");
    let new = NewUser {
        email: "books@northwind.example".to_owned(),
        name: "Books".to_owned(),
        role: Role::Partner,
        partner: Some(books.partner),
        password: NewPassword::Absent,
    };
    let user = database.create_user(new, test.app.clock.now()).await.expect("a user").user;
    let token = test.app.tokens.issue(&database, &user, test.app.clock.now()).await.expect("a token").text;
    let credential = format!("Bearer {}", token.expose_secret());
    let mine = ("authorization", credential.as_str());

    assert_eq!(web.get(&format!("/reports/{own}/report.pdf"), &[mine]).await.status, 200);
    assert_eq!(web.get(&format!("/reports/{theirs}/report.pdf"), &[mine]).await.problem().0, 404);
    assert_eq!(web.post("/ingest/actions/northwind", &[mine], "x").await.problem().0, 403);
    let query =
        "{ partners { slug } billingOverview(period: \"2026-10\") { partner { slug } totals { billed } }
                   billingReports { id lines { total } } ratePlans { slug } }";
    let seen = web.graphql(&[mine], query, serde_json::Value::Null).await.json()["data"].clone();
    assert_eq!(seen["partners"], serde_json::json!([{ "slug": "northwind" }]), "{seen}");
    assert_eq!(seen["billingOverview"][0]["totals"]["billed"], "100.00", "{seen}");
    assert_eq!(
        seen["billingReports"],
        serde_json::json!([{ "id": own.to_string(), "lines": { "total": 20 } }])
    );
    let draft = format!("{{ billingDraft(partner: \"{other}\", period: \"2026-10\") {{ over }} }}");
    let answer = web.graphql(&[mine], &draft, serde_json::Value::Null).await.json();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
    let voiding =
        format!("mutation {{ voidBillingReport(report: \"{own}\", reason: \"x\") {{ error {{ code }} }} }}");
    let answer = web.graphql(&[mine], &voiding, serde_json::Value::Null).await.json();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
}

/// Every read as CSV: of a report and of a draft, the same; a fault names its field.
#[tokio::test]
async fn every_read_is_had_as_csv() {
    let world = World::new().await;
    let (web, mine) = (&world.web, world.mine());
    let read = async |address: &str| {
        let answer = web.get(&format!("/exports/billing/{address}"), &[mine]).await;
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        answer.text().to_owned()
    };
    let parted = ["products", "lead-types", "lead-users", "days", "savings", "duplicates"];
    let mut drafts = Vec::new();
    for name in parted {
        drafts.push(read(&format!("{name}.csv?partner=northwind&period=2026-10")).await);
    }
    let report = world.closed().await;
    let id = id(&report);
    for (name, draft) in parted.iter().zip(&drafts) {
        assert_eq!(&read(&format!("{name}.csv?report={id}")).await, draft, "{name}");
    }
    let head = "actions,gross,duplicates,over_cap,not_billable,billed,savings,currency\n";
    assert!(drafts[0].starts_with(&format!("product,name,{head}ABC,ABC,")), "{}", drafts[0]);
    assert_eq!(drafts[0].lines().count(), 12);
    assert_eq!(
        drafts[2],
        format!("email,{head}user@example.com,20,194.00,90.00,4.00,0.00,100.00,94.00,USD\n")
    );
    assert_eq!(drafts[3].lines().count(), 32, "a row a day");
    assert_eq!(
        drafts[4],
        "reason,actions,amount,currency\nduplicate,8,90.00,USD\nover the cap,1,4.00,USD\nall,9,94.00,USD\n"
    );
    assert!(drafts[5].lines().nth(1).is_some_and(|line| line.ends_with(",USD")), "{}", drafts[5]);
    let partners = read("partners.csv?period=2026-10").await;
    assert!(partners.contains("northwind,northwind,2026-10,1,20,194.00,"), "{partners}");
    let trend = read("trend.csv?partner=northwind").await;
    assert!(trend.lines().nth(1).is_some_and(|line| line.starts_with("2026-10,1,")), "{trend}");
    let lead = format!("lead.csv?lead={}", domain::ids::LeadId(report.id));
    assert_eq!(read(&lead).await.lines().count(), 1, "a lead without actions has a head");
    for (address, status) in [
        ("nothing.csv", 404),
        ("products", 404),
        ("products.csv", 400),
        ("products.csv?partner=northwind&period=soon", 400),
        ("products.csv?report=x", 400),
        ("products.csv?what=1", 400),
        ("products.csv?partner=nobody&period=2026-10", 404),
        ("trend.csv", 400),
        ("lead.csv", 400),
    ] {
        let answer = web.get(&format!("/exports/billing/{address}"), &[mine]).await;
        assert_eq!(answer.problem().0, status, "{address}");
    }
    let address = format!("/exports/billing/products.csv?report={id}");
    assert_eq!(world.told_to_a_stranger(&address).await, 404);
    assert_eq!(web.get(&address, &[]).await.problem().0, 401);
}
