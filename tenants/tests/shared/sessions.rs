use std::time::Duration;

use domain::ids::SessionId;
use libsql::Value;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tenants::{Error, Role, SESSIONS_PER_USER_MAX, Session, SessionLimits};

use super::{Fixture, after, altered, altered_everywhere, new_id, start};

const LIMITS: SessionLimits =
    SessionLimits { absolute: Duration::from_hours(12), idle: Duration::from_hours(2) };

async fn begin(fixture: &Fixture) -> (Session, String) {
    let user = match fixture.tenant.user_by_email("ada@example.com").await.unwrap() {
        Some(user) => user,
        None => fixture.user("ada@example.com").await,
    };
    let started = fixture.tenant.start_session(user.id, LIMITS, start()).await.unwrap();
    (started.session, started.cookie.expose_secret().to_owned())
}

async fn resume(fixture: &Fixture, cookie: &str, seconds: i64) -> Result<Session, Error> {
    Ok(fixture.store.resume_session(cookie, LIMITS, after(seconds)).await?.1)
}

#[tokio::test]
async fn a_cookie_brings_back_tenant_user_and_defence() {
    let fixture = Fixture::new().await;
    let (begun, cookie) = begin(&fixture).await;
    assert!(cookie.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "RFC 6265 cookie-octet");
    let (tenant, resumed) = fixture.neighbour().resume_session(&cookie, LIMITS, after(5)).await.unwrap();
    assert_eq!(tenant.id(), fixture.tenant.id());
    assert_eq!((resumed.id, &resumed.user), (begun.id, &begun.user));
    assert_eq!(resumed.expires_at, after(12 * 3600));
    assert_eq!(resumed.seconds_left(after(5)), 12 * 3600 - 5);
    assert_eq!(resumed.seconds_left(after(13 * 3600)), 0);
    assert_eq!(resumed.csrf().expose_secret(), begun.csrf().expose_secret());
    assert!(!format!("{resumed:?}").contains(resumed.csrf().expose_secret()));
    assert_eq!(LIMITS, SessionLimits::default());
}

#[tokio::test]
async fn the_defence_is_each_sessions_own_and_tells_nothing_of_the_cookie() {
    let fixture = Fixture::new().await;
    let (one, cookie) = begin(&fixture).await;
    let (other, _) = begin(&fixture).await;
    let value = one.csrf().expose_secret();
    assert!(one.csrf_matches(value));
    assert!(!other.csrf_matches(value));
    assert!(!cookie.contains(value));
    let longer = format!("{value}A");
    for wrong in ["", &value[1..], &longer, &altered(value, 7, b'!'), cookie.as_str()] {
        assert!(!one.csrf_matches(wrong), "{wrong}");
    }
}

#[tokio::test]
async fn a_session_ends_by_age_and_by_idleness() {
    let fixture = Fixture::new().await;
    let (_, cookie) = begin(&fixture).await;
    let hour = 3600;
    resume(&fixture, &cookie, 2 * hour - 1).await.unwrap();
    assert!(matches!(resume(&fixture, &cookie, 4 * hour - 1).await, Err(Error::SessionExpired)));
    for seconds in
        [3 * hour, 4 * hour, 5 * hour, 6 * hour, 7 * hour, 8 * hour, 9 * hour, 10 * hour, 11 * hour]
    {
        assert_eq!(resume(&fixture, &cookie, seconds).await.unwrap().last_seen_at, after(seconds));
    }
    resume(&fixture, &cookie, 12 * hour - 1).await.unwrap();
    assert!(matches!(resume(&fixture, &cookie, 12 * hour).await, Err(Error::SessionExpired)));
    // Limits that have become stricter apply to sessions that run.
    let strict = SessionLimits { absolute: Duration::from_hours(1), ..LIMITS };
    let refused = fixture.store.resume_session(&cookie, strict, after(2 * hour)).await;
    assert!(matches!(refused, Err(Error::SessionExpired)));
}

#[tokio::test]
async fn the_last_request_is_noted_at_most_once_a_minute() {
    let fixture = Fixture::new().await;
    let (begun, cookie) = begin(&fixture).await;
    for (used_at, noted) in [(59, 0), (60, 60), (90, 60), (121, 121)] {
        resume(&fixture, &cookie, used_at).await.unwrap();
        let listed = fixture.tenant.sessions(begun.user.id, LIMITS, after(used_at)).await.unwrap();
        assert_eq!(listed[0].last_seen_at, after(noted), "used at {used_at}");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_but_one() {
    let fixture = Fixture::new().await;
    let (one, first) = begin(&fixture).await;
    let (two, second) = begin(&fixture).await;
    let (three, third) = begin(&fixture).await;
    let user = one.user.id;
    let ids = async |seconds| {
        let listed = fixture.tenant.sessions(user, LIMITS, after(seconds)).await.unwrap();
        listed.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(1).await, [three.id, two.id, one.id]);
    fixture.tenant.revoke_session(user, one.id, after(2)).await.unwrap();
    fixture.tenant.revoke_session(user, one.id, after(3)).await.unwrap();
    assert!(matches!(resume(&fixture, &first, 3).await, Err(Error::InvalidSession)));
    assert_eq!(ids(3).await, [three.id, two.id]);
    assert_eq!(fixture.tenant.revoke_sessions(user, Some(three.id), after(4)).await.unwrap(), 1);
    assert!(matches!(resume(&fixture, &second, 5).await, Err(Error::InvalidSession)));
    resume(&fixture, &third, 5).await.unwrap();
    assert_eq!(fixture.tenant.revoke_sessions(user, None, after(6)).await.unwrap(), 1);
    assert!(matches!(resume(&fixture, &third, 7).await, Err(Error::InvalidSession)));
    assert_eq!(ids(7).await, []);
}

#[tokio::test]
async fn another_users_session_is_not_found() {
    let fixture = Fixture::new().await;
    let (session, cookie) = begin(&fixture).await;
    let stranger = fixture.user("eve@example.com").await.id;
    let missing = fixture.tenant.revoke_session(stranger, session.id, after(1)).await;
    assert!(matches!(missing, Err(Error::SessionNotFound { session: id }) if id == session.id));
    let unknown = SessionId(new_id(start()));
    assert!(fixture.tenant.revoke_session(session.user.id, unknown, after(1)).await.is_err());
    assert_eq!(fixture.tenant.revoke_sessions(stranger, None, after(1)).await.unwrap(), 0);
    resume(&fixture, &cookie, 2).await.unwrap();
}

#[tokio::test]
async fn a_change_of_the_user_reaches_its_sessions_at_once() {
    let fixture = Fixture::new().await;
    let (session, cookie) = begin(&fixture).await;
    let user = session.user.id;
    fixture.tenant.set_user_role(user, Role::Admin, None).await.unwrap();
    assert_eq!(resume(&fixture, &cookie, 1).await.unwrap().user.role, Role::Admin);
    fixture.tenant.set_user_disabled(user, true, after(2)).await.unwrap();
    assert!(matches!(resume(&fixture, &cookie, 3).await, Err(Error::InvalidSession)));
    let refused = fixture.tenant.start_session(user, LIMITS, after(3)).await;
    assert!(matches!(refused, Err(Error::UserDisabled { .. })));
    fixture.tenant.set_user_disabled(user, false, after(4)).await.unwrap();
    assert!(matches!(resume(&fixture, &cookie, 5).await, Err(Error::InvalidSession)), "ended stays ended");
}

#[tokio::test]
async fn ended_sessions_do_not_pile_up() {
    let fixture = Fixture::new().await;
    let (old, _) = begin(&fixture).await;
    fixture.tenant.start_session(old.user.id, LIMITS, after(13 * 3600)).await.unwrap();
    let count = fixture.sql("SELECT count(*) FROM session").await.unwrap();
    assert_eq!(count, [[Value::Integer(1)]]);
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest() {
    let fixture = Fixture::new().await;
    let (oldest, first) = begin(&fixture).await;
    let (_, second) = begin(&fixture).await;
    let user = oldest.user.id;
    for _ in 2..SESSIONS_PER_USER_MAX {
        fixture.tenant.start_session(user, LIMITS, after(1)).await.unwrap();
    }
    resume(&fixture, &first, 2).await.unwrap();
    let other = fixture.user("eve@example.com").await.id;
    fixture.tenant.start_session(other, LIMITS, after(2)).await.unwrap();
    resume(&fixture, &first, 3).await.unwrap();
    fixture.tenant.start_session(user, LIMITS, after(3)).await.unwrap();
    assert!(matches!(resume(&fixture, &first, 4).await, Err(Error::InvalidSession)));
    resume(&fixture, &second, 4).await.unwrap();
    let listed = fixture.tenant.sessions(user, LIMITS, after(4)).await.unwrap();
    assert_eq!(listed.len(), usize::try_from(SESSIONS_PER_USER_MAX).unwrap());
}

#[test]
fn any_altered_byte_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (fixture, cookie) = runtime.block_on(async {
        let fixture = Fixture::new().await;
        let (_, cookie) = begin(&fixture).await;
        (fixture, cookie)
    });
    proptest!(|(place in 0..cookie.len(), byte in 0x20_u8..0x7f)| {
        prop_assume!(cookie.as_bytes()[place] != byte);
        let refused = runtime.block_on(resume(&fixture, &altered(&cookie, place, byte), 1));
        prop_assert!(matches!(refused, Err(Error::InvalidSession)));
    });
    for changed in altered_everywhere(&cookie) {
        let refused = runtime.block_on(resume(&fixture, &changed, 1));
        assert!(matches!(refused, Err(Error::InvalidSession)), "{changed}");
    }
    runtime.block_on(resume(&fixture, &cookie, 1)).unwrap();
}
