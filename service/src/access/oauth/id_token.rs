//! Id tokens: a provider's signed word on who somebody is (`OpenID` Connect Core 1.0, section 3.1.3.7).

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use tenants::{Email, Person};

/// The longest token that is looked at.
const BYTES_MAX: usize = 32 * 1024;
/// The most keys of a set that are tried.
const KEYS_MAX: usize = 50;
/// How far a provider's clock may be from ours, seconds.
const CLOCK_SKEW: i64 = 60;
/// Signatures that only the provider can make: no `none`, and no HMAC, whose key is the client's secret.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What an id token must say.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a SecretString,
    pub now: DateTime<Utc>,
}

/// Why an id token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    /// Not a signed token.
    #[error("malformed")]
    Malformed,
    /// An algorithm that others could have used.
    #[error("algorithm not allowed")]
    Algorithm,
    /// Signed by none of the provider's keys.
    #[error("no key of the provider fits")]
    Signature,
    /// Of another provider.
    #[error("wrong issuer")]
    Issuer,
    /// For another client.
    #[error("wrong audience")]
    Audience,
    /// Of another sign-in.
    #[error("wrong nonce")]
    Nonce,
    /// Too old, or of the future.
    #[error("not valid at this time")]
    Time,
}

/// A provider's keys, those that can be read.
#[derive(Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Value>,
}

/// The claims of a person, in an id token or from the user-info endpoint.
#[derive(Deserialize)]
pub(super) struct PersonClaims {
    #[serde(default)]
    sub: Option<String>,
    /// What plain OAuth 2.0 providers call the subject: a number or a text.
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<Value>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    #[serde(flatten)]
    person: PersonClaims,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl PersonClaims {
    /// The person; none without a subject.
    pub(super) fn person(self, email_trusted: bool) -> Option<Person> {
        let id = match self.id {
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let subject = self.sub.or(id).filter(|text| (1..=255).contains(&text.len()))?;
        let said = match self.email_verified {
            Some(Value::Bool(said)) => Some(said),
            // Some providers write it as text.
            Some(Value::String(text)) => Some(text == "true"),
            _ => None,
        };
        Some(Person {
            subject,
            email: self.email.as_deref().and_then(|text| Email::parse(text).ok()),
            email_verified: said.unwrap_or(email_trusted),
            name: self.name,
        })
    }

    pub(super) fn has_email(&self) -> bool {
        self.email.is_some()
    }

    pub(super) fn subject(&self) -> Option<&str> {
        self.sub.as_deref()
    }
}

/// The claims of a token, when one of the keys has signed it and it is for this client and this sign-in.
pub(super) fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> Result<PersonClaims, IdTokenFault> {
    let claims = signed_claims(token, keys)?;
    if claims.iss != expected.issuer {
        return Err(IdTokenFault::Issuer);
    }
    check_audience(&claims, expected.client_id)?;
    let now = expected.now.timestamp();
    let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
    if now >= claims.exp.saturating_add(CLOCK_SKEW) || now.saturating_add(CLOCK_SKEW) < begins {
        return Err(IdTokenFault::Time);
    }
    let nonce = claims.nonce.unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.expose_secret().as_bytes())) {
        return Err(IdTokenFault::Nonce);
    }
    Ok(claims.person)
}

fn signed_claims(token: &str, keys: &KeySet) -> Result<Claims, IdTokenFault> {
    if token.len() > BYTES_MAX {
        return Err(IdTokenFault::Malformed);
    }
    let header = decode_header(token).map_err(|_| IdTokenFault::Malformed)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(IdTokenFault::Algorithm);
    }
    if header.crit.is_some() {
        return Err(IdTokenFault::Malformed);
    }
    let mut validation = Validation::new(header.alg);
    // Checked by our own clock and against what this sign-in expects.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    for key in keys.keys.iter().take(KEYS_MAX) {
        let Ok(key) = serde_json::from_value::<Jwk>(key.clone()) else { continue };
        let named = match (&header.kid, &key.common.key_id) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        if !named {
            continue;
        }
        let Ok(key) = DecodingKey::from_jwk(&key) else { continue };
        if let Ok(found) = decode::<Claims>(token, &key, &validation) {
            return Ok(found.claims);
        }
    }
    Err(IdTokenFault::Signature)
}

fn check_audience(claims: &Claims, client_id: &str) -> Result<(), IdTokenFault> {
    let (for_us, several) = match &claims.aud {
        Audience::One(one) => (one == client_id, false),
        Audience::Many(all) => (all.iter().any(|one| one == client_id), all.len() > 1),
    };
    // With several audiences the token must say for which of them it was made.
    let party_fits = match &claims.azp {
        Some(party) => party == client_id,
        None => !several,
    };
    if for_us && party_fits { Ok(()) } else { Err(IdTokenFault::Audience) }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://id.example.com";
    const CLIENT: &str = "baton";
    const NOW: i64 = 1_795_176_000;

    struct Issuer {
        signs: EncodingKey,
        keys: KeySet,
    }

    fn issuer() -> Issuer {
        let document = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": x });
        let unknown = json!({ "kty": "of the future", "kid": "k0" });
        Issuer {
            signs: EncodingKey::from_ed_der(document.as_ref()),
            keys: KeySet { keys: vec![unknown, key] },
        }
    }

    fn claims(change: impl FnOnce(&mut Value)) -> Value {
        let mut claims = json!({
            "iss": ISSUER, "aud": CLIENT, "sub": "s-1", "nonce": "n", "iat": NOW - 5, "exp": NOW + 300,
            "email": "Ada@Example.com", "email_verified": true, "name": "Ada",
        });
        change(&mut claims);
        claims
    }

    fn check(issuer: &Issuer, token: &str) -> Result<PersonClaims, IdTokenFault> {
        let nonce = SecretString::from("n");
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        verify(token, &issuer.keys, &Expected { issuer: ISSUER, client_id: CLIENT, nonce: &nonce, now })
    }

    fn header(alg: Algorithm) -> Header {
        Header { kid: Some("k1".to_owned()), ..Header::new(alg) }
    }

    #[test]
    fn a_token_of_this_sign_in_names_its_person() {
        let issuer = issuer();
        let token = encode(&header(Algorithm::EdDSA), &claims(|_| {}), &issuer.signs).unwrap();
        let person = check(&issuer, &token).ok().and_then(|claims| claims.person(false)).unwrap();
        assert_eq!((person.subject.as_str(), person.email_verified), ("s-1", true));
        assert_eq!(person.email.unwrap().as_str(), "ada@example.com");
    }

    #[test]
    fn whatever_does_not_fit_is_refused_by_its_reason() {
        let issuer = issuer();
        let cases: [(&str, Value, IdTokenFault); 9] = [
            ("issuer", json!("https://id.example.com/"), IdTokenFault::Issuer),
            ("aud", json!("other"), IdTokenFault::Audience),
            ("aud", json!([CLIENT, "other"]), IdTokenFault::Audience),
            ("azp", json!("other"), IdTokenFault::Audience),
            ("exp", json!(NOW - 61), IdTokenFault::Time),
            ("iat", json!(NOW + 61), IdTokenFault::Time),
            ("nbf", json!(NOW + 61), IdTokenFault::Time),
            ("nonce", json!("other"), IdTokenFault::Nonce),
            ("nonce", Value::Null, IdTokenFault::Nonce),
        ];
        for (claim, value, fault) in cases {
            let name = if claim == "issuer" { "iss" } else { claim };
            let changed = claims(|claims| claims[name] = value.clone());
            let token = encode(&header(Algorithm::EdDSA), &changed, &issuer.signs).unwrap();
            assert_eq!(check(&issuer, &token).err(), Some(fault), "{claim} = {value}");
        }
        let several = claims(|claims| {
            claims["aud"] = json!([CLIENT, "other"]);
            claims["azp"] = json!(CLIENT);
        });
        let token = encode(&header(Algorithm::EdDSA), &several, &issuer.signs).unwrap();
        assert!(check(&issuer, &token).is_ok(), "several audiences, made for this client");
    }

    #[test]
    fn only_the_providers_own_signature_counts() {
        let (issuer, other) = (issuer(), self::issuer());
        let foreign = encode(&header(Algorithm::EdDSA), &claims(|_| {}), &other.signs).unwrap();
        assert_eq!(check(&issuer, &foreign).err(), Some(IdTokenFault::Signature));
        // The public key, which everybody has, as the key of an HMAC.
        let public = issuer.keys.keys[1]["x"].as_str().unwrap().as_bytes().to_vec();
        let hmac =
            encode(&header(Algorithm::HS256), &claims(|_| {}), &EncodingKey::from_secret(&public)).unwrap();
        assert_eq!(check(&issuer, &hmac).err(), Some(IdTokenFault::Algorithm));
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let unsigned =
            format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&claims(|_| {})));
        assert_eq!(check(&issuer, &unsigned).err(), Some(IdTokenFault::Malformed));
        let own = encode(&header(Algorithm::EdDSA), &claims(|_| {}), &issuer.signs).unwrap();
        let mut parts: Vec<&str> = own.split('.').collect();
        let forged = part(&claims(|claims| claims["sub"] = json!("s-2")));
        parts[1] = &forged;
        assert_eq!(check(&issuer, &parts.join(".")).err(), Some(IdTokenFault::Signature));
        let renamed = Header { kid: Some("k2".to_owned()), ..header(Algorithm::EdDSA) };
        let renamed = encode(&renamed, &claims(|_| {}), &issuer.signs).unwrap();
        assert_eq!(check(&issuer, &renamed).err(), Some(IdTokenFault::Signature));
    }

    #[test]
    fn an_address_is_verified_only_when_somebody_says_so() {
        for (said, trusted, verified) in [
            (json!(true), false, true),
            (json!("true"), false, true),
            (json!(false), true, false),
            (json!("false"), true, false),
            (Value::Null, false, false),
            (Value::Null, true, true),
        ] {
            let claims = json!({ "id": 7, "email": "a@example.com", "email_verified": said });
            let claims: PersonClaims = serde_json::from_value(claims).unwrap();
            let person = claims.person(trusted).unwrap();
            assert_eq!((person.subject.as_str(), person.email_verified), ("7", verified), "{said} {trusted}");
        }
    }
}
