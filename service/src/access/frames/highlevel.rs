//! `HighLevel`: the user's context, encrypted with the app's shared secret as `OpenSSL` does with a password (AES-256-CBC,
//! `Salted__`, key and vector by repeated MD5). The cipher does not authenticate, and there is no time in it: hence the
//! account is compared where it is set, and each payload is taken once, however late it is shown again.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use super::{FrameFault, Proven, address};

const MARK: &[u8] = b"Salted__";
const SALT_BYTES: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserContext {
    email: Option<String>,
    company_id: Option<String>,
    active_location: Option<String>,
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
    // What another secret opens is noise, and noise is no such document.
    let context: UserContext = serde_json::from_slice(plain).map_err(|_| FrameFault::Signature)?;
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
}
