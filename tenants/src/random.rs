//! Randomness of the operating system, for secrets only: ids come from the store's generator.

use aws_lc_rs::rand;

use crate::Error;

/// `N` bytes that nobody can guess.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Error::Cryptography { attempt: "draw random bytes" })?;
    Ok(bytes)
}
