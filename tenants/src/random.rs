//! Randomness of the operating system, and ids made of it.

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use uuid::{Builder, Uuid};

use crate::Error;

/// `N` bytes that nobody can guess.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::Cryptography { attempt: "draw random bytes" })?;
    Ok(bytes)
}

/// A `UUIDv7` of that moment.
pub(crate) fn id(now: DateTime<Utc>) -> Result<Uuid, Error> {
    let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    Ok(Builder::from_unix_timestamp_millis(milliseconds, &bytes()?).into_uuid())
}
