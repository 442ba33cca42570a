//! Who asks: what proving a token or key costs, a tenant whose database is not open, and ten thousand tenants.
//!
//! Authenticating is measured by itself, in microseconds of one core a request. What that is of a 50-lead page says the
//! measure `graphql`, which has the page's cost of the same run ([`authentication`]).

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::access::Role;
use domain::ids::TenantId;
use secrecy::ExposeSecret;
use service::runtime::{Clock, Ids};
use tenants::{
    KeyKind, NewKey, NewPassword, NewUser, SessionLimits, Store, StoreOptions, TokenSettings, Tokens,
};

use crate::report::{Aim, Line};
use crate::{Outcome, Size, process};

struct Parts {
    _folder: tempfile::TempDir,
    store: Store,
    tokens: Tokens,
    ids: Ids,
    now: DateTime<Utc>,
}

fn parts() -> Outcome<Parts> {
    let folder = tempfile::Builder::new().prefix("baton-bench-").tempdir()?;
    let (clock, ids) = (Clock::system(), Ids::random());
    let (for_store, now) = (ids.clone(), clock.now());
    let store =
        Store::new(StoreOptions::new(folder.path(), move || clock.now(), move |at| for_store.next(at)))?;
    let settings = TokenSettings {
        issuer: "http://127.0.0.1:8080".to_owned(),
        audience: "baton".to_owned(),
        lifetime: Duration::from_mins(15),
    };
    Ok(Parts { _folder: folder, store, tokens: Tokens::new(settings)?, ids, now })
}

impl Parts {
    /// A tenant with somebody in it; a token and a key.
    async fn tenant(&self) -> Outcome<(TenantId, String, String)> {
        let tenant = self.store.create(TenantId(self.ids.next(self.now))).await?;
        let new = NewUser {
            email: "kara@example.com".to_owned(),
            name: "Kara".to_owned(),
            role: Role::Agent,
            partner: None,
            password: NewPassword::Absent,
        };
        let user = tenant.create_user(new, self.now).await?.user;
        let token = self.tokens.issue(&tenant, &user, self.now).await?.text;
        let key = NewKey {
            kind: KeyKind::Api,
            name: "bench".to_owned(),
            role: Role::Service,
            scope: "*".to_owned(),
            created_by: None,
            expires_at: None,
        };
        let key = tenant.create_key(key, self.now).await?.text;
        Ok((tenant.id(), token.expose_secret().to_owned(), key.expose_secret().to_owned()))
    }
}

/// What proving a caller costs, microseconds of one core.
pub struct Authentication {
    /// An access token, as each request with one is proven.
    pub token: f64,
    /// An API key.
    pub key: f64,
    /// A browser's session.
    pub session: f64,
}

/// Proves the same caller many times, as the server does for each request: with the look whether the tenant is suspended.
pub async fn authentication(size: Size) -> Outcome<Authentication> {
    let parts = parts()?;
    let (tenant, token, key) = parts.tenant().await?;
    let tenant = parts.store.open(tenant).await?;
    let user = tenant.user_by_email("kara@example.com").await?.ok_or("nobody is there")?.id;
    let started = tenant.start_session(user, SessionLimits::default(), parts.now).await?;
    let cookie = started.cookie.expose_secret();
    let rounds = size.of(20_000);
    let started = Instant::now();
    for _ in 0..rounds {
        let verified = parts.tokens.verify(&parts.store, &token, parts.now).await?;
        verified.tenant.is_suspended().await?;
    }
    let token_us = started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
    let started = Instant::now();
    for _ in 0..rounds {
        let (tenant, _) = parts.store.authenticate_key(&key, KeyKind::Api, parts.now).await?;
        tenant.is_suspended().await?;
    }
    let key_us = started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
    let started = Instant::now();
    for _ in 0..rounds {
        let (tenant, _) = parts.store.resume_session(cookie, SessionLimits::default(), parts.now).await?;
        tenant.is_suspended().await?;
    }
    let session_us = started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
    Ok(Authentication { token: token_us, key: key_us, session: session_us })
}

/// Proofs, and ten thousand tenants.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    eprintln!("access: proving tokens, keys and sessions");
    let cost = authentication(size).await?;
    let mut lines = vec![
        Line::new("access token, proven", "µs", cost.token),
        Line::new("API key, proven", "µs", cost.key),
        Line::new("session, proven", "µs", cost.session),
    ];

    let parts = parts()?;
    let count = size.of(10_000);
    eprintln!("access: {count} tenants");
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(parts.tenant().await?);
    }
    // A tenth of them are active. They are asked in turn, so that each is the one that was closed the longest ago.
    let mut cold = Vec::new();
    for (_, token, _) in made.iter().step_by(10).cycle().take(size.of(5000) as usize) {
        let started = Instant::now();
        let verified = parts.tokens.verify(&parts.store, token, parts.now).await?;
        verified.tenant.is_suspended().await?;
        cold.push(started.elapsed().as_secs_f64() * 1e3);
    }
    cold.sort_by(f64::total_cmp);
    let p99 = cold[cold.len() * 99 / 100];
    let files = std::fs::read_dir("/proc/self/fd")?.count();
    let note = format!(
        "{count} tenants, {} active, {} open at the end; {files} open files, {:.0} MB at most",
        count.div_ceil(10),
        parts.store.open_databases(),
        process::peak_memory_mb()?
    );
    lines.push(
        Line::new("request to a tenant that may be closed, p99", "ms", p99).aim(Aim::AtMost(20.0)).note(note),
    );
    let files = f64::from(u32::try_from(files)?);
    lines.push(Line::new("open files with that many tenants", "files", files).aim(Aim::AtMost(1000.0)));
    Ok(lines)
}
