//! Section `storage`: where files of billing reports are kept.

use secrecy::SecretString;
use serde::Deserialize;
use service::storage::{S3, Settings};

use super::{Error, secret};

/// Where files of billing reports are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// A bucket of an S3-compatible server; empty: a folder below the data folder.
    pub s3_bucket: String,
    /// Its region.
    pub s3_region: String,
    /// The server's address, when it is not Amazon's.
    pub s3_endpoint: String,
    /// The key that may read and write the bucket.
    pub s3_access_key_id: String,
    #[serde(default, deserialize_with = "secret")]
    s3_secret_access_key: Option<SecretString>,
}

/// Taken from the environment as it stands.
pub(super) const SECRETS: [&str; 1] = ["storage.s3_secret_access_key"];

impl Storage {
    pub(super) fn check(&self) -> Result<(), Error> {
        let bad = !self.s3_endpoint.is_empty() && url::Url::parse(&self.s3_endpoint).is_err();
        if bad {
            return Err(Error::value(
                "storage.s3_endpoint",
                "must be an address such as https://s3.example.com",
            ));
        }
        Ok(())
    }

    pub(super) fn settings(&self) -> Settings {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let own_secret =
            std::env::var("BATON_STORAGE__S3_SECRET_ACCESS_KEY").ok().filter(|text| !text.is_empty());
        let s3 = given(&self.s3_bucket).map(|bucket| S3 {
            bucket,
            region: self.s3_region.clone(),
            endpoint: given(&self.s3_endpoint),
            access_key_id: given(&self.s3_access_key_id),
            secret_access_key: own_secret.map(Into::into).or_else(|| self.s3_secret_access_key.clone()),
        });
        Settings { s3 }
    }
}
