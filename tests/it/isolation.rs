//! Two tenants with equal data: what one may read, change or download, the other one's ids do not find.
//!
//! GraphQL's fields are walked where GraphQL is tested; here are the operations beneath and the plain routes.

use std::collections::BTreeMap;

use domain::ids::{DeliveryId, FailedRecordId, LeadId, TenantId};
use secrecy::ExposeSecret;
use serde_json::Value;
use service::Error;
use service::access;
use service::database::{Mode, TenantTx};
use service::delivery::manage::{self, DestinationChange};
use service::delivery::reads::{self, DeliveryFilter, Period};
use service::intake::leads::{LeadFilter, Page};
use service::intake::listing::{FailedFilter, ImportFilter};
use service::intake::sources::{self, SourceChange};
use service::intake::{export, failed, imports, leads, listing};
use tenants::{KeyKind, NewKey};
use tests::TestApp;
use tests::data::{Everything, everything, rows};
use uuid::Uuid;

const PAGE: Page = Page { rows: 100, after: None, before: None, from_end: false };
const TABLES: [&str; 11] = [
    "tenant",
    "lead_source",
    "import",
    "import_batch",
    "lead",
    "lead_event",
    "failed_record",
    "idempotency",
    "destination",
    "delivery",
    "delivery_attempt",
];

/// The ids of what a tenant has, beyond [`Everything`].
struct Ids {
    leads: Vec<LeadId>,
    deliveries: Vec<DeliveryId>,
    failed: Vec<FailedRecordId>,
}

async fn begin(test: &TestApp, tenant: TenantId) -> TenantTx {
    test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction")
}

async fn ids(test: &TestApp, tenant: TenantId) -> Ids {
    let mut tx = begin(test, tenant).await;
    let mut of = async |sql: &'static str| -> Vec<Uuid> {
        sqlx::query_scalar(sql).fetch_all(tx.connection()).await.expect("ids")
    };
    let ids = Ids {
        leads: of("SELECT id FROM lead ORDER BY id").await.into_iter().map(LeadId).collect(),
        deliveries: of("SELECT id FROM delivery ORDER BY id").await.into_iter().map(DeliveryId).collect(),
        failed: of("SELECT id FROM failed_record ORDER BY id")
            .await
            .into_iter()
            .map(FailedRecordId)
            .collect(),
    };
    assert!(!ids.leads.is_empty() && !ids.deliveries.is_empty() && !ids.failed.is_empty());
    ids
}

/// Not yours is not found, in the words that something absent is answered with.
fn assert_not_found<T: std::fmt::Debug>(what: &str, result: &Result<T, Error>) {
    assert!(matches!(result, Err(Error::NotFound { .. })), "{what}: {result:?}");
}

/// Reads by id: sources, imports, refused records, leads and their journeys.
#[tokio::test]
async fn reads_of_the_intake_find_nothing_of_another_tenant() {
    let test = TestApp::new().await;
    let (acme, globex) = (everything(&test, "acme").await, everything(&test, "globex").await);
    let (own, theirs) = (ids(&test, acme.tenant).await, ids(&test, globex.tenant).await);
    assert_eq!(own.leads.len(), theirs.leads.len(), "their data is equal");
    let tx = begin(&test, acme.tenant).await;

    // Each read is tried with one's own ids too: one that finds nothing at all would prove nothing.
    assert_not_found("source", &sources::by_id(&tx, globex.source_id()).await);
    assert!(sources::by_id(&tx, acme.source_id()).await.is_ok());
    assert_not_found("import", &imports::by_id(&tx, globex.import).await);
    assert!(imports::by_id(&tx, acme.import).await.is_ok());
    assert_not_found("refused record", &failed::by_id(&tx, theirs.failed[0]).await);
    assert!(failed::by_id(&tx, own.failed[0]).await.is_ok());
    assert_not_found("export", &export::failed_csv(&test.app, &tx, globex.import).await);
    assert!(export::failed_csv(&test.app, &tx, acme.import).await.is_ok());
    let by_slug = sources::by_slug(&tx, "experian").await.expect("one's own of that slug");
    assert_eq!(by_slug.id, acme.source.id);

    let both = |own: &[LeadId], theirs: &[LeadId]| [own, theirs].concat();
    let found = leads::by_ids(&tx, &both(&own.leads, &theirs.leads)).await.expect("leads");
    assert_eq!(found.len(), own.leads.len());
    let found = listing::sources_by_ids(&tx, &[acme.source_id(), globex.source_id()]).await.expect("sources");
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [acme.source.id]);
    let found = listing::imports_by_ids(&tx, &[acme.import, globex.import]).await.expect("imports");
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [acme.import.uuid()]);
    let counts = imports::counts(&tx, &[acme.import, globex.import]).await.expect("counts");
    assert_eq!(counts.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [acme.import]);
    assert!(!listing::events_of(&tx, &own.leads).await.expect("events").is_empty());
    assert!(listing::events_of(&tx, &theirs.leads).await.expect("events").is_empty());
    for lead in &theirs.leads {
        assert!(leads::events(&tx, *lead).await.expect("events").is_empty());
    }
    assert!(!leads::delivery_states(&tx, &own.leads).await.expect("states").is_empty());
    assert!(leads::delivery_states(&tx, &theirs.leads).await.expect("states").is_empty());
}

/// Lists and figures, with and without a filter that names the other one's things.
#[tokio::test]
async fn lists_and_figures_are_one_tenants() {
    let test = TestApp::new().await;
    let (acme, globex) = (everything(&test, "acme").await, everything(&test, "globex").await);
    let (own, theirs) = (ids(&test, acme.tenant).await, ids(&test, globex.tenant).await);
    let tx = begin(&test, acme.tenant).await;
    let now = test.app.clock.now();

    let all = leads::list(&tx, &LeadFilter::default(), PAGE).await.expect("leads").rows;
    assert_eq!(all.len(), own.leads.len());
    for filter in [
        LeadFilter { sources: vec![globex.source_id()], ..LeadFilter::default() },
        LeadFilter { import: Some(globex.import), ..LeadFilter::default() },
    ] {
        assert!(leads::list(&tx, &filter, PAGE).await.expect("leads").rows.is_empty());
        assert_eq!(leads::count(&tx, &filter, 1_000).await.expect("a count"), 0);
    }
    // A cursor is a place in the order of ids and nothing else: another's id shows one's own rows only.
    let page = Page { before: Some(theirs.leads[0].uuid()), ..PAGE };
    let found = leads::list(&tx, &LeadFilter::default(), page).await.expect("leads").rows;
    assert!(found.iter().all(|row| own.leads.contains(&LeadId(row.id))));

    let found = listing::imports(&tx, &ImportFilter::default(), PAGE).await.expect("imports").rows;
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [acme.import.uuid()]);
    let filter = ImportFilter { sources: vec![globex.source_id()], ..ImportFilter::default() };
    assert!(listing::imports(&tx, &filter, PAGE).await.expect("imports").rows.is_empty());
    let found = listing::failed_records(&tx, &FailedFilter::default(), PAGE).await.expect("records").rows;
    assert_eq!(found.len(), own.failed.len());
    for filter in [
        FailedFilter { import: Some(globex.import), ..FailedFilter::default() },
        FailedFilter { sources: vec![globex.source_id()], ..FailedFilter::default() },
    ] {
        assert!(listing::failed_records(&tx, &filter, PAGE).await.expect("records").rows.is_empty());
        assert_eq!(listing::count_failed_records(&tx, &filter, 1_000).await.expect("a count"), 0);
    }
    let counted: i64 =
        leads::count_by_source(&tx).await.expect("counts").iter().map(|(_, count)| count).sum();
    assert_eq!(usize::try_from(counted).expect("small"), own.leads.len());
    assert!(sources::list(&tx).await.expect("sources").iter().all(|row| row.tenant_id == acme.tenant.uuid()));

    deliveries_are_one_tenants(&tx, (&acme, &own), (&globex, &theirs), now).await;
    let tenant = access::own_tenant(&tx).await.expect("its row");
    assert_eq!(tenant.id, acme.tenant.uuid());
}

async fn deliveries_are_one_tenants(
    tx: &TenantTx,
    (acme, own): (&Everything, &Ids),
    (globex, theirs): (&Everything, &Ids),
    now: chrono::DateTime<chrono::Utc>,
) {
    let destinations = manage::list(tx).await.expect("destinations");
    assert_eq!(destinations.iter().map(|row| row.id).collect::<Vec<_>>(), [acme.destination.uuid()]);
    assert_not_found("destination", &manage::by_id(tx, globex.destination).await);
    let found = manage::by_ids(tx, &[acme.destination, globex.destination]).await.expect("destinations");
    assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [acme.destination.uuid()]);

    let all = reads::list(tx, &DeliveryFilter::default(), PAGE, now).await.expect("deliveries").rows;
    assert_eq!(all.len(), own.deliveries.len());
    for filter in [
        DeliveryFilter { destinations: vec![globex.destination], ..DeliveryFilter::default() },
        DeliveryFilter { lead: Some(theirs.leads[0]), ..DeliveryFilter::default() },
    ] {
        assert!(reads::list(tx, &filter, PAGE, now).await.expect("deliveries").rows.is_empty());
    }
    assert_not_found("delivery", &reads::by_id(tx, theirs.deliveries[0]).await);
    assert!(reads::by_id(tx, own.deliveries[0]).await.is_ok());
    assert_eq!(reads::of_leads(tx, &own.leads).await.expect("deliveries").len(), own.deliveries.len());
    assert!(reads::of_leads(tx, &theirs.leads).await.expect("deliveries").is_empty());
    assert!(!reads::attempts_of(tx, &own.deliveries).await.expect("attempts").is_empty());
    assert!(reads::attempts_of(tx, &theirs.deliveries).await.expect("attempts").is_empty());
    let counts = reads::count_by_destination(tx).await.expect("counts");
    assert!(counts.iter().all(|(destination, ..)| *destination == acme.destination), "{counts:?}");

    let hour = chrono::TimeDelta::hours(1);
    let period = Period { since: now - hour, until: now + hour, destination: None };
    let of_theirs = Period { destination: Some(globex.destination), ..period };
    let total = |counts: &[(String, i64)]| counts.iter().map(|(_, count)| count).sum::<i64>();
    let counted = reads::count_by_state(tx, period).await.expect("counts");
    assert_eq!(usize::try_from(total(&counted)).expect("small"), own.deliveries.len());
    assert!(reads::count_by_state(tx, of_theirs).await.expect("counts").is_empty());
    assert!(reads::count_by_http_status(tx, of_theirs).await.expect("counts").is_empty());
    let points = reads::series(tx, of_theirs).await.expect("a series");
    assert!(points.iter().all(|point| point.attempts == 0));
}

/// Every change with another one's id is refused, and nothing of his has changed.
#[tokio::test]
async fn changes_do_not_reach_another_tenant() {
    let test = TestApp::new().await;
    let (acme, globex) = (everything(&test, "acme").await, everything(&test, "globex").await);
    let theirs = ids(&test, globex.tenant).await;
    let before: Vec<Value> = rows(&test.app, globex.tenant, &TABLES).await;
    let (app, tenant) = (&test.app, acme.tenant);

    let off = SourceChange { enabled: Some(false), ..SourceChange::default() };
    assert_not_found("source", &sources::update(app, tenant, globex.source_id(), off).await);
    let off = DestinationChange { enabled: Some(false), ..DestinationChange::default() };
    assert_not_found("destination", &manage::update(app, tenant, globex.destination, off).await);
    assert_not_found("import", &imports::cancel(app, tenant, globex.import).await);
    assert!(imports::lease(app, tenant, globex.import, None).await.expect("no error").is_none());
    for record in &theirs.failed {
        let values = BTreeMap::from([("Telephone # 1".to_owned(), "3035550199".to_owned())]);
        assert_not_found("record", &failed::correct(app, tenant, *record, &values, "user_x").await);
        assert_not_found("record", &failed::dismiss(app, tenant, *record, "user_x").await);
    }
    for delivery in &theirs.deliveries {
        let refused = app.retries().retry(tenant, *delivery, "user_x").await.map_err(Error::from);
        assert_not_found("delivery", &refused);
    }
    let retried = app.retries().retry_all_failed(tenant, Some(globex.destination), "user_x").await;
    assert_eq!(retried.expect("no error"), 0);
    assert_eq!(rows(app, globex.tenant, &TABLES).await, before);

    // The same operations with their own tenant do change it.
    app.retries().retry_all_failed(globex.tenant, Some(globex.destination), "user_x").await.expect("retried");
    assert_ne!(rows(app, globex.tenant, &TABLES).await, before);
}

/// A credential is its tenant's: each plain route answers another one's id as it answers nonsense.
#[tokio::test]
async fn routes_find_nothing_of_another_tenant() {
    let test = TestApp::new().await;
    let (acme, globex) = (everything(&test, "acme").await, everything(&test, "globex").await);
    let before: Vec<Value> = rows(&test.app, globex.tenant, &TABLES).await;
    let new = NewKey {
        kind: KeyKind::Api,
        name: "program".to_owned(),
        role: tenants::Role::Manager,
        scope: "*".to_owned(),
        created_by: None,
        expires_at: None,
    };
    let database = test.app.tenants.open(acme.tenant).await.expect("the tenant's database");
    let key = database.create_key(new, test.app.clock.now()).await.expect("a key").text;
    let credential = format!("Bearer {}", key.expose_secret());
    let (web, headers) = (test.web(), [("authorization", credential.as_str())]);
    let own = web.get(&format!("/imports/{}/failed.csv", acme.import), &headers).await;
    assert_eq!(own.status.as_u16(), 200);
    let theirs = web.get(&format!("/imports/{}/failed.csv", globex.import), &headers).await;
    assert_eq!(theirs.problem(), (404, "NOT_FOUND".to_owned()));

    // Both have a source of that name: a lead goes to the one of whoever sends it.
    let record = serde_json::json!({"Lead ID": "LS-77", "First Name": "Ada", "Pri. Phone": "3035550177"});
    let typed = [headers[0], ("content-type", "application/json")];
    let answer = web.post("/ingest/leadsource", &typed, record.to_string()).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
    let file = web.file("experian", &acme.token, "Telephone # 1\n3035550178\n").await;
    assert_eq!(file.status.as_u16(), 202, "{}", file.text());
    assert_eq!(rows(&test.app, globex.tenant, &TABLES).await, before);
}

/// A request may go away at any moment, also between `BEGIN` and its answer: its connection takes no transaction back to the pool, where
/// the next one's statements would be part of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_goes_away_leaves_no_transaction_behind() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let owner = test.app.database.owner.as_ref().expect("a private cluster");
    for moment in 0..150 {
        let gone = async {
            for _ in 0..moment {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            begun = test.app.begin(tenant, Mode::ReadOnly) => drop(begun.expect("a transaction")),
            () = gone => {}
        }
        // What has begun is undone in a moment; what nobody knows of stays.
        let undone = async {
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            while sqlx::query_scalar::<_, i64>(left).fetch_one(owner).await.expect("counted") > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), undone).await.expect("nothing stays open");
    }
}
