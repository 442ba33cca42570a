//! Deliveries that are claimed in the transaction that makes them.

use std::time::Duration;

use domain::ids::{DeliveryId, DestinationId};
use serde_json::json;
use service::database::TenantTx;
use service::delivery::Handover;
use service::delivery::testing::FakeCrm;
use sqlx::Executor as _;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::world::{ACME, NewLead, SOON, World, running};

/// A worker that has delivered one lead and will find no other by itself.
struct Blind {
    world: World,
    crm: FakeCrm,
    to: DestinationId,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Blind {
    async fn new() -> Self {
        let world = World::new().await;
        let crm = FakeCrm::start([]).await;
        let to = world.destination(ACME, "webhook", &crm.url(), None).await;
        world.kara(ACME, to).await;
        let (stop, ended) = running(world.worker());
        timeout(SOON, crm.wait_for(1)).await.expect("it runs");
        world
            .execute_as_owner(
                "CREATE OR REPLACE FUNCTION due_destinations(at timestamptz) RETURNS TABLE (tenant_id uuid, destination_id uuid)
                 LANGUAGE sql STABLE AS 'SELECT NULL::uuid, NULL::uuid WHERE false'"
                    .to_owned(),
            )
            .await;
        Self { world, crm, to, stop, ended }
    }

    /// A lead in a transaction that is under way, handed over.
    async fn hand_over(&self) -> (DeliveryId, Handover) {
        let mut tx = self.world.begin(ACME).await;
        let lead = NewLead { first_name: Some("Noah"), ..NewLead::default() };
        let (lead, delivery) = self.world.lead_in(&mut tx, self.to, lead).await;
        (delivery, self.world.wake.claim_with(tx, &[lead], &[self.to]).await.expect("claimed"))
    }

    async fn state(&self, id: DeliveryId) -> (String, i16, bool) {
        let delivery = self.world.delivery(ACME, id).await;
        (delivery.state, delivery.attempts, delivery.lease.is_some())
    }

    async fn end(self) -> (World, FakeCrm) {
        self.stop.cancel();
        timeout(SOON, self.ended).await.expect("it stops").expect("it ends well");
        (self.world, self.crm)
    }
}

async fn exists(tx: &mut TenantTx, id: DeliveryId) -> bool {
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM delivery WHERE id = $1)").bind(id.uuid());
    found.fetch_one(tx.connection()).await.expect("answered")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_comes_alone_is_sent_without_being_looked_for() {
    let blind = Blind::new().await;
    let (id, handover) = blind.hand_over().await;
    assert_eq!(blind.crm.count(), 1, "nothing is sent before it is committed");
    handover.commit().await.expect("committed");
    timeout(SOON, blind.crm.wait_for(2)).await.expect("it is sent");
    assert_eq!(blind.crm.received()[1].webhook_id(), id.to_string());
    let (world, crm) = blind.end().await;
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts, crm.count()), ("delivered", 1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leads_of_one_transaction_are_sent_without_being_looked_for() {
    let blind = Blind::new().await;
    let mut tx = blind.world.begin(ACME).await;
    let (mut leads, mut deliveries) = (Vec::new(), Vec::new());
    for name in ["Noah", "Mia", "Liv", "Max"] {
        let new = NewLead { first_name: Some(name), ..NewLead::default() };
        let (lead, delivery) = blind.world.lead_in(&mut tx, blind.to, new).await;
        leads.push(lead);
        deliveries.push(delivery);
    }
    let handover = blind.world.wake.claim_with(tx, &leads, &[blind.to]).await.expect("claimed");
    handover.commit().await.expect("committed");
    timeout(SOON, blind.crm.wait_for(5)).await.expect("they are sent");
    let (world, crm) = blind.end().await;
    for id in deliveries {
        let delivery = world.delivery(ACME, id).await;
        assert_eq!((delivery.state.as_str(), delivery.attempts), ("delivered", 1));
    }
    assert_eq!(crm.count(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_never_committed_is_never_sent_and_keeps_no_place() {
    let blind = Blind::new().await;
    let (id, handover) = blind.hand_over().await;
    drop(handover);
    let mut tx = blind.world.begin(ACME).await;
    assert!(!exists(&mut tx, id).await);
    // The end waits for everything that is on its way.
    let (_, crm) = blind.end().await;
    assert_eq!(crm.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_is_committed_while_the_worker_stops_is_given_back() {
    let blind = Blind::new().await;
    let to = blind.to;
    let (id, handover) = blind.hand_over().await;
    blind.stop.cancel();
    sleep(Duration::from_millis(50)).await;
    assert!(!blind.ended.is_finished(), "the worker waits for what it has claimed");
    handover.commit().await.expect("committed");
    let (world, crm) = blind.end().await;
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts, delivery.lease), ("pending", 0, None));
    assert_eq!(crm.count(), 1);

    // Nobody runs any more: the next one is left as it is, for whoever looks.
    let mut tx = world.begin(ACME).await;
    let (lead, next) = world.lead_in(&mut tx, to, NewLead::default()).await;
    world.wake.claim_with(tx, &[lead], &[to]).await.expect("left").commit().await.expect("committed");
    let delivery = world.delivery(ACME, next).await;
    assert_eq!((delivery.attempts, delivery.lease), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_during_the_commit_does_not_stop_what_it_handed_over() {
    let blind = Blind::new().await;
    blind
        .world
        .execute_as_owner(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(78); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON lead DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
                .to_owned(),
        )
        .await;
    let mut holder = blind.world.pool().acquire().await.expect("a connection");
    holder.execute("SELECT pg_advisory_lock(78)").await.expect("held");
    let (id, handover) = blind.hand_over().await;
    assert!(timeout(Duration::from_millis(100), handover.commit()).await.is_err(), "it goes away");
    holder.execute("SELECT pg_advisory_unlock(78)").await.expect("free");
    timeout(SOON, blind.crm.wait_for(2)).await.expect("it is sent all the same");
    let (world, _) = blind.end().await;
    assert_eq!(world.delivery(ACME, id).await.state, "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_with_a_rate_limit_or_without_room_is_left_to_the_worker() {
    let blind = Blind::new().await;
    let limited = blind.world.destination(ACME, "webhook", &blind.crm.url(), None).await;
    blind.world.set(ACME, limited, json!({ "limits": { "per_second": 5 } }), json!({})).await;
    let mut tx = blind.world.begin(ACME).await;
    let (lead, id) = blind.world.lead_in(&mut tx, limited, NewLead::default()).await;
    let handover = blind.world.wake.claim_with(tx, &[lead], &[limited]).await.expect("left");
    handover.commit().await.expect("committed");
    assert_eq!(blind.state(id).await, ("pending".to_owned(), 0, false));

    // One request at a time, and as many again claimed ahead as the worker does: the fifth has no room.
    let one = blind.world.destination(ACME, "webhook", &blind.crm.url(), None).await;
    blind.world.set(ACME, one, json!({ "limits": { "concurrency": 1 } }), json!({})).await;
    let mut under_way = Vec::new();
    for _ in 0..4 {
        let mut tx = blind.world.begin(ACME).await;
        let (lead, _) = blind.world.lead_in(&mut tx, one, NewLead::default()).await;
        under_way.push(blind.world.wake.claim_with(tx, &[lead], &[one]).await.expect("claimed"));
    }
    let mut tx = blind.world.begin(ACME).await;
    let (lead, waits) = blind.world.lead_in(&mut tx, one, NewLead::default()).await;
    blind.world.wake.claim_with(tx, &[lead], &[one]).await.expect("left").commit().await.expect("committed");
    assert_eq!(blind.state(waits).await, ("pending".to_owned(), 0, false), "the others have all the places");
    drop(under_way);
    blind.end().await;
}
