//! What the crate promises, proven over real files.

mod audit;
mod keys;
mod people;
mod processes;
mod sessions;
mod sign_in;
mod store;
mod tokens;
mod users;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::TenantId;
use tenants::{NewPassword, NewUser, Role, Store, StoreOptions, Tenant, User};
use uuid::{Builder, Uuid};

/// A Monday in March 2026.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_445_600, 0).unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// Rising within the process, distinct between processes.
fn new_id(now: DateTime<Utc>) -> Uuid {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut tail = [0; 10];
    tail[..6].copy_from_slice(&COUNTER.fetch_add(1, Ordering::SeqCst).to_be_bytes()[2..]);
    tail[6..].copy_from_slice(&std::process::id().to_be_bytes());
    Builder::from_unix_timestamp_millis(now.timestamp_millis().try_into().unwrap(), &tail).into_uuid()
}

fn options(root: &std::path::Path) -> StoreOptions {
    StoreOptions::new(root, start, new_id)
}

struct Fixture {
    folder: tempfile::TempDir,
    store: Store,
    tenant: Tenant,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_capacity(256).await
    }

    async fn with_capacity(open_databases_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open_databases_max = NonZeroUsize::new(open_databases_max).unwrap();
        let store = Store::new(StoreOptions { open_databases_max, ..options(folder.path()) }).unwrap();
        let tenant = store.create(TenantId(new_id(start()))).await.unwrap();
        Self { folder, store, tenant }
    }

    /// A second store over the same folder, as another process has it.
    fn neighbour(&self) -> Store {
        Store::new(options(self.folder.path())).unwrap()
    }

    async fn other_tenant(&self) -> Tenant {
        self.store.create(TenantId(new_id(start()))).await.unwrap()
    }

    /// A user without password, which costs no hashing.
    async fn user(&self, email: &str) -> User {
        self.user_with(email, NewPassword::Absent).await
    }

    async fn user_with(&self, email: &str, password: NewPassword) -> User {
        user_of(&self.tenant, email, password).await
    }
}

async fn user_of(tenant: &Tenant, email: &str, password: NewPassword) -> User {
    let new = NewUser {
        email: email.to_owned(),
        name: "Ada".to_owned(),
        role: Role::Agent,
        partner: None,
        password,
    };
    tenant.create_user(new, start()).await.unwrap().user
}

/// The text of an error and of everything behind it.
fn whole_text(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The text with one byte changed to another printable one.
fn altered(text: &str, place: usize, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    assert_ne!(bytes[place], byte);
    bytes[place] = byte;
    String::from_utf8(bytes).unwrap()
}

/// The text with each byte in turn changed: to its neighbour in the alphabet (which in the last place of base64 differs
/// only in bits that are thrown away), to another case, to a separator.
fn altered_everywhere(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let places = 0..bytes.len();
    places
        .flat_map(|place| [bytes[place] ^ 1, bytes[place] ^ 0x20, b'_', b'.'].map(|byte| (place, byte)))
        .filter(|(place, byte)| bytes[*place] != *byte && byte.is_ascii_graphic())
        .map(|(place, byte)| altered(text, place, byte))
        .collect()
}
