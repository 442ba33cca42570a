//! The tables as they really are: the same as the entities say.

use std::collections::{BTreeMap, BTreeSet};

use migration::{Migrator, MigratorTrait};
use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn,
};
use service::database::testing::{Cluster, FreshDatabase};
use sqlx::{AssertSqlSafe, PgPool};
use tests::TestApp;
use tests::data::everything;

/// A column as the catalogue has it: its type and whether it may be null.
type Columns = BTreeMap<String, (String, bool)>;

/// What an entity says of its table: columns, and the primary key in its order.
struct Declared {
    columns: Columns,
    key: Vec<String>,
}

async fn nothing(_: &PgPool) -> Result<(), DbErr> {
    Ok(())
}

async fn empty_database() -> FreshDatabase {
    Cluster::shared().await.fresh(nothing).await
}

pub(super) fn owner(database: &FreshDatabase) -> &PgPool {
    database.database.owner.as_ref().expect("the owner's pool")
}

async fn texts(pool: &PgPool, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(pool).await.expect("the catalogue answers")
}

/// Everything that the migrations make, in words: columns, constraints, indexes, policies, functions.
async fn catalogue(pool: &PgPool) -> Vec<String> {
    texts(
        pool,
        "SELECT format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                       pg_get_expr(d.adbin, d.adrelid))
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
         UNION ALL
         SELECT format('table %s rls %s %s', relname, relrowsecurity, relforcerowsecurity) FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
         UNION ALL
         SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace
         UNION ALL
         SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL
         SELECT format('policy %s %s %s %s %s %s', tablename, policyname, roles, cmd, qual, with_check) FROM pg_policies
         UNION ALL
         SELECT format('function %s', pg_get_functiondef(oid)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
         ORDER BY 1",
    )
    .await
}

/// Down takes away everything that up has made, and up makes the same again.
#[tokio::test]
async fn migrations_go_up_down_and_up() {
    let database = empty_database().await;
    let pool = owner(&database);
    let connection = DatabaseConnection::from(pool.clone());
    assert_eq!(catalogue(pool).await, Vec::<String>::new());
    Migrator::up(&connection, None).await.expect("up");
    let first = catalogue(pool).await;
    assert!(first.len() > 150, "{first:#?}");
    Migrator::down(&connection, None).await.expect("down");
    let left: Vec<String> =
        catalogue(pool).await.into_iter().filter(|line| !line.contains("seaql_migrations")).collect();
    assert_eq!(left, Vec::<String>::new());
    Migrator::up(&connection, None).await.expect("up again");
    assert_eq!(catalogue(pool).await, first);
    Migrator::up(&connection, None).await.expect("nothing is left to do");
    assert_eq!(catalogue(pool).await, first);
}

/// The name that Postgres gives to a column type. The types that entities may use are these.
fn postgres_name(column: &ColumnType) -> String {
    match column {
        ColumnType::Uuid => "uuid".to_owned(),
        ColumnType::Text => "text".to_owned(),
        ColumnType::Boolean => "boolean".to_owned(),
        ColumnType::SmallInteger => "smallint".to_owned(),
        ColumnType::Integer => "integer".to_owned(),
        ColumnType::BigInteger => "bigint".to_owned(),
        ColumnType::VarBinary(_) => "bytea".to_owned(),
        ColumnType::JsonBinary => "jsonb".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::TimestampWithTimeZone => "timestamp with time zone".to_owned(),
        // A field of type Vec<String> cannot say that its elements are text.
        ColumnType::Array(element) if matches!(**element, ColumnType::String(_)) => "text[]".to_owned(),
        ColumnType::Array(element) => format!("{}[]", postgres_name(element)),
        other => panic!("{other:?}: no entity has had a column of this type so far; add it here"),
    }
}

fn declared<E: EntityTrait>(entity: E, all: &mut BTreeMap<String, Declared>) {
    let column = |column: E::Column| {
        let definition = column.def();
        let facts = (postgres_name(definition.get_column_type()), definition.is_null());
        (column.as_str().to_owned(), facts)
    };
    let columns = E::Column::iter().map(column).collect();
    let key = E::PrimaryKey::iter().map(|part| part.into_column().as_str().to_owned()).collect();
    all.insert(entity.table_name().to_owned(), Declared { columns, key });
}

/// Every entity, by its table.
fn entities() -> BTreeMap<String, Declared> {
    let mut all = BTreeMap::new();
    declared(entity::alert::Entity, &mut all);
    declared(entity::alert_channel::Entity, &mut all);
    declared(entity::alert_notice::Entity, &mut all);
    declared(entity::alert_rule::Entity, &mut all);
    declared(entity::alert_setting::Entity, &mut all);
    declared(entity::inbound_endpoint::Entity, &mut all);
    declared(entity::inbound_hook::Entity, &mut all);
    declared(entity::suppression::Entity, &mut all);
    declared(entity::delivery::Entity, &mut all);
    declared(entity::delivery_attempt::Entity, &mut all);
    declared(entity::destination::Entity, &mut all);
    declared(entity::failed_record::Entity, &mut all);
    declared(entity::idempotency::Entity, &mut all);
    declared(entity::import::Entity, &mut all);
    declared(entity::import_batch::Entity, &mut all);
    declared(entity::lead::Entity, &mut all);
    declared(entity::lead_event::Entity, &mut all);
    declared(entity::lead_source::Entity, &mut all);
    declared(entity::sla_booking::Entity, &mut all);
    declared(entity::sla_booking_event::Entity, &mut all);
    declared(entity::sla_calendar::Entity, &mut all);
    declared(entity::sla_case::Entity, &mut all);
    declared(entity::sla_clock::Entity, &mut all);
    declared(entity::sla_policy::Entity, &mut all);
    declared(entity::sla_policy_version::Entity, &mut all);
    declared(entity::sla_setting::Entity, &mut all);
    declared(entity::sla_slot::Entity, &mut all);
    declared(entity::bill_line::Entity, &mut all);
    declared(entity::billing_announcement::Entity, &mut all);
    declared(entity::source_cost::Entity, &mut all);
    declared(entity::billing_report::Entity, &mut all);
    declared(entity::billing_report_file::Entity, &mut all);
    declared(entity::lead_action::Entity, &mut all);
    declared(entity::lead_user::Entity, &mut all);
    declared(entity::partner::Entity, &mut all);
    declared(entity::product::Entity, &mut all);
    declared(entity::rate_plan::Entity, &mut all);
    declared(entity::rate_plan_version::Entity, &mut all);
    declared(entity::report_download::Entity, &mut all);
    declared(entity::report_link::Entity, &mut all);
    declared(entity::reconciliation_plan::Entity, &mut all);
    declared(entity::reconciliation_proof::Entity, &mut all);
    declared(entity::reconciliation_run::Entity, &mut all);
    declared(entity::reconciliation_exception::Entity, &mut all);
    declared(entity::reconciliation_difference::Entity, &mut all);
    declared(entity::reconciliation_step::Entity, &mut all);
    declared(entity::crm_record::Entity, &mut all);
    declared(entity::crm_change::Entity, &mut all);
    declared(entity::crm_link::Entity, &mut all);
    declared(entity::tenant::Entity, &mut all);
    all
}

pub(super) async fn tables(pool: &PgPool) -> Vec<String> {
    texts(
        pool,
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'seaql_migrations'
         ORDER BY 1",
    )
    .await
}

#[tokio::test]
async fn every_table_has_its_entity_and_every_column_is_what_it_says() {
    let test = TestApp::new().await;
    let pool = owner(&test.database);
    let entities = entities();
    let modules: Vec<&str> = include_str!("../../entity/src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(modules.len(), entities.len(), "an entity is missing in this test: {modules:?}");
    assert_eq!(tables(pool).await, entities.keys().cloned().collect::<Vec<_>>());
    for (table, entity) in &entities {
        let rows: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT attname::text, format_type(atttypid, atttypmod), NOT attnotnull FROM pg_attribute
             WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
        )
        .bind(table)
        .fetch_all(pool)
        .await
        .expect("the catalogue answers");
        let columns: Columns =
            rows.into_iter().map(|(name, of_type, null)| (name, (of_type, null))).collect();
        assert_eq!(columns, entity.columns, "{table}");
        let key: Vec<String> = sqlx::query_scalar(
            "SELECT a.attname::text FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_attribute a ON a.attnum = k.number
             WHERE c.conrelid = $1::regclass AND c.contype = 'p' AND a.attrelid = c.conrelid ORDER BY k.place",
        )
        .bind(table)
        .fetch_all(pool)
        .await
        .expect("the catalogue answers");
        assert_eq!(key, entity.key, "{table}: the primary key");
    }
}

/// What makes the schema spread by tenant: the tenant in every key, at its beginning in the primary one.
#[tokio::test]
async fn every_key_carries_the_tenant() {
    let test = TestApp::new().await;
    let pool = owner(&test.database);
    let keys: Vec<(String, String, bool, Vec<String>)> = sqlx::query_as(
        "SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, i.indisprimary,
                array_agg(a.attname::text ORDER BY k.place)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(number, place)
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
         WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'seaql_migrations'
         GROUP BY 1, 2, 3 ORDER BY 1, 2",
    )
    .fetch_all(pool)
    .await
    .expect("the catalogue answers");
    let mut with_primary = BTreeSet::new();
    for (table, name, primary, columns) in keys {
        // The tenants themselves: their id is the tenant, their slug names them to people.
        if table == "tenant" {
            assert!(columns == ["id"] || columns == ["slug"], "{name}: {columns:?}");
        } else {
            assert!(columns.contains(&"tenant_id".to_owned()), "{name} of {table}: {columns:?}");
            assert!(!primary || columns[0] == "tenant_id", "{name} of {table}: {columns:?}");
        }
        if primary {
            with_primary.insert(table);
        }
    }
    assert_eq!(with_primary.into_iter().collect::<Vec<_>>(), tables(pool).await);

    let references: Vec<(String, Vec<String>, Vec<String>)> = sqlx::query_as(
        "SELECT c.conrelid::regclass::text || ' ' || c.conname, array_agg(own.attname::text ORDER BY k.place),
                array_agg(other.attname::text ORDER BY k.place)
         FROM pg_constraint c CROSS JOIN unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(own, other, place)
         JOIN pg_attribute own ON own.attrelid = c.conrelid AND own.attnum = k.own
         JOIN pg_attribute other ON other.attrelid = c.confrelid AND other.attnum = k.other
         WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace GROUP BY 1",
    )
    .fetch_all(pool)
    .await
    .expect("the catalogue answers");
    assert!(references.len() >= 10, "{references:?}");
    for (name, own, other) in references {
        assert_eq!(own[0], "tenant_id", "{name}");
        assert!(other[0] == "tenant_id" || other == ["id"], "{name}: {other:?}");
    }
}

/// Whatever is sealed is sealed anew when the key is rotated.
#[tokio::test]
async fn every_sealed_column_is_known_to_the_rotation() {
    let test = TestApp::new().await;
    let sealed = texts(
        owner(&test.database),
        "SELECT format('%s.%s', c.relname, a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname LIKE '%\\_sealed' ORDER BY 1",
    )
    .await;
    let mut known: Vec<String> = service::resealing::SEALED_COLUMNS
        .iter()
        .map(|sealed| format!("{}.{}", sealed.table, sealed.column))
        .collect();
    known.sort();
    assert_eq!(sealed, known);

    let acme = everything(&test, "acme").await;
    let (before, secrets) = (seen(owner(&test.database), "destination").await, &test.app.secrets);
    secrets.rotate().expect("rotated");
    let done = service::resealing::reseal(&test.app).await.expect("sealed anew");
    assert!(done.values >= 1 && before >= 1, "{done:?}");
    assert_eq!(service::resealing::reseal(&test.app).await.expect("nothing to do").values, 0);
    service::resealing::forget_older_keys(&test.app).await.expect("forgotten");
    assert_eq!(secrets.key_count(), 1);
    let url: Vec<u8> = sqlx::query_scalar("SELECT url_sealed FROM destination WHERE tenant_id = $1")
        .bind(acme.tenant.uuid())
        .fetch_one(owner(&test.database))
        .await
        .expect("the sealed address");
    let purpose = service::secrets::Purpose::Url;
    let context = service::secrets::Context::of_row(acme.tenant, acme.destination.uuid(), purpose);
    secrets.open(context, &url).expect("it opens with the new key alone");
}

pub(super) async fn seen(pool: &PgPool, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.expect("a count")
}

/// The restricted role may not analyse a table, so a function of the owner's does it: for what has grown, and once.
#[tokio::test]
async fn a_table_that_has_outgrown_its_statistics_is_analysed() {
    const KNOWN: &str = "SELECT reltuples::bigint FROM pg_class WHERE oid = 'suppression'::regclass";
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let database = &test.app.database;
    let owner = database.owner.as_ref().expect("the owner's pool");
    let look = || async {
        let analyzed: i32 =
            sqlx::query_scalar("SELECT analyze_outgrown()").fetch_one(&database.app).await.expect("it may");
        let known: i64 = sqlx::query_scalar(KNOWN).fetch_one(owner).await.expect("a table");
        (analyzed, known)
    };
    assert_eq!(look().await.0, 0, "nothing has grown");
    sqlx::query(
        "INSERT INTO suppression (tenant_id, id, kind, value, actor, created_at)
         SELECT $1, gen_random_uuid(), 'email', n || '@example.com', 'test', now() FROM generate_series(1, 3000) n",
    )
    .bind(tenant.uuid())
    .execute(owner)
    .await
    .expect("rows");
    assert_eq!(look().await, (1, 3_000));
    assert_eq!(look().await, (0, 3_000), "it is known by now");
}
