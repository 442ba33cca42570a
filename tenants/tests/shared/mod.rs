//! What the crate promises, wherever the databases are: each test runs over files and over a server's databases. Which of
//! them it is says the test binary's own `Ground`.

mod audit;
mod keys;
mod links;
mod oauth;
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
use libsql::Value;
use tenants::{NewPassword, NewUser, Place, Role, Store, StoreOptions, Tenant, User};
use uuid::{Builder, Uuid};

use crate::ground::Ground;

/// A Monday in March 2026.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_445_600, 0).unwrap()
}

pub fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// Rising within the process, distinct between processes.
pub fn new_id(now: DateTime<Utc>) -> Uuid {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut tail = [0; 10];
    tail[..6].copy_from_slice(&COUNTER.fetch_add(1, Ordering::SeqCst).to_be_bytes()[2..]);
    tail[6..].copy_from_slice(&std::process::id().to_be_bytes());
    Builder::from_unix_timestamp_millis(now.timestamp_millis().try_into().unwrap(), &tail).into_uuid()
}

pub fn options(place: Place) -> StoreOptions {
    StoreOptions { place, ..StoreOptions::new("", start, new_id) }
}

pub struct Fixture {
    pub ground: Ground,
    pub store: Store,
    pub tenant: Tenant,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with_capacity(256).await
    }

    pub async fn with_capacity(open_databases_max: usize) -> Self {
        let ground = Ground::new().await;
        let open_databases_max = NonZeroUsize::new(open_databases_max).unwrap();
        let store = Store::new(StoreOptions { open_databases_max, ..options(ground.place()) }).unwrap();
        let tenant = store.create(TenantId(new_id(start()))).await.unwrap();
        Self { ground, store, tenant }
    }

    /// A second store over the same databases, as another process has it.
    pub fn neighbour(&self) -> Store {
        Store::new(options(self.ground.place())).unwrap()
    }

    /// What another program finds in the tenant's database, or does to it.
    async fn sql(&self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        self.ground.sql(self.tenant.id(), sql).await
    }

    async fn bytes_of(&self, sql: &str) -> Vec<u8> {
        match &self.sql(sql).await.unwrap()[0][0] {
            Value::Blob(bytes) => bytes.clone(),
            other => panic!("no bytes: {other:?}"),
        }
    }

    /// The content of every file that the databases are made of.
    fn stored_files(&self) -> Vec<Vec<u8>> {
        let (mut folders, mut contents) = (vec![self.ground.folder().to_owned()], vec![]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    contents.push(std::fs::read(path).unwrap());
                }
            }
        }
        assert!(contents.iter().any(|content| content.starts_with(b"SQLite format 3")));
        contents
    }

    pub async fn other_tenant(&self) -> Tenant {
        self.store.create(TenantId(new_id(start()))).await.unwrap()
    }

    /// A user without password, which costs no hashing.
    pub async fn user(&self, email: &str) -> User {
        self.user_with(email, NewPassword::Absent).await
    }

    async fn user_with(&self, email: &str, password: NewPassword) -> User {
        user_of(&self.tenant, email, password).await
    }
}

pub async fn user_of(tenant: &Tenant, email: &str, password: NewPassword) -> User {
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
pub fn whole_text(error: &dyn std::error::Error) -> String {
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
