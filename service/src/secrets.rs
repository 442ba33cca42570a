//! Sealing what must not be read from a stolen database: destinations' URLs and signing secrets.
//!
//! AES-256-GCM. A sealed value is `1` (the format), four bytes that name the key, the nonce (12
//! bytes), and the ciphertext with its tag. The key's name leaves room for rotation: values are sealed
//! with the first key and opened with whichever sealed them. What the value belongs to is authenticated
//! with it, so a row's secret cannot be moved to another tenant, destination or column.
//!
//! Rotation: [`Secrets::rotate`] puts a new key in front of the file's; other processes read the file again when they
//! meet a value that they cannot open; [`crate::resealing`] seals every stored value anew; then the older keys are
//! forgotten ([`Secrets::forget_older`]).
//!
//! Nonces are random: at 96 bits and a few values a destination a collision is not to be feared
//! (NIST SP 800-38D allows 2³² a key).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::ids::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_NAME_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_NAME_BYTES + NONCE_BYTES;
const FILE_NAME: &str = "secret.key";

/// What can go wrong with the key or a sealed value. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured key is not what it should be.
    #[error("the secret key is not 32 bytes in base64; make one with `openssl rand -base64 32`")]
    InvalidKey,
    /// The key's file can be read by others.
    #[error("{} can be read by other users; run `chmod 600` on it", path.display())]
    ExposedFile {
        /// The file.
        path: PathBuf,
    },
    /// The key's file cannot be read or made.
    #[error("cannot use the key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Only keys that stand in a file can be made and forgotten by command.
    #[error(
        "the keys stand in the configuration: set secrets.key to the new one and put the old one into \
         secrets.older_keys, then run this again"
    )]
    Configured,
    /// The value was sealed with a key that is not configured.
    #[error("sealed with a key that is not configured; add the old key to the configuration")]
    UnknownKey,
    /// The value was changed, or belongs to something else.
    #[error("the sealed value was changed or belongs to something else")]
    Tampered,
}

/// Where the key comes from. The first that is set counts; none: `secret.key` of the data folder.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// 32 bytes in base64.
    pub key: Option<SecretString>,
    /// Keys that only open what they have once sealed.
    pub older_keys: Vec<SecretString>,
    /// A file of keys, one a line, the one that seals first; made when it is not there.
    pub key_file: Option<PathBuf>,
}

/// What a sealed value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The tenant.
    pub tenant: TenantId,
    /// The row: a destination, an alert channel, a provider; which of them follows from the purpose.
    pub row: Uuid,
    /// Which of its secrets.
    pub purpose: Purpose,
}

/// Which secret of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Column `url_sealed`.
    Url,
    /// Column `signing_sealed`.
    Signing,
    /// Column `signing_old_sealed`.
    SigningOld,
    /// Column `credentials_sealed`.
    Credentials,
    /// The client's secret at a sign-in provider.
    ProviderSecret,
    /// What a CRM of that name signs its frames with.
    FrameProof(&'static str),
    /// Column `reconciliation_plan.api_token_sealed`.
    ApiToken,
    /// The code or secret by which its reports are known: `inbound_endpoint.secret_sealed`, `previous_sealed`.
    Inbound,
    /// `alert_channel.target_sealed`; the id is the channel's.
    AlertTarget,
    /// `alert_channel.signing_sealed`; the id is the channel's.
    AlertSigning,
}

impl Context {
    /// A secret of that row.
    pub fn of_row(tenant: TenantId, row: Uuid, purpose: Purpose) -> Self {
        Self { tenant, row, purpose }
    }

    fn bytes(self) -> Vec<u8> {
        let (purpose, of): (&[u8], &str) = match self.purpose {
            Purpose::Url => (b"destination.url", ""),
            Purpose::Signing => (b"destination.signing", ""),
            Purpose::SigningOld => (b"destination.signing_old", ""),
            Purpose::Credentials => (b"destination.credentials", ""),
            Purpose::ProviderSecret => (b"provider.secret", ""),
            Purpose::FrameProof(kind) => (b"frame_proof.", kind),
            Purpose::ApiToken => (b"reconciliation.api_token", ""),
            Purpose::Inbound => (b"inbound_endpoint.secret", ""),
            Purpose::AlertTarget => (b"alert_channel.target", ""),
            Purpose::AlertSigning => (b"alert_channel.signing", ""),
        };
        let (tenant, row) = (self.tenant.uuid(), self.row);
        [tenant.as_bytes().as_slice(), row.as_bytes(), purpose, of.as_bytes()].concat()
    }
}

/// The keys, ready for use.
pub struct Secrets {
    keys: RwLock<Arc<[Key]>>,
    /// Where they stand, unless they were configured.
    file: Option<PathBuf>,
}

struct Key {
    name: [u8; KEY_NAME_BYTES],
    key: RandomizedNonceKey,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("keys", &self.keys().len()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// From configuration: `current` seals and opens, `older` ones only open. Each is 32 bytes in base64.
    pub fn from_base64(current: &SecretString, older: &[SecretString]) -> Result<Self, Error> {
        let keys =
            std::iter::once(current).chain(older).map(Key::from_base64).collect::<Result<Arc<_>, _>>()?;
        Ok(Self { keys: RwLock::new(keys), file: None })
    }

    /// From where the settings say.
    pub fn load(settings: &Settings, data_dir: &Path) -> Result<Self, Error> {
        match (&settings.key, &settings.key_file) {
            (Some(key), _) => Self::from_base64(key, &settings.older_keys),
            (None, Some(path)) => Self::of_file(path),
            (None, None) => Self::load_or_create(data_dir),
        }
    }

    /// From `secret.key` in the data folder, made with mode 0600 when it is not there.
    ///
    /// Two processes that start at once end up with one key: the file is made complete under another
    /// name, and only one of two links to the final name succeeds.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, Error> {
        Self::of_file(&data_dir.join(FILE_NAME))
    }

    fn of_file(path: &Path) -> Result<Self, Error> {
        let at = |source| Error::File { path: path.to_owned(), source };
        match fs::metadata(path) {
            Ok(_) => {}
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => create(path).map_err(at)?,
            Err(other) => return Err(at(other)),
        }
        Ok(Self { keys: RwLock::new(read(path)?), file: Some(path.to_owned()) })
    }

    /// Puts a new key in front of the file's: from now on it seals. The older ones still open.
    pub fn rotate(&self) -> Result<(), Error> {
        let path = self.file.as_ref().ok_or(Error::Configured)?;
        let at = |source| Error::File { path: path.clone(), source };
        let older = SecretString::from(fs::read_to_string(path).map_err(at)?);
        replace(path, &format!("{}\n{}", BASE64.encode(random_bytes()), older.expose_secret()))
            .map_err(at)?;
        self.reload(path)
    }

    /// Forgets every key but the one that seals. Whatever is still sealed with another is lost: see that nothing is.
    pub fn forget_older(&self) -> Result<(), Error> {
        let path = self.file.as_ref().ok_or(Error::Configured)?;
        let at = |source| Error::File { path: path.clone(), source };
        let text = SecretString::from(fs::read_to_string(path).map_err(at)?);
        let current = text.expose_secret().lines().next().unwrap_or_default();
        replace(path, &format!("{current}\n")).map_err(at)?;
        self.reload(path)
    }

    /// Whether the keys stand in the configuration: then the operator changes them there, not a command.
    pub fn are_configured(&self) -> bool {
        self.file.is_none()
    }

    /// How many keys there are: one, unless a rotation is under way.
    pub fn key_count(&self) -> usize {
        self.keys().len()
    }

    /// The name of the key that seals now: bytes 1 to 4 of what it seals.
    pub fn current_key(&self) -> [u8; KEY_NAME_BYTES] {
        self.keys()[0].name
    }

    /// Whether a value is sealed with the key that seals now.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=KEY_NAME_BYTES) == Some(self.keys()[0].name.as_slice())
    }

    fn keys(&self) -> Arc<[Key]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reload(&self, path: &Path) -> Result<(), Error> {
        let keys = read(path)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Seals a value for where it belongs.
    pub fn seal(&self, context: Context, plain: &str) -> Vec<u8> {
        let keys = self.keys();
        let key = &keys[0];
        let mut text = plain.as_bytes().to_vec();
        let nonce = key
            .key
            .seal_in_place_append_tag(Aad::from(context.bytes()), &mut text)
            .expect("a secret is far shorter than the 64 GiB that the cipher allows");
        let mut sealed = Vec::with_capacity(HEAD_BYTES + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&key.name);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        sealed
    }

    /// Opens a value that was sealed for the same place, also with a key that another process has just made.
    pub fn open(&self, context: Context, sealed: &[u8]) -> Result<SecretString, Error> {
        match (self.open_with_known(context, sealed), &self.file) {
            (Err(Error::UnknownKey), Some(path)) => {
                self.reload(path)?;
                self.open_with_known(context, sealed)
            }
            (opened, _) => opened,
        }
    }

    fn open_with_known(&self, context: Context, sealed: &[u8]) -> Result<SecretString, Error> {
        let (head, text) = sealed.split_at_checked(HEAD_BYTES).ok_or(Error::Tampered)?;
        if head[0] != FORMAT {
            return Err(Error::Tampered);
        }
        let (name, nonce) = head[1..].split_at(KEY_NAME_BYTES);
        let keys = self.keys();
        let key = keys.iter().find(|key| key.name == name).ok_or(Error::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Tampered)?;
        let mut text = text.to_vec();
        let plain = key
            .key
            .open_in_place(nonce, Aad::from(context.bytes()), &mut text)
            .map_err(|_| Error::Tampered)?;
        let plain = std::str::from_utf8(plain).map_err(|_| Error::Tampered)?;
        Ok(SecretString::from(plain))
    }
}

impl Key {
    fn from_base64(text: &SecretString) -> Result<Self, Error> {
        let bytes = BASE64.decode(text.expose_secret().trim()).map_err(|_| Error::InvalidKey)?;
        if bytes.len() != KEY_BYTES {
            return Err(Error::InvalidKey);
        }
        let digest = Sha256::new().chain_update(b"name of a sealing key").chain_update(&bytes).finalize();
        let mut name = [0; KEY_NAME_BYTES];
        name.copy_from_slice(&digest[..KEY_NAME_BYTES]);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| Error::InvalidKey)?;
        Ok(Self { name, key })
    }
}

/// A new secret for signing a webhook's messages, as Standard Webhooks writes it: `whsec_` and base64 of 32 bytes.
pub fn new_signing_secret() -> SecretString {
    SecretString::from(format!("whsec_{}", BASE64.encode(random_bytes())))
}

fn random_bytes() -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// The keys of a file, one a line, the one that seals first.
fn read(path: &Path) -> Result<Arc<[Key]>, Error> {
    let at = |source| Error::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(at)?.mode() & 0o077 != 0 {
        return Err(Error::ExposedFile { path: path.to_owned() });
    }
    let text = SecretString::from(fs::read_to_string(path).map_err(at)?);
    let lines = text.expose_secret().lines().filter(|line| !line.trim().is_empty());
    let keys = lines.map(|line| Key::from_base64(&line.into())).collect::<Result<Arc<[Key]>, _>>()?;
    if keys.is_empty() { Err(Error::InvalidKey) } else { Ok(keys) }
}

/// Writes the file anew: all of it or nothing, durable.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension(format!("key.new.{}", std::process::id()));
    let made = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        writeln!(file, "{}", BASE64.encode(random_bytes()))?;
        file.sync_all()?;
        match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::File::open(folder)?.sync_all(),
        }
    })();
    fs::remove_file(&unfinished)?;
    made
}

#[cfg(test)]
mod tests;
