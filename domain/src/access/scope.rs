//! What a credential may be used for (RFC 6749, section 3.3: words with spaces between them).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Right, Role};

/// The rights that a credential carries: all of its role's, or the named ones of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Whatever the role may. Its text is `*`.
    #[default]
    Full,
    /// These and no others, in rising order, each once.
    Only(Vec<Right>),
}

/// A word of a scope that is no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a right that a scope can name (as in `leads:read`)")]
pub struct UnknownRight {
    text: String,
}

impl UnknownRight {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.chars().take(80).collect() }
    }
}

impl Scope {
    /// These rights.
    pub fn only(rights: impl IntoIterator<Item = Right>) -> Self {
        let mut rights: Vec<Right> = rights.into_iter().collect();
        rights.sort_unstable();
        rights.dedup();
        Self::Only(rights)
    }

    /// Whether it lets that right through. Who one is may always be asked.
    pub fn allows(&self, right: Right) -> bool {
        match self {
            Self::Full => true,
            Self::Only(rights) => right == Right::Own || rights.contains(&right),
        }
    }

    /// The first of its rights that the role does not have: such a scope promises what it cannot keep.
    pub fn beyond(&self, role: Role) -> Option<Right> {
        match self {
            Self::Full => None,
            Self::Only(rights) => rights.iter().copied().find(|right| !role.has(*right)),
        }
    }

    /// Whether everything that this one allows, the other allows too.
    pub fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Full) => true,
            (Self::Full, Self::Only(_)) => false,
            (Self::Only(rights), other) => rights.iter().all(|right| other.allows(*right)),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Only(rights) = self else { return f.write_str("*") };
        for (at, right) in rights.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(right.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for Scope {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        if text.trim() == "*" {
            return Ok(Self::Full);
        }
        let rights: Result<Vec<Right>, _> = text.split_ascii_whitespace().map(str::parse).collect();
        Ok(Self::only(rights?))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{RIGHTS, ROLES};
    use super::*;

    fn scopes() -> impl Strategy<Value = Scope> {
        let rights = proptest::collection::vec(proptest::sample::select(RIGHTS), 0..8);
        prop_oneof![
            Just(Scope::Full),
            rights.prop_map(|rights| Scope::only(rights.into_iter().map(|(right, _)| right)))
        ]
    }

    proptest! {
        #[test]
        fn a_scope_reads_back(scope in scopes()) {
            prop_assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }

        #[test]
        fn a_narrower_scope_never_allows_more(one in scopes(), other in scopes(), place: prop::sample::Index) {
            let right = RIGHTS[place.index(RIGHTS.len())].0;
            if one.is_within(&other) && one.allows(right) {
                prop_assert!(other.allows(right));
            }
            for role in ROLES {
                if one.beyond(role).is_none() && one != Scope::Full && one.allows(right) {
                    prop_assert!(role.has(right));
                }
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = text.parse::<Scope>();
        }
    }

    #[test]
    fn an_empty_scope_allows_nothing_and_an_unknown_word_is_named() {
        let empty: Scope = "".parse().unwrap();
        assert!(empty.allows(Right::Own) && !empty.allows(Right::LeadsRead));
        let refused = "leads:read leeds:read".parse::<Scope>().unwrap_err();
        assert!(refused.to_string().contains("leeds:read"));
    }
}
