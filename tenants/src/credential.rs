//! Secrets that Baton hands out: their text, their hash, their proof.
//!
//! `baton_<kind>_<tenant>_<id>_<secret>`: kind is what it is for (`key`, `source`, `session` …); tenant and id are the suffixes of their
//! `TypeID`s, so that the right database is opened and the row found by a public id; secret is 32 random bytes in
//! base64url. The fixed start lets scanners of repositories and logs recognise a leaked one. SHA-256 suffices for
//! 256 random bits: there is nothing to guess, so a slow hash would only slow us.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::TenantId;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{Error, random};

/// The longest text that is looked at.
const BYTES_MAX: usize = 200;

/// What a credential is for; part of its text, so that one kind is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    Key,
    Source,
    Session,
    Client,
    Refresh,
    Invitation,
}

const KINDS: [CredentialKind; 6] = [
    CredentialKind::Key,
    CredentialKind::Source,
    CredentialKind::Session,
    CredentialKind::Client,
    CredentialKind::Refresh,
    CredentialKind::Invitation,
];

impl CredentialKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Source => "source",
            Self::Session => "session",
            Self::Client => "client",
            Self::Refresh => "refresh",
            Self::Invitation => "invite",
        }
    }
}

/// A credential in the clear: only between its text and its hash.
pub(crate) struct Credential {
    pub(crate) kind: CredentialKind,
    pub(crate) tenant: TenantId,
    /// The id of its row.
    pub(crate) id: Uuid,
    secret: SecretBox<[u8; 32]>,
}

impl Credential {
    /// A new one with a random secret.
    pub(crate) fn generate(kind: CredentialKind, tenant: TenantId, id: Uuid) -> Result<Self, Error> {
        Ok(Self { kind, tenant, id, secret: SecretBox::new(Box::new(random::bytes()?)) })
    }

    /// Reads exactly what [`Credential::text`] writes; nothing of a refused text is kept.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let mut parts = text.splitn(5, '_');
        if parts.next()? != "baton" {
            return None;
        }
        let kind = parts.next()?;
        let kind = KINDS.into_iter().find(|known| known.as_str() == kind)?;
        let tenant = TenantId(parse_suffix(parts.next()?)?);
        let id = parse_suffix(parts.next()?)?;
        let mut secret = SecretBox::new(Box::new([0; 32]));
        let bytes = secrecy::ExposeSecretMut::expose_secret_mut(&mut secret);
        let length = URL_SAFE_NO_PAD.decode_slice(parts.next()?, bytes).ok()?;
        (length == 32).then_some(Self { kind, tenant, id, secret })
    }

    /// The text that its owner keeps.
    pub(crate) fn text(&self) -> SecretString {
        let secret = URL_SAFE_NO_PAD.encode(self.secret.expose_secret());
        let (tenant, id) = (suffix(self.tenant.uuid()), suffix(self.id));
        format!("baton_{}_{tenant}_{id}_{secret}", self.kind.as_str()).into()
    }

    /// What is stored: SHA-256 of the secret.
    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(self.secret.expose_secret())
    }

    /// Whether this is the credential of a stored hash; takes the same time for every wrong one.
    pub(crate) fn matches(&self, stored: &[u8; 32]) -> bool {
        self.hash().ct_eq(stored).into()
    }

    /// A second secret that follows from this one for that purpose and tells nothing about it.
    pub(crate) fn derive(&self, purpose: &str) -> SecretString {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose_secret());
        URL_SAFE_NO_PAD.encode(hmac::sign(&key, purpose.as_bytes())).into()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("kind", &self.kind)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The 26 characters after a `TypeID`'s prefix; any prefix serves.
fn suffix(id: Uuid) -> String {
    TenantId(id).to_string().split_off(TenantId::PREFIX.len() + 1)
}

/// Reads what [`suffix`] writes; the `TypeID` specification gives an id no second text.
fn parse_suffix(text: &str) -> Option<Uuid> {
    Some(TenantId::from_str(&format!("{}_{text}", TenantId::PREFIX)).ok()?.uuid())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn credential(kind: CredentialKind, tenant: u128, id: u128, secret: [u8; 32]) -> Credential {
        Credential {
            kind,
            tenant: TenantId(Uuid::from_u128(tenant)),
            id: Uuid::from_u128(id),
            secret: SecretBox::new(Box::new(secret)),
        }
    }

    fn kinds() -> impl Strategy<Value = CredentialKind> {
        prop::sample::select(&KINDS)
    }

    proptest! {
        #[test]
        fn text_reads_back(kind in kinds(), tenant: u128, id: u128, secret: [u8; 32]) {
            let made = credential(kind, tenant, id, secret);
            let read = Credential::parse(made.text().expose_secret()).unwrap();
            prop_assert_eq!(read.kind, made.kind);
            prop_assert_eq!(read.tenant, made.tenant);
            prop_assert_eq!(read.id, made.id);
            prop_assert!(read.matches(&made.hash()));
            let (one, other) = (read.derive("csrf"), made.derive("csrf"));
            prop_assert_eq!(one.expose_secret(), other.expose_secret());
        }

        #[test]
        fn an_altered_text_is_refused_or_is_another(
            tenant: u128, id: u128, secret: [u8; 32], place: prop::sample::Index, byte in 0x20_u8..0x7f,
        ) {
            let made = credential(CredentialKind::Session, tenant, id, secret);
            let mut text = made.text().expose_secret().as_bytes().to_vec();
            let place = place.index(text.len());
            prop_assume!(text[place] != byte);
            text[place] = byte;
            if let Some(read) = Credential::parse(std::str::from_utf8(&text).unwrap()) {
                let same_row = read.kind == made.kind && read.tenant == made.tenant && read.id == made.id;
                prop_assert!(!(same_row && read.matches(&made.hash())));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert!(Credential::parse(&text).is_none());
        }
    }

    #[test]
    fn debug_text_hides_the_secret() {
        let made = credential(CredentialKind::Key, 1, 2, [7; 32]);
        let shown = format!("{made:?}");
        assert!(!shown.contains("BwcH") && !shown.contains("7, 7"));
    }
}
