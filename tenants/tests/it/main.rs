//! The crate's promises over files, and those that concern files alone.

#[path = "../shared/mod.rs"]
mod shared;

mod ground;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use domain::ids::TenantId;
use tenants::{Error, Place, Store};

use shared::{Fixture, new_id, options, start, user_of};

fn path(fixture: &Fixture, tenant: TenantId) -> PathBuf {
    fixture.store.path(tenant).unwrap()
}

/// Files of that folder that this process holds open.
fn open_files(folder: &Path) -> usize {
    let is_inside =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(folder));
    std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter(is_inside).count()
}

#[tokio::test]
async fn a_missing_file_is_an_error_and_is_not_made() {
    let fixture = Fixture::new().await;
    let lost = fixture.tenant.id();
    std::fs::remove_file(path(&fixture, lost)).unwrap();
    assert!(matches!(fixture.neighbour().open(lost).await, Err(Error::DatabaseMissing { .. })));
    assert!(!path(&fixture, lost).exists());
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data/tenants");
    let store = Store::new(options(Place::Folder(root.clone()))).unwrap();
    let tenant = store.create(TenantId(new_id(start()))).await.unwrap();
    user_of(&tenant, "ada@example.com", tenants::NewPassword::Absent).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
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
    let folder = fixture.ground.folder().to_owned();
    let settled = async {
        while open_files(&folder) > 17 * 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), settled).await.unwrap();
    assert!(open_files(&folder) >= 16);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_its_tenant() {
    let fixture = Fixture::new().await;
    let id = TenantId(new_id(start()));
    std::fs::write(path(&fixture, id), b"not a database at all".repeat(100)).unwrap();
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
    std::fs::write(path(&fixture, id), b"").unwrap();
    let tenant = fixture.store.open(id).await.unwrap();
    assert_eq!(tenant.signing_keys().await.unwrap().len(), 1);
}
