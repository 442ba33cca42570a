//! Section `secrets`: the key that seals what must be read back.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use service::secrets::Settings;

use super::{Error, secret};

/// The key that seals what must be read back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    #[serde(default, deserialize_with = "secret")]
    key: Option<SecretString>,
    #[serde(default, deserialize_with = "secret")]
    older_keys: Option<SecretString>,
    /// A file of keys; empty: `secret.key` of the data folder.
    pub key_file: PathBuf,
}

/// Taken from the environment as they stand.
pub(super) const SECRETS: [&str; 2] = ["secrets.key", "secrets.older_keys"];

impl Secrets {
    pub(super) fn check(&self) -> Result<(), Error> {
        let settings = self.settings();
        let (has_key, has_file) = (settings.key.is_some(), settings.key_file.is_some());
        if has_key && has_file {
            return Err(Error::value("secrets.key_file", "is set beside secrets.key: set one of them"));
        }
        if !has_key && !settings.older_keys.is_empty() {
            return Err(Error::value("secrets.older_keys", "needs secrets.key, the one that seals"));
        }
        if let Some(key) = &settings.key {
            let usable = service::secrets::Secrets::from_base64(key, &settings.older_keys);
            usable.map_err(|error| Error::value("secrets.key", format!("or secrets.older_keys: {error}")))?;
        }
        Ok(())
    }

    /// The environment's word first, then the file's.
    pub(super) fn settings(&self) -> Settings {
        let own = |name| std::env::var(name).ok().filter(|text| !text.is_empty()).map(SecretString::from);
        let older = own("BATON_SECRETS__OLDER_KEYS").or_else(|| self.older_keys.clone());
        let parted =
            |text: &SecretString| text.expose_secret().split_whitespace().map(SecretString::from).collect();
        Settings {
            key: own("BATON_SECRETS__KEY").or_else(|| self.key.clone()),
            older_keys: older.as_ref().map(parted).unwrap_or_default(),
            key_file: (!self.key_file.as_os_str().is_empty()).then(|| self.key_file.clone()),
        }
    }
}
