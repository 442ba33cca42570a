//! Why a mapping cannot be used, or not with this file.

use std::fmt::Write as _;

/// Why a mapping cannot be used, or not with this file. Column names are shortened, lists are capped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The mapping fills no field.
    #[error("the mapping has no fields")]
    NoFields,
    /// A field that the catalogue does not have.
    #[error("unknown field `{field}`; known are {known}, and `custom.<name>`")]
    UnknownField {
        /// As written.
        field: String,
        /// The names of the catalogue.
        known: String,
    },
    /// A transform that does not exist.
    #[error("unknown transform `{transform}` of field `{field}`; known are {known}")]
    UnknownTransform {
        /// The field that it stands at.
        field: String,
        /// As written.
        transform: String,
        /// The names that exist.
        known: String,
    },
    /// A transform whose values the field cannot take.
    #[error("the field `{field}` cannot be read by `{transform}`; possible are {possible}")]
    UnfitTransform {
        /// The field.
        field: String,
        /// As written.
        transform: String,
        /// What the field can take.
        possible: String,
    },
    /// A field without a column, or with both `from` and `join`.
    #[error("the field `{field}` needs either `from` or `join` with at least one column, and no blank name")]
    NoColumn {
        /// The field.
        field: String,
    },
    /// No column of the header is in the mapping.
    #[error("no known column in the header. Found: {found}. Expected some of: {expected}")]
    NoKnownColumn {
        /// The header's names.
        found: String,
        /// The mapping's names.
        expected: String,
    },
    /// More columns than a record may have.
    #[error("the header has {found} columns, at most {max} are possible; is the delimiter right?")]
    TooManyColumns {
        /// How many the header has.
        found: usize,
        /// [`COLUMNS_MAX`](super::COLUMNS_MAX).
        max: usize,
    },
}

/// A list for a person: at most 40 names of at most 80 characters.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 40;
    let mut text = String::new();
    let mut left_out = 0_usize;
    for (index, name) in names.enumerate() {
        if index >= NAMES_MAX {
            left_out += 1;
            continue;
        }
        if index > 0 {
            text.push_str(", ");
        }
        text.push('`');
        text.extend(name.trim().chars().filter(|character| !character.is_control()).take(80));
        text.push('`');
    }
    if left_out > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, " and {left_out} more");
    }
    text
}
