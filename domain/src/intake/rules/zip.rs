//! ZIP codes: five digits, the four after the dash apart.

use compact_str::CompactString;

use super::super::codes::{INVALID_ZIP, ZIP_PADDED};
use super::Fault;
use super::text::trim;

/// A ZIP code in its two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zip {
    /// Five digits.
    pub five: CompactString,
    /// The four digits of ZIP+4.
    pub four: Option<CompactString>,
    /// Set when leading zeros were put back.
    pub note: Option<Fault>,
}

const FAULT: Fault = Fault::new(INVALID_ZIP, "The ZIP is not five digits, nor five and four.");
const PADDED: Fault = Fault::new(ZIP_PADDED, "The ZIP had lost its leading zeros; they were put back.");

/// `80202`, `80202-1234`, `802021234`, a spreadsheet's `80203.0` or `2139`; blank is `None`.
pub fn zip(text: &str) -> Result<Option<Zip>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.strip_suffix(".0").unwrap_or(text);
    let (five, four) = match text.split_once(['-', ' ']) {
        Some((five, four)) => (five.trim_end(), four.trim_start_matches(['-', ' '])),
        None if text.len() == 8 || text.len() == 9 => match text.split_at_checked(text.len() - 4) {
            Some(parts) => parts,
            None => return Err(FAULT),
        },
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(five) || !digits(four) || !matches!(four.len(), 0 | 4) {
        return Err(FAULT);
    }
    let (five, note) = match five.len() {
        5 => (CompactString::from(five), None),
        // New England, New Jersey and Puerto Rico start with zeros, which spreadsheets drop.
        3 | 4 => {
            let mut padded = CompactString::from(&"00"[five.len() - 3..]);
            padded.push_str(five);
            (padded, Some(PADDED))
        }
        _ => return Err(FAULT),
    };
    // 00501 (Holtsville) is the lowest code that was ever given out.
    if five.as_str() < "00501" {
        return Err(FAULT);
    }
    let four = if four.is_empty() { None } else { Some(CompactString::from(four)) };
    Ok(Some(Zip { five, four, note }))
}
