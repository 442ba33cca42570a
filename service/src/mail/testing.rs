//! A real mail server on loopback, for tests: it speaks SMTP and keeps what it takes.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailin::response::{AUTH_OK, INVALID_CREDENTIALS, OK};
use mailin::{Action, AuthMechanism, Handler, Response, SessionBuilder};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{Encryption, Settings};

/// A message that the server took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body as they were sent.
    pub text: String,
}

/// The server; it ends when this is dropped. It has no mailbox for `nobody@…`, and is busy for `later@…`;
/// it says so with the address, as many servers do.
pub struct MailServer {
    port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
    task: JoinHandle<()>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    /// Starts it on a free port. With a user and a password, only who knows them may send.
    pub async fn start(user: Option<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("an address").port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let postmaster = Postmaster { user, taken: Arc::clone(&taken), letter: Taken::default() };
        let task = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let postmaster = postmaster.clone();
                tokio::spawn(async move {
                    // A client that goes away is its own affair.
                    let _ended = converse(stream, peer.ip(), postmaster).await;
                });
            }
        });
        Self { port, taken, task }
    }

    /// How to send by it.
    pub fn settings(&self) -> Settings {
        Settings {
            host: Some("127.0.0.1".to_owned()),
            port: self.port,
            encryption: Encryption::None,
            credentials: None,
            from: "Baton <baton@example.com>".to_owned(),
            timeout: Duration::from_secs(5),
        }
    }

    /// What it has taken so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, postmaster: Postmaster) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut builder = SessionBuilder::new("mail.test");
    if postmaster.user.is_some() {
        builder.enable_auth(AuthMechanism::Plain);
        builder.insecure_enable_plaintext_auth();
    }
    let mut session = builder.build(peer, postmaster);
    writer.write_all(&session.greeting().buffer()?).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let response = session.process(&line);
        if !matches!(response.action, Action::NoReply) {
            writer.write_all(&response.buffer()?).await?;
        }
        if matches!(response.action, Action::Close) {
            return Ok(());
        }
    }
}

#[derive(Clone)]
struct Postmaster {
    user: Option<(&'static str, &'static str)>,
    taken: Arc<Mutex<Vec<Taken>>>,
    letter: Taken,
}

impl Handler for Postmaster {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        self.letter = Taken { from: from.to_owned(), ..Taken::default() };
        OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("nobody@") {
            return Response::custom(550, format!("<{to}>: mailbox unavailable"));
        }
        if to.starts_with("later@") {
            return Response::custom(421, format!("<{to}>: service not available, closing connection"));
        }
        self.letter.to.push(to.to_owned());
        OK
    }

    fn data(&mut self, buf: &[u8]) -> io::Result<()> {
        self.letter.text.push_str(&String::from_utf8_lossy(buf));
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.letter));
        OK
    }

    fn auth_plain(&mut self, _: &str, user: &str, password: &str) -> Response {
        if self.user == Some((user, password)) { AUTH_OK } else { INVALID_CREDENTIALS }
    }
}
