use std::os::unix::fs::PermissionsExt;

use domain::ids::TenantId;
use tenants::{Error, Store};

use crate::{Fixture, new_id, options, start};

/// Files of that folder that this process holds open.
fn open_files(folder: &std::path::Path) -> usize {
    let is_inside =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(folder));
    std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter(is_inside).count()
}

#[tokio::test]
async fn a_database_is_created_once_and_opened_by_its_tenant_only() {
    let fixture = Fixture::new().await;
    let id = fixture.tenant.id();
    assert!(fixture.store.exists(id));
    assert!(fixture.folder.path().join(format!("{}.db", id.uuid())).is_file());
    assert!(matches!(fixture.store.create(id).await, Err(Error::DatabaseExists { tenant }) if tenant == id));
    assert!(matches!(fixture.neighbour().create(id).await, Err(Error::DatabaseExists { .. })));
    assert_eq!(fixture.store.open(id).await.unwrap().id(), id);
    assert_eq!(fixture.neighbour().open(id).await.unwrap().id(), id);
}

#[tokio::test]
async fn a_missing_file_is_an_error_and_is_not_made() {
    let fixture = Fixture::new().await;
    let unknown = TenantId(new_id(start()));
    assert!(!fixture.store.exists(unknown));
    assert!(
        matches!(fixture.store.open(unknown).await, Err(Error::DatabaseMissing { tenant }) if tenant == unknown)
    );
    assert!(!fixture.store.path(unknown).exists());
    assert_eq!(fixture.store.open_databases(), 1, "a made-up tenant takes no place");

    let lost = fixture.tenant.id();
    std::fs::remove_file(fixture.store.path(lost)).unwrap();
    assert!(matches!(fixture.neighbour().open(lost).await, Err(Error::DatabaseMissing { .. })));
    assert!(!fixture.store.path(lost).exists());
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data/tenants");
    let store = Store::new(options(&root)).unwrap();
    let tenant = store.create(TenantId(new_id(start()))).await.unwrap();
    crate::user_of(&tenant, "ada@example.com", tenants::NewPassword::Absent).await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    let files: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 2, "the database and its log: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn three_hundred_tenants_keep_sixteen_databases_open() {
    let fixture = Fixture::with_capacity(16).await;
    let mut tenants = vec![];
    for _ in 0..300 {
        tenants.push(fixture.other_tenant().await.id());
        assert!(fixture.store.open_databases() <= 16);
    }
    for id in &tenants {
        let tenant = fixture.store.open(*id).await.unwrap();
        assert!(tenant.user_by_email("ada@example.com").await.unwrap().is_none());
        assert!(fixture.store.open_databases() <= 16);
    }
    // Closing happens on another thread: once its queue is through, only the kept ones hold files.
    let folder = fixture.folder.path().to_owned();
    let settled = async {
        while open_files(&folder) > 17 * 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), settled).await.unwrap();
    assert!(open_files(&folder) >= 16);
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
async fn a_file_that_is_no_database_is_refused_with_its_tenant() {
    let fixture = Fixture::new().await;
    let id = TenantId(new_id(start()));
    std::fs::write(fixture.store.path(id), b"not a database at all".repeat(100)).unwrap();
    let error = fixture.store.open(id).await.unwrap_err();
    assert!(matches!(&error, Error::Database { tenant, attempt: "open", .. } if *tenant == id), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(!error.to_string().contains(&source), "the text repeats its source");
    assert_eq!(fixture.store.open_databases(), 1);
}

#[tokio::test]
async fn a_database_left_empty_by_a_crash_is_completed_when_opened() {
    let fixture = Fixture::new().await;
    let id = TenantId(new_id(start()));
    std::fs::write(fixture.store.path(id), b"").unwrap();
    let tenant = fixture.store.open(id).await.unwrap();
    assert_eq!(tenant.signing_keys().await.unwrap().len(), 1);
}
