use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> SecretString {
    SecretString::from(BASE64.encode([byte; KEY_BYTES]))
}

fn context(tenant: u128, destination: u128, purpose: Purpose) -> Context {
    Context { tenant: TenantId(Uuid::from_u128(tenant)), row: Uuid::from_u128(destination), purpose }
}

#[test]
fn a_value_opens_only_where_it_belongs() {
    let secrets = Secrets::from_base64(&key(1), &[]).unwrap();
    let here = context(1, 2, Purpose::Url);
    let sealed = secrets.seal(here, "https://example.com/hook/abc");
    assert_eq!(secrets.open(here, &sealed).unwrap().expose_secret(), "https://example.com/hook/abc");
    for elsewhere in
        [context(9, 2, Purpose::Url), context(1, 9, Purpose::Url), context(1, 2, Purpose::Signing)]
    {
        assert!(matches!(secrets.open(elsewhere, &sealed), Err(Error::Tampered)));
    }
    assert_ne!(sealed, secrets.seal(here, "https://example.com/hook/abc"), "a nonce is never used twice");
}

#[test]
fn a_rotated_key_still_opens_and_a_forgotten_one_says_so() {
    let here = context(1, 2, Purpose::Signing);
    let sealed = Secrets::from_base64(&key(1), &[]).unwrap().seal(here, "s");
    let rotated = Secrets::from_base64(&key(2), &[key(1)]).unwrap();
    assert_eq!(rotated.open(here, &sealed).unwrap().expose_secret(), "s");
    let forgotten = Secrets::from_base64(&key(2), &[]).unwrap();
    assert!(matches!(forgotten.open(here, &sealed), Err(Error::UnknownKey)));
    assert!(matches!(Secrets::from_base64(&SecretString::from("short"), &[]), Err(Error::InvalidKey)));
}

#[test]
fn the_key_file_is_made_once_and_refused_when_others_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = context(1, 2, Purpose::Url);
    let sealed = Secrets::load_or_create(folder.path()).unwrap().seal(here, "s");
    let again = Secrets::load_or_create(folder.path()).unwrap();
    assert_eq!(again.open(here, &sealed).unwrap().expose_secret(), "s");
    let file = folder.path().join(FILE_NAME);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-made stays");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Secrets::load_or_create(folder.path()), Err(Error::ExposedFile { .. })));
}

#[test]
fn a_rotation_is_seen_by_other_processes_and_ends_with_the_old_key_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let here = context(1, 2, Purpose::Url);
    let (one, other) =
        (Secrets::load_or_create(folder.path()).unwrap(), Secrets::load_or_create(folder.path()).unwrap());
    let old = one.seal(here, "s");
    one.rotate().unwrap();
    let new = one.seal(here, "s");
    assert!(one.is_current(&new) && !one.is_current(&old));
    for secrets in [&one, &other] {
        for sealed in [&old, &new] {
            assert_eq!(secrets.open(here, sealed).unwrap().expose_secret(), "s");
        }
    }
    assert_eq!((one.key_count(), other.key_count()), (2, 2));
    one.forget_older().unwrap();
    assert!(matches!(one.open(here, &old), Err(Error::UnknownKey)));
    assert_eq!(one.open(here, &new).unwrap().expose_secret(), "s");
    let file = folder.path().join(FILE_NAME);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-made stays");
    assert!(matches!(Secrets::from_base64(&key(1), &[]).unwrap().rotate(), Err(Error::Configured)));
}

proptest! {
    #[test]
    fn a_changed_byte_is_found(plain in ".{0,60}", at: prop::sample::Index, bit in 0_u8..8) {
        let secrets = Secrets::from_base64(&key(1), &[]).unwrap();
        let here = context(1, 2, Purpose::Url);
        let mut sealed = secrets.seal(here, &plain);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(secrets.open(here, &sealed).is_err());
    }
}
