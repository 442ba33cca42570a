//! Zendesk: a JSON Web Token, RS256, of an app with signed URLs. The app's public key is the secret here.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use super::{FrameFault, Proven, address};

/// How far Zendesk's clock may be from ours, seconds.
const CLOCK_SKEW: i64 = 60;

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    nbf: Option<i64>,
    email: Option<String>,
}

pub(super) fn check(token: &str, public_key: &str, now: DateTime<Utc>) -> Result<Proven, FrameFault> {
    let key = DecodingKey::from_rsa_pem(public_key.as_bytes()).map_err(|_| FrameFault::Signature)?;
    let mut validation = Validation::new(Algorithm::RS256);
    // By our own clock, and against the tenant's own audience.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = decode::<Claims>(token, &key, &validation).map_err(|_| FrameFault::Signature)?.claims;
    let at = now.timestamp();
    if at >= claims.exp || claims.nbf.is_some_and(|begin| at + CLOCK_SKEW < begin) {
        return Err(FrameFault::Time);
    }
    let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or(FrameFault::Malformed)?;
    let email = address(claims.email.as_deref())?;
    Ok(Proven { email, account: Some(claims.aud), expires_at: Some(expires_at) })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::super::{Signed, tests::noon};
    use super::*;

    const AUDIENCE: &str = "https://acme.zendesk.com/api/v2/apps/installations/7.json";

    /// Private and public key, as PEM.
    fn keys() -> (String, String) {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
        (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    fn token(private: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims =
            json!({ "aud": AUDIENCE, "exp": noon().timestamp() + 60, "email": "ada@example.com" });
        change(&mut claims);
        let key = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
        encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    #[test]
    fn a_token_of_this_installation_names_its_person() {
        let (private, public) = keys();
        let token = |change: fn(&mut Value)| token(&private, change);
        let check = |token: &str| Signed::Zendesk(token).check(&public, Some(AUDIENCE), noon());
        assert_eq!(check(&token(|_| {})).unwrap().email.as_str(), "ada@example.com");
        let other = token(|claims| claims["aud"] = json!("https://eve.zendesk.com"));
        assert_eq!(check(&other).unwrap_err(), FrameFault::Account);
        let old = token(|claims| claims["exp"] = json!(noon().timestamp()));
        assert_eq!(check(&old).unwrap_err(), FrameFault::Time);
        let nameless = token(|claims| claims["email"] = Value::Null);
        assert_eq!(check(&nameless).unwrap_err(), FrameFault::NoEmail);
        // The public key as the key of an HMAC.
        let forged = json!({ "aud": AUDIENCE, "exp": noon().timestamp() + 60, "email": "ada@example.com" });
        let key = EncodingKey::from_secret(public.as_bytes());
        let forged = encode(&Header::new(Algorithm::HS256), &forged, &key).unwrap();
        assert_eq!(check(&forged).unwrap_err(), FrameFault::Signature);
    }
}
