//! The demo CRM over its own router, without a port.

use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

const QUICK: Settings =
    Settings { seed: 3, trouble_percent: 40, retry_after_s: 2, silence: Duration::from_millis(1) };

fn crm(settings: Settings) -> Router {
    router(Arc::new(Shared { settings, book: Mutex::default() }))
}

async fn send(router: &Router, body: &str) -> (StatusCode, String) {
    let request = http::Request::post("/api/webhook/abc")
        .body(axum::body::Body::from(body.to_owned()))
        .expect("a request");
    let response = router.clone().oneshot(request).await.expect("it answers");
    let status = response.status();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

async fn told(router: &Router) -> Received {
    let request = http::Request::get("/received").body(axum::body::Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("it answers");
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn a_lead_without_first_name_is_refused_in_bonzos_words() {
    let crm = crm(Settings { trouble_percent: 0, ..QUICK });
    let (status, words) = send(&crm, r#"{"lead_id":"lead_1","last_name":"Roe"}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(words, r#"{"errors":{"first_name":["The first name field is required."]}}"#);
    assert_eq!(send(&crm, r#"{"lead_id":"lead_1","first_name":"Jane"}"#).await.0, StatusCode::OK);
    assert_eq!(send(&crm, "<xml/>").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(send(&crm, r#"{"external_id":"LS-1","first_name":"Jane"}"#).await.0, StatusCode::OK);
    let told = told(&crm).await;
    assert_eq!((told.requests, told.accepted, told.refused, told.malformed, told.doubles), (4, 2, 1, 1, 0));
    assert_eq!(told.leads, ["lead_1", "LS-1"]);
}

#[tokio::test]
async fn trouble_comes_first_by_seed_and_every_lead_gets_through_the_second_time() {
    let crms = [crm(QUICK), crm(QUICK)];
    let mut statuses = [Vec::new(), Vec::new()];
    for round in 0..2 {
        for number in 0..300 {
            let lead = format!(r#"{{"lead_id":"lead_{number}","first_name":"Jane"}}"#);
            for (crm, statuses) in crms.iter().zip(&mut statuses) {
                let status = send(crm, &lead).await.0;
                assert!(round == 0 || status == StatusCode::OK, "the second request for {number}: {status}");
                statuses.push(status);
            }
        }
    }
    assert_eq!(statuses[0], statuses[1], "the same seed, the same trouble");
    let told = told(&crms[0]).await;
    let trouble = told.rate_limited + told.errors + told.silences + told.refused;
    assert!((85..=155).contains(&trouble), "{trouble} of 300, where 40 in a hundred are due");
    let kinds = [told.rate_limited, told.errors, told.silences, told.refused];
    assert!(kinds.iter().all(|count| *count > 0), "{told:?}");
    assert_eq!(told.unique_leads, 300);
    assert_eq!(told.doubles, told.accepted - 300);
}

#[tokio::test]
async fn with_a_journal_it_remembers_over_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("crm.journal");
    let mut before = None;
    for round in 0..3 {
        let book = Book::remember(&journal).expect("a journal");
        assert!(before.is_none_or(|told| told == book.received), "round {round}");
        let crm = router(Arc::new(Shared { settings: QUICK, book: Mutex::new(book) }));
        for number in 0..60 {
            let name = if number % 10 == 0 { "" } else { "Jane" };
            send(&crm, &format!(r#"{{"lead_id":"lead_{number}","first_name":"{name}"}}"#)).await;
        }
        before = Some(told(&crm).await);
    }
    let told = before.expect("three rounds");
    assert_eq!((told.requests, told.unique_leads), (180, 54));
    // Six of them without a first name, each time; a few more are declined at first.
    assert!(told.refused >= 18, "{told:?}");
}
