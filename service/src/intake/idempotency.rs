//! Idempotency keys: the same key with the same body is answered from memory, with another body or for
//! another kind of request refused.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::SourceId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::TenantTx;
use crate::error::Error;

/// Keys longer than this are refused.
pub const KEY_BYTES_MAX: usize = 200;

/// A key with the hash of the body that came with it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The source that it belongs to.
    pub source: SourceId,
    /// As the sender chose it.
    pub text: String,
    /// SHA-256 of the body.
    pub body: [u8; 32],
}

impl Key {
    /// A key that [`check`] lets pass.
    pub fn new(source: SourceId, text: &str, body: [u8; 32]) -> Result<Self, Error> {
        check(text)?;
        Ok(Self { source, text: text.to_owned(), body })
    }
}

/// Refuses a key that cannot be stored or compared safely.
pub fn check(text: &str) -> Result<(), Error> {
    if !text.is_empty() && text.len() <= KEY_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::invalid(
        "Idempotency-Key",
        format!("an idempotency key has 1 to {KEY_BYTES_MAX} printable ASCII characters"),
    ))
}

/// The answer that was given for the key. Of two requests with one key at once the second waits here for the first.
pub async fn remembered<T: DeserializeOwned>(tx: &mut TenantTx, key: &Key) -> Result<Option<T>, Error> {
    remembered_each(tx, &[key]).await?.pop().unwrap_or(Ok(None))
}

/// The answers that were given for different keys, in their order.
pub async fn remembered_each<T: DeserializeOwned>(
    tx: &mut TenantTx,
    keys: &[&Key],
) -> Result<Vec<Result<Option<T>, Error>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = tx.tenant();
    let name = |key: &&Key| format!("{}/{}/{}", tenant.uuid(), key.source.uuid(), key.text);
    // Everybody takes several in the same order: in another one two could wait for each other.
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hash)
         FROM (SELECT hashtextextended(name, 0) AS hash FROM unnest($1::text[]) AS t (name) ORDER BY 1) AS ordered",
    )
    .bind(keys.iter().map(name).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    let rows: Vec<(i64, Vec<u8>, serde_json::Value)> = sqlx::query_as(
        "SELECT k.place, i.request_hash, i.response
         FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS k (source_id, key, place)
         CROSS JOIN LATERAL (SELECT request_hash, response FROM idempotency
                             WHERE tenant_id = $1 AND source_id = k.source_id AND key = k.key LIMIT 1) i",
    )
    .bind(tenant.uuid())
    .bind(keys.iter().map(|key| key.source.uuid()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.text.as_str()).collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?;
    let mut known: HashMap<i64, _> =
        rows.into_iter().map(|(place, hash, was)| (place, (hash, was))).collect();
    Ok((1..)
        .zip(keys)
        .map(|(place, key)| known.remove(&place).map(|was| answer(key, was)).transpose())
        .collect())
}

fn answer<T: DeserializeOwned>(
    key: &Key,
    (hash, response): (Vec<u8>, serde_json::Value),
) -> Result<T, Error> {
    if hash != key.body {
        return Err(Error::Conflict(
            "this idempotency key was used with another body: send the same body again, or a new key".into(),
        ));
    }
    // A file may say the same as a record. Only the answers tell the two requests apart.
    serde_json::from_value(response).map_err(|_| {
        Error::Conflict("this idempotency key was used for another kind of request: send a new key".into())
    })
}

/// Remembers the answer; it commits with what it speaks of.
pub async fn remember<T: Serialize>(
    tx: &mut TenantTx,
    key: &Key,
    answer: &T,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    remember_each(tx, &[(key, answer)], now).await
}

/// Remembers answers.
pub async fn remember_each<T: Serialize>(
    tx: &mut TenantTx,
    answers: &[(&Key, T)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let tenant = tx.tenant();
    let responses: Result<Vec<_>, _> =
        answers.iter().map(|(_, answer)| serde_json::to_value(answer)).collect();
    let keys = || answers.iter().map(|(key, _)| key);
    sqlx::query(
        "INSERT INTO idempotency (tenant_id, source_id, key, request_hash, response, created_at)
         SELECT $1, source_id, key, request_hash, response, $6
         FROM unnest($2::uuid[], $3::text[], $4::bytea[], $5::jsonb[]) AS t (source_id, key, request_hash, response)",
    )
    .bind(tenant.uuid())
    .bind(keys().map(|key| key.source.uuid()).collect::<Vec<_>>())
    .bind(keys().map(|key| key.text.as_str()).collect::<Vec<_>>())
    .bind(keys().map(|key| key.body.as_slice()).collect::<Vec<_>>())
    .bind(responses.map_err(|error| Error::internal("writing an answer", error))?)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
