//! E-mail addresses as names to sign in with.

use std::fmt;

use crate::Error;

/// The longest address that can receive mail (RFC 5321, 4.5.3.1.3, without the angle brackets).
const BYTES_MAX: usize = 254;

/// An e-mail address: trimmed and in lower case, so that one person has one account.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads and normalises an address; checks its shape, not whether it receives mail.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let email = normalise(text);
        let (local, host) = email.rsplit_once('@').ok_or(Error::InvalidEmail)?;
        let plain = email.len() <= BYTES_MAX
            && !local.is_empty()
            && !local.contains('@')
            && !email.chars().any(|c| c.is_whitespace() || c.is_control());
        let host_is_a_name = host
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
            && host.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.');
        if plain && host_is_a_name { Ok(Self(email)) } else { Err(Error::InvalidEmail) }
    }

    /// The normalised address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form under which addresses are compared, also for text that is no address.
pub(crate) fn normalise(text: &str) -> String {
    text.trim().to_lowercase()
}

/// An address is a person's data and stays out of logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_or_refused() {
        for (text, wanted) in [
            (" Ada@Example.COM ", Some("ada@example.com")),
            ("o'neil+leads@mail.example.co.uk", Some("o'neil+leads@mail.example.co.uk")),
            ("ada@localhost", Some("ada@localhost")),
            ("MÜLLER@bücher.example", Some("müller@bücher.example")),
            ("ada", None),
            ("@example.com", None),
            ("ada@", None),
            ("ada@@example.com", None),
            ("a@b@example.com", None),
            ("ada lovelace@example.com", None),
            ("ada@example..com", None),
            ("ada@-example.com", None),
            ("ada@exa\u{0}mple.com", None),
            ("ada@example.com>", None),
        ] {
            assert_eq!(Email::parse(text).ok().as_ref().map(Email::as_str), wanted, "{text}");
        }
        let too_long = format!("{}@example.com", "a".repeat(BYTES_MAX));
        assert!(Email::parse(&too_long).is_err());
    }

    #[test]
    fn debug_text_hides_the_address() {
        assert!(!format!("{:?}", Email::parse("ada@example.com").unwrap()).contains("ada"));
    }
}
