use domain::ids::{PartnerId, SourceId};
use secrecy::{ExposeSecret, SecretString};
use tenants::{
    Error, NewInvitation, Role, SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX, SessionLimits, SessionOrigin, Store,
    TeamChange,
};
use uuid::Uuid;

use super::{Fixture, after, start};

async fn exchange(store: &Store, fixture: &Fixture, text: &str, second: i64) -> Result<String, Error> {
    let limits = SessionLimits::default();
    let done = store.refresh(fixture.tenant.id(), text, limits, after(second)).await?;
    Ok(done.token.expose_secret().to_owned())
}

async fn first_token(fixture: &Fixture) -> (tenants::Session, String) {
    let user = fixture.user("ada@example.com").await;
    let origin = SessionOrigin {
        method: "password".into(),
        address: Some("203.0.113.9".into()),
        user_agent: Some("curl/8".into()),
    };
    let limits = SessionLimits::default();
    let session = fixture.tenant.start_session_from(user.id, origin, limits, start()).await.unwrap().session;
    let token = fixture.tenant.start_refreshing(session.id, start()).await.unwrap();
    (session, token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_a_second_use_ends_the_family() {
    let fixture = Fixture::new().await;
    let (session, first) = first_token(&fixture).await;
    let second = exchange(&fixture.store, &fixture, &first, 10).await.unwrap();
    // Another process exchanges the next one.
    let third = exchange(&fixture.neighbour(), &fixture, &second, 20).await.unwrap();
    let listed = fixture.tenant.sessions(session.user.id, SessionLimits::default(), after(21)).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].origin.user_agent.as_deref(), Some("curl/8"));
    assert_eq!((listed[0].last_seen_at, listed[0].id), (after(20), session.id));

    let reused = exchange(&fixture.store, &fixture, &first, 30).await.unwrap_err();
    assert!(matches!(reused, Error::RefreshReused { session: ended, .. } if ended == session.id));
    // The newest token of the family, whoever holds it, is worth nothing any more.
    assert!(matches!(exchange(&fixture.store, &fixture, &third, 31).await, Err(Error::InvalidRefresh)));
    let listed = fixture.tenant.sessions(session.user.id, SessionLimits::default(), after(32)).await.unwrap();
    assert_eq!(listed, []);
}

#[tokio::test]
async fn two_exchanges_at_once_are_one_and_a_reuse() {
    let fixture = Fixture::new().await;
    let (_, first) = first_token(&fixture).await;
    let (other, limits) = (fixture.neighbour(), SessionLimits::default());
    let tenant = fixture.tenant.id();
    let (one, two) = tokio::join!(
        fixture.store.refresh(tenant, &first, limits, after(1)),
        other.refresh(tenant, &first, limits, after(1))
    );
    assert!(one.is_ok() != two.is_ok());
    let refused = one.err().or(two.err()).unwrap();
    assert!(matches!(refused, Error::RefreshReused { .. }), "{refused}");
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_session_and_its_user() {
    let fixture = Fixture::new().await;
    let (session, token) = first_token(&fixture).await;
    let other = fixture.other_tenant().await;
    let limits = SessionLimits::default();
    let elsewhere = fixture.store.refresh(other.id(), &token, limits, after(1)).await;
    assert!(matches!(elsewhere, Err(Error::InvalidRefresh)));
    for wrong in ["", "nonsense", &token.replace("baton_refresh", "baton_session"), &token.to_uppercase()] {
        assert!(matches!(exchange(&fixture.store, &fixture, wrong, 1).await, Err(Error::InvalidRefresh)));
    }
    assert!(matches!(exchange(&fixture.store, &fixture, &token, 7201).await, Err(Error::SessionExpired)));
    fixture.tenant.set_user_disabled(session.user.id, true, after(2)).await.unwrap();
    assert!(matches!(exchange(&fixture.store, &fixture, &token, 3).await, Err(Error::InvalidRefresh)));
}

#[tokio::test]
async fn teams_have_members_and_sources_and_change_whole_or_not_at_all() {
    let fixture = Fixture::new().await;
    let (ada, bob) = (fixture.user("ada@example.com").await.id, fixture.user("bob@example.com").await.id);
    let team = fixture.tenant.create_team(" East ", start()).await.unwrap();
    assert_eq!(team.name, "East");
    assert!(matches!(fixture.tenant.create_team("EAST", start()).await, Err(Error::NameTaken)));
    let sources: Vec<SourceId> = (1..=2).map(|number| SourceId(Uuid::from_u128(number))).collect();
    let change = TeamChange {
        name: Some("North".into()),
        members: Some(vec![ada, bob, ada]),
        sources: Some(sources.clone()),
    };
    fixture.tenant.change_team(team.id, change, start()).await.unwrap();
    let listed = fixture.tenant.teams().await.unwrap().remove(0);
    assert_eq!(
        (listed.name.as_str(), &listed.members, &listed.sources),
        ("North", &vec![ada, bob], &sources)
    );
    assert_eq!(fixture.tenant.sources_of(ada).await.unwrap(), sources);

    let stranger = domain::ids::UserId(Uuid::from_u128(99));
    let change = TeamChange { name: Some("West".into()), members: Some(vec![stranger]), sources: None };
    let refused = fixture.tenant.change_team(team.id, change, start()).await.unwrap_err();
    assert!(matches!(refused, Error::UserNotFound { user } if user == stranger));
    assert_eq!(fixture.tenant.teams().await.unwrap(), [listed], "nothing of it stays");

    let other = fixture.other_tenant().await;
    assert!(matches!(other.remove_team(team.id).await, Err(Error::TeamNotFound { .. })));
    fixture.tenant.remove_team(team.id).await.unwrap();
    assert_eq!(fixture.tenant.sources_of(ada).await.unwrap(), []);
}

fn invitation(email: &str, role: Role) -> NewInvitation {
    NewInvitation { email: email.into(), role, partner: None, invited_by: None }
}

#[tokio::test]
async fn an_invitation_makes_one_user_once() {
    let fixture = Fixture::new().await;
    let password = || SecretString::from("a long enough password");
    let invite = async |email| fixture.tenant.invite(invitation(email, Role::Manager), start()).await;
    let (_, former) = invite("Ada@example.com").await.unwrap();
    let (listed, text) = invite("ada@example.com").await.unwrap();
    assert_eq!(fixture.tenant.open_invitations(after(1)).await.unwrap(), [listed]);
    let accept = async |text: &SecretString, second| {
        fixture.store.accept_invitation(text.expose_secret(), "Ada", password(), after(second)).await
    };
    assert!(matches!(accept(&former, 1).await, Err(Error::InvalidInvitation)), "a further one replaces it");
    // The password is looked at, and hashed, once the invitation is known to hold.
    let short = || SecretString::from("short");
    let unseen = fixture.store.accept_invitation(former.expose_secret(), "Ada", short(), after(1)).await;
    assert!(matches!(unseen, Err(Error::InvalidInvitation)));
    let seen = fixture.store.accept_invitation(text.expose_secret(), "Ada", short(), after(1)).await;
    assert!(matches!(seen, Err(Error::PasswordTooShort { .. })));
    let (tenant, user) = accept(&text, 2).await.unwrap();
    assert_eq!(
        (tenant.id(), user.role, user.email.as_str()),
        (fixture.tenant.id(), Role::Manager, "ada@example.com")
    );
    assert!(matches!(accept(&text, 3).await, Err(Error::InvalidInvitation)));
    assert_eq!(tenant.sign_in("ada@example.com", &password(), after(4)).await.unwrap().id, user.id);
    assert!(matches!(invite("ada@example.com").await, Err(Error::EmailTaken)));

    let (late, text) = invite("bob@example.com").await.unwrap();
    let week = 7 * 24 * 3600;
    assert!(matches!(accept(&text, week).await, Err(Error::InvalidInvitation)));
    fixture.tenant.revoke_invitation(late.id, after(5)).await.unwrap();
    assert!(matches!(accept(&text, 6).await, Err(Error::InvalidInvitation)));
    // Whoever proves the address otherwise needs no link, and whoever was not invited is nobody.
    invite("carl@example.com").await.unwrap();
    let carl =
        fixture.tenant.accept_invitation_of("CARL@example.com", "Carl", after(7)).await.unwrap().unwrap();
    assert_eq!(carl.role, Role::Manager);
    assert_eq!(
        fixture.tenant.accept_invitation_of("carl@example.com", "Carl", after(8)).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn roles_and_partners_go_together_and_the_last_owner_stays() {
    let fixture = Fixture::new().await;
    let partner = PartnerId(Uuid::from_u128(5));
    let refused = fixture.tenant.invite(invitation("p@example.com", Role::Partner), start()).await;
    assert!(matches!(refused, Err(Error::InvalidField { field: "partner", .. })));
    let refused = fixture.tenant.invite(invitation("s@example.com", Role::Service), start()).await;
    assert!(matches!(refused, Err(Error::InvalidField { field: "role", .. })));
    let id = fixture.user("ada@example.com").await.id;
    let refused = fixture.tenant.set_user_role(id, Role::Agent, Some(partner)).await;
    assert!(matches!(refused, Err(Error::InvalidField { field: "partner", .. })));
    fixture.tenant.set_user_role(id, Role::Partner, Some(partner)).await.unwrap();
    assert_eq!(fixture.tenant.user(id).await.unwrap().unwrap().partner, Some(partner));

    fixture.tenant.set_user_role(id, Role::Owner, None).await.unwrap();
    assert!(matches!(fixture.tenant.set_user_role(id, Role::Admin, None).await, Err(Error::LastOwner)));
    assert!(matches!(fixture.tenant.set_user_disabled(id, true, start()).await, Err(Error::LastOwner)));
    let other = fixture.user("bob@example.com").await.id;
    fixture.tenant.set_user_role(other, Role::Owner, None).await.unwrap();
    fixture.tenant.set_user_role(id, Role::Admin, None).await.unwrap();
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_down_whatever_the_accounts() {
    let fixture = Fixture::new().await;
    // Without users no password is looked at for long, but each attempt is counted.
    let attempt = async |email: String, address: &str, second| {
        let wrong = SecretString::from("wrong");
        fixture.tenant.sign_in_from(&email, &wrong, Some(address), after(second)).await.unwrap_err()
    };
    for number in 0..SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX {
        let refused = attempt(format!("user{number}@example.com"), "203.0.113.9", 1).await;
        assert!(matches!(refused, Error::InvalidCredentials));
    }
    let refused = attempt("another@example.com".into(), "203.0.113.9", 2).await;
    assert!(matches!(refused, Error::TooManyAttempts { .. }), "{refused}");
    let elsewhere = attempt("another@example.com".into(), "203.0.113.10", 2).await;
    assert!(matches!(elsewhere, Error::InvalidCredentials));
}

#[tokio::test]
async fn a_suspended_tenant_says_so_to_other_processes_at_once() {
    let fixture = Fixture::new().await;
    let neighbour = fixture.neighbour().open(fixture.tenant.id()).await.unwrap();
    for suspended in [false, true, false] {
        fixture.tenant.set_suspended(suspended).await.unwrap();
        assert_eq!(fixture.tenant.is_suspended().await.unwrap(), suspended);
        assert_eq!(neighbour.is_suspended().await.unwrap(), suspended);
    }
}

#[tokio::test]
async fn a_dump_has_every_table_and_no_secret() {
    let fixture = Fixture::new().await;
    first_token(&fixture).await;
    let mut all = String::new();
    for table in fixture.tenant.tables().await.unwrap() {
        for row in fixture.tenant.dump(&table, 0).await.unwrap() {
            all.push_str(&row.to_string());
        }
        assert_eq!(fixture.tenant.dump(&table, 1).await.unwrap(), Vec::<serde_json::Value>::new());
    }
    assert!(all.contains("ada@example.com") && all.contains("kid"));
    for secret in ["secret_hash", "private_key", "password_hash"] {
        assert!(!all.contains(secret), "{secret}");
    }
    assert!(fixture.tenant.dump("user; DROP TABLE user", 0).await.is_err());
}

#[tokio::test]
async fn a_removed_database_is_gone_also_for_a_process_that_has_it_open() {
    let fixture = Fixture::new().await;
    let id = fixture.tenant.id();
    let neighbour = fixture.neighbour();
    neighbour.open(id).await.unwrap();
    assert!(fixture.store.remove(id).await.unwrap());
    assert!(!fixture.store.exists(id).await.unwrap() && !fixture.store.remove(id).await.unwrap());
    for store in [&fixture.store, &neighbour] {
        // Whoever asks has to look: the first look at the latest finds nothing there.
        let looked = async { store.open(id).await?.is_suspended().await };
        assert!(matches!(looked.await, Err(Error::DatabaseMissing { .. })));
    }
}
