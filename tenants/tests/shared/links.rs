use std::collections::BTreeMap;

use domain::ids::UserId;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tenants::{Error, FrameProofKind, LinkAddress, NewLink, ResourceLink, Role, SessionLimits};

use super::{Fixture, after, start};

async fn link(fixture: &Fixture, change: impl FnOnce(&mut NewLink)) -> ResourceLink {
    let filters = BTreeMap::from([("status".to_owned(), "FAILED".to_owned())]);
    let mut new = NewLink {
        name: "Leads".to_owned(),
        page: "leads".to_owned(),
        filters,
        roles: Vec::new(),
        created_by: None,
        expires_at: None,
    };
    change(&mut new);
    fixture.tenant.create_link(new, start()).await.unwrap()
}

fn address(link: &ResourceLink) -> LinkAddress {
    link.token.parse().unwrap()
}

fn challenge(verifier: &str) -> [u8; 32] {
    Sha256::digest(verifier).into()
}

async fn redeem(
    fixture: &Fixture,
    link: &ResourceLink,
    code: &str,
    verifier: &str,
    seconds: i64,
) -> Result<UserId, Error> {
    let (code, verifier) = (SecretString::from(code), SecretString::from(verifier));
    fixture.tenant.redeem_frame_code(link.id, &code, &verifier, after(seconds)).await
}

#[tokio::test]
async fn an_address_names_its_tenant_and_no_other_text_is_one() {
    let fixture = Fixture::new().await;
    let made = link(&fixture, |_| {}).await;
    assert_eq!(address(&made).tenant, fixture.tenant.id());
    assert_eq!(fixture.tenant.link(&address(&made)).await.unwrap(), made);
    let other = fixture.other_tenant().await;
    assert!(matches!(other.link(&address(&made)).await, Err(Error::LinkNotFound)));
    for text in ["", "-", "leads", &made.token[1..], &made.token[..made.token.len() - 1]] {
        assert!(text.parse::<LinkAddress>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_link_opens_for_its_roles_until_it_ends_and_each_opening_is_kept() {
    let fixture = Fixture::new().await;
    let made = link(&fixture, |new| {
        new.roles = vec![Role::Admin];
        new.expires_at = Some(after(100));
    })
    .await;
    let open = async |role, seconds| fixture.tenant.open_link(&address(&made), role, after(seconds)).await;
    assert!(open(Role::Admin, 1).await.is_ok() && open(Role::Admin, 99).await.is_ok());
    assert!(matches!(open(Role::Agent, 1).await, Err(Error::LinkNotFound)));
    assert!(matches!(open(Role::Admin, 100).await, Err(Error::LinkNotFound)));
    let kept = fixture.tenant.link(&address(&made)).await.unwrap();
    assert_eq!((kept.openings, kept.last_opened_at), (2, Some(after(99))));
}

#[tokio::test]
async fn a_code_is_taken_once_in_its_minute_by_its_frame_and_link() {
    let fixture = Fixture::new().await;
    let user = fixture.user("ada@example.com").await;
    let (here, elsewhere) = (link(&fixture, |_| {}).await, link(&fixture, |_| {}).await);
    let issue = async || {
        let code = fixture.tenant.issue_frame_code(here.id, user.id, challenge("verifier"), start()).await;
        code.unwrap().expose_secret().to_owned()
    };
    // As people type it.
    let code = issue().await;
    let typed = format!("{}-{}", &code[..5].to_lowercase(), &code[5..]);
    assert_eq!(redeem(&fixture, &here, &typed, "verifier", 59).await.unwrap(), user.id);
    assert!(matches!(redeem(&fixture, &here, &code, "verifier", 59).await, Err(Error::InvalidFlow)));

    let refused = [("another", &here, 1), ("verifier", &elsewhere, 1), ("verifier", &here, 60)];
    for (verifier, link, seconds) in refused {
        let code = issue().await;
        let wrong = redeem(&fixture, link, &code, verifier, seconds).await;
        assert!(matches!(wrong, Err(Error::InvalidFlow)), "{verifier} {seconds}");
        let burnt = redeem(&fixture, &here, &code, "verifier", 1).await;
        assert!(matches!(burnt, Err(Error::InvalidFlow)), "a wrong use ends the code");
    }
    let (older, newer) = (issue().await, issue().await);
    assert!(redeem(&fixture, &here, &older, "verifier", 1).await.is_err(), "a newer code ends the older");
    assert!(redeem(&fixture, &here, &newer, "verifier", 1).await.is_ok());
}

#[tokio::test]
async fn a_revoked_link_opens_no_more_and_ends_its_own_sessions_only() {
    let fixture = Fixture::new().await;
    let user = fixture.user("ada@example.com").await;
    let (here, elsewhere) = (link(&fixture, |_| {}).await, link(&fixture, |_| {}).await);
    let limits = SessionLimits::default();
    let begin = async |link: Option<&ResourceLink>| {
        let started = fixture.tenant.start_session(user.id, limits, start()).await.unwrap();
        if let Some(link) = link {
            fixture.tenant.bind_session(started.session.id, link.id).await.unwrap();
        }
        started.cookie.expose_secret().to_owned()
    };
    let (framed, other, own) = (begin(Some(&here)).await, begin(Some(&elsewhere)).await, begin(None).await);
    let code = fixture.tenant.issue_frame_code(here.id, user.id, challenge("v"), start()).await.unwrap();
    let revoked = fixture.tenant.revoke_link(here.id, after(1)).await.unwrap();
    assert!(!revoked.lives(after(1)) && here.lives(after(1)));
    let resumes = async |cookie: &str| fixture.store.resume_session(cookie, limits, after(2)).await.is_ok();
    assert!(!resumes(&framed).await && resumes(&other).await && resumes(&own).await);
    assert!(redeem(&fixture, &here, code.expose_secret(), "v", 2).await.is_err());
    let open = fixture.tenant.open_link(&address(&here), Role::Admin, after(2)).await;
    assert!(matches!(open, Err(Error::LinkNotFound)));
    let again = fixture.tenant.revoke_link(here.id, after(9)).await.unwrap();
    assert_eq!(again.revoked_at, revoked.revoked_at);
}

/// Somebody may revoke a link between the look at it and the beginning of a session.
#[tokio::test]
async fn no_session_comes_under_a_link_that_was_revoked_meanwhile() {
    let fixture = Fixture::new().await;
    let user = fixture.user("ada@example.com").await;
    let here = link(&fixture, |_| {}).await;
    let revoked = link(&fixture, |new| new.page = "billing".to_owned()).await;
    fixture.tenant.revoke_link(revoked.id, after(1)).await.unwrap();
    let limits = SessionLimits::default();
    let started = fixture.tenant.start_session(user.id, limits, start()).await.unwrap();
    let session = started.session.id;
    let bound = fixture.tenant.bind_session(session, revoked.id).await;
    assert!(matches!(bound, Err(Error::LinkNotFound)), "{bound:?}");
    fixture.tenant.bind_session(session, here.id).await.unwrap();
    fixture.tenant.widen_session(session, revoked.id).await.unwrap();
    let cookie = started.cookie.expose_secret();
    let (_, resumed) = fixture.store.resume_session(cookie, limits, after(2)).await.unwrap();
    assert_eq!(resumed.frame_pages, Some(vec!["leads".to_owned()]));
}

#[tokio::test]
async fn a_proof_is_taken_once() {
    let fixture = Fixture::new().await;
    let spend = async |proof: &[u8], now: i64| {
        fixture.tenant.spend_proof(FrameProofKind::Salesforce, proof, Some(after(60)), after(now)).await
    };
    assert!(spend(b"proof", 1).await.is_ok());
    assert!(matches!(spend(b"proof", 2).await, Err(Error::InvalidFlow)));
    assert!(spend(b"another", 2).await.is_ok());
}

#[tokio::test]
async fn a_proof_without_a_time_is_remembered_until_its_crms_secret_changes() {
    let fixture = Fixture::new().await;
    let kind = FrameProofKind::HighLevel;
    let year = 365 * 24 * 3600;
    let spend = async |now: i64| fixture.tenant.spend_proof(kind, b"proof", None, after(now)).await;
    assert!(spend(1).await.is_ok());
    assert!(matches!(spend(year).await, Err(Error::InvalidFlow)));
    fixture.tenant.forget_proofs(FrameProofKind::Zendesk).await.unwrap();
    assert!(matches!(spend(year + 1).await, Err(Error::InvalidFlow)), "another CRM's secret has changed");
    fixture.tenant.forget_proofs(kind).await.unwrap();
    assert!(spend(year + 2).await.is_ok());
}
