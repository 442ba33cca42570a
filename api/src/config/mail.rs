//! Section `mail`: the server that takes Baton's mail.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use service::mail::Encryption;

use super::{Error, secret, within};

/// Keys whose values are secrets: the environment's are taken as they stand.
pub(super) const SECRETS: [&str; 1] = ["mail.password"];

/// Mail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The server's name; empty for none.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `starttls`, `tls` or `none`.
    pub encryption: String,
    /// Who signs in there; empty for nobody.
    pub user: String,
    /// The password.
    #[serde(default, deserialize_with = "secret")]
    password: Option<SecretString>,
    /// Whom mail is from.
    pub from: String,
    /// For each step of the conversation, milliseconds.
    pub timeout_ms: u64,
}

impl Mail {
    pub(super) fn check(&self) -> Result<(), Error> {
        within("mail.timeout_ms", self.timeout_ms, 100, 300_000)?;
        if self.encryption().is_none() {
            return Err(Error::value("mail.encryption", "must be starttls, tls or none"));
        }
        if !self.user.is_empty() && self.password().is_none() {
            return Err(Error::value("mail.password", "is missing for mail.user"));
        }
        if !self.user.is_empty() && self.encryption() == Some(Encryption::None) && !is_local(&self.host) {
            return Err(Error::value(
                "mail.encryption",
                "is none: a password would cross the network in clear",
            ));
        }
        if !self.host.is_empty() && !service::mail::is_sender(&self.from) {
            return Err(Error::value("mail.from", "must be an address such as Baton <baton@example.com>"));
        }
        Ok(())
    }

    /// The environment's word first, then the file's.
    fn password(&self) -> Option<SecretString> {
        let given = std::env::var("BATON_MAIL__PASSWORD").ok().filter(|password| !password.is_empty());
        given.map(SecretString::from).or_else(|| self.password.clone())
    }

    fn encryption(&self) -> Option<Encryption> {
        match self.encryption.as_str() {
            "starttls" => Some(Encryption::StartTls),
            "tls" => Some(Encryption::Tls),
            "none" => Some(Encryption::None),
            _ => None,
        }
    }

    pub(super) fn settings(&self) -> service::mail::Settings {
        service::mail::Settings {
            host: (!self.host.is_empty()).then(|| self.host.clone()),
            port: self.port,
            encryption: self.encryption().unwrap_or(Encryption::StartTls),
            credentials: self
                .password()
                .filter(|_| !self.user.is_empty())
                .map(|password| (self.user.clone(), password)),
            from: self.from.clone(),
            timeout: Duration::from_millis(self.timeout_ms),
        }
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
