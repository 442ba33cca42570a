//! Signing in with e-mail and password.
//!
//! An attempt is counted *before* the password is looked at, in one transaction with the check of the count, so that
//! a thousand guesses at once are not a way around the limit. The right password forgets the count.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use libsql::params;
use secrecy::SecretString;

use crate::credential::sha256;
use crate::database::{Transaction, select};
use crate::email::normalise;
use crate::error::Fault;
use crate::user::{USER_COLUMNS, read_user};
use crate::{Error, Store, Tenant, User};

/// After that many failed sign-ins of one address within [`SIGN_IN_WINDOW`], further ones are not looked at.
pub const SIGN_IN_ATTEMPTS_MAX: u32 = 10;
/// After that many failed sign-ins from one network address within [`SIGN_IN_WINDOW`], whatever the accounts; more than for
/// one account, because an office shares an address.
pub const SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX: u32 = 50;
/// How long a failed sign-in counts.
pub const SIGN_IN_WINDOW: Duration = Duration::from_mins(15);

impl Tenant {
    /// The user of that address and password. An unknown address, a user without password and a wrong password are
    /// the same [`Error::InvalidCredentials`] after the same time.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        self.sign_in_from(email, password, None, now).await
    }

    /// The same, counted also against the network address that it comes from.
    pub async fn sign_in_from(
        &self,
        email: &str,
        password: &SecretString,
        address: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let address = address.map(|address| sha256(address).to_vec());
        // A place first: an attempt that is turned away for want of one must not count against the address.
        let place = self.passwords().queue()?;
        let email = normalise(email);
        let counted = email.clone();
        self.write("count a sign-in", async move |transaction| {
            count_attempt(transaction, &counted, address, now).await
        })
        .await?;
        let sql = "SELECT password_hash FROM user WHERE email = ?1";
        let stored = self
            .read_first("read a password's hash", sql, [email.as_str()], |row| {
                Ok(row.get::<Option<String>>(0)?)
            })
            .await?;
        if !self.passwords().verify(place, password.clone(), stored.flatten()).await? {
            return Err(Error::InvalidCredentials);
        }
        self.write("record a sign-in", async move |transaction| record(transaction, &email, now).await).await
    }
}

impl Store {
    /// The refusal of a sign-in to a tenant that does not exist, after the time that a wrong password takes.
    pub async fn refuse_sign_in(&self, password: &SecretString) -> Error {
        let passwords = self.passwords();
        let spent = async { passwords.verify(passwords.queue()?, password.clone(), None).await };
        spent.await.err().unwrap_or(Error::InvalidCredentials)
    }
}

/// Forgets the failed sign-ins of an address.
pub(crate) async fn forget_attempts(transaction: &Transaction, email: &str) -> Result<(), Fault> {
    let sql = "DELETE FROM sign_in_attempt WHERE email_hash = ?1";
    transaction.execute(sql, params![sha256(email).to_vec()]).await?;
    Ok(())
}

async fn count_attempt(
    transaction: &Transaction,
    email: &str,
    address_hash: Option<Vec<u8>>,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let email_hash = sha256(email).to_vec();
    let window = TimeDelta::from_std(SIGN_IN_WINDOW).unwrap_or(TimeDelta::MAX);
    let start = (now - window).timestamp_millis();
    // Those that count no more are removed here, for every address: the table stays as small as the last quarter of an hour.
    transaction.execute("DELETE FROM sign_in_attempt WHERE attempted_at <= ?1", [start]).await?;
    let by_email =
        "SELECT attempted_at FROM sign_in_attempt WHERE email_hash = ?1 ORDER BY attempted_at DESC LIMIT ?2";
    check_count(transaction, by_email, email_hash.clone(), SIGN_IN_ATTEMPTS_MAX, start).await?;
    if let Some(address_hash) = address_hash.clone() {
        let by_address = "SELECT attempted_at FROM sign_in_attempt WHERE address_hash = ?1 ORDER BY attempted_at DESC LIMIT ?2";
        check_count(transaction, by_address, address_hash, SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX, start).await?;
    }
    let sql = "INSERT INTO sign_in_attempt (email_hash, attempted_at, address_hash) VALUES (?1, ?2, ?3)";
    transaction.execute(sql, params![email_hash, now.timestamp_millis(), address_hash]).await?;
    Ok(())
}

/// Refuses when there are that many already; says when the oldest of them stops counting.
async fn check_count(
    transaction: &Transaction,
    sql: &str,
    hash: Vec<u8>,
    most: u32,
    start: i64,
) -> Result<(), Fault> {
    let latest = select(transaction, sql, params![hash, most], |row| Ok(row.get::<i64>(0)?)).await?;
    match latest.last() {
        Some(oldest) if latest.len() >= most as usize => {
            let wait_ms = u64::try_from(oldest - start).unwrap_or(0);
            Err(Error::TooManyAttempts { retry_after: Duration::from_millis(wait_ms) }.into())
        }
        _ => Ok(()),
    }
}

async fn record(transaction: &Transaction, email: &str, now: DateTime<Utc>) -> Result<User, Fault> {
    forget_attempts(transaction, email).await?;
    let sql = format!(
        "UPDATE user SET last_sign_in_at = CASE WHEN disabled_at IS NULL THEN ?2 ELSE last_sign_in_at END \
         WHERE email = ?1 RETURNING {USER_COLUMNS}"
    );
    // Removed between the check and now: then there is nobody to sign in.
    let user = select(transaction, &sql, params![email, now.timestamp_millis()], read_user).await?;
    let user = user.into_iter().next().ok_or(Error::InvalidCredentials)?;
    if user.disabled_at.is_some() {
        return Err(Error::UserDisabled { user: user.id }.into());
    }
    Ok(user)
}
