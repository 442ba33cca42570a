use domain::ids::{ApiKeyId, TenantId};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tenants::{AccessKey, CreatedKey, Error, KeyKind, NewKey, Role};

use super::{Fixture, after, altered, altered_everywhere, new_id, start, whole_text};

fn new_key(kind: KeyKind) -> NewKey {
    NewKey {
        kind,
        name: "importer".into(),
        role: Role::Service,
        scope: "leads:read".into(),
        created_by: None,
        expires_at: None,
    }
}

async fn make(fixture: &Fixture, new: NewKey) -> (AccessKey, String) {
    let CreatedKey { key, text } = fixture.tenant.create_key(new, start()).await.unwrap();
    (key, text.expose_secret().to_owned())
}

#[tokio::test]
async fn a_key_opens_its_tenant_as_what_it_was_made_for() {
    let fixture = Fixture::new().await;
    let by = fixture.user("ada@example.com").await.id;
    let new = NewKey {
        scope: "ingest:source_01jd2wq7x8e0hbrvy3k6m9f4tz".into(),
        created_by: Some(by),
        expires_at: Some(after(3600)),
        ..new_key(KeyKind::Source)
    };
    let (key, text) = make(&fixture, new).await;
    let suffix = |id: String| id.split_once('_').unwrap().1.to_owned();
    let start_of_text =
        format!("baton_source_{}_{}_", suffix(fixture.tenant.id().to_string()), suffix(key.id.to_string()));
    assert!(text.starts_with(&start_of_text) && text.len() == start_of_text.len() + 43, "{text}");

    let (tenant, found) = fixture.store.authenticate_key(&text, KeyKind::Source, after(1)).await.unwrap();
    assert_eq!((tenant.id(), &found), (fixture.tenant.id(), &key));
    assert_eq!((found.created_by, found.expires_at), (Some(by), Some(after(3600))));
    // A source's token is no API key.
    let as_api = fixture.store.authenticate_key(&text, KeyKind::Api, after(1)).await;
    assert!(matches!(as_api, Err(Error::InvalidKey)));
}

#[tokio::test]
async fn the_text_is_not_stored() {
    let fixture = Fixture::new().await;
    let (_, text) = make(&fixture, new_key(KeyKind::Api)).await;
    let secret = &text.as_bytes()[text.len() - 43..];
    for bytes in fixture.stored_files() {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn revoked_and_expired_keys_are_refused() {
    let fixture = Fixture::new().await;
    let new = NewKey { expires_at: Some(after(10)), ..new_key(KeyKind::Api) };
    let (key, text) = make(&fixture, new).await;
    let neighbour = fixture.neighbour();
    neighbour.authenticate_key(&text, KeyKind::Api, after(9)).await.unwrap();
    let late = fixture.store.authenticate_key(&text, KeyKind::Api, after(10)).await;
    assert!(matches!(late, Err(Error::KeyExpired { key: expired }) if expired == key.id));

    fixture.tenant.revoke_key(key.id, after(5)).await.unwrap();
    fixture.tenant.revoke_key(key.id, after(7)).await.unwrap();
    for store in [&fixture.store, &neighbour] {
        assert!(matches!(
            store.authenticate_key(&text, KeyKind::Api, after(6)).await,
            Err(Error::InvalidKey)
        ));
    }
    assert_eq!(fixture.tenant.keys(None, 10).await.unwrap()[0].revoked_at, Some(after(5)));
    let unknown = ApiKeyId(new_id(start()));
    let missing = fixture.tenant.revoke_key(unknown, start()).await;
    assert!(matches!(missing, Err(Error::KeyNotFound { key }) if key == unknown));
}

#[tokio::test]
async fn the_last_use_is_noted_at_most_once_a_minute() {
    let fixture = Fixture::new().await;
    let (_, text) = make(&fixture, new_key(KeyKind::Api)).await;
    for (used_at, noted) in [(1, 1), (30, 1), (60, 1), (61, 61), (62, 61), (500, 500)] {
        fixture.store.authenticate_key(&text, KeyKind::Api, after(used_at)).await.unwrap();
        let last = fixture.tenant.keys(None, 1).await.unwrap()[0].last_used_at;
        assert_eq!(last, Some(after(noted)), "used at {used_at}");
    }
}

#[tokio::test]
async fn a_key_that_names_another_tenant_is_refused() {
    let fixture = Fixture::new().await;
    let (_, text) = make(&fixture, new_key(KeyKind::Api)).await;
    let other = fixture.other_tenant().await;
    let suffix = |id: TenantId| id.to_string().split_once('_').unwrap().1.to_owned();
    for id in [other.id(), TenantId(new_id(start()))] {
        let renamed = text.replace(&suffix(fixture.tenant.id()), &suffix(id));
        assert_ne!(renamed, text);
        let refused = fixture.store.authenticate_key(&renamed, KeyKind::Api, start()).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidKey));
    }
}

#[tokio::test]
async fn names_and_scopes_are_checked_and_pages_follow_one_another() {
    let fixture = Fixture::new().await;
    for scope in [String::new(), "a\nb".into(), "a".repeat(2001), "ü".into()] {
        let refused = fixture.tenant.create_key(NewKey { scope, ..new_key(KeyKind::Api) }, start()).await;
        assert!(matches!(refused, Err(Error::InvalidField { field: "scope", .. })));
    }
    let refused =
        fixture.tenant.create_key(NewKey { name: " ".into(), ..new_key(KeyKind::Api) }, start()).await;
    assert!(matches!(refused, Err(Error::InvalidField { field: "name", .. })));
    let mut made = vec![];
    for _ in 0..3 {
        made.push(make(&fixture, new_key(KeyKind::Api)).await.0);
    }
    let first = fixture.tenant.keys(None, 2).await.unwrap();
    let rest = fixture.tenant.keys(Some(first[1].id), 2).await.unwrap();
    assert_eq!([first, rest].concat(), made);
}

#[test]
fn any_altered_byte_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (fixture, text) = runtime.block_on(async {
        let fixture = Fixture::new().await;
        let (_, text) = make(&fixture, new_key(KeyKind::Api)).await;
        (fixture, text)
    });
    proptest!(|(place in 0..text.len(), byte in 0x20_u8..0x7f)| {
        prop_assume!(text.as_bytes()[place] != byte);
        let changed = altered(&text, place, byte);
        for kind in [KeyKind::Api, KeyKind::Source] {
            let refused = runtime.block_on(fixture.store.authenticate_key(&changed, kind, after(1))).unwrap_err();
            prop_assert!(matches!(refused, Error::InvalidKey));
            prop_assert!(!whole_text(&refused).contains(&changed));
        }
    });
    for changed in altered_everywhere(&text) {
        let refused = runtime.block_on(fixture.store.authenticate_key(&changed, KeyKind::Api, after(1)));
        assert!(matches!(refused, Err(Error::InvalidKey)), "{changed}");
    }
    runtime.block_on(fixture.store.authenticate_key(&text, KeyKind::Api, after(1))).unwrap();
}
