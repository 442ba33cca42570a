//! Access tokens: JSON Web Tokens (RFC 7519, profile RFC 9068) signed with the tenant's own key.
//!
//! A token says whose tenant it speaks for before it is verified; that only chooses the database whose keys it must
//! then be signed with. A token of one tenant that names another is thus a wrong signature or an unknown key.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::access::{Role, Scope};
use domain::ids::{ApiKeyId, PartnerId, TenantId, UserId};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use lru::LruCache;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::{AccessKey, Error, Store, Tenant, TokenFault, User};

/// The longest that a token may live.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_mins(15);
/// How far another process's clock may be ahead: a token is valid that much before its time, never after.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The longest text that is looked at; ours have about 600 bytes.
const BYTES_MAX: usize = 4096;
/// Tokens whose proof is remembered, about 500 bytes each.
const PROVEN_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// RFC 9068, section 2.1: an id token or anything else signed is not taken for an access token.
const TOKEN_TYPE: &str = "at+jwt";

/// What all tokens of a deployment share.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// `iss`, as in `https://baton.example.com`.
    pub issuer: String,
    /// `aud`, as in `baton`.
    pub audience: String,
    /// From issue to expiry, at most [`TOKEN_LIFETIME_MAX`].
    pub lifetime: Duration,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For whom it is.
    pub aud: String,
    /// Whose data it opens.
    pub tid: TenantId,
    /// Who presents it.
    pub sub: Subject,
    /// What that one may do.
    pub role: Role,
    /// What of it this token may be used for.
    pub scope: Scope,
    /// Of role partner: the company whose billing it sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<PartnerId>,
    /// When it was issued, seconds since 1970 UTC.
    pub iat: i64,
    /// From when on it is valid.
    pub nbf: i64,
    /// From when on it is refused.
    pub exp: i64,
    /// Its own id.
    pub jti: String,
}

/// Who a token speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A program: an OAuth client.
    Key(ApiKeyId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let user = text.parse().map(Self::User);
        user.or_else(|_| text.parse().map(Self::Key)).map_err(serde::de::Error::custom)
    }
}

/// A token for its owner.
#[derive(Debug)]
pub struct AccessToken {
    /// Its text.
    pub text: SecretString,
    /// From when on it is refused.
    pub expires_at: DateTime<Utc>,
}

/// What a verified token opens.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The tenant whose key has signed it.
    pub tenant: Tenant,
    /// What it says.
    pub claims: Claims,
}

/// Issues and verifies the tokens of a deployment.
pub struct Tokens {
    settings: TokenSettings,
    validation: Validation,
    /// What was proven already, by [`proof`]: a signature costs more than the rest of a request's authentication.
    /// Whether key and time still hold is asked each time.
    proven: Mutex<LruCache<[u8; 32], Claims>>,
}

impl Tokens {
    /// Fails when the lifetime is not 1 second to [`TOKEN_LIFETIME_MAX`].
    pub fn new(settings: TokenSettings) -> Result<Self, Error> {
        if settings.lifetime < Duration::from_secs(1) || settings.lifetime > TOKEN_LIFETIME_MAX {
            return Err(Error::TokenLifetime { seconds_max: TOKEN_LIFETIME_MAX.as_secs() });
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "nbf", "exp"]);
        // The library would ask the system's clock; `check_time` asks the argument.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self { settings, validation, proven: Mutex::new(LruCache::new(PROVEN_MAX)) })
    }

    /// A token for that user, signed with the tenant's active key. A disabled user gets none.
    pub async fn issue(
        &self,
        tenant: &Tenant,
        user: &User,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, Error> {
        if user.disabled_at.is_some() {
            return Err(Error::UserDisabled { user: user.id });
        }
        let bearer = Bearer {
            sub: Subject::User(user.id),
            role: user.role,
            scope: Scope::Full,
            partner: user.partner,
        };
        self.sign(tenant, bearer, now).await
    }

    /// A token for a program that has just proven its key, for that scope.
    pub async fn issue_for_key(
        &self,
        tenant: &Tenant,
        key: &AccessKey,
        scope: Scope,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, Error> {
        let bearer = Bearer { sub: Subject::Key(key.id), role: key.role, scope, partner: None };
        self.sign(tenant, bearer, now).await
    }

    fn lock_proven(&self) -> MutexGuard<'_, LruCache<[u8; 32], Claims>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sign(&self, tenant: &Tenant, bearer: Bearer, now: DateTime<Utc>) -> Result<AccessToken, Error> {
        let key = tenant.active_key(now).await?;
        let issued = now.timestamp();
        let expires_at = now + self.settings.lifetime;
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            tid: tenant.id(),
            sub: bearer.sub,
            role: bearer.role,
            scope: bearer.scope,
            partner: bearer.partner,
            iat: issued,
            nbf: issued,
            exp: expires_at.timestamp(),
            jti: tenant.new_id(now).to_string(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key.key.kid.clone());
        let text = encode(&header, &claims, key.encoding())
            .map_err(|_| Error::Cryptography { attempt: "sign an access token" })?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).unwrap_or(expires_at);
        Ok(AccessToken { text: text.into(), expires_at })
    }

    /// The tenant and claims of a token, when it is signed by that tenant, for this deployment, and in its time.
    pub async fn verify(&self, store: &Store, text: &str, now: DateTime<Utc>) -> Result<Verified, Error> {
        let (kid, named) = read_unverified(text)?;
        let tenant = store.open(named).await.map_err(|error| match error {
            Error::DatabaseMissing { .. } => TokenFault::UnknownTenant.into(),
            other => other,
        })?;
        let key = tenant.verifying_key(&kid, now).await?.ok_or(TokenFault::UnknownKey)?;
        let proof = proof(text, &key.key.public_key);
        let known = self.lock_proven().get(&proof).cloned();
        let claims = if let Some(claims) = known {
            claims
        } else {
            let decoded = decode::<Claims>(text, &key.decoding, &self.validation);
            let claims = decoded.map_err(|error| fault(&error))?.claims;
            if claims.tid != tenant.id() {
                return Err(TokenFault::Claims.into());
            }
            self.lock_proven().put(proof, claims.clone());
            claims
        };
        check_time(&claims, now)?;
        Ok(Verified { tenant, claims })
    }
}

/// Who gets a token, and for what.
struct Bearer {
    sub: Subject,
    role: Role,
    scope: Scope,
    partner: Option<PartnerId>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What stands for a token that one key has signed: nobody finds another text with the same one (SHA-256).
fn proof(text: &str, public_key: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(public_key).chain_update(text).finalize().into()
}

/// The key and the tenant that a token claims; nothing of it is proven yet.
fn read_unverified(text: &str) -> Result<(String, TenantId), TokenFault> {
    /// The one claim that chooses the database.
    #[derive(Deserialize)]
    struct Addressed {
        tid: TenantId,
    }

    if text.len() > BYTES_MAX {
        return Err(TokenFault::Malformed);
    }
    let header = decode_header(text).map_err(|_| TokenFault::Malformed)?;
    if header.alg != Algorithm::EdDSA {
        return Err(TokenFault::Algorithm);
    }
    // RFC 7515, 4.1.11: what a critical extension means is not known here, so it must be refused.
    if header.crit.is_some() || !header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE)) {
        return Err(TokenFault::Malformed);
    }
    let kid = header.kid.ok_or(TokenFault::UnknownKey)?;
    let claims: Addressed = insecure_decode_claims(text).map_err(|_| TokenFault::Malformed)?;
    Ok((kid, claims.tid))
}

fn fault(error: &jsonwebtoken::errors::Error) -> TokenFault {
    match error.kind() {
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::InvalidAlgorithm => TokenFault::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => {
            TokenFault::Claims
        }
        ErrorKind::InvalidSignature => TokenFault::Signature,
        _ => TokenFault::Malformed,
    }
}

fn check_time(claims: &Claims, now: DateTime<Utc>) -> Result<(), TokenFault> {
    let now = now.timestamp();
    let (skew, lifetime_max) = (seconds(CLOCK_SKEW), seconds(TOKEN_LIFETIME_MAX));
    if now >= claims.exp {
        return Err(TokenFault::Expired);
    }
    if now < claims.nbf.saturating_sub(skew) || now < claims.iat.saturating_sub(skew) {
        return Err(TokenFault::NotYetValid);
    }
    if claims.exp.saturating_sub(claims.iat) > lifetime_max {
        return Err(TokenFault::Lifetime);
    }
    Ok(())
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
