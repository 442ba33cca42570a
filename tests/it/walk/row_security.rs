//! Row-level security alone: with the application's own filters out of the way nothing of another tenant is there.

use std::collections::BTreeMap;

use domain::access::Role;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tests::TestApp;

use super::calls::{calls, schema};
use super::{Place, ask, ids_of, kinds, leaks};

/// Queries that read the tenant's own database: what that holds is not the shared Postgres' to hide.
const OWN_DATABASE: [&str; 10] = [
    "users",
    "invitations",
    "teams",
    "accessSettings",
    "apiKeys",
    "sessions",
    "auditLog",
    "identityProviders",
    "resourceLinks",
    "embedding",
];

/// The program believes that it works for one tenant (every filter and every id is that one's), while the database was
/// told another: as if each filter were missing or wrong. Every query runs; nothing of either one's ids is the answer.
#[tokio::test]
async fn with_the_applications_filters_defeated_queries_find_nothing() {
    let mut test = TestApp::new().await;
    let (acme, globex) = (Place::new(&test, "acme").await, Place::new(&test, "globex").await);
    let credential = globex.credential(Role::Owner).to_owned();
    let web = test.web();
    let mut filled = Vec::new();
    let mut used = std::collections::BTreeSet::new();
    let shared = |field: &str| !OWN_DATABASE.contains(&field);
    for call in calls(&schema()).into_iter().filter(|call| call.kind == "query" && shared(&call.field)) {
        let kinds = kinds(&web, &credential, &call).await;
        let mut ids = BTreeMap::new();
        for (slot, kind) in &kinds {
            ids.insert(*slot, globex.id(&test, kind).await);
        }
        used.extend(kinds.into_values());
        filled.push((call.field.clone(), call.with(&ids)));
    }
    let own = ids_of(&test, &globex, &used).await;
    let of_postgres: std::collections::BTreeSet<String> =
        own.into_iter().filter(|id| !globex.ids.values().any(|own| own == id)).collect();
    let mut found_before = 0;
    for (_, document) in &filled {
        found_before += leaks(&ask(&web, Some(&credential), document).await, &of_postgres).len();
    }
    assert!(found_before >= 5, "without confusion the same queries find what is there: {found_before}");

    let acme_id = acme.data.tenant;
    test.restart_with(|settings| settings.row_security_of = Some(acme_id));
    let web = test.web();
    for (field, document) in &filled {
        let answer = ask(&web, Some(&credential), document).await;
        let found = leaks(&answer, &of_postgres);
        assert!(found.is_empty(), "{field} shows {found:?} by row-level security alone: {answer:#}");
        assert_eq!(
            answer["errors"].as_array().map_or(0, |errors| {
                errors.iter().filter(|error| error["extensions"]["code"] == "FORBIDDEN").count()
            }),
            0,
            "{field} was really asked"
        );
    }
}

/// Statements without any filter: what they read, change and remove is the own tenant's alone.
#[tokio::test]
async fn statements_without_a_filter_reach_the_own_tenant_only() {
    let test = TestApp::new().await;
    let (acme, globex) = (Place::new(&test, "acme").await, Place::new(&test, "globex").await);
    let owner = test.database.database.owner.as_ref().expect("the owner's pool");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1",
    )
    .fetch_all(owner)
    .await
    .expect("tables");
    assert!(tables.len() >= 10, "{tables:?}");
    for table in &tables {
        let mut tx =
            test.app.begin(acme.data.tenant, service::database::Mode::ReadWrite).await.expect("begun");
        let others = format!("SELECT count(*) FROM {table} WHERE tenant_id <> $1");
        let theirs: i64 = sqlx::query_scalar(AssertSqlSafe(others))
            .bind(acme.data.tenant.uuid())
            .fetch_one(tx.connection())
            .await
            .expect("counted");
        assert_eq!(theirs, 0, "{table}");
        // Somebody who forgets WHERE touches none of the other tenant's rows: another tenant_id than the own is refused.
        let moved = format!("UPDATE {table} SET tenant_id = $1");
        let moved =
            sqlx::query(AssertSqlSafe(moved)).bind(globex.data.tenant.uuid()).execute(tx.connection()).await;
        let untouched = moved.as_ref().is_ok_and(|done| done.rows_affected() == 0);
        assert!(moved.is_err() || untouched, "{table}: rows went to another tenant");
        tx.rollback().await.expect("undone");
        let all = format!("SELECT to_jsonb(t) FROM {table} t");
        // Without a tenant there is nothing at all.
        let rows: Vec<Value> = sqlx::query_scalar(AssertSqlSafe(all))
            .fetch_all(&test.app.database.app)
            .await
            .unwrap_or_default();
        assert!(rows.is_empty(), "{table} without a tenant");
    }
}
