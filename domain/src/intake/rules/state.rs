//! States of the United States, their territories and military post, and provinces of Canada.

use compact_str::CompactString;

use super::super::codes::UNKNOWN_STATE;
use super::Fault;
use super::text::{trim, upper};

const FAULT: Fault = Fault::new(
    UNKNOWN_STATE,
    "The state is neither a code of two letters nor the name of a state, territory or province.",
);

/// Two upper-case letters; blank is `None`.
pub fn state(text: &str) -> Result<Option<CompactString>, Fault> {
    let text = trim(text);
    if let &[first, second] = text.as_bytes() {
        let code = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
        return CODES.binary_search(&&code).map(|_| code_text(code)).map(Some).map_err(|_| FAULT);
    }
    if text.is_empty() {
        return Ok(None);
    }
    by_name(text).map(|code| Some(CompactString::const_new(code))).ok_or(FAULT)
}

fn code_text(code: [u8; 2]) -> CompactString {
    let mut text = CompactString::const_new("");
    for letter in code {
        text.push(char::from(letter));
    }
    text
}

fn by_name(text: &str) -> Option<&'static str> {
    const NAME_BYTES_MAX: usize = 40;
    if text.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = upper(text);
    // `N.Y.`, `D. C.` and `Newfoundland & Labrador`.
    let letters: CompactString =
        name.chars().filter(|character| !matches!(character, '.' | ' ' | ',')).collect();
    if let &[first, second] = letters.as_bytes() {
        return CODES
            .binary_search(&&[first, second])
            .ok()
            .and_then(|at| std::str::from_utf8(CODES[at]).ok());
    }
    NAMES.iter().find(|(full, _)| *full == name).map(|(_, code)| *code)
}

/// Every code, sorted: fifty states, the District, territories, military post, Canada's provinces.
const CODES: [&[u8; 2]; 75] = [
    b"AA", b"AB", b"AE", b"AK", b"AL", b"AP", b"AR", b"AS", b"AZ", b"BC", b"CA", b"CO", b"CT", b"DC", b"DE",
    b"FL", b"FM", b"GA", b"GU", b"HI", b"IA", b"ID", b"IL", b"IN", b"KS", b"KY", b"LA", b"MA", b"MB", b"MD",
    b"ME", b"MH", b"MI", b"MN", b"MO", b"MP", b"MS", b"MT", b"NB", b"NC", b"ND", b"NE", b"NH", b"NJ", b"NL",
    b"NM", b"NS", b"NT", b"NU", b"NV", b"NY", b"OH", b"OK", b"ON", b"OR", b"PA", b"PE", b"PR", b"PW", b"QC",
    b"RI", b"SC", b"SD", b"SK", b"TN", b"TX", b"UT", b"VA", b"VI", b"VT", b"WA", b"WI", b"WV", b"WY", b"YT",
];

const NAMES: [(&str, &str); 86] = [
    ("ALABAMA", "AL"),
    ("ALASKA", "AK"),
    ("ARIZONA", "AZ"),
    ("ARKANSAS", "AR"),
    ("CALIFORNIA", "CA"),
    ("COLORADO", "CO"),
    ("CONNECTICUT", "CT"),
    ("DELAWARE", "DE"),
    ("DISTRICT OF COLUMBIA", "DC"),
    ("WASHINGTON DC", "DC"),
    ("WASHINGTON D.C.", "DC"),
    ("WASHINGTON, DC", "DC"),
    ("WASHINGTON, D.C.", "DC"),
    ("FLORIDA", "FL"),
    ("GEORGIA", "GA"),
    ("HAWAII", "HI"),
    ("HAWAI'I", "HI"),
    ("IDAHO", "ID"),
    ("ILLINOIS", "IL"),
    ("INDIANA", "IN"),
    ("IOWA", "IA"),
    ("KANSAS", "KS"),
    ("KENTUCKY", "KY"),
    ("LOUISIANA", "LA"),
    ("MAINE", "ME"),
    ("MARYLAND", "MD"),
    ("MASSACHUSETTS", "MA"),
    ("MICHIGAN", "MI"),
    ("MINNESOTA", "MN"),
    ("MISSISSIPPI", "MS"),
    ("MISSOURI", "MO"),
    ("MONTANA", "MT"),
    ("NEBRASKA", "NE"),
    ("NEVADA", "NV"),
    ("NEW HAMPSHIRE", "NH"),
    ("NEW JERSEY", "NJ"),
    ("NEW MEXICO", "NM"),
    ("NEW YORK", "NY"),
    ("NORTH CAROLINA", "NC"),
    ("NORTH DAKOTA", "ND"),
    ("OHIO", "OH"),
    ("OKLAHOMA", "OK"),
    ("OREGON", "OR"),
    ("PENNSYLVANIA", "PA"),
    ("RHODE ISLAND", "RI"),
    ("SOUTH CAROLINA", "SC"),
    ("SOUTH DAKOTA", "SD"),
    ("TENNESSEE", "TN"),
    ("TEXAS", "TX"),
    ("UTAH", "UT"),
    ("VERMONT", "VT"),
    ("VIRGINIA", "VA"),
    ("WASHINGTON", "WA"),
    ("WEST VIRGINIA", "WV"),
    ("WISCONSIN", "WI"),
    ("WYOMING", "WY"),
    ("AMERICAN SAMOA", "AS"),
    ("FEDERATED STATES OF MICRONESIA", "FM"),
    ("MICRONESIA", "FM"),
    ("GUAM", "GU"),
    ("MARSHALL ISLANDS", "MH"),
    ("NORTHERN MARIANA ISLANDS", "MP"),
    ("PALAU", "PW"),
    ("PUERTO RICO", "PR"),
    ("VIRGIN ISLANDS", "VI"),
    ("U.S. VIRGIN ISLANDS", "VI"),
    ("US VIRGIN ISLANDS", "VI"),
    ("ARMED FORCES AMERICAS", "AA"),
    ("ARMED FORCES EUROPE", "AE"),
    ("ARMED FORCES PACIFIC", "AP"),
    ("ALBERTA", "AB"),
    ("BRITISH COLUMBIA", "BC"),
    ("MANITOBA", "MB"),
    ("NEW BRUNSWICK", "NB"),
    ("NEWFOUNDLAND AND LABRADOR", "NL"),
    ("NEWFOUNDLAND & LABRADOR", "NL"),
    ("NEWFOUNDLAND", "NL"),
    ("NOVA SCOTIA", "NS"),
    ("NORTHWEST TERRITORIES", "NT"),
    ("NUNAVUT", "NU"),
    ("ONTARIO", "ON"),
    ("PRINCE EDWARD ISLAND", "PE"),
    ("QUEBEC", "QC"),
    ("QUÉBEC", "QC"),
    ("SASKATCHEWAN", "SK"),
    ("YUKON", "YT"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_every_name_has_one() {
        assert!(CODES.is_sorted_by(|left, right| left < right));
        for (name, code) in NAMES {
            assert_eq!(state(name), Ok(Some(code.into())), "{name}");
            assert_eq!(state(&name.to_ascii_lowercase()), Ok(Some(code.into())), "{name}");
            assert_eq!(state(code), Ok(Some(code.into())));
        }
    }
}
