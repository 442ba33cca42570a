//! Claims that take their time to become durable, and one that does not.

use std::time::Duration;

use domain::ids::DeliveryId;
use service::delivery::testing::FakeCrm;
use sqlx::Executor as _;
use tokio::time::timeout;

use super::world::{ACME, SOON, World, running};

/// What is done when the claim of that delivery is committed: `body` of a function in PL/pgSQL.
async fn at_commit(world: &World, delivery: DeliveryId, body: &str) {
    let sql = format!(
        "CREATE SEQUENCE commits;
         CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN {body} RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON delivery DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
             WHEN (NEW.id = '{}' AND NEW.attempts > OLD.attempts) EXECUTE FUNCTION at_commit()",
        delivery.uuid()
    );
    world.execute_as_owner(sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_does_not_wait_for_the_claim_of_another() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let slow = world.kara(ACME, to).await;
    at_commit(&world, slow, "PERFORM pg_advisory_xact_lock(77);").await;
    let mut holder = world.pool().acquire().await.expect("a connection");
    holder.execute("SELECT pg_advisory_lock(77)").await.expect("held");
    // Its own poll would come long after the test has failed.
    let (stop, ended) = running(world.worker_with(|settings| settings.poll = Duration::from_mins(10)));
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database
                   WHERE datname = current_database() AND locktype = 'advisory' AND objid = 77 AND NOT granted)";
    timeout(SOON, async {
        while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(world.pool()).await.expect("answered") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("its claim is about to be durable");

    let quick = world.kara(ACME, to).await;
    world.wake.wake();
    timeout(SOON, crm.wait_for(1)).await.expect("it is claimed and sent meanwhile");
    assert_eq!(crm.received()[0].webhook_id(), quick.to_string());

    holder.execute("SELECT pg_advisory_unlock(77)").await.expect("free");
    timeout(SOON, crm.wait_for(2)).await.expect("then comes the other");
    stop.cancel();
    timeout(SOON, ended).await.expect("it stops").expect("it ends well");
    assert_eq!((world.delivery(ACME, slow).await.attempts, crm.count()), (1, 2), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_could_not_be_committed_is_made_again() {
    let world = World::new().await;
    let crm = FakeCrm::start([]).await;
    let to = world.destination(ACME, "webhook", &crm.url(), None).await;
    let id = world.kara(ACME, to).await;
    // A sequence keeps what a rollback takes back.
    at_commit(&world, id, "IF nextval('commits') = 1 THEN RAISE 'no space left'; END IF;").await;
    let (stop, ended) = running(world.worker_with(|settings| settings.poll = Duration::from_millis(20)));
    timeout(SOON, crm.wait_for(1)).await.expect("it is sent at the second try");
    stop.cancel();
    timeout(SOON, ended).await.expect("it stops").expect("it ends well");
    let delivery = world.delivery(ACME, id).await;
    assert_eq!((delivery.state.as_str(), delivery.attempts, crm.count()), ("delivered", 1, 1));
}
