//! How a tenant's life ends: its archive, and that nothing of it is left.

use std::io::Read as _;

use domain::ids::TenantId;
use serde_json::{Value, json};
use service::Error;
use service::access::{self, life};
use service::intake::uploads;
use tests::TestApp;
use tests::data::{everything, rows};

/// The archive has every row of both stores and no secret; the erasure leaves nothing, and nothing of a neighbour goes.
#[tokio::test]
async fn a_tenant_is_exported_whole_and_erased_without_a_trace() {
    let test = TestApp::new().await;
    let (acme, globex) = (everything(&test, "acme").await, everything(&test, "globex").await);
    let tables =
        ["tenant", "lead_source", "import", "lead", "lead_event", "failed_record", "destination", "delivery"];
    let counted = rows(&test.app, acme.tenant, &["lead"]).await.len() as u64;
    let neighbour = rows(&test.app, globex.tenant, &tables).await;
    let path = test.folder.path().join("acme.tar.gz");
    let uploads = test.folder.path().join(uploads::folder(acme.tenant));
    std::fs::create_dir_all(&uploads).expect("a folder");
    std::fs::write(uploads.join("waits.csv"), "First_Name\nAda\n").expect("a file");
    let exported = life::export(&test.app, acme.tenant, &path).await.expect("an archive");
    assert_eq!(exported.postgres["lead"], counted);
    let mut names = Vec::new();
    let mut archive =
        tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&path).expect("it")));
    for entry in archive.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("content");
        if name.starts_with("files/") {
            names.push(name);
            continue;
        }
        let content = String::from_utf8(content).expect("text");
        for line in content.lines().filter(|_| name.ends_with(".ndjson")) {
            let row: Value = serde_json::from_str(line).expect("JSON");
            assert!(!line.contains("_sealed") && !line.contains("secret_hash"), "{name}");
            assert!(row.get("tenant_id").is_none_or(|tenant| *tenant == json!(acme.tenant.uuid())), "{name}");
        }
        if name == "postgres/lead.ndjson" {
            assert_eq!(content.lines().count() as u64, counted);
        }
        names.push(name);
    }
    for wanted in [
        "manifest.json",
        "postgres/delivery_attempt.ndjson",
        "tenant/user.ndjson",
        "tenant/audit_entry.ndjson",
        "uploads/waits.csv",
    ] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} in {names:?}");
    }
    let reports = names.iter().filter(|name| name.starts_with("files/reports/")).count();
    assert!(reports > 0 && exported.files == reports as u64 + 1, "{names:?}");
    life::export(&test.app, acme.tenant, &path).await.map(drop).expect("a further one replaces it");

    let files_of = |tenant: TenantId| test.folder.path().join(format!("files/{}/reports", tenant.uuid()));
    let files_in = |folder: std::path::PathBuf| std::fs::read_dir(folder).map_or(0, Iterator::count);
    assert_eq!(files_in(files_of(acme.tenant)), reports);
    assert!(waiting(&test, acme.tenant).await > 0, "its partner is to be told of the report");
    let erased = life::erase(&test.app, acme.tenant).await.expect("erased");
    assert_eq!((erased.remaining, erased.database_removed), (0, true));
    assert_eq!((files_in(files_of(acme.tenant)), files_in(files_of(globex.tenant))), (0, reports));
    assert!(erased.files_removed == exported.files && !uploads.exists(), "{erased:?}");
    assert_eq!(waiting(&test, acme.tenant).await, 0);
    assert!(waiting(&test, globex.tenant).await > 0, "another's work waits as before");
    assert_eq!(erased.removed["lead"], counted);
    assert!(rows(&test.app, acme.tenant, &tables).await.is_empty());
    assert!(!test.app.tenants.exists(acme.tenant).await.expect("an answer"));
    assert_eq!(access::tenant_of_slug(&test.app, "acme").await.expect("an answer"), None);
    assert_eq!(rows(&test.app, globex.tenant, &tables).await, neighbour);
    let answer = test.web().lead("experian", &acme.token, &json!({})).await;
    assert_eq!(answer.problem().0, 401);
    // The slug is free again.
    test.tenant("acme").await;
}

/// Two exports do not write into one another, and what a killed one has left is named.
#[tokio::test]
async fn an_export_beside_another_says_what_is_in_its_way() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let unfinished = test.folder.path().join("acme.tar.unfinished");
    std::fs::write(&unfinished, "half an archive").expect("a file");
    let path = test.folder.path().join("acme.tar.gz");
    let refused = life::export(&test.app, tenant, &path).await.expect_err("it is being written");
    assert!(matches!(&refused, Error::Conflict(why) if why.contains("acme.tar.unfinished")), "{refused:?}");
    assert_eq!(std::fs::read(&unfinished).expect("it is there"), b"half an archive");
    std::fs::remove_file(&unfinished).expect("removed");
    life::export(&test.app, tenant, &path).await.expect("an archive");
    assert!(path.exists() && !unfinished.exists());
}

/// What is left is said, and the tenant stays known until it is gone: a second call goes on.
#[tokio::test]
async fn an_erasure_that_leaves_a_file_has_failed() {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    // Where its folder would be stands something that no folder's removal takes away.
    let uploads = test.folder.path().join(uploads::folder(tenant));
    std::fs::create_dir_all(uploads.parent().expect("a folder")).expect("a folder");
    std::fs::write(&uploads, "").expect("a file");
    let refused = life::erase(&test.app, tenant).await.expect_err("its uploads are there");
    assert!(refused.to_string().contains("uploads"), "{refused}");
    assert_eq!(rows(&test.app, tenant, &["tenant"]).await.len(), 1);
    std::fs::remove_file(&uploads).expect("removed");
    let erased = life::erase(&test.app, tenant).await.expect("erased");
    assert_eq!((erased.remaining, erased.database_removed, erased.files_removed), (0, false, 0));
    assert!(rows(&test.app, tenant, &["tenant"]).await.is_empty());
}

/// How many jobs of that tenant wait.
async fn waiting(test: &TestApp, tenant: TenantId) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM baton_jobs._private_jobs WHERE payload->>'tenant' = $1")
        .bind(tenant.to_string())
        .fetch_one(&test.app.database.app)
        .await
        .expect("counted")
}
