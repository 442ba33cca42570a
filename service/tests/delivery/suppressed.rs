//! A person who wants no more contact, while nobody knows whether their lead has arrived.

use chrono::TimeDelta;
use domain::ids::{DeliveryId, SuppressionId};
use serde_json::json;
use service::App;
use service::app::Settings;
use service::delivery::testing::{FakeCrm, Received, Step};
use service::secrets::Secrets;
use service::suppression::{self, Contact, Entry};
use tempfile::TempDir;

use super::unsure::{HERE, askable, dear, die_while_sending};
use super::world::{ACME, World};

/// The list of the tenant whose worker has just died over a lead; its lease has ended.
struct List {
    app: App,
    _folder: TempDir,
}

impl List {
    async fn after_a_death(world: &World, crm: &FakeCrm) -> Self {
        die_while_sending(world, crm, 1).await;
        world.clock.advance(TimeDelta::seconds(36));
        let folder = TempDir::new().expect("a folder");
        let secrets = Secrets::load_or_create(folder.path()).expect("a key");
        let (clock, ids) = (world.clock.clone(), world.ids.clone());
        let database = world.fresh.database.clone();
        let app = App::with(database, Settings::below(folder.path()), secrets, clock, ids).expect("an app");
        Self { app, _folder: folder }
    }

    /// Enters the phone that every lead of the world has.
    async fn enter(&self) {
        let contact = Contact::Phone("+13035550101".to_owned());
        let entry = Entry { contact, reason: None, lead: None, actor: "test".to_owned() };
        assert!(suppression::add(&self.app, ACME, entry).await.expect("entered"));
    }

    /// Takes it off again.
    async fn clear(&self, world: &World) {
        let rows = suppression::list(&world.begin(ACME).await, None).await.expect("the list");
        for row in rows {
            suppression::remove(&self.app, ACME, SuppressionId(row.id)).await.expect("removed");
        }
    }
}

async fn state(world: &World, id: DeliveryId) -> (String, bool) {
    let delivery = world.delivery(ACME, id).await;
    (delivery.state, delivery.unsure)
}

#[tokio::test]
async fn what_a_dead_worker_had_is_not_held_before_somebody_has_looked() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Hang]).await;
    let to = dear(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    List::after_a_death(&world, &crm).await.enter().await;
    assert_eq!(state(&world, id).await.0, "pending");
    assert_eq!(world.worker().run_due_work().await.expect("it runs").unknown, 1);
    assert_eq!((crm.count(), state(&world, id).await), (1, ("unknown".to_owned(), true)));
}

/// Where the destination can be asked it is held, and asked before it goes out when the person wants contact after all.
#[tokio::test]
async fn what_is_held_keeps_its_doubt() {
    let world = World::new().await;
    let crm = FakeCrm::answering(|request: &Received| match request.method.as_str() {
        "POST" => Step::Hang,
        _ => Step::body(200, HERE),
    })
    .await;
    let to = askable(&world, &crm).await;
    let id = world.kara(ACME, to).await;
    let list = List::after_a_death(&world, &crm).await;
    list.enter().await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    assert_eq!((crm.count(), state(&world, id).await), (1, ("held".to_owned(), true)));
    list.clear(&world).await;
    world.retries().retry(ACME, id, "user_kim").await.expect("retried");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    let methods: Vec<String> = crm.received().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET"]);
    assert_eq!(state(&world, id).await, ("delivered".to_owned(), false));
}

/// Whoever retries what is held was not told that it may have arrived.
#[tokio::test]
async fn a_retry_of_what_is_held_decides_nothing_about_its_doubt() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Hang]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let list = List::after_a_death(&world, &crm).await;
    list.enter().await;
    let worker = world.worker();
    worker.run_due_work().await.expect("it runs");
    assert_eq!(state(&world, id).await, ("held".to_owned(), true));
    list.clear(&world).await;
    world.set(ACME, to, json!({ "unknown": "ask" }), json!({})).await;
    let retries = world.retries();
    retries.retry(ACME, id, "user_kim").await.expect("retried");
    assert_eq!(worker.run_due_work().await.expect("it runs").unknown, 1);
    assert_eq!(crm.count(), 1);
    retries.retry(ACME, id, "user_kim").await.expect("a decision");
    assert_eq!(worker.run_due_work().await.expect("it runs").delivered, 1);
    assert_eq!(crm.count(), 2);
}
