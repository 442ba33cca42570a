//! Both sides in temporary tables, and their pairs.
//!
//! Text is compared byte by byte (`COLLATE "C"`): the rule has folded what does not count.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::DestinationId;
use domain::reconciliation::{KEYS, Record, Standing};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::list::Row;
use crate::error::Error;
use crate::intake::copy::CopyRows;

/// So long after its lease has ended a delivery is still called on its way: another worker will have it, and ask there first.
const CLAIMED_AGAIN_WITHIN: TimeDelta = TimeDelta::minutes(5);

/// Which of our deliveries are expected there.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Where they went.
    pub destination: DestinationId,
    /// Handed over at that time or later.
    pub since: Option<DateTime<Utc>>,
    /// Handed over before that time.
    pub before: Option<DateTime<Utc>>,
    /// Leads of that channel.
    pub channel: Option<String>,
    /// Handed over by that time: what came later cannot be in their list.
    pub as_of: DateTime<Utc>,
}

impl Scope {
    /// Whether all deliveries up to its time are in it: then what is theirs alone can be named.
    pub fn is_whole(&self) -> bool {
        self.since.is_none() && self.before.is_none() && self.channel.is_none()
    }
}

/// `work_mem` is for sorting and hashing a million short keys, and cursors are read to their end; both hold for this
/// transaction only.
const TABLES: &str = r#"
    SET LOCAL work_mem = '64MB';
    SET LOCAL cursor_tuple_fraction = 1;
    CREATE TEMP TABLE recon_theirs (
        n integer NOT NULL, gone boolean NOT NULL, remote_id text COLLATE "C", external_id text COLLATE "C",
        phone text COLLATE "C", email text COLLATE "C", record jsonb NOT NULL
    ) ON COMMIT DROP;
    CREATE TEMP TABLE recon_ours (
        delivery_id uuid NOT NULL, lead_id uuid NOT NULL, delivery_state text NOT NULL, in_scope boolean NOT NULL,
        handed_at timestamptz, remote_id text COLLATE "C", external_id text COLLATE "C", phone text COLLATE "C",
        email text COLLATE "C"
    ) ON COMMIT DROP;
    CREATE TEMP TABLE recon_pair (n integer NOT NULL, delivery_id uuid NOT NULL, by smallint NOT NULL) ON COMMIT DROP;
    CREATE TEMP TABLE recon_left (n integer NOT NULL, kind text NOT NULL, lead_id uuid) ON COMMIT DROP;
    CREATE TEMP TABLE recon_refused (external_id text COLLATE "C", phone text COLLATE "C", email text COLLATE "C")
        ON COMMIT DROP;
    CREATE TEMP TABLE recon_found (
        kind text NOT NULL, subject text NOT NULL, lead_id uuid, delivery_id uuid, remote_id text, fields jsonb, ours jsonb,
        theirs jsonb, merge_suspected boolean NOT NULL DEFAULT false
    ) ON COMMIT DROP
"#;
const THEIRS_COLUMNS: i16 = 7;

/// Makes the temporary tables of this transaction.
pub async fn begin(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::raw_sql(TABLES).execute(connection).await?;
    Ok(())
}

/// Copies rows of their list.
pub async fn theirs(connection: &mut PgConnection, batch: &[Row], rows: &mut CopyRows) -> Result<(), Error> {
    rows.begin();
    for Row { number, record } in batch {
        rows.row(THEIRS_COLUMNS);
        rows.integer(*number);
        rows.boolean(record.standing == Standing::Deleted);
        rows.optional_text(record.remote_id.as_deref());
        rows.optional_text(record.external_key().as_deref());
        rows.optional_text(record.phone.as_deref());
        rows.optional_text(record.email.as_deref());
        rows.jsonb(&json(record)?);
    }
    let mut copy =
        connection.copy_in_raw("COPY pg_temp.recon_theirs FROM STDIN WITH (FORMAT binary)").await?;
    copy.send(rows.finish()).await?;
    copy.finish().await?;
    Ok(())
}

/// The record as JSON text without a NUL, which Postgres cannot store.
fn json(record: &Record) -> Result<String, Error> {
    let text = serde_json::to_string(record).map_err(|error| Error::internal("writing a record", error))?;
    Ok(text.replace("\\u0000", "\\ufffd"))
}

/// Our deliveries to the destination, all of them: what lies outside the scope must still be recognised in their list. So must
/// what a worker has at this moment: it may be there already, and its answer confirms it in a moment.
/// Rows that repeat a remote id (a list that moved while it was read page by page) are one; answers how many went.
pub async fn ours(
    connection: &mut PgConnection,
    tenant: Uuid,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<i32, Error> {
    sqlx::query(
        r#"INSERT INTO pg_temp.recon_ours
           SELECT d.id, d.lead_id, d.state,
                  (d.state <> 'delivered' OR coalesce(d.finished_at, l.received_at) <= $6)
                      AND NOT (d.state = 'pending' AND d.lease IS NOT NULL AND d.due_at > $7)
                      AND ($3::timestamptz IS NULL OR coalesce(d.finished_at, l.received_at) >= $3)
                      AND ($4::timestamptz IS NULL OR coalesce(d.finished_at, l.received_at) < $4)
                      AND ($5::text IS NULL OR l.channel = $5),
                  coalesce(d.finished_at, l.received_at),
                  d.remote_id, lower(btrim(l.external_id) COLLATE "C"), l.phone, l.email
           FROM delivery d JOIN lead l ON l.tenant_id = d.tenant_id AND l.id = d.lead_id
           WHERE d.tenant_id = $1 AND d.destination_id = $2"#,
    )
    .bind(tenant)
    .bind(scope.destination.uuid())
    .bind(scope.since)
    .bind(scope.before)
    .bind(scope.channel.as_deref())
    .bind(scope.as_of)
    .bind(now - CLAIMED_AGAIN_WITHIN)
    .execute(&mut *connection)
    .await?;
    let repeated = sqlx::query(
        "DELETE FROM pg_temp.recon_theirs t USING (
             SELECT n, row_number() OVER (PARTITION BY remote_id ORDER BY n) AS place
             FROM pg_temp.recon_theirs WHERE remote_id IS NOT NULL
         ) again WHERE again.n = t.n AND again.place > 1",
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    sqlx::raw_sql("ANALYZE pg_temp.recon_ours; ANALYZE pg_temp.recon_theirs").execute(connection).await?;
    Ok(i32::try_from(repeated).unwrap_or(i32::MAX))
}

/// Pairs both sides: a pass for each key over what is unpaired, as `domain::reconciliation::assign` says. Of theirs, those
/// that are not deleted come first.
pub async fn pair(connection: &mut PgConnection) -> Result<(), Error> {
    for (by, key) in KEYS.iter().enumerate() {
        let statement = format!(
            "INSERT INTO pg_temp.recon_pair (n, delivery_id, by)
             SELECT t.n, o.delivery_id, {by}
             FROM (SELECT n, {key} AS key, row_number() OVER (PARTITION BY {key} ORDER BY gone, n) AS place
                   FROM pg_temp.recon_theirs t
                   WHERE {key} IS NOT NULL AND NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.n = t.n)) t
             JOIN (SELECT delivery_id, {key} AS key, row_number() OVER (PARTITION BY {key} ORDER BY delivery_id) AS place
                   FROM pg_temp.recon_ours o
                   WHERE {key} IS NOT NULL
                     AND NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.delivery_id = o.delivery_id)) o
             USING (key, place)"
        );
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        sqlx::raw_sql("ANALYZE pg_temp.recon_pair").execute(&mut *connection).await?;
    }
    Ok(())
}
