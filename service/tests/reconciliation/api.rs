//! Their list from an API that misbehaves as the real one does.

use serde_json::{Value, json};
use service::Error;
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step};
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::{List, run};

use crate::world::World;

fn prospect(id: u32, number: u32) -> Value {
    json!({
        "id": id, "external_id": format!("LS-{number}"), "first_name": "Ada", "last_name": format!("Cole{number}"),
        "email": format!("ada{number}@example.com"), "phone": format!("+1970556{number:04}"), "state": "CO",
        "status": null, "campaigns": {id.to_string(): "spring"}, "created_at": "2026-11-10T16:00:00.000000Z"
    })
}

fn page(items: &[Value], current: u32, last: u32) -> Step {
    let body = json!({"data": items, "meta": {"current_page": current, "last_page": last}});
    Step::body(200, body.to_string())
}

/// A world with so many leads that were handed over, and that API.
async fn world(leads: u32, script: Vec<Step>) -> (World, FakeCrm) {
    let world = World::new().await;
    for number in 1..=leads {
        world.lead(number).await;
    }
    world.deliver().await;
    let api = FakeCrm::start(script).await;
    let change = PlanChange {
        api_url: Some(Some(format!("http://127.0.0.1:{}/api/v3/", api.port()))),
        api_token: Some("secret-token".to_owned().into()),
        ..PlanChange::default()
    };
    plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
    world.app.clock.advance(chrono::TimeDelta::hours(1));
    (world, api)
}

/// It asks to wait, fails, breaks off, answers HTML, nothing and failure with 200; the list moves between two pages, so a record
/// comes twice. All of it is read in the end, each record once.
#[tokio::test]
async fn a_list_is_read_to_its_end_through_every_fault_that_passes() {
    let script = vec![
        Step::header(429, "retry-after", "0"),
        Step::status(503),
        page(&[prospect(1, 1), prospect(2, 2)], 1, 2),
        Step::CutInBody { status: 200 },
        Step::body(200, "<html>maintenance</html>"),
        Step::body(200, r#"{"success": false, "message": "try later"}"#),
        page(&[], 2, 2),
        page(&[prospect(2, 2), prospect(3, 3)], 2, 2),
    ];
    let (world, api) = world(4, script).await;
    let report = run::run(&world.app, world.tenant, world.request(List::Api)).await.expect("a report");
    let counts = report.counts;
    assert_eq!(
        (counts.theirs, counts.matched, counts.missing, counts.duplicated),
        (3, 3, 1, 0),
        "{counts:?}"
    );
    assert_eq!((counts.skipped, report.run.origin.as_str()), (1, "api"));
    let asked: Vec<String> = api.received().into_iter().map(|request| request.path).collect();
    assert_eq!(asked[0], "/api/v3/prospects?page=1&per_page=100");
    assert_eq!(asked.last().map(String::as_str), Some("/api/v3/prospects?page=2&per_page=100"));
    assert!(!world.folder.path().join("reconciliation").read_dir().expect("a folder").any(|_| true));
}

/// Half a list would call the other half missing: then there is no run, and it says why.
#[tokio::test]
async fn half_a_list_judges_nothing() {
    let first = || page(&[prospect(1, 1)], 1, 3);
    let five = |step: Step| vec![step; 5];
    let table: Vec<(&str, Vec<Step>)> = vec![
        ("the token", vec![Step::status(401)]),
        ("it is page 1 again", vec![first(), first()]),
        ("no list", vec![first(), Step::body(200, r#"{"data": {"id": 1}}"#)]),
        ("gone in the middle", vec![first(), Step::status(404)]),
        ("redirected", vec![first(), Step::header(302, "location", "http://10.0.0.1/")]),
        ("nothing on page 2 of 3", [vec![first()], five(page(&[], 2, 3))].concat()),
        ("nothing at all on it", [vec![first()], five(Step::body(200, r#"{"data": []}"#))].concat()),
        ("nothing on page 1 of 2", five(page(&[], 1, 2))),
        ("never well", [vec![first()], five(Step::status(500))].concat()),
    ];
    for (name, script) in table {
        let (world, _api) = world(2, script).await;
        let failed = run::run(&world.app, world.tenant, world.request(List::Api)).await.expect_err(name);
        assert!(matches!(failed, Error::Conflict(_) | Error::Unavailable { .. }), "{name}: {failed:?}");
        let runs = world.rows("SELECT jsonb_build_array(state, missing) FROM reconciliation_run").await;
        assert_eq!(runs, [json!(["failed", 0])], "{name}");
        let exceptions = world.rows("SELECT to_jsonb(e) FROM reconciliation_exception e").await;
        assert_eq!(exceptions, Vec::<Value>::new(), "{name}");
    }
}

/// What is handed over while the pages are read may be on none of them: it is not missing.
#[tokio::test]
async fn what_is_handed_over_meanwhile_is_not_missing() {
    let (world, _) = world(2, Vec::new()).await;
    let clock = world.app.clock.clone();
    let meanwhile = clock.now() + chrono::TimeDelta::minutes(30);
    let api = FakeCrm::answering(move |_| {
        clock.advance(chrono::TimeDelta::hours(1));
        page(&[prospect(1, 1)], 1, 1)
    })
    .await;
    let change = PlanChange {
        api_url: Some(Some(format!("http://127.0.0.1:{}/api/v3/", api.port()))),
        ..PlanChange::default()
    };
    plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
    let mut tx = world.app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    let later = "UPDATE delivery SET finished_at = $1
                 WHERE lead_id = (SELECT id FROM lead WHERE external_id = 'LS-2')";
    sqlx::query(later).bind(meanwhile).execute(tx.connection()).await.expect("handed over later");
    tx.commit().await.expect("committed");
    let report = run::run(&world.app, world.tenant, world.request(List::Api)).await.expect("a report");
    assert_eq!((report.counts.matched, report.counts.missing), (1, 0), "{:?}", report.counts);
}
