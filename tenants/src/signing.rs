//! A tenant's keys for signing access tokens: Ed25519 (RFC 8032), one that signs, retired ones that still verify.
//!
//! Verifying runs on each request, so a handle keeps the keys in memory and reads them again after
//! [`REFRESH_INTERVAL`], or at once (but at most every second) when a token names a key that it does not know: another
//! process may have rotated. A retired key verifies for as long as the last token that it signed may live.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{DecodingKey, EncodingKey};
use libsql::params;
use serde_json::{Value, json};

use crate::credential::sha256;
use crate::database::{Row, Transaction, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::token::TOKEN_LIFETIME_MAX;
use crate::{Error, Tenant};

/// After that long the keys in memory are read again.
const REFRESH_INTERVAL: TimeDelta = TimeDelta::seconds(30);
/// Tokens with made-up key ids cause a read at most that often.
const UNKNOWN_KEY_INTERVAL: TimeDelta = TimeDelta::seconds(1);

/// A signing key as it may be shown: no private part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id in tokens: the RFC 7638 thumbprint of its public part, base64url.
    pub kid: String,
    /// The public part, 32 bytes.
    pub public_key: [u8; 32],
    /// When it began to sign.
    pub created_at: DateTime<Utc>,
    /// When it ceased to sign; it verifies for [`TOKEN_LIFETIME_MAX`] after that.
    pub retired_at: Option<DateTime<Utc>>,
}

impl SigningKey {
    fn verifies_at(&self, now: DateTime<Utc>) -> bool {
        self.retired_at.is_none_or(|retired| now < retired + TOKEN_LIFETIME_MAX + Duration::from_secs(1))
    }

    /// The public part as a JSON Web Key (RFC 7517, RFC 8037).
    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.public_key);
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "alg": "EdDSA", "use": "sig" })
    }
}

/// A key ready for use. A token that was signed by it verifies with `decoding`.
pub(crate) struct LoadedKey {
    pub(crate) key: SigningKey,
    pub(crate) decoding: DecodingKey,
    encoding: EncodingKey,
}

/// The keys of one handle, as they were at `loaded_at`.
#[derive(Default)]
pub(crate) struct KeyRing {
    loaded: RwLock<Option<Arc<Loaded>>>,
}

struct Loaded {
    at: DateTime<Utc>,
    keys: Vec<Arc<LoadedKey>>,
}

impl Loaded {
    fn is_younger_than(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        (now - self.at).abs() < age
    }

    fn named(&self, kid: &str) -> Option<Arc<LoadedKey>> {
        self.keys.iter().find(|loaded| loaded.key.kid == kid).map(Arc::clone)
    }
}

impl LoadedKey {
    /// The half that signs; only for the active key.
    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl Tenant {
    /// The public keys that verify this tenant's tokens at that moment, as a JSON Web Key Set (RFC 7517, section 5).
    pub async fn jwks(&self, now: DateTime<Utc>) -> Result<Value, Error> {
        let keys = self.signing_keys().await?;
        let keys: Vec<Value> = keys.iter().filter(|key| key.verifies_at(now)).map(SigningKey::jwk).collect();
        Ok(json!({ "keys": keys }))
    }

    /// Every signing key, the active one included.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        let sql = "SELECT kid, public_key, created_at, retired_at FROM signing_key ORDER BY created_at, kid";
        self.read("list signing keys", sql, (), read_public).await
    }

    /// Retires the active key and makes another; tokens of the old one stay valid until they expire.
    pub async fn rotate_signing_key(&self, now: DateTime<Utc>) -> Result<SigningKey, Error> {
        let key = self
            .write("rotate the signing key", async move |transaction| {
                let sql = "UPDATE signing_key SET retired_at = ?1 WHERE retired_at IS NULL";
                transaction.execute(sql, [now.timestamp_millis()]).await?;
                insert_key(transaction, now).await
            })
            .await?;
        *self.key_ring().loaded.write().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(key)
    }

    /// The key that signs.
    pub(crate) async fn active_key(&self, now: DateTime<Utc>) -> Result<Arc<LoadedKey>, Error> {
        let loaded = self.loaded_keys(now, REFRESH_INTERVAL).await?;
        let active = loaded.keys.iter().find(|loaded| loaded.key.retired_at.is_none()).map(Arc::clone);
        active.ok_or(Error::Cryptography { attempt: "find the active signing key" })
    }

    /// The key of that id, when it still verifies.
    pub(crate) async fn verifying_key(
        &self,
        kid: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<LoadedKey>>, Error> {
        let mut found = self.loaded_keys(now, REFRESH_INTERVAL).await?.named(kid);
        if found.is_none() {
            found = self.loaded_keys(now, UNKNOWN_KEY_INTERVAL).await?.named(kid);
        }
        Ok(found.filter(|loaded| loaded.key.verifies_at(now)))
    }

    async fn loaded_keys(&self, now: DateTime<Utc>, age_max: TimeDelta) -> Result<Arc<Loaded>, Error> {
        let kept = self.key_ring().loaded.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(loaded) = kept.filter(|loaded| loaded.is_younger_than(age_max, now)) {
            return Ok(loaded);
        }
        let sql = "SELECT kid, public_key, created_at, retired_at, private_key FROM signing_key \
                   WHERE retired_at IS NULL OR retired_at > ?1";
        let oldest = now - TOKEN_LIFETIME_MAX - Duration::from_secs(1);
        let keys = self.read("read the signing keys", sql, [oldest.timestamp_millis()], read_loaded).await?;
        let loaded = Arc::new(Loaded { at: now, keys });
        *self.key_ring().loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&loaded));
        Ok(loaded)
    }
}

/// Makes the first key of a tenant that has none.
pub(crate) async fn ensure_active_key(transaction: &Transaction, now: DateTime<Utc>) -> Result<(), Fault> {
    let sql = "SELECT kid, public_key, created_at, retired_at FROM signing_key WHERE retired_at IS NULL";
    if select(transaction, sql, (), read_public).await?.is_empty() {
        insert_key(transaction, now).await?;
    }
    Ok(())
}

async fn insert_key(transaction: &Transaction, now: DateTime<Utc>) -> Result<SigningKey, Fault> {
    let failed = || Error::Cryptography { attempt: "make a signing key" };
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| failed())?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| failed())?;
    let public_key: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| failed())?;
    let created_at = crate::user::millisecond(now);
    let key = SigningKey { kid: thumbprint(&public_key), public_key, created_at, retired_at: None };
    let sql = "INSERT INTO signing_key (kid, private_key, public_key, created_at) VALUES (?1, ?2, ?3, ?4)";
    let values =
        params![key.kid.as_str(), document.as_ref().to_vec(), public_key.to_vec(), now.timestamp_millis()];
    transaction.execute(sql, values).await?;
    Ok(key)
}

/// RFC 7638 with the members of RFC 8037, appendix A.3.
fn thumbprint(public_key: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    URL_SAFE_NO_PAD.encode(sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

fn read_public(row: &Row) -> Result<SigningKey, Fault> {
    let columns = Columns::of("signing_key", row);
    Ok(SigningKey {
        kid: columns.text(0, "kid")?.to_owned(),
        public_key: columns.hash(1, "public_key")?,
        created_at: columns.time(2, "created_at")?,
        retired_at: columns.time_if_any(3, "retired_at")?,
    })
}

fn read_loaded(row: &Row) -> Result<Arc<LoadedKey>, Fault> {
    let columns = Columns::of("signing_key", row);
    let key = read_public(row)?;
    let private_key = columns.bytes(4, "private_key")?;
    // A public key that is not the private one's would sign what nobody can verify.
    let pair = Ed25519KeyPair::from_pkcs8(&private_key).map_err(|_| columns.corrupt("private_key"))?;
    if pair.public_key().as_ref() != key.public_key {
        return Err(columns.corrupt("public_key"));
    }
    if thumbprint(&key.public_key) != key.kid {
        return Err(columns.corrupt("kid"));
    }
    let decoding = DecodingKey::from_ed_der(&key.public_key);
    Ok(Arc::new(LoadedKey { key, decoding, encoding: EncodingKey::from_ed_der(&private_key) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_8037_appendix_a_3() {
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let wanted = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(thumbprint(&x.try_into().unwrap()), wanted);
    }
}
