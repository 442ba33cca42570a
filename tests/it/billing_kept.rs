//! What the database itself keeps of billing, whoever writes and reads.

use service::Error;
use service::access::Actor;
use service::billing::{closing, reports};
use service::database::Mode;
use tests::TestApp;
use tests::billing::{Books, books, close, october, partner, sample};

/// The database itself keeps what is closed, whoever writes.
#[tokio::test]
async fn the_database_refuses_to_change_a_closed_report() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    close(&test, books, "2026-10").await;
    for statement in [
        "UPDATE bill_line SET billed = billed + 1 WHERE line = 1",
        "UPDATE billing_report SET billed = billed + 1, gross = gross + 1",
        "UPDATE billing_report SET summary = '{}'",
    ] {
        let mut tx = test.app.begin(books.tenant, Mode::ReadWrite).await.expect("a transaction");
        let error = sqlx::query(statement).execute(tx.connection()).await.expect_err(statement);
        assert!(error.to_string().contains("closed report"), "{error}");
    }
}

/// Closing dies in the middle: nothing of it is there, and it closes the next time.
#[tokio::test]
async fn a_close_that_breaks_off_leaves_nothing() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let owner = test.database.database.owner.as_ref().expect("the owner");
    sqlx::query(
        "CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$",
    )
    .execute(owner)
    .await
    .expect("a function");
    sqlx::query("CREATE TRIGGER break_off BEFORE INSERT ON bill_line FOR EACH ROW WHEN (NEW.line = 15) EXECUTE FUNCTION break_off()")
        .execute(owner)
        .await
        .expect("a trigger");
    let broken = closing::close(&test.app, books.tenant, books.partner, october(), Actor::Operator).await;
    assert!(matches!(broken, Err(Error::Internal { .. })), "{broken:?}");
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    assert!(reports::list(&tx, None, None).await.expect("a list").is_empty());
    drop(tx);
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM baton_jobs._private_jobs")
        .fetch_one(owner)
        .await
        .expect("jobs");
    assert_eq!(told, 0, "nobody is told of what is not there");
    sqlx::query("DROP TRIGGER break_off ON bill_line").execute(owner).await.expect("mended");
    assert_eq!(close(&test, books, "2026-10").await.version, 1);
}

/// With the setting of somebody of a partner, the database shows that partner's billing and nothing else.
#[tokio::test]
async fn the_database_shows_a_partner_its_own_billing_alone() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let other = partner(&test.app, books.tenant, books.plan, "contoso").await;
    let theirs = Books { partner: other, ..books };
    sample(&test.app, theirs).await;
    close(&test, books, "2026-10").await;
    close(&test, theirs, "2026-10").await;
    for (table, of_one, of_both) in [
        ("partner", 1, 2),
        ("lead_user", 1, 2),
        ("lead_action", 20, 40),
        ("billing_report", 1, 2),
        ("bill_line", 20, 40),
        ("billing_report_file", 4, 8),
        ("rate_plan", 1, 1),
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let mut tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
        let all: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
            .fetch_one(tx.connection())
            .await
            .expect("a count");
        let set = format!("SET LOCAL app.partner_id = '{}'", other.uuid());
        sqlx::query(sqlx::AssertSqlSafe(set)).execute(tx.connection()).await.expect("set");
        let one: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(tx.connection()).await.expect("a count");
        assert_eq!((one, all), (of_one, of_both), "{table}");
    }
}
