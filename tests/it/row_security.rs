//! The tables' row-level security: on, forced, and closed to whoever is not the tenant.

use domain::ids::TenantId;
use serde_json::Value;
use service::database::Mode;
use sqlx::AssertSqlSafe;
use tests::TestApp;
use tests::data::everything;

use super::schema::{owner, seen, tables};

/// Who may read across tenants is the owner alone, and each table has one policy that lets anybody in: his own tenant.
/// Restrictive ones beside it can only take away.
#[tokio::test]
async fn every_table_has_its_policy_forced() {
    let test = TestApp::new().await;
    let pool = owner(&test.database);
    for table in tables(pool).await {
        let forced: bool = sqlx::query_scalar(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = $1::regclass",
        )
        .bind(&table)
        .fetch_one(pool)
        .await
        .expect("the catalogue answers");
        assert!(forced, "{table}: row-level security is not forced");
        let policies: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT permissive, cmd, qual, with_check FROM pg_policies
             WHERE tablename = $1 AND permissive = 'PERMISSIVE' AND roles && ARRAY['public', 'baton_app']::name[]",
        )
        .bind(&table)
        .fetch_all(pool)
        .await
        .expect("the catalogue answers");
        let column = if table == "tenant" { "id" } else { "tenant_id" };
        let own =
            format!("({column} = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)");
        let wanted = ("PERMISSIVE".to_owned(), "ALL".to_owned(), own.clone(), Some(own));
        assert_eq!(policies, [wanted], "{table}");
    }
}

async fn seen_by(test: &TestApp, tenant: TenantId, table: &str) -> i64 {
    let mut tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(tx.connection()).await.expect("a count")
}

/// With rows of two tenants in every table: nobody sees any without a tenant, everybody sees his own alone, and no row
/// can be written, moved, changed or removed on another's behalf.
#[tokio::test]
async fn rows_are_closed_to_whoever_is_not_their_tenant() {
    let test = TestApp::new().await;
    let (acme, globex) = (everything(&test, "acme").await, everything(&test, "globex").await);
    let pool = owner(&test.database);
    for table in tables(pool).await {
        let (all, own, other) = (
            seen(pool, &table).await,
            seen_by(&test, acme.tenant, &table).await,
            seen_by(&test, globex.tenant, &table).await,
        );
        assert!(own > 0 && other > 0, "{table} has rows of both");
        assert_eq!(own + other, all, "{table}");
        // On a fresh connection the setting is absent, after a transaction it is empty: neither shows a row.
        let mut connection = test.app.database.app.acquire().await.expect("a connection");
        let sql = format!("SELECT count(*) FROM {table}");
        for setting in ["RESET app.tenant_id", "SET app.tenant_id = ''"] {
            sqlx::query(AssertSqlSafe(setting.to_owned())).execute(&mut *connection).await.expect("set");
            let none: i64 = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
                .fetch_one(&mut *connection)
                .await
                .expect("a count");
            assert_eq!(none, 0, "{table} without a tenant ({setting})");
        }
        drop(connection);

        let column = if table == "tenant" { "id" } else { "tenant_id" };
        let theirs: Value = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT to_jsonb(t) FROM {table} t WHERE {column} = $1 LIMIT 1"
        )))
        .bind(globex.tenant.uuid())
        .fetch_one(pool)
        .await
        .expect("a row of the other tenant");
        for sql in [
            format!("INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, $1)).*"),
            format!("UPDATE {table} SET {column} = ($1 ->> '{column}')::uuid"),
        ] {
            let mut tx = test.app.begin(acme.tenant, Mode::ReadWrite).await.expect("a transaction");
            let written =
                sqlx::query(AssertSqlSafe(sql.clone())).bind(&theirs).execute(tx.connection()).await;
            let error = written.expect_err("it is refused");
            assert!(error.to_string().contains("violates row-level security policy"), "{sql}: {error}");
        }
        let mut tx = test.app.begin(acme.tenant, Mode::ReadWrite).await.expect("a transaction");
        let sql = format!("UPDATE {table} SET {column} = {column} WHERE {column} = $1");
        let touched =
            sqlx::query(AssertSqlSafe(sql)).bind(globex.tenant.uuid()).execute(tx.connection()).await;
        assert_eq!(touched.expect("it finds nothing").rows_affected(), 0, "{table}");
    }
}
