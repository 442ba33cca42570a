use secrecy::ExposeSecret;
use tenants::{
    Email, Error, FLOW_LIFETIME, NewProvider, Person, Provider, ProviderChange, ProviderKind, Role,
};

use super::{Fixture, after, start, whole_text};

async fn provider(fixture: &Fixture, slug: &str, join_domains: &[&str]) -> Provider {
    let new = NewProvider {
        slug: slug.to_owned(),
        name: "Example".to_owned(),
        kind: ProviderKind::Oidc,
        issuer: "https://id.example.com".to_owned(),
        client_id: "baton".to_owned(),
        authorization_url: None,
        token_url: None,
        userinfo_url: None,
        scopes: "openid email".to_owned(),
        email_trusted: false,
        join_domains: join_domains.iter().map(|&domain| domain.to_owned()).collect(),
        join_role: JOIN,
    };
    let id = fixture.tenant.next_provider(start());
    fixture.tenant.create_provider(id, new, Some(vec![1, 2, 3]), start()).await.unwrap()
}

/// Spoils one field.
type Change = fn(&mut NewProvider);

const JOIN: Role = Role::Agent;

fn person(subject: &str, email: &str, email_verified: bool) -> Person {
    let (subject, email) = (subject.to_owned(), Some(Email::parse(email).unwrap()));
    Person { subject, email, email_verified, name: Some("Ada".to_owned()) }
}

#[tokio::test]
async fn a_provider_is_kept_as_it_was_made_and_changes_by_field() {
    let fixture = Fixture::new().await;
    let made = provider(&fixture, "example", &["Example.com ", "@example.org"]).await;
    assert_eq!(made.settings.join_domains, ["example.com", "example.org"]);
    assert_eq!(fixture.tenant.provider_by_slug("example").await.unwrap(), Some(made.clone()));
    let change =
        ProviderChange { enabled: Some(false), join_domains: Some(vec![]), ..ProviderChange::default() };
    let changed = fixture.tenant.update_provider(made.id, change).await.unwrap();
    assert!(!changed.enabled && changed.settings.join_domains.is_empty());
    assert_eq!(changed.client_secret_sealed, made.client_secret_sealed, "what is not named stays");
    let other = fixture.other_tenant().await;
    assert!(matches!(other.provider(made.id).await, Err(Error::ProviderNotFound { .. })));
    fixture.tenant.delete_provider(made.id).await.unwrap();
    assert!(matches!(fixture.tenant.delete_provider(made.id).await, Err(Error::ProviderNotFound { .. })));
}

#[tokio::test]
async fn unusable_settings_name_their_field_and_a_short_name_is_taken_once() {
    let fixture = Fixture::new().await;
    let made = provider(&fixture, "example", &[]).await;
    let again = made.settings.clone();
    let taken =
        fixture.tenant.create_provider(fixture.tenant.next_provider(start()), again, None, start()).await;
    assert!(matches!(taken, Err(Error::ProviderTaken)));
    let wrong: [(&str, Change); 4] = [
        ("slug", |new| new.slug = "Not A Slug".to_owned()),
        ("issuer", |new| new.issuer = String::new()),
        ("join_domains", |new| new.join_domains = vec!["localhost".to_owned()]),
        ("name", |new| new.name = " ".to_owned()),
    ];
    for (field, change) in wrong {
        let mut new = NewProvider { slug: "other".to_owned(), ..made.settings.clone() };
        change(&mut new);
        let id = fixture.tenant.next_provider(start());
        let refused = fixture.tenant.create_provider(id, new, None, start()).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidField { field: named, .. } if named == field), "{refused}");
    }
}

#[tokio::test]
async fn a_flow_is_taken_once_by_its_own_browser_and_provider() {
    let fixture = Fixture::new().await;
    let (here, elsewhere) =
        (provider(&fixture, "here", &[]).await, provider(&fixture, "elsewhere", &[]).await);
    let begin = async |cookie: Option<&str>| {
        let endpoints = "{}".to_owned();
        fixture.tenant.start_flow(here.id, endpoints, "/leads".to_owned(), cookie, start()).await.unwrap()
    };
    let started = begin(None).await;
    let cookie = started.cookie.expose_secret();
    let finish = async |provider, state: &str, cookie: &str, seconds| {
        let flow = fixture.tenant.finish_flow(provider, state, cookie, after(seconds)).await;
        flow.map(|flow| (flow.next.clone(), flow.nonce(), flow.verifier()))
    };
    let stranger = begin(None).await;
    for (provider, state, cookie) in [
        (here.id, started.state.as_str(), stranger.cookie.expose_secret()),
        (elsewhere.id, started.state.as_str(), cookie),
        (here.id, "unknown", cookie),
    ] {
        assert!(matches!(finish(provider, state, cookie, 1).await, Err(Error::InvalidFlow)));
    }
    let (next, nonce, verifier) = finish(here.id, &started.state, cookie, 1).await.unwrap();
    assert_eq!(next, "/leads");
    assert_eq!(nonce.expose_secret(), started.nonce.expose_secret());
    assert_eq!(verifier.expose_secret(), started.verifier.expose_secret());
    assert_ne!(nonce.expose_secret(), verifier.expose_secret());
    assert_eq!(verifier.expose_secret().len(), 43, "RFC 7636, 4.1: 43 to 128 characters");
    let again = finish(here.id, &started.state, cookie, 1).await.unwrap_err();
    assert!(matches!(again, Error::InvalidFlow));
    assert!(!whole_text(&again).contains(&started.state));
}

#[tokio::test]
async fn a_flow_ends_in_time_and_two_tabs_share_the_browsers_cookie() {
    let fixture = Fixture::new().await;
    let here = provider(&fixture, "here", &[]).await;
    let begin = async |cookie: Option<&str>| {
        let endpoints = "{}".to_owned();
        fixture.tenant.start_flow(here.id, endpoints, "/".to_owned(), cookie, start()).await.unwrap()
    };
    let one = begin(None).await;
    let cookie = one.cookie.expose_secret();
    let other = begin(Some(cookie)).await;
    assert_eq!(other.cookie.expose_secret(), cookie);
    assert_ne!(other.verifier.expose_secret(), one.verifier.expose_secret(), "each tab has its own");
    let made_up = begin(Some("made up")).await;
    assert_ne!(made_up.cookie.expose_secret(), "made up", "only what was drawn here is kept");
    let lifetime = i64::try_from(FLOW_LIFETIME.as_secs()).unwrap();
    let in_time = fixture.tenant.finish_flow(here.id, &one.state, cookie, after(lifetime - 1)).await;
    assert!(in_time.is_ok());
    let late = fixture.tenant.finish_flow(here.id, &other.state, cookie, after(lifetime)).await;
    assert!(matches!(late, Err(Error::InvalidFlow)));
}

#[tokio::test]
async fn a_person_is_who_it_was_there_before_then_the_one_of_that_verified_address() {
    let fixture = Fixture::new().await;
    let here = provider(&fixture, "here", &[]).await;
    let ada = fixture.user("ada@example.com").await;
    let admit = async |person| fixture.tenant.admit(&here, person, after(5)).await;
    let unverified = admit(person("s-1", "ada@example.com", false)).await;
    assert!(matches!(unverified, Err(Error::EmailNotVerified)), "anybody can claim an address");
    assert!(matches!(admit(person("s-1", "eve@example.com", true)).await, Err(Error::NotInvited)));
    assert_eq!(admit(person("s-1", "Ada@Example.com", true)).await.unwrap().id, ada.id);
    assert_eq!(fixture.tenant.user(ada.id).await.unwrap().unwrap().last_sign_in_at, Some(after(5)));
    // The subject never changes, an address may: from now on it is not asked.
    assert_eq!(admit(person("s-1", "new@example.com", false)).await.unwrap().id, ada.id);
    fixture.tenant.set_user_disabled(ada.id, true, after(6)).await.unwrap();
    assert!(matches!(admit(person("s-1", "ada@example.com", true)).await, Err(Error::UserDisabled { .. })));
    // The same subject at another provider is somebody else.
    let elsewhere = provider(&fixture, "elsewhere", &[]).await;
    let other = fixture.tenant.admit(&elsewhere, person("s-1", "eve@example.com", true), after(7)).await;
    assert!(matches!(other, Err(Error::NotInvited)));
}

#[tokio::test]
async fn people_of_a_domain_join_with_its_role_and_no_other_domain_does() {
    let fixture = Fixture::new().await;
    let here = provider(&fixture, "here", &["example.com"]).await;
    let joined =
        fixture.tenant.admit(&here, person("s-1", "grace@example.com", true), after(1)).await.unwrap();
    assert_eq!((joined.role, joined.name.as_str()), (JOIN, "Ada"));
    for address in ["grace@sub.example.com", "grace@example.com.evil.example", "grace@notexample.com"] {
        let refused = fixture.tenant.admit(&here, person(address, address, true), after(1)).await;
        assert!(matches!(refused, Err(Error::NotInvited)), "{address}");
    }
    let unverified = fixture.tenant.admit(&here, person("s-2", "hedy@example.com", false), after(1)).await;
    assert!(matches!(unverified, Err(Error::EmailNotVerified)));
    assert!(fixture.tenant.user_by_email("hedy@example.com").await.unwrap().is_none());
}
