//! Roles, tenants' transactions, given servers, and databases for tests.

use domain::ids::TenantId;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use service::database::roles::{self, AppRole};
use service::database::testing::{Cluster, FreshDatabase, data_dir};
use service::database::{Database, Mode, Settings, TenantTx, doctor};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, PgPool};
use uuid::Uuid;

use super::world::owner;

const ACME: TenantId = TenantId(Uuid::from_u128(1));
const GLOBEX: TenantId = TenantId(Uuid::from_u128(2));

async fn schema(owner: &PgPool) -> Result<(), sqlx::Error> {
    owner
        .execute(
            "CREATE TABLE lead (tenant_id uuid NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, name));
             ALTER TABLE lead ENABLE ROW LEVEL SECURITY;
             ALTER TABLE lead FORCE ROW LEVEL SECURITY;
             CREATE POLICY own ON lead USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
             CREATE TABLE seaql_migrations (version text PRIMARY KEY, applied_at bigint NOT NULL);
             CREATE FUNCTION tenants() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
                 SET search_path = public, pg_temp AS 'SELECT DISTINCT tenant_id FROM lead';
             INSERT INTO lead SELECT ('00000000-0000-0000-0000-00000000000' || t)::uuid, 'lead ' || n
             FROM generate_series(1, 2) t, generate_series(1, 3) n",
        )
        .await
        .map(|_| ())
}

async fn fresh() -> FreshDatabase {
    Cluster::shared().await.fresh(schema).await
}

async fn count(pool: impl sqlx::PgExecutor<'_>) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM lead").fetch_one(pool).await.expect("a count")
}

#[derive(FromQueryResult)]
struct Row {
    tenant_id: Uuid,
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_without_a_tenant_there_are_none() {
    let fresh = fresh().await;
    let database = &fresh.database;
    assert_eq!(count(&database.app).await, 0, "no tenant, no row");
    for tenant in [ACME, GLOBEX] {
        let transaction = database.begin(tenant, Mode::ReadOnly).await.expect("it begins");
        let statement = Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT tenant_id FROM lead");
        let rows = Row::find_by_statement(statement).all(&transaction).await.expect("rows");
        assert_eq!(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>(), [tenant.uuid(); 3]);
        assert_eq!(count(&mut *transaction.lock().await).await, 3);
        transaction.commit().await.expect("it ends");
    }
    let read = "SELECT count(*) FROM tenants()";
    let tenants: i64 = sqlx::query_scalar(read).fetch_one(&database.app).await.expect("a count");
    assert_eq!(tenants, 2, "the function that looks across tenants may be called");
}

#[tokio::test]
async fn the_tenant_does_not_leak_to_the_next_user_of_the_connection() {
    let fresh = fresh().await;
    let one =
        PgPoolOptions::new().max_connections(1).connect_with(fresh.app_options()).await.expect("a pool");
    let process = "SELECT pg_backend_pid()";
    let first: i32 = sqlx::query_scalar(process).fetch_one(&one).await.expect("a process");
    TenantTx::begin(&one, ACME, Mode::ReadWrite).await.expect("it begins").commit().await.expect("it ends");
    assert_eq!(count(&one).await, 0, "after commit");
    TenantTx::begin(&one, ACME, Mode::ReadWrite).await.expect("it begins").rollback().await.expect("it ends");
    assert_eq!(count(&one).await, 0, "after rollback");
    drop(TenantTx::begin(&one, ACME, Mode::ReadWrite).await.expect("it begins"));
    assert_eq!(count(&one).await, 0, "after a drop");
    let mut failed = TenantTx::begin(&one, ACME, Mode::ReadWrite).await.expect("it begins");
    failed.connection().execute("SELECT 1 / 0").await.expect_err("an error in the transaction");
    drop(failed);
    assert_eq!(count(&one).await, 0, "after an error");
    let last: i32 = sqlx::query_scalar(process).fetch_one(&one).await.expect("a process");
    assert_eq!(first, last, "it was the same connection all along");
}

#[tokio::test]
async fn what_is_not_committed_is_undone_and_a_foreign_row_is_refused() {
    let fresh = fresh().await;
    let database = &fresh.database;
    let insert = |tenant: TenantId| {
        Statement::from_sql_and_values(
            sea_orm::DbBackend::Postgres,
            "INSERT INTO lead VALUES ($1, $2)",
            [tenant.uuid().into(), "new".into()],
        )
    };
    let dropped = database.begin(ACME, Mode::ReadWrite).await.expect("it begins");
    assert_eq!(dropped.execute_raw(insert(ACME)).await.expect("a row").rows_affected(), 1);
    drop(dropped);
    let mut kept = database.begin(ACME, Mode::ReadWrite).await.expect("it begins");
    assert_eq!(count(kept.connection()).await, 3, "the dropped transaction wrote nothing");
    kept.execute_raw(insert(ACME)).await.expect("a row");
    kept.commit().await.expect("it commits");
    let reader = database.begin(ACME, Mode::ReadOnly).await.expect("it begins");
    assert_eq!(count(&mut *reader.lock().await).await, 4);
    let refused = reader.execute_raw(insert(ACME)).await.expect_err("a reader does not write");
    assert!(refused.to_string().contains("read-only transaction"), "{refused}");
    let foreign = database.begin(ACME, Mode::ReadWrite).await.expect("it begins");
    let refused = foreign.execute_raw(insert(GLOBEX)).await.expect_err("another tenant's row");
    assert!(refused.to_string().contains("row-level security"), "{refused}");
}

#[tokio::test]
async fn bulk_goes_through_a_temporary_stage() {
    let fresh = fresh().await;
    let mut transaction = fresh.database.begin(ACME, Mode::ReadWrite).await.expect("it begins");
    let connection = transaction.connection();
    connection.execute("CREATE TEMPORARY TABLE stage (name text) ON COMMIT DROP").await.expect("a stage");
    let mut copy = connection.copy_in_raw("COPY stage FROM STDIN").await.expect("a copy");
    copy.send(b"one\ntwo\n".as_slice()).await.expect("rows");
    assert_eq!(copy.finish().await.expect("the end"), 2);
    connection
        .execute("INSERT INTO lead SELECT current_setting('app.tenant_id')::uuid, name FROM stage")
        .await
        .expect("rows");
    assert_eq!(count(connection).await, 5);
}

#[tokio::test]
async fn the_rights_are_enough_and_no_more() {
    let fresh = fresh().await;
    let app = &fresh.database.app;
    assert_eq!(roles::bypasses(app).await.expect("the catalogue").1, Vec::<String>::new());
    for refused in [
        "CREATE TABLE mine ()",
        "ALTER TABLE lead DISABLE ROW LEVEL SECURITY",
        "INSERT INTO seaql_migrations VALUES ('m2', 0)",
        "TRUNCATE lead",
        "SET ROLE baton",
    ] {
        let error = app.execute(refused).await.expect_err(refused);
        let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{refused}: {error}");
    }
    app.execute("SELECT version FROM seaql_migrations").await.expect("it may see which migrations ran");
    // A table of a later migration is usable at once.
    owner(&fresh.database).execute("CREATE TABLE later (id int)").await.expect("a table");
    app.execute("INSERT INTO later VALUES (1)").await.expect("a row");
}

#[tokio::test]
async fn making_the_roles_twice_or_at_once_changes_nothing() {
    let fresh = fresh().await;
    let owner = owner(&fresh.database);
    let rights = "SELECT array_agg(relacl::text ORDER BY relname) || array_agg(xmin::text ORDER BY relname)
                  FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let before: Vec<Option<String>> = sqlx::query_scalar(rights).fetch_one(owner).await.expect("rights");
    let role = AppRole::without_password();
    let (one, two, three, four) = tokio::join!(
        roles::ensure_roles(owner, &role),
        roles::ensure_roles(owner, &role),
        roles::ensure_roles(owner, &role),
        roles::ensure_roles(owner, &role),
    );
    for done in [one, two, three, four] {
        done.expect("the roles are made");
    }
    let after: Vec<Option<String>> = sqlx::query_scalar(rights).fetch_one(owner).await.expect("rights");
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_role_that_could_bypass_the_policies_is_refused() {
    let fresh = fresh().await;
    let suffix = std::process::id();
    let name = |kind: &str| format!("test_{kind}_{suffix}");
    let owner = owner(&fresh.database);
    let run = async |sql: String| owner.execute(sqlx::AssertSqlSafe(sql)).await.map(|_| ());
    let (strong, holder, member) = (name("strong"), name("holder"), name("member"));
    run(format!("CREATE ROLE {strong} LOGIN BYPASSRLS")).await.expect("a role");
    run(format!("CREATE ROLE {holder} LOGIN; GRANT CREATE ON SCHEMA public TO {holder}"))
        .await
        .expect("a role");
    run(format!("CREATE ROLE {member} LOGIN NOINHERIT; GRANT {holder} TO {member}")).await.expect("a role");
    run(format!("CREATE TABLE held (id int); ALTER TABLE held OWNER TO {holder}")).await.expect("a table");
    for (role, reason) in [
        ("baton".to_owned(), "superuser"),
        (strong.clone(), "it has BYPASSRLS"),
        (holder.clone(), "it owns the table `held`"),
        (member.clone(), "owns the table `held`"),
    ] {
        let options = Cluster::shared().await.options(fresh.name(), &role);
        let pool = PgPoolOptions::new().connect_with(options).await.expect("it connects");
        let refused = roles::refuse_if_bypassing(&pool).await.expect_err(&role).to_string();
        assert!(refused.contains(reason), "{role}: {refused}");
        pool.close().await;
    }
    run(format!("DROP TABLE held; DROP OWNED BY {holder}; DROP ROLE {member}, {strong}, {holder}"))
        .await
        .expect("the roles go");
}

fn given(fresh: &FreshDatabase, folder: &std::path::Path) -> Settings {
    let owner = fresh.owner_options();
    let socket = owner.get_socket().expect("a socket").display().to_string().replace('/', "%2F");
    let url = format!("postgres://baton:hunter2@{socket}/{}", fresh.name());
    Settings { url: Some(url.into()), ..Settings::private(folder) }
}

#[tokio::test]
async fn a_given_server_is_used_with_a_restricted_role() {
    let fresh = fresh().await;
    let folder = data_dir();
    let database = Database::open(&given(&fresh, folder.path())).await.expect("it opens");
    assert!(database.cluster().is_none());
    let role: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(&database.app).await.expect("a role");
    assert_eq!(role, "baton_app");
    assert!(!database.server().contains("hunter2"), "{}", database.server());
    assert!(!folder.path().join("postgres").exists(), "no private cluster beside it");
    database.close().await.expect("it closes");

    let mut strong = given(&fresh, folder.path());
    strong.app_url = strong.url.clone();
    let refused = Database::open(&strong).await.expect_err("the owner is no login role").to_string();
    assert!(refused.contains("superuser"), "{refused}");
    let report = doctor::inspect(&strong, &[]).await;
    assert_eq!(report.state(), doctor::State::Fail);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_explained_without_the_password() {
    let folder = data_dir();
    let mut settings = Settings::private(folder.path());
    settings.url = Some("postgres://owner:hunter2@127.0.0.1:1/leads".into());
    settings.pool.acquire_timeout = std::time::Duration::from_millis(300);
    let report = doctor::inspect(&settings, &[]).await;
    let server = report.findings.iter().find(|finding| finding.name == "server").expect("a finding");
    assert_eq!(server.state, doctor::State::Fail);
    let text = format!("{report:?}");
    assert!(text.contains("check DATABASE_URL") && text.contains("127.0.0.1:1"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own_that_goes_with_it() {
    let (first, second) = (fresh().await, fresh().await);
    owner(&first.database).execute("DELETE FROM lead").await.expect("rows go");
    assert_eq!(count(owner(&second.database)).await, 6);
    let name = first.name().to_owned();
    drop(first);
    let _third = fresh().await;
    let read = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let there: bool =
        sqlx::query_scalar(read).bind(name).fetch_one(owner(&second.database)).await.expect("a row");
    assert!(!there);
}

#[tokio::test]
async fn a_transaction_passes_over_connections_that_broke_while_they_were_idle() {
    let fresh = fresh().await;
    let database = &fresh.database;
    let held = [database.app.acquire().await, database.app.acquire().await, database.app.acquire().await];
    drop(held.map(|connection| connection.expect("a connection")));
    super::world::eventually("all are idle", async || database.app.num_idle() >= 3).await;
    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
               WHERE usename = 'baton_app' AND datname = current_database()";
    let ended: i64 = sqlx::query_scalar(end).fetch_one(owner(database)).await.expect("they end");
    assert!(ended >= 3);
    let transaction = database.begin(ACME, Mode::ReadOnly).await.expect("it begins");
    assert_eq!(count(&mut *transaction.lock().await).await, 3);
}
