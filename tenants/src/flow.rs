//! A sign-in on its way through a provider: what ties the answer to the browser that asked.
//!
//! The state names the flow, the cookie proves the browser (login CSRF). Nonce and PKCE verifier follow from both by HMAC,
//! so that the database holds nothing with which a stolen code could be redeemed. A flow is taken once.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::ProviderId;
use libsql::params;
use secrecy::SecretString;

use crate::credential::sha256;
use crate::database::{Row, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::{Error, Tenant, random};

/// The cookie that proves the browser when it comes back.
pub const FLOW_COOKIE_NAME: &str = "__Host-baton_flow";
/// How long a person may take at the provider.
pub const FLOW_LIFETIME: Duration = Duration::from_mins(10);
/// The most flows of one tenant at a time; a further one ends the oldest.
const FLOWS_MAX: u32 = 10_000;

/// A flow that has just begun.
#[derive(Debug)]
pub struct StartedFlow {
    /// The value of the cookie [`FLOW_COOKIE_NAME`].
    pub cookie: SecretString,
    /// The parameter `state`.
    pub state: String,
    /// What the id token must repeat.
    pub nonce: SecretString,
    /// The PKCE verifier (RFC 7636), 43 characters.
    pub verifier: SecretString,
}

/// A flow whose browser has come back.
#[derive(Debug, PartialEq, Eq)]
pub struct Flow<'a> {
    /// The provider that it went to.
    pub provider: ProviderId,
    /// Its endpoints as they were at the start, as given to [`Tenant::start_flow`].
    pub endpoints: String,
    /// Where the browser goes now.
    pub next: String,
    secret: FlowSecret<'a>,
}

impl Flow<'_> {
    /// What the id token must repeat.
    pub fn nonce(&self) -> SecretString {
        self.secret.derive("nonce")
    }

    /// The PKCE verifier.
    pub fn verifier(&self) -> SecretString {
        self.secret.derive("pkce")
    }
}

#[derive(PartialEq, Eq)]
struct FlowSecret<'a> {
    cookie: &'a str,
    state: &'a str,
}

impl FlowSecret<'_> {
    fn derive(&self, purpose: &str) -> SecretString {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.cookie.as_bytes());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("{purpose} {}", self.state).as_bytes())).into()
    }
}

impl fmt::Debug for FlowSecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Tenant {
    /// Begins a flow. `cookie` is the browser's from another tab, if it has one: both tabs can then come back.
    pub async fn start_flow(
        &self,
        provider: ProviderId,
        endpoints: String,
        next: String,
        cookie: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<StartedFlow, Error> {
        let cookie = match cookie {
            Some(kept) if looks_drawn(kept) => kept.to_owned(),
            _ => drawn()?,
        };
        let state = drawn()?;
        let (state_hash, browser_hash) = (sha256(&state).to_vec(), sha256(&cookie).to_vec());
        self.write("begin a sign-in", async move |transaction| {
            let start = oldest(now);
            transaction.execute("DELETE FROM sign_in_flow WHERE created_at <= ?1", [start]).await?;
            let sql = "DELETE FROM sign_in_flow WHERE state_hash IN \
                       (SELECT state_hash FROM sign_in_flow ORDER BY created_at DESC LIMIT -1 OFFSET ?1)";
            transaction.execute(sql, [FLOWS_MAX - 1]).await?;
            let sql = "INSERT INTO sign_in_flow (state_hash, provider_id, browser_hash, endpoints, next, created_at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let values = params![
                state_hash,
                provider.to_string(),
                browser_hash,
                endpoints,
                next,
                now.timestamp_millis()
            ];
            transaction.execute(sql, values).await?;
            Ok(())
        })
        .await?;
        let secret = FlowSecret { cookie: &cookie, state: &state };
        let (nonce, verifier) = (secret.derive("nonce"), secret.derive("pkce"));
        Ok(StartedFlow { nonce, verifier, cookie: cookie.into(), state })
    }

    /// Takes the flow of a state, once, for the browser that began it with that provider. [`Error::InvalidFlow`] says
    /// nothing about why.
    pub async fn finish_flow<'a>(
        &self,
        provider: ProviderId,
        state: &'a str,
        cookie: &'a str,
        now: DateTime<Utc>,
    ) -> Result<Flow<'a>, Error> {
        let (state_hash, browser_hash) = (sha256(state).to_vec(), sha256(cookie).to_vec());
        let start = oldest(now);
        let taken = self
            .write("take up a sign-in", async move |transaction| {
                // Another browser's attempt must not end a flow, so the cookie is part of the condition.
                let sql = "DELETE FROM sign_in_flow WHERE state_hash = ?1 AND browser_hash = ?2 AND provider_id = ?3 \
                           AND created_at > ?4 RETURNING provider_id, endpoints, next";
                let values = params![state_hash, browser_hash, provider.to_string(), start];
                Ok(select(transaction, sql, values, read_flow).await?.pop())
            })
            .await?;
        let (provider, endpoints, next) = taken.ok_or(Error::InvalidFlow)?;
        Ok(Flow { provider, endpoints, next, secret: FlowSecret { cookie, state } })
    }
}

fn read_flow(row: &Row) -> Result<(ProviderId, String, String), Fault> {
    let columns = Columns::of("sign_in_flow", row);
    Ok((
        columns.parsed(0, "provider_id")?,
        columns.text(1, "endpoints")?.to_owned(),
        columns.text(2, "next")?.to_owned(),
    ))
}

fn oldest(now: DateTime<Utc>) -> i64 {
    (now - TimeDelta::from_std(FLOW_LIFETIME).unwrap_or(TimeDelta::MAX)).timestamp_millis()
}

/// 32 random bytes in 43 characters.
fn drawn() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(random::bytes::<32>()?))
}

fn looks_drawn(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}
