//! Workers that die, come late, or work side by side; a database that goes away; tenants kept apart.

use std::time::Duration;

use chrono::TimeDelta;
use service::database::testing::Cluster;
use service::delivery::Tally;
use service::delivery::testing::{FakeCrm, Received, Step};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tokio_util::sync::CancellationToken;

use super::world::{ACME, GLOBEX, NewLead, World};

#[tokio::test]
async fn a_worker_that_dies_between_sending_and_finishing_is_replaced_and_the_id_stays() {
    let world = World::new().await;
    let crm = FakeCrm::start([Step::Hang]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    {
        let doomed = world.worker_with(|settings| settings.client.deadline = Duration::from_secs(30));
        tokio::select! {
            _ = doomed.run_due_work() => panic!("the receiver does not answer"),
            () = crm.wait_for(1) => {}
        }
    }
    let other = world.worker();
    assert_eq!(other.run_due_work().await.expect("it runs"), Tally::default(), "the lease still holds");
    world.clock.advance(TimeDelta::seconds(36));
    assert_eq!(other.run_due_work().await.expect("it runs").delivered, 1);
    let ids: Vec<_> = crm.received().iter().map(|request| request.webhook_id().to_owned()).collect();
    assert_eq!(ids, [id.to_string(), id.to_string()]);
    let numbers: Vec<_> = world.attempts(ACME, id).await.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [2], "the first attempt counted and left no record");
}

#[tokio::test]
async fn a_delivery_that_kills_every_worker_runs_out_of_attempts() {
    let world = World::new().await;
    let crm = FakeCrm::start(vec![Step::Hang; 10]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    for death in 1..=10 {
        let doomed = world.worker_with(|settings| settings.client.deadline = Duration::from_secs(30));
        tokio::select! {
            _ = doomed.run_due_work() => panic!("the receiver does not answer"),
            () = crm.wait_for(death) => {}
        }
        world.clock.advance(TimeDelta::seconds(36));
    }
    assert_eq!(world.worker().run_due_work().await.expect("it runs").unknown, 1);
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts, crm.count()), ("unknown", 10, 10));
    assert!(delivery.reason.expect("a reason").contains("never came to an end"));
}

#[tokio::test]
async fn a_late_outcome_changes_nothing() {
    let world = World::new().await;
    let late = Step::Delay(Duration::from_millis(400), Box::new(Step::status(422)));
    let crm = FakeCrm::start([late, Step::status(200)]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let (slow, quick) = (world.worker(), world.worker());
    let (first, ()) = tokio::join!(slow.run_due_work(), async {
        crm.wait_for(1).await;
        world.clock.advance(TimeDelta::seconds(36));
        assert_eq!(quick.run_due_work().await.expect("it runs").delivered, 1);
    });
    assert_eq!(first.expect("it runs").lost, 1);
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts), ("delivered", 2));
    let attempts = world.attempts(ACME, id).await;
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_side_by_side_send_each_delivery_once() {
    let world = World::new().await;
    let crm =
        FakeCrm::start(vec![Step::Delay(Duration::from_millis(5), Box::new(Step::status(200))); 400]).await;
    for tenant in [ACME, GLOBEX] {
        let to = world.destination(tenant, "webhook", &crm.url(), None).await;
        for _ in 0..150 {
            world.kara(tenant, to).await;
        }
    }
    let small = |settings: &mut service::delivery::Settings| settings.batch = 7;
    let workers = [world.worker_with(small), world.worker_with(small), world.worker_with(small)];
    let (a, b, c) =
        tokio::join!(workers[0].run_due_work(), workers[1].run_due_work(), workers[2].run_due_work());
    let tallies = [a, b, c].map(|tally| tally.expect("it runs"));
    assert_eq!(tallies.iter().map(|tally| tally.delivered).sum::<u64>(), 300);
    assert!(tallies.iter().all(|tally| tally.delivered > 0 && tally.lost == 0), "{tallies:?}");
    let mut ids: Vec<_> = crm.received().iter().map(|request| request.webhook_id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), crm.count(), crm.overlaps()), (300, 300, 0));
}

#[tokio::test]
async fn each_tenants_leads_go_to_its_own_destination() {
    let world = World::new().await;
    let (ours, theirs) = (FakeCrm::start([]).await, FakeCrm::start([]).await);
    let (a, b) = (
        world.destination(ACME, "webhook", &ours.url(), None).await,
        world.destination(GLOBEX, "webhook", &theirs.url(), None).await,
    );
    let (mine, other) = (world.kara(ACME, a).await, world.kara(GLOBEX, b).await);
    assert_eq!(world.worker().run_due_work().await.expect("it runs").delivered, 2);
    assert_eq!((ours.count(), theirs.count()), (1, 1));
    assert_eq!(ours.received()[0].webhook_id(), mine.to_string());
    assert_eq!(theirs.received()[0].webhook_id(), other.to_string());
    assert!(world.attempts(ACME, other).await.is_empty(), "the policies hide the other's attempts");
}

/// Waits for what a running worker does, up to a bound that a slow machine keeps.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came true");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_worker_is_woken_delivers_and_stops_with_everything_committed() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    // Its own poll would come long after the test has failed.
    let worker = world.worker_with(|settings| settings.poll = Duration::from_mins(10));
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(stop).await }
    });
    let first = world.kara(ACME, to).await;
    world.wake.wake();
    until(async || world.delivery(ACME, first).await.state == "delivered").await;
    for _ in 0..40 {
        world.kara(ACME, to).await;
    }
    world.wake.wake();
    crm.wait_for(20).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it stops").expect("it ends well");
    let leased = "UPDATE delivery SET lease = lease WHERE tenant_id = $1 AND lease IS NOT NULL";
    assert_eq!(world.execute(ACME, leased).await, 0, "nothing is left leased");
    let delivered = world
        .execute(ACME, "UPDATE delivery SET due_at = due_at WHERE tenant_id = $1 AND state = 'delivered'")
        .await;
    assert_eq!(delivered, crm.count() as u64, "what arrived is recorded as delivered");
    world.worker().run_due_work().await.expect("it runs");
    assert_eq!(crm.count(), 41, "what was given back is sent by the next worker, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_destination_does_not_hold_up_another_tenant() {
    let world = World::new().await;
    let (hanging, well) = (FakeCrm::start(vec![Step::Hang; 500]).await, FakeCrm::start([]).await);
    let (a, b) = (
        world.destination(ACME, "webhook", &hanging.url(), None).await,
        world.destination(GLOBEX, "webhook", &well.url(), None).await,
    );
    for _ in 0..60 {
        world.kara(ACME, a).await;
    }
    let worker = world.worker_with(|settings| {
        settings.client.deadline = Duration::from_secs(15);
        settings.places = 32;
        settings.batch = 16;
        settings.stop_limit = Duration::from_millis(100);
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(stop).await }
    });
    // A quarter of the places is what one tenant alone may have.
    hanging.wait_for(8).await;
    for _ in 0..60 {
        world.kara(GLOBEX, b).await;
    }
    world.wake.wake();
    tokio::time::timeout(Duration::from_secs(10), well.wait_for(60)).await.expect("they are not held up");
    assert_eq!(hanging.count(), 8, "the hanging one never gets more");
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("it stops").expect("it ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_wait_for_a_database_that_goes_away() {
    let world = World::new().await;
    let crm =
        FakeCrm::start(vec![Step::Delay(Duration::from_millis(300), Box::new(Step::status(200)))]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    let worker = world.worker();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(stop).await }
    });
    crm.wait_for(1).await;
    let mut elsewhere =
        Cluster::shared().await.owner_options("postgres").connect().await.expect("it connects");
    let database = world.fresh.name();
    let open = |allowed: bool| format!("ALTER DATABASE {database} WITH ALLOW_CONNECTIONS {allowed}");
    elsewhere.execute(AssertSqlSafe(open(false))).await.expect("it closes");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(cut).bind(database).execute(&mut elsewhere).await.expect("it cuts");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(crm.count(), 1);
    elsewhere.execute(AssertSqlSafe(open(true))).await.expect("it opens");
    until(async || world.delivery(ACME, id).await.state == "delivered").await;
    stop.cancel();
    running.await.expect("it ends well");
    assert_eq!(crm.count(), 1, "the outcome was kept, not the request repeated");
}

/// The database takes one outcome not even without the destination's words: the others are written all the same.
#[tokio::test]
async fn an_outcome_that_cannot_be_written_keeps_no_other_from_it() {
    let world = World::new().await;
    // The one at fault is answered first, so that it stands at the head of its batch.
    let crm = FakeCrm::answering(|request: &Received| match request.json()["first_name"].as_str() {
        Some("Mallory") => Step::status(200),
        _ => Step::Delay(Duration::from_millis(300), Box::new(Step::status(200))),
    })
    .await;
    let to = world.destination(ACME, "bonzo", &crm.url(), None).await;
    let mallory = NewLead { first_name: Some("Mallory"), ..NewLead::default() };
    let at_fault = world.lead(ACME, to, mallory).await;
    let others = [world.kara(ACME, to).await, world.kara(ACME, to).await, world.kara(ACME, to).await];
    let refuse = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON delivery FOR EACH ROW
             WHEN (NEW.id = '{}' AND NEW.state = 'delivered') EXECUTE FUNCTION refuse()",
        at_fault.uuid()
    );
    world.execute_as_owner(refuse).await;
    let worker = world.worker_with(|settings| settings.client.deadline = Duration::from_secs(10));
    worker.run_due_work().await.expect_err("one could not be written");
    for id in others {
        assert_eq!(world.delivery(ACME, id).await.state, "delivered");
    }
    let delivery = world.delivery(ACME, at_fault).await;
    assert_eq!((delivery.state.as_str(), delivery.lease.is_some()), ("pending", true), "its lease will end");
}
