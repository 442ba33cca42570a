//! New leads on their way into the table: many through a temporary stage, one by its values.
//!
//! COPY is refused on a table with row-level security, so many rows are copied to a stage of the connection's own and inserted
//! from there. For one lead the stage would cost more than the lead.

use std::sync::LazyLock;

use compact_str::CompactString;
use domain::ids::ImportId;
use domain::intake::{write_details_json, write_extra_json, write_warnings_json};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::copy::CopyRows;
use super::merge::{Candidate, Keys, Origin};
use crate::error::Error;

/// The columns that differ from lead to lead, with their types, in the order in which they are written.
const COLUMNS: [(&str, &str); 24] = [
    ("id", "uuid"),
    ("record", "integer"),
    ("identity", "uuid"),
    ("fingerprint", "uuid"),
    ("phone_scope", "uuid"),
    ("email_scope", "uuid"),
    ("external_id", "text"),
    ("lead_type", "text"),
    ("channel", "text"),
    ("first_name", "text"),
    ("last_name", "text"),
    ("phone", "text"),
    ("phone_ext", "text"),
    ("alt_phones", "text[]"),
    ("email", "text"),
    ("alt_emails", "text[]"),
    ("address", "text"),
    ("city", "text"),
    ("state", "text"),
    ("zip", "text"),
    ("zip4", "text"),
    ("details", "jsonb"),
    ("extra", "jsonb"),
    ("warnings", "jsonb"),
];

/// Parameters of an insertion that are the same for all of its leads.
const COMMON: usize = 4;

static STAGE: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<String> = COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    format!("CREATE TEMP TABLE IF NOT EXISTS lead_stage ({}) ON COMMIT DELETE ROWS", columns.join(", "))
});

static INSERT_STAGED: LazyLock<String> = LazyLock::new(|| insert_from("FROM pg_temp.lead_stage", &names()));

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| {
    let values: Vec<String> =
        COLUMNS.iter().zip(COMMON + 1..).map(|((_, kind), place)| format!("${place}::{kind}")).collect();
    insert_from("", &values.join(", "))
});

fn names() -> String {
    COLUMNS.map(|(name, _)| name).join(", ")
}

fn insert_from(from: &str, values: &str) -> String {
    format!(
        "INSERT INTO lead (tenant_id, source_id, import_id, received_at, {}) SELECT $1, $2, $3, $4, {values} {from}
         ON CONFLICT DO NOTHING RETURNING id",
        names()
    )
}

/// Inserts the leaders among the candidates whose keys are free, and answers the ids of those that it has inserted. `again`
/// says that the transaction may have used the stage before.
///
/// In the order of phone and e-mail: two imports with several leads in common then meet at the first of them, and one waits
/// for the other's commit. In the order of the file each would soon hold a key that the other waits for, and the deadlock would
/// cost a second and one of the batches.
pub(super) async fn insert(
    connection: &mut PgConnection,
    origin: &Origin,
    candidates: &[&Candidate],
    keys: &[Keys],
    again: bool,
    rows: &mut CopyRows,
) -> Result<Vec<Uuid>, Error> {
    let mut leaders: Vec<(&Candidate, &Keys)> =
        candidates.iter().copied().zip(keys).filter(|(_, keys)| keys.leader).collect();
    let statement = match leaders.as_slice() {
        [] => return Ok(Vec::new()),
        [(candidate, keys)] => return insert_one(connection, origin, candidate, keys).await,
        _ => INSERT_STAGED.as_str(),
    };
    leaders.sort_unstable_by_key(|(candidate, keys)| {
        (candidate.lead.phone.as_ref(), candidate.lead.email.as_ref(), keys.identity)
    });
    copy(connection, origin, &leaders, again, rows).await?;
    Ok(sqlx::query_scalar(AssertSqlSafe(statement))
        .bind(origin.tenant.uuid())
        .bind(origin.source.uuid())
        .bind(origin.import.map(ImportId::uuid))
        .bind(origin.now)
        .fetch_all(connection)
        .await?)
}

async fn insert_one(
    connection: &mut PgConnection,
    origin: &Origin,
    candidate: &Candidate,
    keys: &Keys,
) -> Result<Vec<Uuid>, Error> {
    let lead = &candidate.lead;
    let texts = |values: &[CompactString]| {
        (!values.is_empty()).then(|| values.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let mut query = sqlx::query_scalar(AssertSqlSafe(INSERT_ONE.as_str()))
        .bind(origin.tenant.uuid())
        .bind(origin.source.uuid())
        .bind(origin.import.map(ImportId::uuid))
        .bind(origin.now)
        .bind(keys.id)
        .bind(origin.import.map(|_| candidate.record))
        .bind(keys.identity)
        .bind(Uuid::from_u128(candidate.fingerprint))
        .bind(keys.phone_scope)
        .bind(keys.email_scope)
        .bind(lead.external_id.as_deref())
        .bind(lead.lead_type.as_deref())
        .bind(lead.channel.as_deref().unwrap_or(origin.channel))
        .bind(lead.first_name.as_deref())
        .bind(lead.last_name.as_deref())
        .bind(lead.phone.as_deref())
        .bind(lead.phone_ext.as_deref())
        .bind(texts(&lead.alt_phones))
        .bind(lead.email.as_deref())
        .bind(texts(&lead.alt_emails))
        .bind(lead.address.as_deref())
        .bind(lead.city.as_deref())
        .bind(lead.state.as_deref())
        .bind(lead.zip.as_deref())
        .bind(lead.zip4.as_deref());
    for write in JSON {
        let mut text = String::new();
        query = query.bind(write(candidate, &mut text).then_some(text));
    }
    Ok(query.fetch_all(connection).await?)
}

async fn copy(
    connection: &mut PgConnection,
    origin: &Origin,
    leaders: &[(&Candidate, &Keys)],
    again: bool,
    rows: &mut CopyRows,
) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(STAGE.as_str())).execute(&mut *connection).await?;
    if again {
        sqlx::query("DELETE FROM pg_temp.lead_stage").execute(&mut *connection).await?;
    }
    rows.begin();
    let mut text = String::new();
    for (candidate, keys) in leaders {
        row(rows, origin, candidate, keys, &mut text);
    }
    let mut copy = connection.copy_in_raw("COPY pg_temp.lead_stage FROM STDIN WITH (FORMAT binary)").await?;
    copy.send(rows.finish()).await?;
    copy.finish().await?;
    Ok(())
}

/// One row, as [`COLUMNS`] has it.
fn row(rows: &mut CopyRows, origin: &Origin, candidate: &Candidate, keys: &Keys, text: &mut String) {
    let lead = &candidate.lead;
    rows.row(i16::try_from(COLUMNS.len()).unwrap_or(i16::MAX));
    rows.uuid(keys.id);
    match origin.import {
        Some(_) => rows.integer(candidate.record),
        None => rows.null(),
    }
    rows.uuid(keys.identity);
    rows.uuid(Uuid::from_u128(candidate.fingerprint));
    rows.optional_uuid(keys.phone_scope);
    rows.optional_uuid(keys.email_scope);
    rows.optional_text(lead.external_id.as_deref());
    rows.optional_text(lead.lead_type.as_deref());
    rows.text(lead.channel.as_deref().unwrap_or(origin.channel));
    rows.optional_text(lead.first_name.as_deref());
    rows.optional_text(lead.last_name.as_deref());
    rows.optional_text(lead.phone.as_deref());
    rows.optional_text(lead.phone_ext.as_deref());
    rows.text_array(&lead.alt_phones);
    rows.optional_text(lead.email.as_deref());
    rows.text_array(&lead.alt_emails);
    rows.optional_text(lead.address.as_deref());
    rows.optional_text(lead.city.as_deref());
    rows.optional_text(lead.state.as_deref());
    rows.optional_text(lead.zip.as_deref());
    rows.optional_text(lead.zip4.as_deref());
    for write in JSON {
        text.clear();
        if write(candidate, text) {
            rows.jsonb(text);
        } else {
            rows.null();
        }
    }
}

/// How details, extra and warnings are written; false means null.
const JSON: [fn(&Candidate, &mut String) -> bool; 3] = [
    |candidate, text| {
        write_details_json(&candidate.lead, text);
        true
    },
    |candidate, text| {
        write_extra_json(&candidate.lead, text);
        !candidate.lead.extra.is_empty()
    },
    |candidate, text| {
        write_warnings_json(&candidate.warnings, text);
        !candidate.warnings.is_empty()
    },
];
