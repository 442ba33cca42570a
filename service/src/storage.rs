//! The object storage: a folder below the data folder, or a bucket of anything that speaks S3.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::TenantId;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;

/// How long a request to a bucket is tried again.
const RETRY_LIMIT: Duration = Duration::from_secs(20);

/// Where files are kept.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A bucket; the folder `files` of the data folder without one.
    pub s3: Option<S3>,
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// Its region, as in `us-east-1`.
    pub region: String,
    /// The server's address, when it is not Amazon's.
    pub endpoint: Option<String>,
    /// The key that may read and write it; without one the machine's own role is used.
    pub access_key_id: Option<String>,
    /// The key's secret.
    pub secret_access_key: Option<SecretString>,
}

/// Opens the storage. Nothing is asked of a bucket until it is used.
pub fn open(settings: &Settings, data_dir: &Path) -> Result<Arc<dyn ObjectStore>, Error> {
    let failed = |error: object_store::Error| Error::internal("opening the object storage", error);
    let Some(s3) = &settings.s3 else {
        let folder = data_dir.join("files");
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::internal(format!("making the folder {}", folder.display()), error))?;
        return Ok(Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(failed)?));
    };
    // Somebody waits for a file meanwhile; what could not be stored is stored when it is asked for.
    let retry = RetryConfig { max_retries: 3, retry_timeout: RETRY_LIMIT, ..RetryConfig::default() };
    let mut builder =
        AmazonS3Builder::new().with_bucket_name(&s3.bucket).with_region(&s3.region).with_retry(retry);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let (Some(id), Some(secret)) = (&s3.access_key_id, &s3.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
    }
    Ok(Arc::new(builder.build().map_err(failed)?))
}

/// What stands below a tenant's id: all of its files.
pub fn list(store: &dyn ObjectStore, tenant: TenantId) -> BoxStream<'static, Result<ObjectMeta, Error>> {
    store.list(Some(&StorePath::from(tenant.uuid().to_string()))).map_err(unavailable).boxed()
}

/// Removes all files of a tenant; says how many those were.
pub async fn remove(store: &dyn ObjectStore, tenant: TenantId) -> Result<u64, Error> {
    let prefix = StorePath::from(tenant.uuid().to_string());
    let locations = store.list(Some(&prefix)).map_ok(|meta| meta.location).boxed();
    store
        .delete_stream(locations)
        .map_err(unavailable)
        .try_fold(0, |count, _| async move { Ok(count + 1) })
        .await
}

fn unavailable(error: object_store::Error) -> Error {
    Error::Unavailable { what: "the object storage", source: Box::new(error) }
}
