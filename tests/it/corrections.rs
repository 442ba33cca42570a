//! Refused records, corrected: what nobody corrects stays as the source sent it.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{FailedRecordId, TenantId};
use entity::lead_source;
use serde_json::json;
use service::App;
use service::intake::failed;
use service::intake::sources::{self, NewSource};
use service::intake::submit::{self, Outcome, Submission, Submitted};
use tests::TestApp;
use tests::data::rows;

/// A source whose records have lists in them, and need a state.
async fn source_of_lists(test: &TestApp, tenant: TenantId) -> lead_source::Model {
    let mapping = json!({ "fields": {
        "external_id": "id", "first_name": "name", "phone": "phones", "email": "people.0.mail",
        "state": { "from": "State", "required": true } } });
    let new =
        NewSource { slug: "own".to_owned(), name: None, kind: "generic".to_owned(), mapping: Some(mapping) };
    sources::create(&test.app, tenant, new).await.expect("a source")
}

async fn send(app: &Arc<App>, tenant: TenantId, source: &lead_source::Model, record: &str) -> Submitted {
    let submission = Submission { source, record, channel: "api", idempotency_key: None };
    submit::submit(app, tenant, submission).await.expect("an answer")
}

async fn correct(app: &App, tenant: TenantId, id: FailedRecordId, column: &str, value: &str) -> Submitted {
    let values = BTreeMap::from([(column.to_owned(), value.to_owned())]);
    failed::correct(app, tenant, id, &values, "user").await.expect("an answer")
}

/// The lists, the long number and the path into a list are in the lead as they would be without the correction, and the mended
/// record is that lead.
#[tokio::test]
async fn a_json_record_is_corrected_where_it_is_wrong_and_nowhere_else() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = source_of_lists(&test, tenant).await;
    let record = r#"{"id": 12345678901234567890123, "name": "Fay", "phones": ["3035550199", "3035550198"],
        "people": [{"mail": "fay@example.com", "role": "buyer"}], "rate": 4.10}"#;
    let refused = send(&test.app, tenant, &source, record).await;
    assert_eq!((refused.outcome, refused.reasons.len()), (Outcome::Rejected, 1), "{refused:?}");

    let id = refused.failed.expect("it is kept");
    let corrected = correct(&test.app, tenant, id, "State", "Colorado").await;
    assert_eq!((corrected.outcome, corrected.reasons.len()), (Outcome::Accepted, 0), "{corrected:?}");
    let leads = rows(&test.app, tenant, &["lead"]).await;
    let wanted = json!({ "external_id": "12345678901234567890123", "first_name": "Fay", "phone": "+13035550199",
        "alt_phones": ["+13035550198"], "email": "fay@example.com", "state": "CO",
        "extra": { "people.0.role": "buyer", "rate": "4.10" } });
    for (field, value) in wanted.as_object().expect("an object") {
        assert_eq!(&leads[0][field], value, "{field}");
    }

    let before = rows(&test.app, tenant, &["lead", "lead_event"]).await;
    let mended = record.replacen('{', r#"{"State": "CO", "#, 1);
    let repeat = send(&test.app, tenant, &source, &mended).await;
    assert_eq!((repeat.outcome, repeat.lead), (Outcome::Duplicate, corrected.lead));
    assert_eq!(rows(&test.app, tenant, &["lead", "lead_event"]).await, before, "to the letter");
}

/// Without an id of its own a record is known by all that it says.
#[tokio::test]
async fn a_corrected_record_without_an_id_is_the_mended_one() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = source_of_lists(&test, tenant).await;
    let record = r#"{"name": "Fay", "phones": ["12"], " note ": " as is ", "State": "CO", "rate": 1e2}"#;
    let id = send(&test.app, tenant, &source, record).await.failed.expect("it is kept");
    let corrected = correct(&test.app, tenant, id, "people.0.mail", "fay@example.com").await;
    assert_eq!(corrected.outcome, Outcome::Warned, "{corrected:?}");
    let before = rows(&test.app, tenant, &["lead", "lead_event"]).await;
    let mended = record.replacen('{', r#"{"people": [{"mail": "fay@example.com"}], "#, 1);
    let repeat = send(&test.app, tenant, &source, &mended).await;
    assert_eq!((repeat.outcome, repeat.lead), (Outcome::Duplicate, corrected.lead));
    assert_eq!(rows(&test.app, tenant, &["lead", "lead_event"]).await, before);
}
