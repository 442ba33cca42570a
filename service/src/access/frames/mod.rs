//! Frames that a CRM signs: its word, checked, on who looks at them. Pure: no clock, no database.
//!
//! | CRM | what it sends | checked |
//! | --- | --- | --- |
//! | `HubSpot` | the request's signature, version 3 | HMAC-SHA256 over method, address, body and time; five minutes |
//! | `HighLevel` | an encrypted user context | decrypts with the app's shared secret; it has no time of its own |
//! | Salesforce | Canvas' signed request | HMAC-SHA256 over the context; five minutes |
//! | Zendesk | a JSON Web Token | RS256 with the app's public key, audience, expiry |
//!
//! Each may be bound to the CRM's own account (`audience`): a secret that several accounts share proves a person of any of
//! them. Whoever uses a proof must also spend it, so that nobody shows it twice.

use chrono::{DateTime, TimeDelta, Utc};
use tenants::{Email, FrameProofKind};

mod highlevel;
mod hubspot;
mod salesforce;
mod zendesk;

pub use hubspot::SignedRequest;

/// How old a signed frame may be, and how far the CRM's clock may be ahead.
const AGE_MAX: TimeDelta = TimeDelta::minutes(5);
/// The longest proof that is looked at, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// What a CRM sent.
#[derive(Debug)]
pub enum Signed<'a> {
    /// The request itself.
    HubSpot(SignedRequest<'a>),
    /// The encrypted context, base64.
    HighLevel(&'a str),
    /// The form field `signed_request`.
    Salesforce(&'a str),
    /// The form field `token`.
    Zendesk(&'a str),
}

/// A person that a CRM vouches for.
#[derive(Debug, PartialEq, Eq)]
pub struct Proven {
    /// The person's address at the CRM.
    pub email: Email,
    /// The CRM's account that it was signed for, where the CRM says so.
    pub account: Option<String>,
    /// From when on the proof would be too old; none when it says no time.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a frame proves nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Not what this CRM sends.
    #[error("the signed frame is malformed")]
    Malformed,
    /// Signed or encrypted with another secret.
    #[error("the signature does not fit the secret")]
    Signature,
    /// Too old, or of the future.
    #[error("the signed frame is too old")]
    Time,
    /// Of another account of the CRM.
    #[error("the signed frame is of another account of the CRM")]
    Account,
    /// It names nobody.
    #[error("the signed frame tells no e-mail address")]
    NoEmail,
}

impl Signed<'_> {
    /// Which CRM's secret it needs.
    pub fn kind(&self) -> FrameProofKind {
        match self {
            Self::HubSpot(_) => FrameProofKind::HubSpot,
            Self::HighLevel(_) => FrameProofKind::HighLevel,
            Self::Salesforce(_) => FrameProofKind::Salesforce,
            Self::Zendesk(_) => FrameProofKind::Zendesk,
        }
    }

    /// What makes this proof the same as another one. Blanks around it make no difference: a check passes over them.
    pub fn identity(&self) -> &[u8] {
        match self {
            Self::HubSpot(request) => request.signature.as_bytes(),
            Self::HighLevel(text) => highlevel::identity(text),
            Self::Salesforce(text) | Self::Zendesk(text) => text.trim().as_bytes(),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::HubSpot(request) => request.signature.len(),
            Self::HighLevel(text) | Self::Salesforce(text) | Self::Zendesk(text) => text.len(),
        }
    }

    /// The person, when the proof holds.
    pub fn check(
        &self,
        secret: &str,
        audience: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Proven, FrameFault> {
        if self.length() > BYTES_MAX {
            return Err(FrameFault::Malformed);
        }
        let proven = match self {
            Self::HubSpot(request) => hubspot::check(request, secret, now)?,
            Self::HighLevel(payload) => highlevel::check(payload, secret)?,
            Self::Salesforce(request) => salesforce::check(request, secret, now)?,
            Self::Zendesk(token) => zendesk::check(token, secret, now)?,
        };
        match audience {
            Some(wanted) if proven.account.as_deref() != Some(wanted) => Err(FrameFault::Account),
            _ => Ok(proven),
        }
    }
}

/// The end of a proof of that moment, when it is neither too old nor of the future.
fn still_valid(signed_at_ms: i64, now: DateTime<Utc>) -> Result<DateTime<Utc>, FrameFault> {
    let signed_at = DateTime::from_timestamp_millis(signed_at_ms).ok_or(FrameFault::Malformed)?;
    if now - signed_at > AGE_MAX || signed_at - now > AGE_MAX {
        return Err(FrameFault::Time);
    }
    Ok(signed_at + AGE_MAX + AGE_MAX)
}

fn address(text: Option<&str>) -> Result<Email, FrameFault> {
    text.and_then(|text| Email::parse(text).ok()).ok_or(FrameFault::NoEmail)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_176_000, 0).unwrap()
    }

    #[test]
    fn a_proof_of_any_length_is_refused_without_work() {
        let long = "A".repeat(BYTES_MAX + 1);
        for signed in [Signed::HighLevel(&long), Signed::Salesforce(&long), Signed::Zendesk(&long)] {
            assert_eq!(signed.check("secret", None, noon()).unwrap_err(), FrameFault::Malformed);
        }
    }
}
