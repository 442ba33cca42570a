use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tenants::{Error, Role, Scope, Store, Subject, TokenFault, TokenSettings, Tokens, User};

use super::{Fixture, after, altered, altered_everywhere, new_id, start, whole_text};

fn settings() -> TokenSettings {
    TokenSettings {
        issuer: "https://baton.example".into(),
        audience: "baton".into(),
        lifetime: Duration::from_mins(15),
    }
}

fn tokens() -> Tokens {
    Tokens::new(settings()).unwrap()
}

async fn issue(fixture: &Fixture) -> (User, String) {
    let user = fixture.user("ada@example.com").await;
    let token = tokens().issue(&fixture.tenant, &user, start()).await.unwrap();
    (user, token.text.expose_secret().to_owned())
}

async fn fault(store: &Store, text: &str, now: DateTime<Utc>) -> TokenFault {
    match tokens().verify(store, text, now).await {
        Err(error @ Error::InvalidToken(fault)) => {
            assert!(
                text.len() < 20 || !whole_text(&error).contains(text),
                "the token is in the error's text"
            );
            fault
        }
        other => panic!("neither refused nor for the token's sake: {other:?}"),
    }
}

/// Header and claims of a token as anyone can read them.
fn parts(text: &str) -> (Value, Value) {
    let part = |place: usize| {
        let bytes = URL_SAFE_NO_PAD.decode(text.split('.').nth(place).unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    (part(0), part(1))
}

fn join(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// A thief's view: the tenant's private key, straight from the database.
async fn private_key(fixture: &Fixture) -> Ed25519KeyPair {
    let bytes = fixture.bytes_of("SELECT private_key FROM signing_key WHERE retired_at IS NULL").await;
    Ed25519KeyPair::from_pkcs8(&bytes).unwrap()
}

fn sign_with(pair: &Ed25519KeyPair, header: &Value, claims: &Value) -> String {
    join(header, claims, |message| pair.sign(message).as_ref().to_vec())
}

#[tokio::test]
async fn a_token_says_who_and_whose_and_verifies() {
    let fixture = Fixture::new().await;
    let (user, text) = issue(&fixture).await;
    let (header, _) = parts(&text);
    let keys = fixture.tenant.signing_keys().await.unwrap();
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": keys[0].kid }));
    let verified = tokens().verify(&fixture.store, &text, after(60)).await.unwrap();
    assert_eq!(verified.tenant.id(), fixture.tenant.id());
    let claims = verified.claims;
    assert_eq!(
        (claims.tid, claims.sub, claims.role),
        (fixture.tenant.id(), Subject::User(user.id), Role::Agent)
    );
    assert_eq!((claims.iat, claims.exp - claims.iat), (start().timestamp(), 900));
    assert_eq!((claims.scope, claims.partner), (Scope::Full, None));
    assert!(!claims.jti.is_empty());
    // Another process verifies it from the same file.
    tokens().verify(&fixture.neighbour(), &text, after(60)).await.unwrap();
}

#[tokio::test]
async fn a_token_is_valid_in_its_time_only() {
    let fixture = Fixture::new().await;
    let (_, text) = issue(&fixture).await;
    for (seconds, wanted) in [
        (-3600, Some(TokenFault::NotYetValid)),
        (-6, Some(TokenFault::NotYetValid)),
        (-5, None),
        (0, None),
        (899, None),
        (900, Some(TokenFault::Expired)),
        (1_000_000, Some(TokenFault::Expired)),
    ] {
        match wanted {
            Some(wanted) => {
                assert_eq!(fault(&fixture.store, &text, after(seconds)).await, wanted, "{seconds}");
            }
            None => drop(tokens().verify(&fixture.store, &text, after(seconds)).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn one_tenants_key_cannot_speak_for_another() {
    let fixture = Fixture::new().await;
    let (_, text) = issue(&fixture).await;
    let other = fixture.other_tenant().await;
    let (header, mut claims) = parts(&text);
    let own = private_key(&fixture).await;
    assert!(tokens().verify(&fixture.store, &sign_with(&own, &header, &claims), start()).await.is_ok());

    // Renamed and properly signed by the first tenant's key.
    claims["tid"] = json!(other.id());
    assert_eq!(
        fault(&fixture.store, &sign_with(&own, &header, &claims), start()).await,
        TokenFault::UnknownKey
    );
    // The same under the name of the other tenant's key.
    let kid = &other.signing_keys().await.unwrap()[0].kid;
    let mut renamed = header.clone();
    renamed["kid"] = json!(kid);
    assert_eq!(
        fault(&fixture.store, &sign_with(&own, &renamed, &claims), start()).await,
        TokenFault::Signature
    );
    // A tenant that is not here.
    claims["tid"] = json!(TenantId(new_id(start())));
    let forged = sign_with(&own, &header, &claims);
    assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::UnknownTenant);
}

#[tokio::test]
async fn other_algorithms_and_headers_are_refused() {
    let fixture = Fixture::new().await;
    let (_, text) = issue(&fixture).await;
    let (header, claims) = parts(&text);
    let own = private_key(&fixture).await;
    let public = own.public_key().as_ref().to_vec();
    let with = |name: &str, value: Value| {
        let mut changed = header.clone();
        changed[name] = value;
        changed
    };

    for alg in ["none", "None", "nOnE", ""] {
        let forged = join(&with("alg", json!(alg)), &claims, |_| vec![]);
        assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::Malformed);
    }
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, &public);
    let forged = join(&with("alg", json!("HS256")), &claims, |message| {
        hmac::sign(&hmac_key, message).as_ref().to_vec()
    });
    assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::Algorithm);
    let encoded = URL_SAFE_NO_PAD.encode(&public);
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, encoded.as_bytes());
    let forged = join(&with("alg", json!("HS256")), &claims, |message| {
        hmac::sign(&hmac_key, message).as_ref().to_vec()
    });
    assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::Algorithm);
    for alg in ["RS256", "ES256", "PS512"] {
        let forged = sign_with(&own, &with("alg", json!(alg)), &claims);
        assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::Algorithm);
    }

    // Properly signed, but for a key that is not the tenant's: none, made up, or brought along.
    let stranger = Ed25519KeyPair::generate().unwrap();
    for kid in [json!(null), json!("made-up"), json!("")] {
        let forged = sign_with(&own, &with("kid", kid), &claims);
        assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::UnknownKey);
    }
    let x = URL_SAFE_NO_PAD.encode(stranger.public_key().as_ref());
    let brought = with("jwk", json!({ "kty": "OKP", "crv": "Ed25519", "x": x }));
    assert_eq!(
        fault(&fixture.store, &sign_with(&stranger, &brought, &claims), start()).await,
        TokenFault::Signature
    );

    for (name, value) in [("typ", json!("JWT")), ("typ", json!(null)), ("crit", json!(["exp"]))] {
        let forged = sign_with(&own, &with(name, value), &claims);
        assert_eq!(fault(&fixture.store, &forged, start()).await, TokenFault::Malformed);
    }
}

#[tokio::test]
async fn wrong_or_missing_claims_are_refused_even_when_signed() {
    let fixture = Fixture::new().await;
    let (_, text) = issue(&fixture).await;
    let (header, claims) = parts(&text);
    let own = private_key(&fixture).await;
    let now = start().timestamp();
    for (name, value, wanted) in [
        ("iss", json!("https://evil.example"), TokenFault::Issuer),
        ("aud", json!("another-service"), TokenFault::Audience),
        ("aud", json!(["baton", "another"]), TokenFault::Claims),
        ("role", json!("emperor"), TokenFault::Claims),
        ("sub", json!("lead_01jd2wq7x8e0hbrvy3k6m9f4tz"), TokenFault::Claims),
        ("scope", json!("leads:read everything"), TokenFault::Claims),
        ("partner", json!("user_01jd2wq7x8e0hbrvy3k6m9f4tz"), TokenFault::Claims),
        ("tid", json!("user_01jd2wq7x8e0hbrvy3k6m9f4tz"), TokenFault::Malformed),
        ("exp", json!("tomorrow"), TokenFault::Claims),
        ("exp", json!(now + 86_400), TokenFault::Lifetime),
        ("exp", json!(i64::MAX), TokenFault::Lifetime),
        ("iat", json!(i64::MIN), TokenFault::Lifetime),
        ("exp", json!(-1), TokenFault::Claims),
        ("exp", json!(1e300), TokenFault::Claims),
        ("nbf", json!(now + 60), TokenFault::NotYetValid),
        ("iat", json!(now + 60), TokenFault::NotYetValid),
    ] {
        let mut changed = claims.clone();
        changed[name] = value.clone();
        let refused = fault(&fixture.store, &sign_with(&own, &header, &changed), start()).await;
        assert_eq!(refused, wanted, "{name} = {value}");
    }
    for name in ["iss", "aud", "tid", "sub", "role", "scope", "iat", "nbf", "exp", "jti"] {
        let mut changed = claims.clone();
        changed.as_object_mut().unwrap().remove(name);
        let refused = fault(&fixture.store, &sign_with(&own, &header, &changed), start()).await;
        assert!(matches!(refused, TokenFault::Claims | TokenFault::Malformed), "{name}: {refused}");
    }
}

#[tokio::test]
async fn rotation_keeps_old_tokens_until_they_expire_also_in_other_processes() {
    let fixture = Fixture::new().await;
    let (user, old) = issue(&fixture).await;
    let neighbour = fixture.neighbour();
    tokens().verify(&neighbour, &old, after(1)).await.unwrap();

    fixture.tenant.rotate_signing_key(after(10)).await.unwrap();
    let new = tokens().issue(&fixture.tenant, &user, after(11)).await.unwrap().text;
    let (old_kid, new_kid) = (parts(&old).0["kid"].clone(), parts(new.expose_secret()).0["kid"].clone());
    assert_ne!(old_kid, new_kid);
    for store in [&fixture.store, &neighbour] {
        tokens().verify(store, &old, after(12)).await.unwrap();
        tokens().verify(store, new.expose_secret(), after(12)).await.unwrap();
    }
    let kids = async |seconds| {
        let set = fixture.tenant.jwks(after(seconds)).await.unwrap();
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kids(12).await, [old_kid, new_kid.clone()]);
    assert_eq!(kids(10 + 901).await, [new_kid]);

    // What the retired key signs after its last token's end is refused, whatever it says.
    let (header, mut claims) = parts(&old);
    for name in ["iat", "nbf"] {
        claims[name] = json!(after(2000).timestamp());
    }
    claims["exp"] = json!(after(2060).timestamp());
    let bytes = fixture.bytes_of("SELECT private_key FROM signing_key WHERE retired_at IS NOT NULL").await;
    let forged = sign_with(&Ed25519KeyPair::from_pkcs8(&bytes).unwrap(), &header, &claims);
    assert_eq!(fault(&fixture.store, &forged, after(2001)).await, TokenFault::UnknownKey);
}

#[tokio::test]
async fn the_key_set_is_as_rfc_8037_wants_it_and_has_no_private_part() {
    let fixture = Fixture::new().await;
    let key = &fixture.tenant.signing_keys().await.unwrap()[0];
    let set = fixture.tenant.jwks(start()).await.unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key);
    let wanted =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.kid, "alg": "EdDSA", "use": "sig" });
    assert_eq!(set, json!({ "keys": [wanted] }));
    // Another library's reading of it verifies a token.
    let (_, text) = issue(&fixture).await;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(set).unwrap();
    let decoding = jsonwebtoken::DecodingKey::from_jwk(set.find(&key.kid).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    validation.set_audience(&["baton"]);
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(&text, &decoding, &validation).unwrap();
}

#[tokio::test]
async fn neither_a_disabled_user_nor_a_long_life_gets_a_token() {
    let fixture = Fixture::new().await;
    let (user, _) = issue(&fixture).await;
    fixture.tenant.set_user_disabled(user.id, true, start()).await.unwrap();
    let user = fixture.tenant.user(user.id).await.unwrap().unwrap();
    assert!(matches!(tokens().issue(&fixture.tenant, &user, start()).await, Err(Error::UserDisabled { .. })));
    for lifetime in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(901), Duration::MAX] {
        let refused = Tokens::new(TokenSettings { lifetime, ..settings() }).unwrap_err();
        assert!(matches!(refused, Error::TokenLifetime { seconds_max: 900 }));
    }
}

#[test]
fn any_altered_byte_and_any_other_text_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (fixture, text) = runtime.block_on(async {
        let fixture = Fixture::new().await;
        let (_, text) = issue(&fixture).await;
        (fixture, text)
    });
    let alphabet: Vec<u8> = (0x20..0x7f).collect();
    proptest!(|(place in 0..text.len(), byte in prop::sample::select(alphabet), other: String)| {
        if text.as_bytes()[place] != byte {
            runtime.block_on(fault(&fixture.store, &altered(&text, place, byte), after(1)));
        }
        runtime.block_on(fault(&fixture.store, &other, after(1)));
        runtime.block_on(fault(&fixture.store, &text[..place], after(1)));
        runtime.block_on(fault(&fixture.store, &format!("{text}{}", char::from(byte)), after(1)));
    });
    for changed in altered_everywhere(&text) {
        runtime.block_on(fault(&fixture.store, &changed, after(1)));
    }
    runtime.block_on(tokens().verify(&fixture.store, &text, after(1))).unwrap();
}
