//! What the pairs and the left-over say: differences, staged for the ledger, and counts.

use chrono::{DateTime, Utc};
use domain::intake::Settings;
use domain::reconciliation::list::Field;
use domain::reconciliation::{Mapping, Mismatch, Ours, Outcome, Record, compare};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::refused;
use super::runs::Counts;
use super::stage::Scope;
use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::copy::CopyRows;

/// Pairs that are compared at once.
const PAIRS: usize = 2_000;

/// A pair that is not equal byte for byte.
#[derive(FromRow)]
struct PairRow {
    delivery_id: Uuid,
    lead_id: Uuid,
    delivery_state: String,
    handed_at: Option<DateTime<Utc>>,
    record: Json<Record>,
    external_id: Option<String>,
    phone: Option<String>,
    alt_phones: Option<Vec<String>>,
    email: Option<String>,
    alt_emails: Option<Vec<String>>,
    first_name: Option<String>,
    last_name: Option<String>,
    state: Option<String>,
}

const CURSOR: &str = "DECLARE recon_pairs NO SCROLL CURSOR FOR
    SELECT o.delivery_id, o.lead_id, o.delivery_state, o.handed_at, t.record, l.external_id, l.phone, l.alt_phones,
           l.email, l.alt_emails, l.first_name, l.last_name, l.state
    FROM pg_temp.recon_pair p
    JOIN pg_temp.recon_ours o ON o.delivery_id = p.delivery_id AND o.in_scope
    JOIN pg_temp.recon_theirs t ON t.n = p.n
    JOIN lead l ON l.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid AND l.id = o.lead_id
    WHERE o.delivery_state <> 'delivered'
       OR t.external_id IS DISTINCT FROM o.external_id OR t.phone IS DISTINCT FROM o.phone
       OR t.email IS DISTINCT FROM o.email OR t.record ->> 'first_name' IS DISTINCT FROM l.first_name
       OR t.record ->> 'last_name' IS DISTINCT FROM l.last_name OR t.record ->> 'state' IS DISTINCT FROM l.state
       OR t.record ->> 'standing' <> 'active'
       OR (t.record ->> 'created_at')::timestamptz < o.handed_at";

/// Differences to stage, as columns for one statement.
#[derive(Default)]
struct Found {
    kinds: Vec<&'static str>,
    leads: Vec<Uuid>,
    deliveries: Vec<Uuid>,
    remote_ids: Vec<Option<String>>,
    fields: Vec<Json<Vec<Mismatch>>>,
    theirs: Vec<Json<Record>>,
    opted_out: Vec<Uuid>,
}

/// What the comparison needs beside the pairs.
pub(super) struct Comparison<'a> {
    pub(super) tenant: Uuid,
    pub(super) fallback: Option<String>,
    pub(super) fields: &'a [Field],
}

/// Compares the pairs of the scope; stages the differences and counts the rest. Answers the leads that want no more contact.
pub(super) async fn pairs(
    connection: &mut PgConnection,
    comparison: &Comparison<'_>,
    counts: &mut Counts,
) -> Result<Vec<Uuid>, Error> {
    let paired: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_temp.recon_pair p
         JOIN pg_temp.recon_ours o ON o.delivery_id = p.delivery_id AND o.in_scope",
    )
    .fetch_one(&mut *connection)
    .await?;
    // Not kept as prepared statements: the cursor they speak of ends with the transaction.
    sqlx::query(CURSOR).persistent(false).execute(&mut *connection).await?;
    let fetch = format!("FETCH {PAIRS} FROM recon_pairs");
    let mut opted_out = Vec::new();
    loop {
        let rows: Vec<PairRow> = sqlx::query_as(sqlx::AssertSqlSafe(fetch.clone()))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        if rows.is_empty() {
            break;
        }
        let mut found = Found::default();
        for row in rows {
            judge(row, comparison, counts, &mut found);
        }
        opted_out.append(&mut found.opted_out);
        found.stage(connection, comparison.tenant).await?;
    }
    sqlx::query("CLOSE recon_pairs").persistent(false).execute(connection).await?;
    let paired = i32::try_from(paired).unwrap_or(i32::MAX);
    counts.matched = paired - counts.mismatched - counts.unconfirmed - counts.unexpected;
    Ok(opted_out)
}

fn judge(row: PairRow, comparison: &Comparison<'_>, counts: &mut Counts, found: &mut Found) {
    let ours = Ours {
        external_id: row.external_id,
        phone: row.phone,
        alt_phones: row.alt_phones.unwrap_or_default(),
        email: row.email,
        alt_emails: row.alt_emails.unwrap_or_default(),
        first_name: row.first_name,
        last_name: row.last_name,
        state: row.state,
        first_name_fallback: comparison.fallback.clone(),
        submitted_at: row.handed_at,
    };
    let compared = compare(&ours, &row.record, |field| comparison.fields.contains(&field));
    counts.pre_existing += i32::from(compared.pre_existing);
    counts.enriched += i32::from(!compared.enriched.is_empty());
    if compared.opted_out {
        counts.opted_out += 1;
        found.opted_out.push(row.lead_id);
    }
    let outcome = match row.delivery_state.as_str() {
        "delivered" if compared.mismatches.is_empty() => return,
        "delivered" => Outcome::Mismatched,
        // The client's own rule stopped it before it was sent.
        "rejected" => Outcome::RejectedPresent,
        _ => Outcome::Unconfirmed,
    };
    match outcome {
        Outcome::Mismatched => counts.mismatched += 1,
        Outcome::RejectedPresent => counts.unexpected += 1,
        _ => counts.unconfirmed += 1,
    }
    found.kinds.push(outcome.as_str());
    found.leads.push(row.lead_id);
    found.deliveries.push(row.delivery_id);
    found.remote_ids.push(row.record.remote_id.clone());
    found.fields.push(Json(compared.mismatches));
    found.theirs.push(row.record);
}

/// What we say of a lead, as evidence.
const OURS: &str = "jsonb_strip_nulls(jsonb_build_object('external_id', l.external_id, 'first_name', l.first_name,
    'last_name', l.last_name, 'phone', l.phone, 'email', l.email, 'state', l.state, 'delivery_state', o.delivery_state,
    'remote_id', o.remote_id, 'handed_at', o.handed_at))";

impl Found {
    async fn stage(self, connection: &mut PgConnection, tenant: Uuid) -> Result<(), Error> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let statement = format!(
            "INSERT INTO pg_temp.recon_found (kind, subject, lead_id, delivery_id, remote_id, fields, ours, theirs)
             SELECT f.kind, f.lead_id::text, f.lead_id, f.delivery_id, f.remote_id, nullif(f.fields, '[]'), {OURS}, f.theirs
             FROM unnest($2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[])
                  AS f (kind, lead_id, delivery_id, remote_id, fields, theirs)
             JOIN pg_temp.recon_ours o ON o.delivery_id = f.delivery_id
             JOIN lead l ON l.tenant_id = $1 AND l.id = f.lead_id"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(tenant)
            .bind(self.kinds)
            .bind(self.leads)
            .bind(self.deliveries)
            .bind(self.remote_ids)
            .bind(self.fields)
            .bind(self.theirs)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// What we handed over and they do not have. A record of another lead there with this one's key is a sign that two people
/// have become one.
pub(super) async fn missing(
    connection: &mut PgConnection,
    tenant: Uuid,
    counts: &mut Counts,
) -> Result<(), Error> {
    let statement = format!(
        "WITH gone AS MATERIALIZED (
             SELECT o.* FROM pg_temp.recon_ours o
             WHERE o.in_scope AND o.delivery_state = 'delivered'
               AND NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.delivery_id = o.delivery_id)
         ), merged AS (
             SELECT DISTINCT ON (delivery_id) delivery_id, record FROM (
                 SELECT g.delivery_id, t.n, t.record FROM gone g JOIN pg_temp.recon_theirs t USING (external_id)
                 UNION ALL
                 SELECT g.delivery_id, t.n, t.record FROM gone g JOIN pg_temp.recon_theirs t USING (phone)
                 UNION ALL
                 SELECT g.delivery_id, t.n, t.record FROM gone g JOIN pg_temp.recon_theirs t USING (email)
             ) every ORDER BY delivery_id, n
         )
         INSERT INTO pg_temp.recon_found (kind, subject, lead_id, delivery_id, remote_id, ours, theirs, merge_suspected)
         SELECT 'missing', o.lead_id::text, o.lead_id, o.delivery_id, o.remote_id, {OURS}, m.record, m.record IS NOT NULL
         FROM gone o JOIN lead l ON l.tenant_id = $1 AND l.id = o.lead_id
         LEFT JOIN merged m USING (delivery_id)"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement)).bind(tenant).execute(&mut *connection).await?;
    let (missing, suspected): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE merge_suspected) FROM pg_temp.recon_found WHERE kind = 'missing'",
    )
    .fetch_one(connection)
    .await?;
    counts.missing = i32::try_from(missing).unwrap_or(i32::MAX);
    counts.merge_suspected = i32::try_from(suspected).unwrap_or(i32::MAX);
    Ok(())
}

/// One of their rows that nobody took, named by the first of these that holds. `$1` is the tenant.
const LEFT: [(&str, &str); 3] = [
    (
        "duplicated",
        "SELECT t.n, o.lead_id, 0 AS rank FROM free t JOIN pg_temp.recon_ours o USING (external_id)
         UNION ALL SELECT t.n, o.lead_id, 1 FROM free t JOIN pg_temp.recon_ours o USING (phone)
         UNION ALL SELECT t.n, o.lead_id, 2 FROM free t JOIN pg_temp.recon_ours o USING (email)",
    ),
    (
        "duplicate_delivered",
        "SELECT t.n, e.lead_id, 0 AS rank FROM free t JOIN brought e USING (external_id)
           UNION ALL SELECT t.n, e.lead_id, 1 FROM free t JOIN brought e USING (phone)
           UNION ALL SELECT t.n, e.lead_id, 2 FROM free t JOIN brought e USING (email)",
    ),
    (
        "rejected_present",
        "SELECT t.n, NULL::uuid AS lead_id, 0 AS rank FROM free t JOIN pg_temp.recon_refused r USING (external_id)
         UNION ALL SELECT t.n, NULL::uuid, 1 FROM free t JOIN pg_temp.recon_refused r USING (phone)
         UNION ALL SELECT t.n, NULL::uuid, 2 FROM free t JOIN pg_temp.recon_refused r USING (email)",
    ),
];

/// Names what is theirs alone.
pub(super) async fn left_over(
    tx: &mut TenantTx,
    (scope, mapping): (&Scope, &Mapping),
    settings: &Settings,
    rows: &mut CopyRows,
    counts: &mut Counts,
) -> Result<(), Error> {
    let tenant = tx.tenant().uuid();
    let free: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_temp.recon_theirs t
         WHERE NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.n = t.n)",
    )
    .fetch_one(tx.connection())
    .await?;
    if free == 0 {
        return Ok(());
    }
    refused::stage(tx, settings, rows).await?;
    for (kind, hits) in LEFT {
        let statement = format!(
            r#"WITH free AS MATERIALIZED (
                   SELECT t.n, t.external_id, t.phone, t.email FROM pg_temp.recon_theirs t
                   WHERE NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.n = t.n)
                     AND NOT EXISTS (SELECT FROM pg_temp.recon_left x WHERE x.n = t.n)
               ), brought AS (
                   SELECT lead_id, lower(btrim(data #>> '{{brought,external_id}}') COLLATE "C") AS external_id,
                          (data #>> '{{brought,phone}}') COLLATE "C" AS phone,
                          (data #>> '{{brought,email}}') COLLATE "C" AS email
                   FROM lead_event WHERE tenant_id = $1 AND kind = 'duplicate'
               )
               INSERT INTO pg_temp.recon_left (n, kind, lead_id)
               SELECT DISTINCT ON (n) n, '{kind}', lead_id FROM ({hits}) hit ORDER BY n, rank"#
        );
        sqlx::query(sqlx::AssertSqlSafe(statement)).bind(tenant).execute(tx.connection()).await?;
    }
    unexpected(tx.connection(), mapping).await?;
    stage_left(tx.connection(), scope).await?;
    count_left(tx.connection(), counts).await
}

/// Nobody of ours: it carries our mark, or it is theirs alone.
async fn unexpected(connection: &mut PgConnection, mapping: &Mapping) -> Result<(), Error> {
    sqlx::query(
        "WITH marks AS (
             SELECT unnest($1::text[]) AS mark WHERE cardinality($1::text[]) > 0
             UNION ALL
             (SELECT lower(t.record ->> 'source') FROM pg_temp.recon_theirs t JOIN pg_temp.recon_pair p USING (n)
              WHERE cardinality($1::text[]) = 0 AND t.record ->> 'source' IS NOT NULL
              GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1)
         )
         INSERT INTO pg_temp.recon_left (n, kind)
         SELECT t.n, CASE WHEN lower(t.record ->> 'source') IN (SELECT mark FROM marks) THEN 'unexpected' ELSE 'extra_known' END
         FROM pg_temp.recon_theirs t
         WHERE NOT EXISTS (SELECT FROM pg_temp.recon_pair p WHERE p.n = t.n)
           AND NOT EXISTS (SELECT FROM pg_temp.recon_left x WHERE x.n = t.n)",
    )
    .bind(mapping.our_sources.iter().map(|source| source.trim().to_lowercase()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Differences of their side. Of a scope that is a part of all leads, those that were made there in its period; over one
/// channel none, because a record of theirs does not say by which it came.
async fn stage_left(connection: &mut PgConnection, scope: &Scope) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM pg_temp.recon_left x USING pg_temp.recon_theirs t
         WHERE t.n = x.n
           AND ($3::text IS NOT NULL
                OR ($1::timestamptz IS NOT NULL AND (t.record ->> 'created_at')::timestamptz < $1)
                OR ($2::timestamptz IS NOT NULL AND (t.record ->> 'created_at')::timestamptz >= $2))",
    )
    .bind(scope.since)
    .bind(scope.before)
    .bind(scope.channel.as_deref())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO pg_temp.recon_found (kind, subject, lead_id, remote_id, theirs)
         SELECT DISTINCT ON (1, 2) x.kind, coalesce('remote:' || t.remote_id, 'row:' || md5(t.record::text)), x.lead_id,
                t.remote_id, t.record
         FROM pg_temp.recon_left x JOIN pg_temp.recon_theirs t USING (n)
         WHERE x.kind <> 'extra_known' ORDER BY 1, 2, t.n",
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn count_left(connection: &mut PgConnection, counts: &mut Counts) -> Result<(), Error> {
    let kinds: Vec<(String, i64)> =
        sqlx::query_as("SELECT kind, count(*) FROM pg_temp.recon_left GROUP BY 1")
            .fetch_all(connection)
            .await?;
    for (kind, count) in kinds {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        match Outcome::parse(&kind) {
            Some(Outcome::Duplicated) => counts.duplicated += count,
            Some(Outcome::ExtraKnown) => counts.extra_known += count,
            _ => counts.unexpected += count,
        }
    }
    Ok(())
}
