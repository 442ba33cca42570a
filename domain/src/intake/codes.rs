//! The stable codes of reasons and warnings, as [`Issue::code`](crate::lead::Issue::code) carries them.

/// Refused: neither a valid phone nor a valid e-mail is left after normalisation (S002-29).
pub const MISSING_CONTACT: &str = "MISSING_CONTACT";
/// Refused: cells are missing or left over, or the JSON is no object.
pub const MALFORMED_ROW: &str = "MALFORMED_ROW";
/// Refused: objects and arrays are nested deeper than [`NESTING_MAX`](super::NESTING_MAX).
pub const JSON_TOO_DEEP: &str = "JSON_TOO_DEEP";
/// Refused: more than [`COLUMNS_MAX`](super::COLUMNS_MAX) values that the mapping does not name.
pub const TOO_MANY_COLUMNS: &str = "TOO_MANY_COLUMNS";
/// Refused: a field that the mapping requires is blank or cannot be used.
/// Warning: an optional one is none of the words that it can be.
pub const INVALID_FIELD: &str = "INVALID_FIELD";
/// Refused: a cell is longer than [`CELL_BYTES_MAX`](super::CELL_BYTES_MAX).
pub const CELL_TOO_LONG: &str = "CELL_TOO_LONG";

/// Warning: no first name, which some CRMs require.
pub const MISSING_NAME: &str = "MISSING_NAME";
/// Warning: a phone was dropped.
pub const INVALID_PHONE: &str = "INVALID_PHONE";
/// Warning: an e-mail was dropped.
pub const INVALID_EMAIL: &str = "INVALID_EMAIL";
/// Warning: one cell held several e-mails; the first is used.
pub const MULTIPLE_EMAILS: &str = "MULTIPLE_EMAILS";
/// Warning: the state is none of the United States, their territories or Canada.
pub const UNKNOWN_STATE: &str = "UNKNOWN_STATE";
/// Warning: the ZIP has not five (or nine) digits.
pub const INVALID_ZIP: &str = "INVALID_ZIP";
/// Warning: the ZIP had lost its leading zeros and got them back.
pub const ZIP_PADDED: &str = "ZIP_PADDED";
/// Warning: the credit score is no whole number between 300 and 850.
pub const INVALID_CREDIT_SCORE: &str = "INVALID_CREDIT_SCORE";
/// Warning: the credit score came as words or a range and is kept as a rating.
pub const CREDIT_RATING: &str = "CREDIT_RATING";
/// Warning: an amount cannot be read.
pub const INVALID_MONEY: &str = "INVALID_MONEY";
/// Warning: an amount that cannot be negative is.
pub const NEGATIVE_MONEY: &str = "NEGATIVE_MONEY";
/// Warning: a rate cannot be read or is no percentage.
pub const INVALID_RATE: &str = "INVALID_RATE";
/// Warning: a loan-to-value ratio cannot be read or is out of range.
pub const INVALID_LTV: &str = "INVALID_LTV";
/// Warning: a loan-to-value ratio came as a fraction and was multiplied by 100.
pub const LTV_FRACTION: &str = "LTV_FRACTION";
/// Warning: an answer is neither yes nor no.
pub const INVALID_BOOLEAN: &str = "INVALID_BOOLEAN";
/// Warning: a date cannot be read or does not exist.
pub const INVALID_DATE: &str = "INVALID_DATE";
/// Warning: a date can be read in two ways.
pub const AMBIGUOUS_DATE: &str = "AMBIGUOUS_DATE";
/// Warning: a whole number cannot be read.
pub const INVALID_NUMBER: &str = "INVALID_NUMBER";
/// Warning: a year is not written in four digits or is not plausible.
pub const INVALID_YEAR: &str = "INVALID_YEAR";
/// Warning: a text looks like a spreadsheet's formula; it is kept as text.
pub const FORMULA_TEXT: &str = "FORMULA_TEXT";
/// Warning: a name, address, label or id is too long to be one.
pub const TEXT_TOO_LONG: &str = "TEXT_TOO_LONG";
