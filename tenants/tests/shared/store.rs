use domain::ids::TenantId;
use tenants::Error;

use super::{Fixture, new_id, start};

#[tokio::test]
async fn a_database_is_created_once_and_opened_by_its_tenant_only() {
    let fixture = Fixture::new().await;
    let id = fixture.tenant.id();
    assert!(fixture.store.exists(id).await.unwrap());
    assert!(matches!(fixture.store.create(id).await, Err(Error::DatabaseExists { tenant }) if tenant == id));
    assert!(matches!(fixture.neighbour().create(id).await, Err(Error::DatabaseExists { .. })));
    assert_eq!(fixture.store.open(id).await.unwrap().id(), id);
    assert_eq!(fixture.neighbour().open(id).await.unwrap().id(), id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cold_tenant_is_opened_once_for_many_and_created_by_one() {
    let fixture = Fixture::new().await;
    let id = TenantId(new_id(start()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = fixture.store.clone();
        tasks.spawn(async move { store.create(id).await.is_ok() });
    }
    let created = tasks.join_all().await.into_iter().filter(|made| *made).count();
    assert_eq!(created, 1);

    let cold = fixture.neighbour();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = cold.clone();
        tasks.spawn(async move { store.open(id).await.unwrap().signing_keys().await.unwrap().len() });
    }
    assert!(tasks.join_all().await.into_iter().all(|keys| keys == 1));
    assert_eq!(cold.open_databases(), 1);
}

#[tokio::test]
async fn an_evicted_handle_in_use_still_serves() {
    let fixture = Fixture::with_capacity(1).await;
    fixture.user("ada@example.com").await;
    fixture.other_tenant().await;
    assert_eq!(fixture.store.open_databases(), 1);
    assert!(fixture.tenant.user_by_email("ada@example.com").await.unwrap().is_some());
    let again = fixture.store.open(fixture.tenant.id()).await.unwrap();
    assert!(again.user_by_email("ada@example.com").await.unwrap().is_some());
}

#[tokio::test]
async fn an_unknown_tenant_is_missing_and_is_not_made() {
    let fixture = Fixture::new().await;
    let unknown = TenantId(new_id(start()));
    for _ in 0..2 {
        assert!(!fixture.store.exists(unknown).await.unwrap());
        let refused = fixture.store.open(unknown).await;
        assert!(matches!(refused, Err(Error::DatabaseMissing { tenant }) if tenant == unknown));
    }
    assert_eq!(fixture.store.open_databases(), 1, "a made-up tenant takes no place");
}
