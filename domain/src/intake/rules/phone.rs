//! Telephone numbers: North America by a filter of our own on bytes, other regions by their metadata.
//!
//! Libraries for telephone numbers are lenient where a lead's number must not be guessed: one reads the letter O as a
//! keypad's 6, the habit of keeping "the last ten digits" turns a British number into one of Maine.

use compact_str::CompactString;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use super::super::codes::INVALID_PHONE;
use super::Fault;
use super::text::{is_placeholder, trim};

/// The regions whose numbers a tenant accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    north_america: bool,
    others: Vec<Region>,
}

/// A code that is no region of the telephone world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{code}` is not a region code of two letters such as US, CA or FR")]
pub struct UnknownRegion {
    /// As given, shortened.
    pub code: String,
}

impl Default for Regions {
    /// The United States and Canada.
    fn default() -> Self {
        Self { north_america: true, others: Vec::new() }
    }
}

impl Regions {
    /// From ISO 3166 codes: `US`, `CA`, `FR`. The United States and Canada share one numbering plan, and count as one.
    pub fn from_codes<S: AsRef<str>>(codes: &[S]) -> Result<Self, UnknownRegion> {
        let mut regions = Self { north_america: false, others: Vec::new() };
        for code in codes {
            let code = code.as_ref().trim().to_ascii_uppercase();
            if matches!(code.as_str(), "US" | "CA") {
                regions.north_america = true;
                continue;
            }
            let unknown = || UnknownRegion { code: code.chars().take(20).collect() };
            let region: Region = code.parse().map_err(|_| unknown())?;
            if PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_none() {
                return Err(unknown());
            }
            if !regions.others.contains(&region) {
                regions.others.push(region);
            }
        }
        Ok(regions)
    }
}

/// A number and its extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// E.164: `+13035550101`.
    pub number: CompactString,
    /// Digits after `x` or `ext`.
    pub extension: Option<CompactString>,
}

const LETTERS: Fault = Fault::new(INVALID_PHONE, "The phone has letters; write ten digits.");
const SCIENTIFIC: Fault =
    Fault::new(INVALID_PHONE, "A spreadsheet cut the phone's digits (scientific notation); send it as text.");
const LENGTH: Fault = Fault::new(
    INVALID_PHONE,
    "The phone is not a North American number of ten digits, nor one of an accepted region.",
);
const AREA: Fault = Fault::new(INVALID_PHONE, "The phone's area code does not exist.");
const EXCHANGE: Fault =
    Fault::new(INVALID_PHONE, "The phone's exchange (digits 4 to 6) cannot start with 0 or 1.");
const REPEATED: Fault = Fault::new(INVALID_PHONE, "The phone is one digit repeated.");
const REGION: Fault = Fault::new(INVALID_PHONE, "The phone is of no region that is accepted.");

/// The numbers of a cell that may hold several, without its blanks and placeholders.
pub fn split(cell: &str) -> impl Iterator<Item = &str> {
    let cell = trim(cell);
    // `n/a` must not fall apart at its slash.
    let cell = if is_placeholder(cell) { "" } else { cell };
    cell.split(['/', ';', ',', '|', '\n']).map(trim).filter(|part| !is_placeholder(part) && !is_zeros(part))
}

/// `000-000-0000` is how a form that demands a phone is left blank.
fn is_zeros(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0' || byte.is_ascii() && !byte.is_ascii_alphanumeric())
}

/// One number of the accepted regions.
pub fn normalise(text: &str, regions: &Regions) -> Result<Phone, Fault> {
    let text = trim(text);
    let (base, extension) = split_extension(text);
    let fault = if regions.north_america {
        match north_american(base) {
            Ok(digits) => {
                let extension = extension.map(CompactString::from);
                return Ok(Phone { number: e164(digits), extension });
            }
            Err(fault) => fault,
        }
    } else {
        REGION
    };
    if regions.others.is_empty() { Err(fault) } else { elsewhere(base, extension, regions).ok_or(fault) }
}

fn e164(digits: [u8; 10]) -> CompactString {
    let mut number = CompactString::const_new("+1");
    for digit in digits {
        number.push(char::from(digit));
    }
    number
}

/// The ten digits, or the first thing that is wrong.
fn north_american(text: &str) -> Result<[u8; 10], Fault> {
    let bytes = without_float(text.as_bytes());
    let (plus, bytes) = match bytes {
        [b'+', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let mut digits = [0_u8; 11];
    let mut count = 0_usize;
    for &byte in bytes {
        match byte {
            b'0'..=b'9' => {
                if let Some(place) = digits.get_mut(count) {
                    *place = byte;
                }
                count += 1;
            }
            // The bytes outside of ASCII are a non-breaking space's and those of word processors' dashes.
            b' ' | b'-' | b'.' | b'(' | b')' | b'\t' | 0xc2 | 0xa0 | 0xe2 | 0x80 | 0x90..=0x95 => {}
            b'E' | b'e' if count > 0 && is_scientific(text) => return Err(SCIENTIFIC),
            b'A'..=b'Z' | b'a'..=b'z' => return Err(LETTERS),
            _ => return Err(LENGTH),
        }
    }
    let ten: [u8; 10] = match (count, plus, digits[0]) {
        (10, false, _) => std::array::from_fn(|index| digits[index]),
        (11, _, b'1') => std::array::from_fn(|index| digits[index + 1]),
        _ => return Err(LENGTH),
    };
    if ten.iter().all(|&digit| digit == ten[0]) {
        return Err(REPEATED);
    }
    let area = &ten[..3];
    if area[0] < b'2' || area == b"555" || area[1..] == *b"11" {
        return Err(AREA);
    }
    if ten[3] < b'2' { Err(EXCHANGE) } else { Ok(ten) }
}

/// A spreadsheet's `3035550108.0` is an integer that went through a float.
fn without_float(bytes: &[u8]) -> &[u8] {
    match bytes {
        [digits @ .., b'.', b'0'] if digits.iter().all(u8::is_ascii_digit) => digits,
        _ => bytes,
    }
}

fn is_scientific(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
}

/// The text before `x12`, `ext. 12`, `extension 12` or `#12`, and the digits after it.
fn split_extension(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let mut digits_from = bytes.len();
    while digits_from > 0 && bytes[digits_from - 1].is_ascii_digit() {
        digits_from -= 1;
    }
    let extension = &text[digits_from..];
    if !(1..=8).contains(&extension.len()) {
        return (text, None);
    }
    let before = text[..digits_from].trim_end_matches([' ', '.', ':']);
    for word in ["extension", "ext", "x", "#"] {
        let Some(at) = before.len().checked_sub(word.len()) else { continue };
        if before.is_char_boundary(at) && before[at..].eq_ignore_ascii_case(word) {
            return (before[..at].trim_end_matches([' ', ',', '-']), Some(extension));
        }
    }
    (text, None)
}

/// A number of another region, by the published metadata.
fn elsewhere(text: &str, extension: Option<&str>, regions: &Regions) -> Option<Phone> {
    // The library reads letters as a keypad does; a letter here is a mistake.
    let printable = |character: char| character.is_ascii_digit() || " -.()+".contains(character);
    if text.len() > 40 || !text.chars().all(printable) {
        return None;
    }
    for &region in &regions.others {
        let Ok(number) = PHONE_NUMBER_UTIL.parse(text, Some(region)) else { continue };
        if PHONE_NUMBER_UTIL.is_valid_number_for_region(&number, region) {
            let number = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).as_ref().into();
            return Some(Phone { number, extension: extension.map(CompactString::from) });
        }
    }
    None
}
