//! What a CRM encrypted once, shown again long after.

use chrono::TimeDelta;
use secrecy::SecretString;
use service::access::frames::Signed;
use service::access::{Viewer, embedding, framed};
use tenants::{FrameProofKind, Role};
use tests::TestApp;

use super::frames::{admin, leads_link};

/// `HighLevel`'s context of Ada at the location `loc-1`, encrypted with `shared-secret`, as the unit tests of that format have it.
const CONTEXT: &str = "U2FsdGVkX18BAgMEBQYHCPhR7srgwCA3RZ2YHsYBLyH+vHU96HfooTLws1T2UqGNGnqVMfOM89nIRlp+jEVwJCzIYEHMpcjjVbJ9UBXx7IStrUfegY7y0CTR4mH6YS8rwEFfJ4MIk84PKza4WmmTDZX+/ikUlV6GlYrRQ48xKKW38w1JyJEegh3t0N8UU2wYznhGxxDLAs3cPUnSd+2ONg==";

/// `HighLevel`'s word says no time: it is remembered for as long as the secret is the same, whatever changes beside it.
#[tokio::test]
async fn an_encrypted_context_is_taken_once_while_its_secret_lasts() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let user = admin(&test, tenant).await;
    let link = leads_link(&test, tenant, user).await;
    let viewer = Viewer::user(tenant, user, Role::Admin);
    let set = async |secret: &str, account: Option<&str>| {
        let (secret, account) = (Some(SecretString::from(secret)), account.map(str::to_owned));
        embedding::set_proof(&test.app, &viewer, FrameProofKind::HighLevel, secret, account)
            .await
            .expect("the proof");
    };
    let taken = async |context: &str| {
        framed::prove(&test.app, &link.token, &Signed::HighLevel(context)).await.is_ok()
    };
    set("shared-secret", None).await;
    assert!(taken(CONTEXT).await);
    test.app.clock.advance(TimeDelta::days(400));
    assert!(!taken(CONTEXT).await, "it was stolen, and kept");
    assert!(!taken(&format!(" {CONTEXT}\n")).await, "with blanks around it");
    set("shared-secret", Some("loc-1")).await;
    assert!(!taken(CONTEXT).await, "only the account was entered");
    set("another secret", None).await;
    assert!(!taken(CONTEXT).await, "it does not fit that secret");
    set("shared-secret", None).await;
    assert!(taken(CONTEXT).await, "with the other secret all was forgotten");
}
