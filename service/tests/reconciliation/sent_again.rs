//! What is sent again: of which run, after what, and what a proof says of it.

use serde_json::json;
use service::delivery::manage::{self, DestinationChange};
use service::delivery::testing::{FakeCrm, Step};
use service::reconciliation::plans::{self, PlanChange};
use service::reconciliation::{proof, repair};

use crate::exceptions::{missing, only};

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
        let sent = repair::resend_missing(&world.app, world.tenant, world.destination, 10, "ada").await;
        assert_eq!(sent.expect("sent"), 1);
        world.deliver().await;
        proof::prove(&world.app, world.tenant, world.destination, "ada").await.expect("looked up");
        let row = only(&world).await;
        assert_eq!((row.state.as_str(), row.reason.as_deref()), (state, Some(reason)));
        assert_eq!(api.count() > 0, asked, "{reason}");
    }
}
