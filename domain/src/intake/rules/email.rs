//! E-mail addresses: trimmed, lower case, `local@domain.tld` in ASCII.

use compact_str::CompactString;

use super::super::codes::INVALID_EMAIL;
use super::Fault;
use super::text::{is_blank, is_placeholder, tidy, trim};

/// The longest address that mail can reach (RFC 5321, section 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
const LABEL_BYTES_MAX: usize = 63;

const FAULT: Fault = Fault::new(INVALID_EMAIL, "The e-mail is not of the form name@domain.tld.");

/// The addresses of a cell that may hold several, without its blanks and placeholders.
pub fn split(cell: &str) -> impl Iterator<Item = &str> {
    let cell = trim(cell);
    let several = cell.bytes().filter(|&byte| byte == b'@').count() > 1;
    cell.split(move |character: char| {
        matches!(character, ';' | ',' | '|') || several && (is_blank(character) || character == '/')
    })
    .map(trim)
    .filter(|part| !is_placeholder(part))
}

/// One address.
pub fn normalise(text: &str) -> Result<CompactString, Fault> {
    let mut address = CompactString::from(trim(text));
    address.make_ascii_lowercase();
    if is_valid(&address) { Ok(address) } else { Err(FAULT) }
}

/// One address that may be transcribed from speech: `jane dot roe at example dot com`.
pub fn normalise_spoken(text: &str) -> Result<CompactString, Fault> {
    let text = trim(text);
    if text.contains('@') && !text.contains(' ') {
        return normalise(text);
    }
    let mut address = CompactString::const_new("");
    for word in tidy(text).split(' ') {
        match word.trim_end_matches(',').to_ascii_lowercase().as_str() {
            "at" if !address.contains('@') => address.push('@'),
            "dot" | "point" | "period" => address.push('.'),
            "underscore" => address.push('_'),
            "dash" | "hyphen" | "minus" => address.push('-'),
            "plus" => address.push('+'),
            other => address.push_str(other),
        }
    }
    // A sentence's full stop is no part of the address.
    normalise(address.trim_end_matches('.'))
}

fn is_valid(address: &str) -> bool {
    if address.len() > ADDRESS_BYTES_MAX {
        return false;
    }
    let Some((local, domain)) = address.split_once('@') else { return false };
    is_local(local.as_bytes()) && is_domain(domain)
}

fn is_local(local: &[u8]) -> bool {
    let mut before = b'.';
    for &byte in local {
        let allowed = byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        if !allowed && (byte != b'.' || before == b'.') {
            return false;
        }
        before = byte;
    }
    before != b'.' && local.len() <= LOCAL_BYTES_MAX
}

fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        let bytes = label.as_bytes();
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        if bytes.is_empty()
            || bytes.len() > LABEL_BYTES_MAX
            || bytes[0] == b'-'
            || bytes[bytes.len() - 1] == b'-'
            || !bytes.iter().all(inside)
        {
            return false;
        }
        labels += 1;
        last = label;
    }
    let alphabetic = last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    labels >= 2 && (alphabetic || last.starts_with("xn--"))
}
