//! What went wrong between Baton and the mail server, in words of our own.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp;

/// Why the mail server did not take a message. None of its own words are in it: a reply may quote the recipient's address, and
/// what an error comes of is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It answered with a code of failure (RFC 5321, section 4.2).
    #[error("it answers with code {0}")]
    Code(u16),
    /// No answer came in time.
    #[error("it does not answer in time")]
    Late,
    /// No private connection came about.
    #[error("the connection to it cannot be made private")]
    Privacy,
    /// It does not speak SMTP.
    #[error("what it answers cannot be understood")]
    Answer,
    /// It lacks what the settings ask for.
    #[error("it does not offer the encryption or the sign-in that is set")]
    Offer,
    /// The network said why.
    #[error("there is no connection to it: {0}")]
    Network(io::ErrorKind),
    /// Its name is unknown, or the connection was given up.
    #[error("it cannot be reached")]
    Unreachable,
}

impl From<&smtp::Error> for Fault {
    fn from(error: &smtp::Error) -> Self {
        match error.status() {
            Some(code) => Self::Code(code.into()),
            None if error.is_timeout() => Self::Late,
            None if error.is_tls() => Self::Privacy,
            None if error.is_response() => Self::Answer,
            None if error.is_client() => Self::Offer,
            None => network(error).map_or(Self::Unreachable, Self::Network),
        }
    }
}

fn network(error: &smtp::Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}
