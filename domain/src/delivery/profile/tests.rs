//! The kinds' own profiles, and settings laid over them.

use serde_json::json;

use super::*;

#[test]
fn every_kinds_own_profile_is_sound() {
    for kind in Kind::ALL {
        let plan = Plan::new(kind, &json!({})).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(plan.profile.retry.by_person, ["sms", "voice"], "{kind:?}");
    }
    Plan::new(Kind::Webhook, &json!({ "request": { "deadline_ms": 1000 } })).expect("a second is enough");
    let npa = Plan::new(Kind::Npa, &json!({})).expect("a plan");
    assert_eq!(npa.secrets, ["data_provider_dealer_token", "session_token"]);
    assert_eq!(npa.profile.unknown, OnUnknown::Ask);
}

#[test]
fn settings_replace_and_remove() {
    let settings = json!({
        "unknown": "ask", "retry": { "by_person": [] }, "answer": { "remote_id": null },
        "request": { "headers": { "x-tenant": "acme" } }, "limits": { "per_second": 2.5 },
    });
    let plan = Plan::new(Kind::BonzoApi, &settings).expect("a plan");
    assert_eq!(plan.profile.unknown, OnUnknown::Ask);
    assert_eq!(plan.profile.answer.remote_id, None);
    assert!(plan.profile.retry.by_person.is_empty());
    assert_eq!(plan.headers.len(), 3, "the kind's own two and one more");
    assert_eq!(plan.profile.limits, Limits { per_second: Some(2.5), ..Limits::default() });
}

#[test]
fn wrong_settings_name_their_place() {
    for (settings, field) in [
        (json!([]), "settings"),
        (json!({ "anser": {} }), "settings"),
        (json!({ "unknown": "guess" }), "settings"),
        (json!({ "request": { "body": { "a": "{nobody}" } } }), "request.body"),
        (json!({ "request": { "headers": { "Host": "x" } } }), "request.headers"),
        (json!({ "request": { "headers": { "host": "x" } } }), "request.headers"),
        (json!({ "request": { "headers": { "x-a": "{oops" } } }), "request.headers.x-a"),
        (json!({ "request": { "deadline_ms": 999 } }), "request.deadline_ms"),
        (json!({ "request": { "deadline_ms": 0 } }), "request.deadline_ms"),
        (json!({ "answer": { "statuses": { "2xx": "delivered" } } }), "answer.statuses"),
        (json!({ "limits": { "concurrency": 0 } }), "limits.concurrency"),
        (json!({ "limits": { "per_second": 0 } }), "limits.per_second"),
        (json!({ "retry": { "by_person": ["fax"] } }), "retry.by_person"),
        (json!({ "rejections": [{ "code": "Bad Code", "when": {} }] }), "rejections"),
        (json!({ "rejections": [{ "code": "x", "when": {} }] }), "rejections.x"),
        (json!({ "lookup": { "url": "" } }), "lookup.keys"),
    ] {
        let error = Plan::new(Kind::Webhook, &settings).expect_err("refused");
        assert_eq!(error.field, field, "{settings}: {error}");
    }
}
