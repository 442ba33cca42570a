//! One number for all that a lead says, so that a repeat is seen without comparing values.
//!
//! The encoding, version 1, is fixed: stored fingerprints are compared with new ones, so a change of it would
//! turn every re-import into revisions. After the version's byte comes each field that is present, in the order of its
//! tag: the tag (one byte), then the value. A text is its length in bytes (four bytes, little endian) and its UTF-8.
//! A list is its count (four bytes) and its items. Details and extras stand in the order of their names; each is its name as a text,
//! then for a detail the kind (one byte) and the value: a boolean is one byte; an integer eight; a decimal its
//! scale (one byte) and mantissa (sixteen), without trailing zeros; a day its number counted from
//! the first of January of year 1 (four); a text as above. The hash is XXH3 with 128 bits and seed 0.

use compact_str::CompactString;
use xxhash_rust::xxh3::xxh3_128;

use crate::lead::{Lead, Value};

const VERSION: u8 = 1;

/// The fingerprint of everything in the lead, trigger date and external id included. `buffer` is overwritten.
pub fn fingerprint(lead: &Lead, buffer: &mut Vec<u8>) -> u128 {
    buffer.clear();
    buffer.push(VERSION);
    let texts = [
        &lead.external_id,
        &lead.lead_type,
        &lead.channel,
        &lead.first_name,
        &lead.last_name,
        &lead.phone,
        &lead.phone_ext,
        &lead.email,
        &lead.address,
        &lead.city,
        &lead.state,
        &lead.zip,
        &lead.zip4,
    ];
    for (tag, value) in (1_u8..).zip(texts) {
        if let Some(value) = value {
            buffer.push(tag);
            text(buffer, value);
        }
    }
    for (tag, values) in [(14, &lead.alt_phones), (15, &lead.alt_emails)] {
        if !values.is_empty() {
            buffer.push(tag);
            length(buffer, values.len());
            for value in values {
                text(buffer, value);
            }
        }
    }
    by_name(&lead.details, |pairs| encode_details(buffer, pairs));
    by_name(&lead.extra, |pairs| encode_extra(buffer, pairs));
    xxh3_128(buffer)
}

/// Hands over the pairs in order of their names. Those of the rules already are, so this copies nothing for them.
fn by_name<V>(
    pairs: &[(CompactString, V)],
    encode: impl FnOnce(&mut dyn Iterator<Item = &(CompactString, V)>),
) {
    if pairs.is_sorted_by(|left, right| left.0 <= right.0) {
        encode(&mut pairs.iter());
        return;
    }
    let mut sorted: Vec<&(CompactString, V)> = pairs.iter().collect();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    encode(&mut sorted.into_iter());
}

fn encode_details(buffer: &mut Vec<u8>, pairs: &mut dyn Iterator<Item = &(CompactString, Value)>) {
    let start = open(buffer, 16);
    let mut count = 0_u32;
    for (name, value) in pairs {
        count += 1;
        text(buffer, name);
        match value {
            Value::Boolean(value) => buffer.extend([1, u8::from(*value)]),
            Value::Integer(value) => {
                buffer.push(2);
                buffer.extend(value.to_le_bytes());
            }
            Value::Decimal(value) => {
                let value = value.normalize();
                buffer.push(3);
                buffer.push(u8::try_from(value.scale()).unwrap_or(u8::MAX));
                buffer.extend(value.mantissa().to_le_bytes());
            }
            Value::Date(value) => {
                use chrono::Datelike;
                buffer.push(4);
                buffer.extend(value.num_days_from_ce().to_le_bytes());
            }
            Value::Text(value) => {
                buffer.push(5);
                text(buffer, value);
            }
        }
    }
    close(buffer, start, count);
}

fn encode_extra(buffer: &mut Vec<u8>, pairs: &mut dyn Iterator<Item = &(CompactString, CompactString)>) {
    let start = open(buffer, 17);
    let mut count = 0_u32;
    for (name, value) in pairs {
        count += 1;
        text(buffer, name);
        text(buffer, value);
    }
    close(buffer, start, count);
}

/// Leaves room for a list's count.
fn open(buffer: &mut Vec<u8>, tag: u8) -> usize {
    let start = buffer.len();
    buffer.extend([tag, 0, 0, 0, 0]);
    start
}

/// Writes the count, or takes an empty list back: absent and empty are the same.
fn close(buffer: &mut Vec<u8>, start: usize, count: u32) {
    if count == 0 {
        buffer.truncate(start);
    } else {
        buffer[start + 1..start + 5].copy_from_slice(&count.to_le_bytes());
    }
}

fn text(buffer: &mut Vec<u8>, text: &str) {
    length(buffer, text.len());
    buffer.extend_from_slice(text.as_bytes());
}

fn length(buffer: &mut Vec<u8>, length: usize) {
    // A cell is at most 32 KiB, and a record's text is bounded by what the edges let in.
    buffer.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}
