//! Mail: one message to one address over the operator's SMTP server.
//!
//! Sending is a network call and belongs into a job, never into a transaction or a request. Nothing of a message is
//! logged: an address is a person's, and what the server says may quote it.
//!
//! Deliberately absent: a queue of its own (that is [`crate::jobs`]), templates (a message's author writes its text), attachments.

use std::fmt;
use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

mod fault;
#[cfg(feature = "testing")]
pub mod testing;

pub use fault::Fault;

/// The server that takes Baton's mail.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name; none when mail is not set up.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the connection is made private.
    pub encryption: Encryption,
    /// Who signs in there, and the password; none for a server that asks nobody.
    pub credentials: Option<(String, SecretString)>,
    /// Whom the mail is from, as in `Baton <baton@example.com>`.
    pub from: String,
    /// For each step of the conversation with the server.
    pub timeout: Duration,
}

/// How the connection to the mail server is made private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// In clear first, and then private or not at all (port 587).
    StartTls,
    /// Private from the first byte (port 465).
    Tls,
    /// In clear: a server on the same machine or a private network.
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: None,
            port: 587,
            encryption: Encryption::StartTls,
            credentials: None,
            from: "Baton <baton@localhost>".to_owned(),
            timeout: Duration::from_secs(20),
        }
    }
}

/// A message in plain text and, for those who prefer it, HTML.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// One address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The message.
    pub text: String,
    /// The same as HTML; its author has escaped what is not its own.
    pub html: Option<String>,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").finish_non_exhaustive()
    }
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator has named no server.
    #[error("mail is not set up: set mail.host in the configuration")]
    NotSetUp,
    /// An address, the recipient's or our own, is none.
    #[error("`{0}` is not a mail address")]
    Address(&'static str),
    /// The settings make no client.
    #[error("the mail settings cannot be used")]
    Settings(#[source] lettre::transport::smtp::Error),
    /// The message cannot be written down.
    #[error("the message cannot be composed")]
    Compose(#[source] lettre::error::Error),
    /// The server will not take this message, now or later.
    #[error("the mail server refuses the message")]
    Refused(#[source] Fault),
    /// The server does not answer, or asks to be tried again.
    #[error("the mail server cannot take the message now")]
    Passing(#[source] Fault),
}

impl Error {
    /// Whether the same message may be taken later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Passing(_))
    }

    fn of(error: &lettre::transport::smtp::Error) -> Self {
        let fault = Fault::from(error);
        if error.is_permanent() { Self::Refused(fault) } else { Self::Passing(fault) }
    }
}

/// Whether that text is one mail address.
pub fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok()
}

/// Whether that text may stand as the sender, as in `Baton <baton@example.com>`.
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Sends mail; cheap to clone. Keeps connections open for a minute.
#[derive(Clone)]
pub struct Mailer(Option<(AsyncSmtpTransport<Tokio1Executor>, Mailbox)>);

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailer").field(&self.is_set_up()).finish()
    }
}

impl Mailer {
    /// Makes the client; connects to nobody yet. Only inside of a Tokio runtime: its pool of connections has a task.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let Some(host) = &settings.host else { return Ok(Self(None)) };
        let from: Mailbox = settings.from.parse().map_err(|_| Error::Address("mail.from"))?;
        let private = || TlsParameters::new(host.clone()).map_err(Error::Settings);
        let tls = match settings.encryption {
            Encryption::StartTls => Tls::Required(private()?),
            Encryption::Tls => Tls::Wrapper(private()?),
            Encryption::None => Tls::None,
        };
        let mut client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.timeout));
        if let Some((user, password)) = &settings.credentials {
            client = client.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self(Some((client.build(), from))))
    }

    /// Whether there is a server to send by.
    pub fn is_set_up(&self) -> bool {
        self.0.is_some()
    }

    /// Sends one message; returns when the server has taken it.
    pub async fn send(&self, letter: Letter) -> Result<(), Error> {
        let (client, from) = self.0.as_ref().ok_or(Error::NotSetUp)?;
        let to: Address = letter.to.parse().map_err(|_| Error::Address("to"))?;
        let message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .message_id(None);
        let message = match letter.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(letter.text, html)),
            None => message.header(lettre::message::header::ContentType::TEXT_PLAIN).body(letter.text),
        };
        let sent = client.send(message.map_err(Error::Compose)?).await;
        sent.map(|_| ()).map_err(|error| Error::of(&error))
    }

    /// Whether the server answers and lets Baton in; for the doctor.
    pub async fn probe(&self) -> Result<(), Error> {
        let (client, _) = self.0.as_ref().ok_or(Error::NotSetUp)?;
        client.test_connection().await.map(|_| ()).map_err(|error| Error::of(&error))
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NotSetUp => Self::Conflict(error.to_string().into()),
            Error::Passing(_) => Self::Unavailable { what: "the mail server", source: Box::new(error) },
            other => Self::internal("sending mail", other),
        }
    }
}
