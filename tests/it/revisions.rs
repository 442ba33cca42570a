//! Records that meet a lead that is there: what is a revision of it, and what is stored then.

use domain::ids::TenantId;
use entity::lead_source;
use serde_json::{Value, json};
use service::intake::sources::{self, NewSource};
use service::intake::submit::Outcome;
use tests::TestApp;
use tests::data::{rows, submit};

/// A tenant and its source.
struct Scene {
    test: TestApp,
    tenant: TenantId,
    source: lead_source::Model,
}

impl Scene {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let tenant = test.tenant("acme").await;
        let fields = json!({ "external_id": "id", "first_name": "name", "phone": "phones", "email": "mails",
            "city": "city", "channel": "how" });
        let mapping = Some(json!({ "fields": fields }));
        let new = NewSource { slug: "own".to_owned(), name: None, kind: "generic".to_owned(), mapping };
        let source = sources::create(&test.app, tenant, new).await.expect("a source");
        Self { test, tenant, source }
    }

    async fn send(&self, record: &Value) -> Outcome {
        submit(&self.test.app, self.tenant, &self.source, record).await.outcome
    }

    /// The only lead.
    async fn lead(&self) -> Value {
        let mut leads = rows(&self.test.app, self.tenant, &["lead"]).await;
        assert_eq!(leads.len(), 1, "{leads:?}");
        leads.remove(0)
    }

    /// What each revision has changed.
    async fn changes(&self) -> Vec<Value> {
        let mut events = rows(&self.test.app, self.tenant, &["lead_event"]).await;
        events.retain(|event| event["kind"] == "updated");
        events.into_iter().map(|event| event["data"]["changed"].clone()).collect()
    }
}

/// Further phones and e-mails that are known already are no news, in whatever order and however many of them.
#[tokio::test]
async fn known_phones_and_emails_make_no_revision() {
    let scene = Scene::new().await;
    let record = |phones: [&str; 3], mails: [&str; 3]| json!({ "id": 1, "name": "Ada", "phones": phones, "mails": mails });
    let (one, two, three, four) = ("3035550101", "3035550102", "3035550103", "3035550104");
    let (a, b, c) = ("a@example.com", "b@example.com", "c@example.com");
    assert_eq!(scene.send(&record([one, two, three], [a, b, c])).await, Outcome::Warned);
    let before = scene.lead().await;
    for again in [record([one, three, two], [a, c, b]), record([one, three, ""], [a, c, ""])] {
        assert_eq!(scene.send(&again).await, Outcome::Duplicate);
        assert_eq!(scene.lead().await, before);
    }
    assert_eq!(scene.send(&record([one, four, three], [a, "", ""])).await, Outcome::Updated);
    let lead = scene.lead().await;
    assert_eq!(lead["alt_phones"], json!(["+13035550102", "+13035550103", "+13035550104"]));
    assert_eq!(lead["alt_emails"], json!([b, c]));
}

/// What a record leaves blank is not erased: the extension of a number that it repeats.
#[tokio::test]
async fn a_number_that_is_repeated_keeps_its_extension() {
    let scene = Scene::new().await;
    scene.send(&json!({ "id": 1, "name": "Ada", "phones": "303-555-0101 x12" })).await;
    assert_eq!(scene.lead().await["phone_ext"], "12");
    let revised = json!({ "id": 1, "name": "Ada", "phones": "3035550101", "city": "Denver" });
    assert_eq!(scene.send(&revised).await, Outcome::Updated);
    let lead = scene.lead().await;
    assert_eq!((&lead["phone_ext"], &lead["city"]), (&json!("12"), &json!("Denver")));
}

/// The channel that a record names is stored as its other values are, and so counts as a change once.
#[tokio::test]
async fn another_channel_is_a_revision_and_is_stored() {
    let scene = Scene::new().await;
    scene.send(&json!({ "id": 1, "name": "Ada", "phones": "3035550101" })).await;
    assert_eq!(scene.lead().await["channel"], "api");
    let named = json!({ "id": 1, "name": "Ada", "phones": "3035550101", "how": "sms" });
    assert_eq!(scene.send(&named).await, Outcome::Updated);
    assert_eq!(scene.lead().await["channel"], "sms");
    let moved = json!({ "id": 1, "name": "Ada", "phones": "3035550101", "how": "sms", "city": "Denver" });
    assert_eq!(scene.send(&moved).await, Outcome::Updated);
    let blank = json!({ "id": 1, "name": "Ada", "phones": "3035550101", "city": "Boulder" });
    assert_eq!(scene.send(&blank).await, Outcome::Updated);
    assert_eq!(scene.lead().await["channel"], "sms", "what a record leaves blank is no change");
    let wanted = [
        json!({ "channel": ["api", "sms"] }),
        json!({ "city": [null, "Denver"] }),
        json!({ "city": ["Denver", "Boulder"] }),
    ];
    let changes = scene.changes().await;
    assert!(changes.len() == 3 && wanted.iter().all(|one| changes.contains(one)), "{changes:?}");
}
