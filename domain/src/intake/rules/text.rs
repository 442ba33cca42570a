//! White space, control characters, letter case.

use compact_str::CompactString;

/// White space and whatever else shows nothing: control characters, the byte order mark, zero-width spaces.
pub const fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\0'..=' ' | '\u{7f}'..='\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// The text without blank characters at its ends.
pub fn trim(text: &str) -> &str {
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if plain(bytes.first()) && plain(bytes.last()) || bytes.is_empty() {
        return text;
    }
    text.trim_matches(is_blank)
}

/// The text trimmed, with each run of blank characters as one space.
pub fn tidy(text: &str) -> CompactString {
    let text = trim(text);
    if is_tidy(text) {
        return CompactString::from(text);
    }
    let mut tidy = CompactString::with_capacity(text.len());
    for word in text.split(is_blank).filter(|word| !word.is_empty()) {
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}

fn is_tidy(text: &str) -> bool {
    let (mut seen, mut before_was_space, mut doubled) = (0, true, false);
    for &byte in text.as_bytes() {
        let class = CLASSES[byte as usize];
        let is_space = class == SPACE;
        doubled |= is_space && before_was_space;
        before_was_space = is_space;
        seen |= class;
    }
    seen & SUSPECT == 0 && !doubled
}

const SPACE: u8 = 1;
/// A control character, or the first byte of a character outside of ASCII that may be blank.
const SUSPECT: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        classes[byte] = SUSPECT;
        byte += 1;
    }
    classes[b' ' as usize] = SPACE;
    classes[0x7f] = SUSPECT;
    classes[0xc2] = SUSPECT;
    classes[0xe1] = SUSPECT;
    classes[0xe2] = SUSPECT;
    classes[0xe3] = SUSPECT;
    classes[0xef] = SUSPECT;
    classes
};

/// The text as it was sent but without NUL, which no database column takes.
pub fn raw(text: &str) -> CompactString {
    if text.bytes().any(|byte| byte == 0) {
        return text.chars().filter(|&character| character != '\0').collect();
    }
    CompactString::from(text)
}

/// The text as it was sent, capped at 200 characters, for an issue's value.
pub fn excerpt(text: &str) -> CompactString {
    if text.len() <= 200 {
        return raw(text);
    }
    text.chars().filter(|&character| character != '\0').take(200).collect()
}

/// Tidied, in upper case where that is one character for one.
pub fn upper(text: &str) -> CompactString {
    let mut text = tidy(text);
    if text.is_ascii() {
        text.make_ascii_uppercase();
        return text;
    }
    text.chars().map(upper_char).collect()
}

/// Tidied, in lower case where that is one character for one.
pub fn lower(text: &str) -> CompactString {
    let mut text = tidy(text);
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    text.chars().map(lower_char).collect()
}

/// The upper-case form when it is a single character that folds back, else the character itself.
pub(super) fn upper_char(character: char) -> char {
    let mut forms = character.to_uppercase();
    match (forms.next(), forms.next()) {
        (Some(form), None) if lower_char(form) == lower_char(character) => form,
        _ => character,
    }
}

/// The lower-case form when it is a single character, else the character itself.
pub(super) fn lower_char(character: char) -> char {
    let mut forms = character.to_lowercase();
    match (forms.next(), forms.next()) {
        (Some(form), None) => form,
        _ => character,
    }
}

/// Words that people and programs write into a cell that has no value.
pub fn is_placeholder(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.len() {
        0 => true,
        1 => matches!(bytes[0], b'-' | b'.' | b'?'),
        2..=9 => ["n/a", "na", "--", "none", "null", "nil", "unknown", "not given", "no phone", "no email"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// Whether a spreadsheet would run the text as a formula.
pub fn looks_like_formula(text: &str) -> bool {
    match text.as_bytes() {
        [b'=' | b'@', _, ..] => true,
        [b'+' | b'-', next, ..] => next.is_ascii_alphabetic() || matches!(next, b'(' | b'=' | b'@'),
        _ => false,
    }
}
