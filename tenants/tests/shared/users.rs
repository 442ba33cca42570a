use secrecy::ExposeSecret;
use tenants::{Error, NewPassword, NewUser, Role, SessionLimits};

use super::{Fixture, after, start, whole_text};

fn new_user(email: &str) -> NewUser {
    NewUser {
        email: email.into(),
        name: "Ada".into(),
        role: Role::Admin,
        partner: None,
        password: NewPassword::Absent,
    }
}

#[tokio::test]
async fn a_user_is_made_read_and_unique_by_address() {
    let fixture = Fixture::new().await;
    let made = fixture.tenant.create_user(new_user(" Ada@Example.com "), start()).await.unwrap().user;
    assert_eq!(made.email.as_str(), "ada@example.com");
    assert_eq!((made.role, made.created_at, made.last_sign_in_at), (Role::Admin, start(), None));
    assert_eq!(fixture.tenant.user(made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(fixture.tenant.user_by_email("ADA@example.COM").await.unwrap(), Some(made));

    let taken = fixture.tenant.create_user(new_user("ADA@EXAMPLE.COM"), start()).await.unwrap_err();
    assert!(matches!(taken, Error::EmailTaken));
    assert!(!whole_text(&taken).to_lowercase().contains("ada@"));
    // The same person may belong to another tenant.
    let other = fixture.other_tenant().await;
    other.create_user(new_user("ada@example.com"), start()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused() {
    let fixture = Fixture::new().await;
    let refuse = async |new: NewUser| fixture.tenant.create_user(new, start()).await.unwrap_err();
    assert!(matches!(refuse(new_user("nobody")).await, Error::InvalidEmail));
    for name in ["", "   ", "a\nb", &"a".repeat(201)] {
        let new = NewUser { name: name.into(), ..new_user("ada@example.com") };
        assert!(matches!(refuse(new).await, Error::InvalidField { field: "name", .. }), "{name:?}");
    }
    let short = NewPassword::Chosen("eleven char".into());
    let refused = refuse(NewUser { password: short, ..new_user("ada@example.com") }).await;
    assert!(matches!(refused, Error::PasswordTooShort { characters_min: 12 }));
    assert!(!whole_text(&refused).contains("eleven"));
    assert_eq!(fixture.tenant.users(None, 10).await.unwrap(), vec![]);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let fixture = Fixture::new().await;
    let mut made = vec![];
    for number in 0..5 {
        made.push(fixture.user(&format!("user{number}@example.com")).await);
    }
    let first = fixture.tenant.users(None, 2).await.unwrap();
    let rest = fixture.tenant.users(Some(first[1].id), 1000).await.unwrap();
    assert_eq!([first, rest].concat(), made);
}

#[tokio::test]
async fn changes_reach_the_row_and_an_unknown_user_is_not_found() {
    let fixture = Fixture::new().await;
    let id = fixture.user("ada@example.com").await.id;
    fixture.tenant.set_user_role(id, Role::Admin, None).await.unwrap();
    fixture.tenant.set_user_name(id, " Ada Lovelace ").await.unwrap();
    fixture.tenant.set_user_disabled(id, true, after(5)).await.unwrap();
    fixture.tenant.set_user_disabled(id, true, after(9)).await.unwrap();
    let user = fixture.tenant.user(id).await.unwrap().unwrap();
    assert_eq!(
        (user.role, user.name.as_str(), user.disabled_at),
        (Role::Admin, "Ada Lovelace", Some(after(5)))
    );
    fixture.tenant.set_user_disabled(id, false, after(9)).await.unwrap();
    assert_eq!(fixture.tenant.user(id).await.unwrap().unwrap().disabled_at, None);

    // Another tenant's user is not found here.
    let other = fixture.other_tenant().await;
    let not_found =
        |result: Result<(), Error>| matches!(result, Err(Error::UserNotFound { user }) if user == id);
    assert!(not_found(other.set_user_role(id, Role::Admin, None).await));
    assert!(not_found(other.set_user_name(id, "Ada").await));
    assert!(not_found(other.set_user_disabled(id, true, start()).await));
    assert!(not_found(other.set_password(id, NewPassword::Absent, start()).await.map(drop)));
    assert_eq!(other.user(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_new_password_replaces_the_old_and_ends_sessions() {
    let fixture = Fixture::new().await;
    let user = fixture.user_with("ada@example.com", NewPassword::Chosen("first password".into())).await;
    let limits = SessionLimits::default();
    let cookie = fixture.tenant.start_session(user.id, limits, start()).await.unwrap().cookie;
    let generated =
        fixture.tenant.set_password(user.id, NewPassword::Generated, after(1)).await.unwrap().unwrap();
    assert!(generated.expose_secret().len() >= 24);
    let old = fixture.tenant.sign_in("ada@example.com", &"first password".into(), after(2)).await;
    assert!(matches!(old, Err(Error::InvalidCredentials)));
    assert_eq!(fixture.tenant.sign_in("ada@example.com", &generated, after(3)).await.unwrap().id, user.id);
    let resumed = fixture.store.resume_session(cookie.expose_secret(), limits, after(4)).await;
    assert!(matches!(resumed, Err(Error::InvalidSession)));
}

#[tokio::test]
async fn the_generated_password_is_returned_once_and_stored_as_hash_only() {
    let fixture = Fixture::new().await;
    let new = NewUser { password: NewPassword::Generated, ..new_user("ada@example.com") };
    let generated = fixture.tenant.create_user(new, start()).await.unwrap().generated_password.unwrap();
    fixture.tenant.sign_in("ada@example.com", &generated, after(1)).await.unwrap();
    for bytes in fixture.stored_files() {
        let secret = generated.expose_secret().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn a_corrupt_row_names_itself_and_not_its_value() {
    let fixture = Fixture::new().await;
    let user = fixture.user("ada@example.com").await;
    fixture.sql("UPDATE user SET role = 'emperor'").await.unwrap();
    let error = fixture.tenant.user(user.id).await.unwrap_err();
    assert_eq!(error.to_string(), format!("corrupt row: user.role of `{}`", user.id));
    assert!(!whole_text(&error).contains("emperor"));
}
