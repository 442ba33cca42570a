use std::time::Duration;

use tenants::{Error, NewPassword, SIGN_IN_ATTEMPTS_MAX, SIGN_IN_WINDOW};

use super::{Fixture, after, whole_text};

const ADDRESS: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.user_with(ADDRESS, NewPassword::Chosen(PASSWORD.into())).await;
    fixture
}

#[tokio::test]
async fn the_right_password_signs_in_and_is_noted() {
    let fixture = fixture().await;
    let user = fixture.tenant.sign_in(" ADA@example.com", &PASSWORD.into(), after(7)).await.unwrap();
    assert_eq!(user.last_sign_in_at, Some(after(7)));
    assert_eq!(fixture.tenant.user(user.id).await.unwrap(), Some(user));
}

#[tokio::test]
async fn wrong_password_unknown_person_and_no_password_are_the_same_refusal() {
    let fixture = fixture().await;
    fixture.user("elsewhere@example.com").await;
    for (address, password) in [
        (ADDRESS, "correct horse batterz"),
        (ADDRESS, ""),
        ("nobody@example.com", PASSWORD),
        ("elsewhere@example.com", ""),
        ("not an address", PASSWORD),
        ("", ""),
    ] {
        let refused = fixture.tenant.sign_in(address, &password.into(), after(0)).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidCredentials), "{refused:?}");
        assert!(!whole_text(&refused).contains("horse"));
    }
    let nowhere = fixture.store.refuse_sign_in(&PASSWORD.into()).await;
    assert!(matches!(nowhere, Error::InvalidCredentials));
    let other = fixture.other_tenant().await;
    assert!(matches!(
        other.sign_in(ADDRESS, &PASSWORD.into(), after(0)).await,
        Err(Error::InvalidCredentials)
    ));
}

#[tokio::test]
async fn a_disabled_user_learns_it_only_with_the_right_password() {
    let fixture = fixture().await;
    let user = fixture.tenant.user_by_email(ADDRESS).await.unwrap().unwrap();
    fixture.tenant.set_user_disabled(user.id, true, after(0)).await.unwrap();
    let right = fixture.tenant.sign_in(ADDRESS, &PASSWORD.into(), after(1)).await;
    assert!(matches!(right, Err(Error::UserDisabled { user: refused }) if refused == user.id));
    let wrong = fixture.tenant.sign_in(ADDRESS, &"wrong password".into(), after(1)).await;
    assert!(matches!(wrong, Err(Error::InvalidCredentials)));
    assert_eq!(fixture.tenant.user(user.id).await.unwrap().unwrap().last_sign_in_at, None);
}

#[tokio::test]
async fn ten_failures_close_the_door_until_the_oldest_is_a_quarter_of_an_hour_old() {
    let fixture = fixture().await;
    for attempt in 0..i64::from(SIGN_IN_ATTEMPTS_MAX) {
        let failed = fixture.tenant.sign_in(ADDRESS, &"wrong password".into(), after(attempt)).await;
        assert!(matches!(failed, Err(Error::InvalidCredentials)));
    }
    let refused = fixture.tenant.sign_in(ADDRESS, &PASSWORD.into(), after(100)).await;
    let wait = SIGN_IN_WINDOW.checked_sub(Duration::from_secs(100)).unwrap();
    assert!(
        matches!(refused, Err(Error::TooManyAttempts { retry_after }) if retry_after == wait),
        "{refused:?}"
    );
    // Another address is not concerned, nor the same one of another tenant.
    let other = fixture.tenant.sign_in("other@example.com", &PASSWORD.into(), after(100)).await;
    assert!(matches!(other, Err(Error::InvalidCredentials)));
    // Another process counts the same.
    let neighbour = fixture.neighbour().open(fixture.tenant.id()).await.unwrap();
    let refused = neighbour.sign_in(ADDRESS, &PASSWORD.into(), after(899)).await;
    assert!(matches!(refused, Err(Error::TooManyAttempts { .. })));
    fixture.tenant.sign_in(ADDRESS, &PASSWORD.into(), after(900)).await.unwrap();
}

#[tokio::test]
async fn an_unknown_address_is_throttled_too() {
    let fixture = fixture().await;
    for _ in 0..SIGN_IN_ATTEMPTS_MAX {
        fixture.tenant.sign_in("nobody@example.com", &PASSWORD.into(), after(0)).await.unwrap_err();
    }
    let refused = fixture.tenant.sign_in("NOBODY@example.com ", &PASSWORD.into(), after(0)).await;
    assert!(matches!(refused, Err(Error::TooManyAttempts { .. })));
}

#[tokio::test]
async fn the_right_password_forgets_the_failures() {
    let fixture = fixture().await;
    for _ in 0..3 {
        for _ in 1..SIGN_IN_ATTEMPTS_MAX {
            fixture.tenant.sign_in(ADDRESS, &"wrong password".into(), after(0)).await.unwrap_err();
        }
        fixture.tenant.sign_in(ADDRESS, &PASSWORD.into(), after(0)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_at_once_are_no_way_around_the_limit() {
    let fixture = fixture().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let tenant = fixture.tenant.clone();
        tasks.spawn(
            async move { tenant.sign_in(ADDRESS, &"wrong password".into(), after(0)).await.unwrap_err() },
        );
    }
    let refused = tasks.join_all().await;
    let looked_at = refused.iter().filter(|error| matches!(error, Error::InvalidCredentials)).count();
    assert_eq!(looked_at, usize::try_from(SIGN_IN_ATTEMPTS_MAX).unwrap());
}

#[tokio::test]
async fn what_was_typed_into_the_address_is_not_stored() {
    let fixture = fixture().await;
    let typed = "my secret password in the wrong field";
    fixture.tenant.sign_in(typed, &"".into(), after(0)).await.unwrap_err();
    for bytes in fixture.stored_files() {
        assert!(!bytes.windows(typed.len()).any(|window| window == typed.as_bytes()));
    }
}
