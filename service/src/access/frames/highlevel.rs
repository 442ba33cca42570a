//! `HighLevel`: the user's context, encrypted with the app's shared secret as `OpenSSL` does with a password (AES-256-CBC,
//! `Salted__`, key and vector by repeated MD5). The cipher does not authenticate, and there is no time in it: hence the
//! account is compared where it is set, noise anywhere in the document is refused, and each payload is taken once, however
//! late and however changed it is shown again.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::{FrameFault, Proven, address};

const MARK: &[u8] = b"Salted__";
const SALT_BYTES: usize = 8;
/// Of the base64, the characters of mark and salt, without the one that holds the salt's last two bits.
const SALT_CHARACTERS: usize = 21;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserContext {
    email: Option<String>,
    company_id: Option<String>,
    active_location: Option<String>,
}

/// The salt, which is drawn anew for each payload: what follows it can be changed here and there and may still open, the salt
/// cannot, as the key is made of it.
pub(super) fn identity(payload: &str) -> &[u8] {
    let text = payload.trim().as_bytes();
    text.get(..SALT_CHARACTERS).unwrap_or(text)
}

pub(super) fn check(payload: &str, secret: &str) -> Result<Proven, FrameFault> {
    let sealed = STANDARD.decode(payload.trim()).map_err(|_| FrameFault::Malformed)?;
    let salted = sealed.strip_prefix(MARK).ok_or(FrameFault::Malformed)?;
    let (salt, text) = salted.split_at_checked(SALT_BYTES).ok_or(FrameFault::Malformed)?;
    let (key, vector) = key_and_vector(secret.as_bytes(), salt);
    let key = UnboundCipherKey::new(&AES_256, &key).map_err(|_| FrameFault::Malformed)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| FrameFault::Malformed)?;
    let mut text = text.to_vec();
    let plain = key
        .decrypt(&mut text, DecryptionContext::Iv128(FixedLength::from(vector)))
        .map_err(|_| FrameFault::Signature)?;
    // What another secret opens is noise, and noise is no such document. Of a payload that somebody has changed a block is
    // noise; in a text that nobody reads the parser would pass over it.
    let plain = std::str::from_utf8(plain).map_err(|_| FrameFault::Signature)?;
    let context: UserContext = serde_json::from_str(plain).map_err(|_| FrameFault::Signature)?;
    Ok(Proven {
        email: address(context.email.as_deref())?,
        account: context.active_location.or(context.company_id),
        expires_at: None,
    })
}

fn key_and_vector(secret: &[u8], salt: &[u8]) -> ([u8; 32], [u8; 16]) {
    let mut material = Vec::with_capacity(48);
    let mut last: Vec<u8> = Vec::new();
    while material.len() < 48 {
        last = Md5::new().chain_update(&last).chain_update(secret).chain_update(salt).finalize().to_vec();
        material.extend_from_slice(&last);
    }
    let (mut key, mut vector) = ([0; 32], [0; 16]);
    key.copy_from_slice(&material[..32]);
    vector.copy_from_slice(&material[32..48]);
    (key, vector)
}

#[cfg(test)]
mod tests {
    use super::super::{Signed, tests::noon};
    use super::*;

    /// Made by `openssl enc -aes-256-cbc -md md5 -a -A -S 0102030405060708 -pass pass:shared-secret` (OpenSSL 3 writes no
    /// mark and salt with `-S`, so they stand before it here).
    const PAYLOAD: &str = "U2FsdGVkX18BAgMEBQYHCPhR7srgwCA3RZ2YHsYBLyH+vHU96HfooTLws1T2UqGNGnqVMfOM89nIRlp+jEVwJCzIYEHMpcjjVbJ9UBXx7IStrUfegY7y0CTR4mH6YS8rwEFfJ4MIk84PKza4WmmTDZX+/ikUlV6GlYrRQ48xKKW38w1JyJEegh3t0N8UU2wYznhGxxDLAs3cPUnSd+2ONg==";

    #[test]
    fn what_openssl_encrypted_names_its_person() {
        let check = |secret, audience| Signed::HighLevel(PAYLOAD).check(secret, audience, noon());
        let proven = check("shared-secret", Some("loc-1")).unwrap();
        assert_eq!(proven.email.as_str(), "ada@example.com");
        assert_eq!(check("shared-secret", Some("loc-2")).unwrap_err(), FrameFault::Account);
        assert_eq!(check("another-secret", None).unwrap_err(), FrameFault::Signature);
        let cut = &PAYLOAD[..PAYLOAD.len() - 24];
        assert!(Signed::HighLevel(cut).check("shared-secret", None, noon()).is_err());
        assert_eq!(
            Signed::HighLevel("U2FsdGVk").check("x", None, noon()).unwrap_err(),
            FrameFault::Malformed
        );
    }

    /// Made as the one above, with a name that is longer than two blocks of the cipher.
    const LONG_NAME: &str = "U2FsdGVkX18BAgMEBQYHCBQ1dftV2X067ZqxeThp2BuNMnsKvfq7aureDsp2o2tmJ80AgGflQGoHxauAxwVLHbbt1/HV5SwMh3qONET3wQHEnrCHQVcCOcru/bo0QPR+9T2WVDTBjiI+yXlW+n/v40zKYTocEu9FuqMhWayzysSXPDFurzRybu2wFssXVVEKorbxQqRXqr95FgxmiKQ/lw==";

    /// Whoever has stolen a context must not get another one out of it.
    #[test]
    fn a_changed_context_proves_nobody_and_is_no_other_one() {
        let check = |payload: &str| Signed::HighLevel(payload).check("shared-secret", None, noon());
        assert_eq!(check(LONG_NAME).unwrap().email.as_str(), "ada@example.com");
        let sealed = STANDARD.decode(LONG_NAME).unwrap();
        // In the midst of the name: one block becomes noise, in the next one some bits change.
        for place in 48_usize..64 {
            for change in 1..=255_u8 {
                let mut changed = sealed.clone();
                changed[place] ^= change;
                let changed = STANDARD.encode(changed);
                assert_eq!(check(&changed).unwrap_err(), FrameFault::Signature, "{place} {change}");
                assert_eq!(identity(&changed), identity(LONG_NAME));
            }
        }
        let of_another_salt = LONG_NAME.replacen('M', "N", 1);
        assert_ne!(identity(&of_another_salt), identity(LONG_NAME));
    }
}
