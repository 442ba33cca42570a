//! What is sent again: of which run, after what, and what a proof says of it.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::ExceptionId;
use serde_json::json;
use service::delivery::manage::{self, DestinationChange};
use service::delivery::testing::{FakeCrm, Step};
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::{Report, Request, proof, repair, run};
use sqlx::PgPool;

use crate::exceptions::{EMPTY, missing, only};
use crate::world::World;

/// Lets a run send so many again by itself.
async fn allow(world: &World, most: i32) {
    let change = PlanChange { auto_resend_max: Some(most), ..PlanChange::default() };
    plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
}

/// A run over a list that was made now.
async fn trusted(world: &World, list: &Path, since: Option<DateTime<Utc>>) -> Report {
    world.app.clock.advance(TimeDelta::hours(1));
    let as_of = Some(world.app.clock.now());
    let request = Request { since, as_of, ..world.request(World::file(list)) };
    run::run(&world.app, world.tenant, request).await.expect("a report")
}

/// What a list of an unknown time called missing is not sent by the next run that may send: that one has not looked for it.
#[tokio::test]
async fn a_run_sends_again_what_it_has_found_itself() {
    let world = World::new().await;
    for number in 1..=3 {
        world.lead(number).await;
    }
    assert_eq!(world.deliver().await, 3);
    allow(&world, 5).await;
    let list = world.list("empty.csv", EMPTY);
    let report = world.reconcile(&list).await.expect("a report");
    assert_eq!((report.counts.missing, report.resent), (3, 0));
    let since = world.app.clock.now();
    world.lead(4).await;
    assert_eq!(world.deliver().await, 1);
    let report = trusted(&world, &list, Some(since)).await;
    assert_eq!((report.counts.missing, report.resent), (1, 1));
    // Of a run that has looked for all of them, as many as are allowed; the next one has the rest.
    allow(&world, 2).await;
    for (missing, resent) in [(3, 2), (1, 1)] {
        let report = trusted(&world, &list, None).await;
        assert_eq!((report.counts.missing, report.resent), (missing, resent));
    }
}

/// They may have lost everything, or exported nothing: a person looks.
#[tokio::test]
async fn a_list_without_a_record_sends_nothing_again() {
    let (world, empty, _) = missing().await;
    allow(&world, 5).await;
    let bare = world.list("bare.csv", "id,external_id,phone\n");
    let report = trusted(&world, &bare, None).await;
    assert_eq!((report.counts.theirs, report.counts.missing, report.resent), (0, 1, 0));
    assert_eq!(trusted(&world, &empty, None).await.resent, 1);
}

/// Waits until a run wants the refused records, which it reads between comparing and writing; half a minute at most.
async fn compared(owner: &PgPool) {
    let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'failed_record'::regclass
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let waiting = async {
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(owner).await.expect("counted") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the run comes so far");
}

/// A person was faster than the run: what has been sent again since its list was made cannot be in it.
#[tokio::test]
async fn what_is_sent_again_while_a_run_compares_is_not_called_missing_again() {
    let (world, empty, _) = missing().await;
    world.reconcile(&empty).await.expect("a report");
    let id = ExceptionId(only(&world).await.id);
    let owner = world.app.database.owner.clone().expect("a private cluster");
    let mut held = owner.begin().await.expect("a transaction");
    let lock = "LOCK TABLE failed_record IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *held).await.expect("held");
    let person = async {
        compared(&owner).await;
        assert_eq!(repair::resend(&world.app, world.tenant, &[id], "ada").await.expect("sent"), 1);
        world.app.clock.advance(TimeDelta::minutes(1));
        assert_eq!(world.deliver().await, 1);
        held.rollback().await.expect("let go");
    };
    let (report, ()) = tokio::join!(trusted(&world, &empty, None), person);
    assert_eq!(report.counts.missing, 1);
    assert_eq!(only(&world).await.state, "resending");
    // The next list is of a time at which it should be there.
    trusted(&world, &empty, None).await;
    assert_eq!(only(&world).await.state, "open");
}

/// What may have arrived is asked for, like what was delivered; what was refused is not there, and nobody is asked.
#[tokio::test]
async fn a_proof_says_what_became_of_each() {
    const ABSENT: &str = r#"{"data": []}"#;
    const THERE: &str = r#"{"data": [{"id": 6, "external_id": "LS-1"}]}"#;
    for (answer, list, asked, state, reason) in [
        (Step::Cut, THERE, true, "resolved", "sent again and found there"),
        (Step::Cut, ABSENT, true, "open", "sent again, and it is not known whether it arrived"),
        (Step::status(200), ABSENT, true, "open", "sent again and still not there"),
        (Step::status(422), THERE, false, "open", "sent again and not taken"),
    ] {
        let (world, empty, _) = missing().await;
        let (crm, api) =
            (FakeCrm::start([answer]).await, FakeCrm::answering(move |_| Step::body(200, list)).await);
        let change = DestinationChange {
            url: Some(crm.url().into()),
            settings: Some(json!({ "unknown": "ask" })),
            ..DestinationChange::default()
        };
        manage::update(&world.app, world.tenant, world.destination, change).await.expect("changed");
        let change = PlanChange {
            api_url: Some(Some(format!("http://127.0.0.1:{}/api/v3", api.port()))),
            api_token: Some("secret-token".to_owned().into()),
            ..PlanChange::default()
        };
        plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
        world.reconcile(&empty).await.expect("a report");
        let sent =
            repair::resend_missing(&world.app, world.tenant, (world.destination, None), 10, "ada").await;
        assert_eq!(sent.expect("sent"), 1);
        world.deliver().await;
        proof::prove(&world.app, world.tenant, world.destination, "ada").await.expect("looked up");
        let row = only(&world).await;
        assert_eq!((row.state.as_str(), row.reason.as_deref()), (state, Some(reason)));
        assert_eq!(api.count() > 0, asked, "{reason}");
    }
}
