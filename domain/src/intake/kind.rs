//! The kinds of sources, and the mappings that are compiled in.

use std::fmt;
use std::str::FromStr;

use super::MappingSpec;

/// What kind of source a file or record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// Experian's prescreen CSV.
    Experian,
    /// `TransUnion`'s trigger CSV.
    TransUnion,
    /// `LeadSource`, CSV or JSON under the same names.
    LeadSource,
    /// NPA conversation leads, one JSON object a line.
    Npa,
    /// Anything else: the tenant brings the mapping.
    Generic,
}

/// A word that is no kind of source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of source; known are experian, transunion, leadsource, npa and generic")]
pub struct UnknownSourceKind;

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Experian, Self::TransUnion, Self::LeadSource, Self::Npa, Self::Generic];

    /// The word for it, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Experian => "experian",
            Self::TransUnion => "transunion",
            Self::LeadSource => "leadsource",
            Self::Npa => "npa",
            Self::Generic => "generic",
        }
    }

    /// The JSON text of its mapping; `generic` has none.
    pub const fn mapping_json(self) -> Option<&'static str> {
        match self {
            Self::Experian => Some(include_str!("mappings/experian.json")),
            Self::TransUnion => Some(include_str!("mappings/transunion.json")),
            Self::LeadSource => Some(include_str!("mappings/leadsource.json")),
            Self::Npa => Some(include_str!("mappings/npa.json")),
            Self::Generic => None,
        }
    }

    /// Its mapping, which a tenant may extend; `generic` has none.
    pub fn mapping(self) -> Option<MappingSpec> {
        // A test parses each: the text is part of the program, so this cannot fail at run time.
        self.mapping_json().map(|json| MappingSpec::parse(json).expect("a built-in mapping is valid"))
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SourceKind {
    type Err = UnknownSourceKind;

    fn from_str(text: &str) -> Result<Self, UnknownSourceKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownSourceKind)
    }
}
