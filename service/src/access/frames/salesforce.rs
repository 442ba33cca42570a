//! Salesforce Canvas: base64 of an HMAC-SHA256, a dot, base64 of the context that it signs.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{FrameFault, Proven, address, still_valid};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    algorithm: String,
    /// Milliseconds since 1970 UTC.
    issued_at: i64,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    user: Option<User>,
    organization: Option<Organization>,
}

#[derive(Deserialize)]
struct User {
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Organization {
    organization_id: Option<String>,
}

pub(super) fn check(request: &str, secret: &str, now: DateTime<Utc>) -> Result<Proven, FrameFault> {
    let (signature, context) = request.split_once('.').ok_or(FrameFault::Malformed)?;
    let signature = STANDARD.decode(signature).map_err(|_| FrameFault::Malformed)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, context.as_bytes(), &signature).map_err(|_| FrameFault::Signature)?;
    let context = STANDARD.decode(context).map_err(|_| FrameFault::Malformed)?;
    let envelope: Envelope = serde_json::from_slice(&context).map_err(|_| FrameFault::Malformed)?;
    if !envelope.algorithm.eq_ignore_ascii_case("HMACSHA256") {
        return Err(FrameFault::Malformed);
    }
    let expires_at = still_valid(envelope.issued_at, now)?;
    let email = envelope.context.user.and_then(|user| user.email);
    let account = envelope.context.organization.and_then(|organization| organization.organization_id);
    Ok(Proven { email: address(email.as_deref())?, account, expires_at: Some(expires_at) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Signed, tests::noon};
    use super::*;

    fn request(secret: &str, issued_at: i64) -> String {
        let context = json!({
            "algorithm": "HMACSHA256", "issuedAt": issued_at, "userId": "005",
            "context": { "user": { "email": "ada@example.com" }, "organization": { "organizationId": "00D1" } },
        });
        let context = STANDARD.encode(context.to_string());
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        format!("{}.{context}", STANDARD.encode(hmac::sign(&key, context.as_bytes())))
    }

    #[test]
    fn a_signed_context_names_its_person() {
        let now = noon().timestamp_millis();
        let check = |text: &str, audience| Signed::Salesforce(text).check("secret", audience, noon());
        let signed = request("secret", now);
        assert_eq!(check(&signed, Some("00D1")).unwrap().email.as_str(), "ada@example.com");
        assert_eq!(check(&signed, Some("00D2")).unwrap_err(), FrameFault::Account);
        assert_eq!(check(&request("other", now), None).unwrap_err(), FrameFault::Signature);
        assert_eq!(check(&request("secret", now - 301_000), None).unwrap_err(), FrameFault::Time);
        let (signature, _) = signed.split_once('.').unwrap();
        let forged = format!("{signature}.{}", STANDARD.encode("{}"));
        assert_eq!(check(&forged, None).unwrap_err(), FrameFault::Signature);
        assert_eq!(check("nothing", None).unwrap_err(), FrameFault::Malformed);
    }
}
