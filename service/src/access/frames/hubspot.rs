//! `HubSpot`: base64 of HMAC-SHA256 over method, address, body and timestamp, in headers.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::{FrameFault, Proven, address, still_valid};

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// As in `GET`.
    pub method: &'a str,
    /// The address as a whole, as `HubSpot` has it: `https://…`, with the query.
    pub uri: &'a str,
    /// As sent.
    pub body: &'a [u8],
    /// `X-HubSpot-Request-Timestamp`: milliseconds since 1970 UTC.
    pub timestamp: &'a str,
    /// `X-HubSpot-Signature-v3`.
    pub signature: &'a str,
}

/// What `HubSpot` decodes before it signs; everything else stays encoded.
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

pub(super) fn check(
    request: &SignedRequest<'_>,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<Proven, FrameFault> {
    let expires_at = still_valid(request.timestamp.parse().map_err(|_| FrameFault::Malformed)?, now)?;
    let signature = STANDARD.decode(request.signature).map_err(|_| FrameFault::Malformed)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, &signed_text(request), &signature).map_err(|_| FrameFault::Signature)?;
    let url = url::Url::parse(request.uri).map_err(|_| FrameFault::Malformed)?;
    let parameter =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Ok(Proven {
        email: address(parameter("userEmail").as_deref())?,
        account: parameter("portalId"),
        expires_at: Some(expires_at),
    })
}

fn signed_text(request: &SignedRequest<'_>) -> Vec<u8> {
    let mut uri = request.uri.to_owned();
    for (encoded, plain) in DECODED {
        uri = uri.replace(encoded, plain).replace(&encoded.to_lowercase(), plain);
    }
    [request.method.as_bytes(), uri.as_bytes(), request.body, request.timestamp.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::{Signed, tests::noon};
    use super::*;

    const URI: &str = "https://baton.example.com/r/x?userId=7&userEmail=ada%40example.com&portalId=42";

    fn signature(request: &SignedRequest<'_>, secret: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        STANDARD.encode(hmac::sign(&key, &signed_text(request)))
    }

    #[test]
    fn the_address_is_decoded_before_it_is_signed() {
        let request = SignedRequest { method: "GET", uri: URI, body: b"", timestamp: "7", signature: "" };
        let expected = "GEThttps://baton.example.com/r/x?userId=7&userEmail=ada@example.com&portalId=427";
        assert_eq!(String::from_utf8(signed_text(&request)).unwrap(), expected);
    }

    #[test]
    fn a_signed_request_names_its_person_and_nothing_of_it_may_change() {
        let timestamp = noon().timestamp_millis().to_string();
        let unsigned =
            SignedRequest { method: "GET", uri: URI, body: b"", timestamp: &timestamp, signature: "" };
        let signature = signature(&unsigned, "secret");
        let request = SignedRequest { signature: &signature, ..unsigned };
        let check = |request, secret| Signed::HubSpot(request).check(secret, Some("42"), noon());
        let proven = check(request, "secret").unwrap();
        assert_eq!((proven.email.as_str(), proven.account.as_deref()), ("ada@example.com", Some("42")));
        let other = URI.replace("ada", "eve");
        for changed in [
            SignedRequest { uri: &other, ..request },
            SignedRequest { method: "POST", ..request },
            SignedRequest { body: b"x", ..request },
        ] {
            assert_eq!(check(changed, "secret").unwrap_err(), FrameFault::Signature);
        }
        assert_eq!(check(request, "other").unwrap_err(), FrameFault::Signature);
        let of_another = Signed::HubSpot(request).check("secret", Some("43"), noon());
        assert_eq!(of_another.unwrap_err(), FrameFault::Account);
        for minutes in [-6, 6] {
            let then = noon() + chrono::TimeDelta::minutes(minutes);
            assert_eq!(Signed::HubSpot(request).check("secret", None, then).unwrap_err(), FrameFault::Time);
        }
    }
}
