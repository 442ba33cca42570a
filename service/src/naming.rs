//! What everything that people name has in common: a slug for addresses and commands, a name to be read.

use crate::error::{Error, is_taken};

/// Refuses what cannot stand in an address.
pub(crate) fn check_slug(slug: &str) -> Result<(), Error> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = !slug.is_empty()
        && slug.len() <= 63
        && slug.bytes().all(|byte| good(byte) || byte == b'-')
        && slug.bytes().next().is_some_and(good);
    if fits {
        Ok(())
    } else {
        Err(Error::invalid(
            "slug",
            "a slug has 1 to 63 lower-case letters, digits and dashes and begins with a letter or digit",
        ))
    }
}

/// What an insert failed of, when it is that somebody has the slug already.
pub(crate) fn slug_taken(error: sea_orm::DbErr, constraint: &str, what: &str, slug: &str) -> Error {
    if is_taken(&error, constraint) {
        Error::Conflict(format!("there is a {what} `{slug}` already").into())
    } else {
        error.into()
    }
}

/// Characters of a name at most.
const NAME_CHARS_MAX: usize = 200;

/// A name as people see it, without space at its ends; refused when nobody could read it.
pub(crate) fn check_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
        return Err(Error::invalid("name", format!("a name has 1 to {NAME_CHARS_MAX} printable characters")));
    }
    Ok(name.to_owned())
}

/// The name of a new thing: the fallback, its slug, stands in for one that is missing or blank.
pub(crate) fn display(name: Option<String>, fallback: &str) -> Result<String, Error> {
    let name = name.filter(|name| !name.trim().is_empty());
    check_name(name.as_deref().unwrap_or(fallback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_what_can_stand_in_an_address() {
        for good in ["a", "0", "experian-2", &"x".repeat(63)] {
            assert!(check_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a b", "é", "a/b", &"x".repeat(64)] {
            assert!(check_slug(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_blank_name_is_the_slug_at_first_and_refused_later() {
        let shown = |name: &str| display(Some(name.to_owned()), "crm").expect("a name");
        assert_eq!((shown("  ").as_str(), shown(" Our CRM ").as_str()), ("crm", "Our CRM"));
        assert_eq!(display(None, "crm").expect("a name"), "crm");
        for bad in ["", " \t", "a\nb", &"x".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name(&"é".repeat(200)).is_ok());
    }
}
