use chrono::TimeZone as _;
use proptest::prelude::*;

use super::super::{Kind, profile::Plan};
use super::*;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 12, 0, 0).single().expect("a valid time")
}

fn judged(kind: Kind, status: u16, retry_after: Option<&str>, body: &str) -> Outcome {
    let plan = Plan::new(kind, &serde_json::json!({})).expect("a plan");
    judge_reply(&plan.profile, &Reply { status, retry_after, body }, now())
}

#[test]
fn statuses_mean_what_the_table_says() {
    let table = [
        (200, "delivered"),
        (201, "delivered"),
        (204, "delivered"),
        (301, "barred"),
        (307, "barred"),
        (400, "refused"),
        (401, "barred"),
        (403, "barred"),
        (404, "barred"),
        (408, "retryable"),
        (409, "refused"),
        (410, "barred"),
        (422, "refused"),
        (425, "retryable"),
        (429, "retryable"),
        (500, "retryable"),
        (502, "retryable"),
        (503, "retryable"),
        (504, "retryable"),
    ];
    for kind in [Kind::Bonzo, Kind::Webhook] {
        for (status, outcome) in table {
            assert_eq!(judged(kind, status, None, "").as_str(), outcome, "{kind:?} {status}");
        }
    }
}

#[test]
fn a_refusal_says_what_the_destination_said() {
    let body = r#"{"errors":{"first_name":["The first name field is required."]}}"#;
    let Outcome::Refused { reason } = judged(Kind::Bonzo, 422, None, body) else { panic!("not refused") };
    assert_eq!(reason, "HTTP 422: first_name: The first name field is required.");
    let Outcome::Barred { reason } = judged(Kind::Bonzo, 401, None, body) else { panic!("not barred") };
    assert!(reason.contains("URL and credentials"), "{reason}");
    let Outcome::Refused { reason } = judged(Kind::Webhook, 400, None, "<html>") else {
        panic!("not refused")
    };
    assert_eq!(reason, "HTTP 400");
}

#[test]
fn retry_after_is_seconds_or_a_date_and_429_has_a_default() {
    let until = |status, text| match judged(Kind::Bonzo, status, text, "") {
        Outcome::Retryable { not_before, .. } => not_before,
        other => panic!("{other:?}"),
    };
    assert_eq!(until(429, Some("120")), Some(now() + TimeDelta::seconds(120)));
    assert_eq!(until(429, Some("Fri, 20 Nov 2026 12:05:00 GMT")), Some(now() + TimeDelta::minutes(5)));
    assert_eq!(until(429, None), Some(now() + TimeDelta::seconds(60)));
    assert_eq!(until(429, Some("soon")), Some(now() + TimeDelta::seconds(60)));
    assert_eq!(until(503, Some("7")), Some(now() + TimeDelta::seconds(7)));
    assert_eq!(until(500, None), None);
}

#[test]
fn failures_before_sending_are_retryable_and_after_it_unknown() {
    for (failure, outcome) in [
        (Failure::Connect, "retryable"),
        (Failure::Dns, "retryable"),
        (Failure::Tls, "retryable"),
        (Failure::Timeout, "unknown"),
        (Failure::Protocol, "unknown"),
        (Failure::PrivateAddress, "barred"),
    ] {
        assert_eq!(judge_failure(failure).as_str(), outcome, "{failure:?}");
    }
}

#[test]
fn a_webhook_receiver_may_name_its_record() {
    let named = |kind, body| match judged(kind, 200, None, body) {
        Outcome::Delivered { remote_id } => remote_id,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(Kind::Webhook, r#"{"id":"p-7"}"#), Some("p-7".to_owned()));
    assert_eq!(named(Kind::Webhook, r#"{"id":7,"more":[]}"#), Some("7".to_owned()));
    assert_eq!(named(Kind::Webhook, r#"{"ok":true}"#), None);
    assert_eq!(named(Kind::Bonzo, r#"{"id":"p-7"}"#), None);
}

#[test]
fn a_service_that_always_answers_200_is_judged_by_its_body() {
    let table = [
        (Kind::Npa, r#"{"success":true,"recordID":"88001","message":""}"#, "delivered"),
        (Kind::Npa, r#"{"success":true,"recordID":null}"#, "delivered"),
        (Kind::Npa, r#"{"success":false,"message":"Invalid username or password"}"#, "refused"),
        (Kind::Npa, "<html>Service page</html>", "unknown"),
        (Kind::Npa, r#"{"success":tru"#, "unknown"),
        (Kind::Npa, "{}", "unknown"),
        (Kind::Boberdoo, r#"{"response":{"status":"Matched","lead_id":"50001"}}"#, "delivered"),
        (Kind::Boberdoo, r#"{"response":{"status":"Unmatched","lead_id":50002}}"#, "delivered"),
        (Kind::Boberdoo, r#"{"response":{"errors":{"error":"Invalid Key"}}}"#, "barred"),
        (
            Kind::Boberdoo,
            r#"{"response":{"error":{"error":["Zip is missing","State is missing"]}}}"#,
            "refused",
        ),
        (Kind::Boberdoo, "", "unknown"),
    ];
    for (kind, body, outcome) in table {
        assert_eq!(judged(kind, 200, None, body).as_str(), outcome, "{body}");
    }
    let Outcome::Refused { reason } =
        judged(Kind::Boberdoo, 200, None, r#"{"response":{"error":{"error":["Zip is missing","x"]}}}"#)
    else {
        panic!("not refused")
    };
    assert_eq!(reason, "HTTP 200: Zip is missing x");
}

/// A rule that looks for a no in the body cannot tell that there is none in a page of HTML.
#[test]
fn where_a_body_may_say_no_one_that_cannot_be_read_is_no_yes() {
    let no = || vec![Check { path: "error".to_owned(), ..Check::default() }];
    let silent = AnswerRules { remote_id: Some("id".to_owned()), ..AnswerRules::default() };
    let table = [
        (AnswerRules { barred: no(), ..AnswerRules::default() }, "unknown"),
        (AnswerRules { refused: no(), ..AnswerRules::default() }, "unknown"),
        (AnswerRules { retryable: no(), ..AnswerRules::default() }, "unknown"),
        (silent, "delivered"),
    ];
    for (answer, outcome) in table {
        let profile = Profile { answer, ..Profile::default() };
        let judged = |body| judge_reply(&profile, &Reply { status: 200, retry_after: None, body }, now());
        for unreadable in ["<html>error</html>", "OK", r#"{"error": "the rest is cut o"#] {
            assert_eq!(judged(unreadable).as_str(), outcome, "{unreadable}");
        }
        for readable in ["", " \n", "{}", "[]", "null", r#""OK""#, r#"{"id":7}"#] {
            assert_eq!(judged(readable).as_str(), "delivered", "{readable}");
        }
    }
}

#[test]
fn a_status_may_mean_something_else_by_setting() {
    let statuses = [
        ("409".to_owned(), Meaning::Delivered),
        ("500".to_owned(), Meaning::Refused),
        ("504".to_owned(), Meaning::Retryable),
    ];
    let answer = AnswerRules { statuses: statuses.into(), ..AnswerRules::default() };
    let profile = Profile { answer, ..Profile::default() };
    let judged = |status| judge_reply(&profile, &Reply { status, retry_after: None, body: "" }, now());
    assert_eq!(judged(409).as_str(), "delivered");
    assert_eq!(judged(500).as_str(), "refused");
    assert_eq!(judged(501).as_str(), "retryable");
    assert_eq!(judged(504).as_str(), "retryable");
}

#[test]
fn where_a_copy_costs_something_a_gateways_error_is_no_answer() {
    let table = [
        (500, "retryable"),
        (502, "unknown"),
        (503, "retryable"),
        (504, "unknown"),
        (520, "unknown"),
        (522, "retryable"),
        (524, "unknown"),
    ];
    for kind in [Kind::Npa, Kind::Boberdoo] {
        for (status, outcome) in table {
            assert_eq!(judged(kind, status, None, "").as_str(), outcome, "{kind:?} {status}");
        }
    }
    assert_eq!(judged(Kind::BonzoApi, 504, None, "").as_str(), "retryable", "it is looked up first");
}

proptest! {
    #[test]
    fn every_answer_has_an_outcome_and_a_short_reason(
        status in 100_u16..=999,
        retry_after in proptest::option::of(".{0,40}"),
        body in ".{0,600}",
    ) {
        let outcome = judged(Kind::Bonzo, status, retry_after.as_deref(), &body);
        prop_assert_eq!(matches!(outcome, Outcome::Delivered { .. }), (200..300).contains(&status));
        if let Outcome::Refused { reason }
        | Outcome::Barred { reason }
        | Outcome::Retryable { reason, .. }
        | Outcome::Unknown { reason } = outcome
        {
            prop_assert!(reason.chars().count() <= REASON_CHARS_MAX + 20);
        }
    }
}
