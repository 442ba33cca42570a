//! `baton doctor`: what is wrong with this installation, and what to do about it.

use std::error::Error as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use migration::{Migrator, MigratorTrait as _};
use serde::Serialize;
use service::database::Target;
use service::database::doctor::{self, Finding, State};
use service::mail::{self, Mailer};
use tenants::ServerOptions;

use super::failure::chain;
use super::{Done, Failure, Output, Row};
use crate::config::{self, Config};

#[derive(Serialize)]
#[serde(transparent)]
struct Found(Finding);

impl Row for Found {
    const COLUMNS: &'static [&'static str] = &["name", "state", "what", "remedy"];
}

/// Looks at everything that Baton stands on. Exit code 1 when something fails.
pub(crate) async fn run(config: Result<Config, config::Error>, output: &Output) -> Result<Done, Failure> {
    let mut findings = Vec::new();
    let config = match config {
        Ok(config) => {
            findings.push(ok("configuration", "every key is known and every value makes sense"));
            config
        }
        Err(error) => {
            let remedy = "correct it; `baton config` prints every key with its default";
            findings.push(fault("configuration", State::Fail, chain(&error), remedy));
            // The rest is looked at with the defaults: better than nothing.
            Config::defaults()
        }
    };
    exposure(&config, &mut findings);
    folder(&config.data_dir, &mut findings);
    match config.app_settings().tenants_server {
        Some(server) => tenants_server(&server, &mut findings).await,
        None => tenants_folder(&config.data_dir.join("tenants"), &mut findings),
    }
    private_key(&config, &mut findings);
    mail_server(config.app_settings().mail, &mut findings).await;
    let known: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let settings = config.database_settings();
    let unusable =
        findings.iter().any(|finding| finding.name == "data folder" && finding.state == State::Fail);
    // Nothing is made for the sake of a look: a private cluster cannot start in a data folder that cannot be written.
    if unusable && matches!(settings.target(), Ok(Target::Private(_))) {
        findings.extend(doctor::disk(&config.data_dir));
    } else {
        findings.extend(doctor::inspect(&settings, &known).await.findings);
    }
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
    output.list(&findings.into_iter().map(Found).collect::<Vec<_>>())?;
    Ok(if worst == State::Fail { Done::Badly } else { Done::Well })
}

fn ok(name: &'static str, what: impl Into<String>) -> Finding {
    Finding { name, state: State::Ok, what: what.into(), remedy: None }
}

fn fault(name: &'static str, state: State, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, state, what: what.into(), remedy: Some(remedy.into()) }
}

/// What the settings open to the world.
fn exposure(config: &Config, findings: &mut Vec<Finding>) {
    let url = config.http.public_url();
    let loopback = config.http.address().is_ok_and(|address| address.ip().is_loopback());
    if !loopback && !url.starts_with("https://") {
        findings.push(fault(
            "public address",
            State::Warn,
            format!("the server listens on {} and its public address is {url}", config.http.listen),
            "put a proxy that speaks TLS in front and set http.public_url to its https:// address",
        ));
    } else {
        findings.push(ok("public address", url));
    }
    if config.delivery.allow_private_addresses {
        findings.push(fault(
            "private addresses",
            State::Warn,
            "destinations may have addresses of private networks",
            "unset delivery.allow_private_addresses unless a CRM stands in the same network",
        ));
    }
}

/// What to do about a folder of another user.
const OWN_FOLDER: &str = "give the folder to the user that runs baton, or choose another one (--data-dir)";

fn folder(data_dir: &Path, findings: &mut Vec<Finding>) {
    let shown = data_dir.display();
    if !data_dir.exists() {
        findings.push(ok("data folder", format!("{shown} does not exist yet; it is made when it is needed")));
        return;
    }
    let probe = data_dir.join(format!(".doctor-{}", std::process::id()));
    let written = fs::write(&probe, b"baton");
    // On a full disk the file is made and stays empty: it goes, too.
    let removed = fs::remove_file(&probe);
    match written.and(removed) {
        Ok(()) => findings.push(ok("data folder", format!("{shown} can be written"))),
        Err(error) => findings.push(fault(
            "data folder",
            State::Fail,
            format!("{shown} cannot be written: {error}"),
            remedy_of(error.kind()),
        )),
    }
}

/// What to do about a folder that cannot be written.
fn remedy_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull => doctor::MORE_ROOM,
        ErrorKind::ReadOnlyFilesystem => {
            "let the file system be written (mount it without `ro`), or choose another folder (--data-dir)"
        }
        _ => OWN_FOLDER,
    }
}

/// How long another server is waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

fn no_answer() -> String {
    format!("no answer in {} seconds", ANSWER_LIMIT.as_secs())
}

/// Whether the server that keeps the tenants' databases answers. Nothing is made there.
async fn tenants_server(server: &ServerOptions, findings: &mut Vec<Finding>) {
    const NAME: &str = "tenants' databases";
    const REMEDY: &str = "check tenants.url and its token (BATON_TENANTS__TOKEN), that the server runs, and that it is reachable from here by its tenants' names";
    let why = match tokio::time::timeout(ANSWER_LIMIT, server.probe()).await {
        Ok(Ok(())) => return findings.push(ok(NAME, format!("at a server, which answers: {}", server.url))),
        // The error itself tells of a tenant that there is not.
        Ok(Err(error)) => error.source().map_or_else(|| chain(&error), chain),
        Err(_) => no_answer(),
    };
    findings.push(fault(NAME, State::Fail, format!("{}: {why}", server.url), REMEDY));
}

fn tenants_folder(tenants: &Path, findings: &mut Vec<Finding>) {
    match fs::read_dir(tenants) {
        Ok(entries) => {
            let count = entries
                .flatten()
                .filter(|entry| entry.path().extension().is_some_and(|end| end == "db"))
                .count();
            findings.push(ok("tenants' databases", format!("{count} in {}", tenants.display())));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.push(ok("tenants' databases", "none yet"));
        }
        Err(error) => findings.push(fault(
            "tenants' databases",
            State::Fail,
            format!("{} cannot be read: {error}", tenants.display()),
            OWN_FOLDER,
        )),
    }
}

/// The key that seals destinations' addresses: others must not read it, and without it they cannot be opened.
fn private_key(config: &Config, findings: &mut Vec<Finding>) {
    let settings = config.app_settings().secrets;
    if settings.key.is_some() {
        findings.push(ok("secret key", "stands in the configuration; keep a copy with your backups"));
        return;
    }
    let path = settings.key_file.unwrap_or_else(|| config.data_dir.join("secret.key"));
    match fs::metadata(&path) {
        Ok(metadata) if metadata.mode() & 0o077 != 0 => findings.push(fault(
            "secret key",
            State::Fail,
            format!(
                "{} can be read by others (mode {:o})",
                path.display(),
                metadata.permissions().mode() & 0o777
            ),
            format!("chmod 600 {}", path.display()),
        )),
        Ok(_) => {
            findings.push(ok("secret key", format!("{}; keep a copy with your backups", path.display())));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.push(ok("secret key", "none yet; it is made at the first start"));
        }
        Err(error) => findings.push(fault(
            "secret key",
            State::Fail,
            format!("{} cannot be read: {error}", path.display()),
            "give it to the user that runs baton, mode 600",
        )),
    }
}

/// Whether the mail server, if one is set, answers and lets Baton in. Nothing is sent.
async fn mail_server(settings: mail::Settings, findings: &mut Vec<Finding>) {
    const REMEDY: &str = "check the host, port, encryption, user and password of [mail], and that the server is reachable from here";
    let Some(host) = &settings.host else { return };
    let server = format!("{host}:{}", settings.port);
    let probe = async { Mailer::new(&settings)?.probe().await };
    let why = match tokio::time::timeout(ANSWER_LIMIT, probe).await {
        Ok(Ok(())) => return findings.push(ok("mail", format!("{server} answers and lets Baton in"))),
        Ok(Err(error)) => chain(&error),
        Err(_) => no_answer(),
    };
    findings.push(fault("mail", State::Warn, format!("{server}: {why}"), REMEDY));
}

#[cfg(test)]
mod tests {
    use service::mail::testing::MailServer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_mail_server_that_is_set_is_asked() {
        let server = MailServer::start(Some(("baton", "correct horse"))).await;
        let with = |password: &str| mail::Settings {
            credentials: Some(("baton".to_owned(), password.to_owned().into())),
            ..server.settings()
        };
        let nobody = mail::Settings { port: 1, ..server.settings() };
        for (settings, state, word) in [
            (with("correct horse"), State::Ok, "lets Baton in"),
            (with("wrong"), State::Warn, "535"),
            (nobody, State::Warn, "127.0.0.1:1: "),
        ] {
            let mut findings = Vec::new();
            mail_server(settings, &mut findings).await;
            let [found] = &findings[..] else { panic!("{findings:?}") };
            assert!(found.name == "mail" && found.state == state && found.what.contains(word), "{found:?}");
        }
        let mut findings = Vec::new();
        mail_server(mail::Settings::default(), &mut findings).await;
        assert!(findings.is_empty(), "no server is set");
    }

    /// Answers one request with that status. The port.
    async fn answering(status: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a request");
            let mut read = [0; 4096];
            let asked = socket.read(&mut read).await.expect("a request");
            assert!(asked > 0, "it hung up");
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.expect("somebody listens");
            while socket.read(&mut read).await.is_ok_and(|bytes| bytes > 0) {}
        });
        port
    }

    #[tokio::test]
    async fn the_server_of_the_tenants_databases_is_asked() {
        for (port, state, word) in [
            // It has no database of nobody's, and says so.
            (answering("404 Not Found").await, State::Ok, "answers"),
            (answering("401 Unauthorized").await, State::Fail, "refuses the token"),
            (answering("502 Bad Gateway").await, State::Fail, "502"),
            (1, State::Fail, "could not be reached"),
        ] {
            let url = format!("http://{{tenant}}.localhost:{port}");
            let server = ServerOptions { url: url.clone(), token: None, admin_url: None, admin_key: None };
            let mut findings = Vec::new();
            tenants_server(&server, &mut findings).await;
            let [found] = &findings[..] else { panic!("{findings:?}") };
            assert!(found.state == state && found.what.contains(word), "{found:?}");
            assert!(found.what.contains(&url), "{found:?}");
            let remedy = found.remedy.as_deref().unwrap_or_default();
            let names_settings = remedy.contains("tenants.url") && remedy.contains("BATON_TENANTS__TOKEN");
            assert_eq!(names_settings, state == State::Fail, "{found:?}");
        }
    }

    #[test]
    fn each_kind_of_failure_to_write_has_its_remedy() {
        for (kind, word) in [
            (ErrorKind::StorageFull, "room"),
            (ErrorKind::ReadOnlyFilesystem, "mount"),
            (ErrorKind::PermissionDenied, "user"),
        ] {
            let remedy = remedy_of(kind);
            assert!(remedy.contains(word) && remedy.contains("--data-dir"), "{kind}: {remedy}");
        }
    }
}
