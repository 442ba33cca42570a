//! Users and campaigns of the service, kept current.

use chrono::TimeDelta;
use serde_json::{Value, json};
use service::Error;
use service::database::Mode;
use service::delivery::testing::{FakeCrm, Step};
use service::reconciliation::curated::{self, Synced};
use service::reconciliation::plans::{self, PlanChange};

use crate::world::World;

#[expect(clippy::needless_pass_by_value, reason = "it is made where it is given")]
fn list(items: Value) -> Step {
    Step::body(200, json!({"data": items, "meta": {"current_page": 1, "last_page": 1}}).to_string())
}

#[tokio::test]
async fn users_and_campaigns_are_kept_with_what_changed() {
    let world = World::new().await;
    let ada = json!({"id": 1, "name": "Ada", "email": "ada@example.com", "role": "agent"});
    let lead = json!({"id": 1, "name": "Ada", "email": "ada@example.com", "role": "team lead"});
    let spring = json!([{"id": "c1", "name": "Spring"}]);
    let api = FakeCrm::start([
        list(json!([ada, {"id": 2, "name": "Bea"}])),
        list(spring.clone()),
        // Ada has become team lead, Bea is gone.
        list(json!([lead])),
        list(spring),
        // No campaign any more: that is not believed, and Cleo is there all the same.
        list(json!([lead, {"id": 3, "name": "Cleo"}])),
        list(json!([])),
        // Nothing at all.
        list(json!([])),
        list(json!([])),
    ])
    .await;
    let change = PlanChange {
        api_url: Some(Some(format!("http://127.0.0.1:{}/v3", api.port()))),
        api_token: Some("secret-token".to_owned().into()),
        ..PlanChange::default()
    };
    plans::change(&world.app, world.tenant, world.destination, change).await.expect("a plan");
    let sync = || curated::sync(&world.app, world.tenant, world.destination);
    assert_eq!(sync().await.expect("synced"), Synced { added: 3, changed: 0, removed: 0 });
    assert_eq!(sync().await.expect("synced"), Synced { added: 0, changed: 1, removed: 1 });
    world.app.clock.advance(TimeDelta::hours(1));
    for wanted in [
        "the service lists no campaign although it had some: what is known of them was left as it was; \
         the rest was read: 1 new, 0 changed, 0 gone",
        "the service lists no user and no campaign although it had some: what is known of them was left as it was",
    ] {
        let refused = sync().await.expect_err("an empty list");
        assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
        assert_eq!(refused.to_string(), wanted);
    }

    let tx = world.app.begin(world.tenant, Mode::ReadOnly).await.expect("a transaction");
    let active = curated::list(&tx, world.destination, None, true).await.expect("records");
    assert_eq!(active.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Spring", "Ada", "Cleo"]);
    assert!(active[0].synced_at < active[1].synced_at, "when the campaigns were read last: {active:?}");
    let changes = curated::latest_changes(&tx, world.destination, 3).await.expect("changes");
    let words: Vec<&str> = changes.iter().map(|row| row.change.as_str()).collect();
    assert_eq!(words, ["added", "removed", "changed"]);
    assert_eq!(changes[2].fields, json!({"role": ["agent", "team lead"]}));
}
