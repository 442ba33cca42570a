//! What the operator sets: defaults that are compiled in, a file, the environment, arguments; the later wins.
//!
//! `config.default.toml` beside this file documents every key with its unit and default; `baton config` prints it. One file
//! a section. An unknown key is refused, so that a misspelt one is not mistaken for a setting that has no effect.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

mod database;
mod delivery;
mod http;
mod intake;
mod jobs;
mod log;
mod mail;
mod secrets;
mod storage;
mod tenants;

pub use database::Database;
pub use delivery::Delivery;
pub use http::Http;
pub use intake::Intake;
pub use jobs::Jobs;
pub use log::{Format, Log};
pub use mail::Mail;
pub use secrets::Secrets;
pub use storage::Storage;
pub use tenants::Tenants;

/// The documented defaults, as a file.
pub const DEFAULT_TOML: &str = include_str!("config.default.toml");

/// Arguments that may come by the environment and are no keys; the command line reads them, and a test compares.
pub(crate) const ARGUMENTS: [&str; 10] = [
    "alert_target",
    "api_token",
    "client_secret",
    "config",
    "data_dir",
    "destination_url",
    "hook_secret",
    "output",
    "tenant",
    "verbose",
];

/// Everything that the operator sets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Everything that Baton keeps on disk.
    pub data_dir: PathBuf,
    /// The server.
    pub http: Http,
    /// What comes in.
    pub intake: Intake,
    /// What goes out.
    pub delivery: Delivery,
    /// Work in the background.
    pub jobs: Jobs,
    /// The server that takes Baton's mail.
    pub mail: Mail,
    /// The shared Postgres.
    pub database: Database,
    /// Where files of billing reports are kept.
    pub storage: Storage,
    /// The tenants' own databases.
    pub tenants: Tenants,
    /// The key that seals what must be read back.
    pub secrets: Secrets,
    /// What is logged, and how.
    pub log: Log,
}

/// A setting that cannot be used. The text names the key and where it was set, and never a secret's value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is unknown, or its value is of the wrong kind.
    #[error("the configuration cannot be used: {0}")]
    Content(String),
    /// A value is of the right kind and makes no sense.
    #[error("the configuration cannot be used: {key} {problem}")]
    Value {
        /// The key, dotted.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl Error {
    pub(super) fn value(key: &'static str, problem: impl Display) -> Self {
        Self::Value { key, problem: problem.to_string() }
    }
}

impl Config {
    /// Reads the defaults, the file, the environment, and the data folder that the command line names.
    pub fn load(file: Option<&Path>, data_dir: Option<&Path>) -> Result<Self, Error> {
        let mut figment = Figment::from(Toml::string(DEFAULT_TOML));
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .map_err(|source| Error::File { path: file.to_owned(), source })?;
            figment = figment.merge(Toml::string(&text));
        }
        // A secret is taken as it stands: figment would read `0123` as a number.
        let no_key = |key: &figment::value::UncasedStr| {
            ARGUMENTS.iter().any(|argument| *argument == key)
                || database::SECRETS
                    .iter()
                    .chain(&http::SECRETS)
                    .chain(&mail::SECRETS)
                    .chain(&storage::SECRETS)
                    .chain(&secrets::SECRETS)
                    .chain(&tenants::SECRETS)
                    .any(|secret| *secret == key)
        };
        let environment = Env::prefixed("BATON_").split("__").filter(move |key| !no_key(key));
        let mut config: Self =
            figment.merge(environment).extract().map_err(|error| Error::Content(content(&error, file)))?;
        if let Some(data_dir) = data_dir {
            data_dir.clone_into(&mut config.data_dir);
        }
        config.check()?;
        Ok(config)
    }

    /// The defaults alone.
    pub fn defaults() -> Self {
        let read = Figment::from(Toml::string(DEFAULT_TOML)).extract();
        read.expect("the compiled-in defaults are complete, which a test checks")
    }

    fn check(&self) -> Result<(), Error> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(Error::value("data_dir", "must name a folder"));
        }
        self.http.check()?;
        self.intake.check()?;
        self.delivery.check()?;
        self.jobs.check()?;
        self.mail.check()?;
        self.database.check()?;
        self.storage.check()?;
        self.secrets.check()?;
        self.tenants.check()?;
        self.log.check()
    }

    /// What operations need to know of it.
    pub fn app_settings(&self) -> service::app::Settings {
        let defaults = service::app::Settings::below(&self.data_dir);
        service::app::Settings {
            file_bytes_max: self.intake.file_bytes_max,
            record_bytes_max: self.intake.record_bytes_max,
            body_silence_max: self.http.body_silence_max(),
            imports_at_once: self.intake.imports_at_once,
            allow_private_addresses: self.delivery.allow_private_addresses,
            issuer: self.http.public_url(),
            delivery: self.delivery.settings(),
            mail: self.mail.settings(),
            jobs_at_once: self.jobs.at_once,
            storage: self.storage.settings(),
            secrets: self.secrets.settings(),
            tenants_server: self.tenants.server(),
            tenants_open_max: self.tenants.open_max(),
            ..defaults
        }
    }

    /// Which Postgres, and how it is used.
    pub fn database_settings(&self) -> service::database::Settings {
        self.database.settings(&self.data_dir)
    }
}

/// One line a fault: the key, where it was set, what is wrong. Figment's own text names sources in its own words.
fn content(error: &figment::Error, file: Option<&Path>) -> String {
    let mut lines = Vec::new();
    for one in error.clone() {
        let origin = one.metadata.as_ref().map(|metadata| metadata.name.as_ref()).unwrap_or_default();
        let origin = match file {
            _ if origin.contains("environment") => "the environment".to_owned(),
            Some(file) => file.display().to_string(),
            None => "the environment".to_owned(),
        };
        let path = if one.path.is_empty() { String::new() } else { format!("{}: ", one.path.join(".")) };
        lines.push(format!("{path}{} (set by {origin})", one.kind));
    }
    lines.join("; ")
}

/// Refuses a number outside its bounds.
fn within<N: PartialOrd + Display + Copy>(
    key: &'static str,
    value: N,
    least: N,
    most: N,
) -> Result<(), Error> {
    if value < least || value > most {
        return Err(Error::value(key, format!("is {value} and must be between {least} and {most}")));
    }
    Ok(())
}

/// A secret of a file. Its value is never part of an error, whatever kind it is of.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    match serde_json::Value::deserialize(deserializer) {
        Ok(serde_json::Value::String(text)) => Ok((!text.is_empty()).then(|| text.into())),
        _ => Err(serde::de::Error::custom("a secret must be text in quotes")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn load(text: &str) -> Result<Config, Error> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        Config::load(Some(file.path()), None)
    }

    #[test]
    fn the_defaults_are_what_the_parts_default_to() {
        let config = load("").expect("the defaults");
        let (have, wanted) = (config.app_settings(), service::app::Settings::below("./data"));
        // Both are plain data: their texts agree when all of their fields do.
        let wanted = service::app::Settings { issuer: "http://127.0.0.1:8080".to_owned(), ..wanted };
        assert_eq!(format!("{have:?}"), format!("{wanted:?}"));
        assert_eq!(config.database_settings().pool, service::database::PoolSettings::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_list_of_known_ones() {
        for (text, names) in [
            ("listen = 1", ["listen", "data_dir", "http"]),
            ("[http]\nport = 8080", ["port", "listen", "public_url"]),
            ("[delivery]\nretries = 3", ["retries", "attempts_max", "deadline_ms"]),
        ] {
            let error = load(text).expect_err(text).to_string();
            assert!(names.iter().all(|name| error.contains(name)), "{error}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused_by_key() {
        for (text, key) in [
            ("[http]\nlisten = \"here\"", "http.listen"),
            ("[http]\npublic_url = \"baton.example.com\"", "http.public_url"),
            ("[intake]\nimports_at_once = 0", "intake.imports_at_once"),
            ("[delivery]\nretry_delays_s = []", "delivery.retry_delays_s"),
            ("[delivery]\ndeadline_ms = 0", "delivery.deadline_ms"),
            ("[database]\nconnections_max = 1", "database.connections_max"),
            ("[jobs]\nat_once = 0", "jobs.at_once"),
            ("[mail]\nencryption = \"ssl\"", "mail.encryption"),
            ("[mail]\nhost = \"mx\"\nfrom = \"nobody\"", "mail.from"),
            ("[mail]\nhost = \"mx\"\nuser = \"baton\"", "mail.password"),
            (
                "[mail]\nhost = \"mx\"\nuser = \"b\"\npassword = \"p\"\nencryption = \"none\"",
                "mail.encryption",
            ),
            ("[tenants]\nurl = \"http://localhost:8080\"", "tenants.url"),
            ("[tenants]\nurl = \"http://{tenant}.localhost\"\nadmin_url = \"9090\"", "tenants.admin_url"),
            ("[tenants]\nurl = \"http://ada:word@{tenant}.localhost\"", "tenants.url"),
            ("[tenants]\nopen_max = 0", "tenants.open_max"),
            ("[secrets]\nkey = \"short\"", "secrets.key"),
            ("[secrets]\nolder_keys = \"AAAA\"", "secrets.older_keys"),
            ("[log]\nlevel = \"service=loud\"", "log.level"),
            ("[log]\nformat = \"xml\"", "log.format"),
        ] {
            let error = load(text).expect_err(text).to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_mail_server_is_read_before_any_runtime_is_there() {
        let text = "[mail]\nhost = \"mx.example.com\"\nuser = \"baton\"\npassword = \"0123\"";
        let settings = load(text).expect("a configuration").app_settings().mail;
        assert_eq!((settings.host.as_deref(), settings.port), (Some("mx.example.com"), 587));
        assert!(settings.credentials.is_some() && !format!("{settings:?}").contains("0123"));
    }

    #[test]
    fn a_secret_is_neither_in_an_error_nor_in_the_debug_output() {
        let error = load("[database]\napp_password = 123454321").expect_err("no text").to_string();
        assert!(error.contains("app_password") && !error.contains("12345"), "{error}");
        let config = load("[database]\napp_password = \"hunter2\"").expect("a configuration");
        assert!(!format!("{config:?}").contains("hunter2"));
        let settings = config.database_settings();
        assert!(settings.app_password.is_some());
    }
}
