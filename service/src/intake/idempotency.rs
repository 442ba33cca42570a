//! Idempotency keys: the same key with the same body is answered from memory, with another body refused.

use chrono::{DateTime, Utc};
use domain::ids::SourceId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::TenantTx;
use crate::error::Error;

/// Keys longer than this are refused.
pub const KEY_BYTES_MAX: usize = 200;

/// A key with the hash of the body that came with it.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The source that it belongs to.
    pub source: SourceId,
    /// As the sender chose it.
    pub text: &'a str,
    /// SHA-256 of the body.
    pub body: [u8; 32],
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
pub async fn remembered<T: DeserializeOwned>(tx: &mut TenantTx, key: Key<'_>) -> Result<Option<T>, Error> {
    check(key.text)?;
    let tenant = tx.tenant();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("{}/{}/{}", tenant.uuid(), key.source.uuid(), key.text))
        .execute(tx.connection())
        .await?;
    let row: Option<(Vec<u8>, serde_json::Value)> = sqlx::query_as(
        "SELECT request_hash, response FROM idempotency WHERE tenant_id = $1 AND source_id = $2 AND key = $3",
    )
    .bind(tenant.uuid())
    .bind(key.source.uuid())
    .bind(key.text)
    .fetch_optional(tx.connection())
    .await?;
    let Some((hash, response)) = row else { return Ok(None) };
    if hash != key.body {
        return Err(Error::Conflict(
            "this idempotency key was used with another body: send the same body again, or a new key".into(),
        ));
    }
    let corrupt = |error| Error::internal("reading idempotency.response", error);
    serde_json::from_value(response).map(Some).map_err(corrupt)
}

/// Remembers the answer; it commits with what it speaks of.
pub async fn remember(
    tx: &mut TenantTx,
    key: Key<'_>,
    answer: &impl Serialize,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO idempotency (tenant_id, source_id, key, request_hash, response, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.uuid())
    .bind(key.source.uuid())
    .bind(key.text)
    .bind(key.body.as_slice())
    .bind(serde_json::to_value(answer).map_err(|error| Error::internal("writing an answer", error))?)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
