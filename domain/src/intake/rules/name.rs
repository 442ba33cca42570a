//! Names of people and places: recased when they came in one case only, else kept as typed.

use compact_str::CompactString;

use super::packed::{find, pack};
use super::text::{lower_char, tidy, trim, upper_char};

/// A person's name, or a part of one: `MCDONALD` → `McDonald`, `VAN DER BERG` → `Van der Berg`.
pub fn person(text: &str) -> CompactString {
    let name = tidy(text);
    if is_one_case(&name) { recase(name, Words::Person) } else { name }
}

/// A city: `ST LOUIS` → `St Louis`, `FOND DU LAC` → `Fond du Lac`.
pub fn city(text: &str) -> CompactString {
    let name = tidy(text);
    if is_one_case(&name) { recase(name, Words::Place) } else { name }
}

/// First and last name, split at the first blank: `MARY ANN SMITH` → `Mary`, `Ann Smith`.
pub fn full(text: &str) -> (CompactString, CompactString) {
    let name = tidy(text);
    let one_case = is_one_case(&name);
    let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
    let part = |part: &str| {
        let part = CompactString::from(trim(part));
        if one_case { recase(part, Words::Person) } else { part }
    };
    (part(first), part(last))
}

/// Which words have a form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// Particles and suffixes of people.
    Person,
    /// Particles of places.
    Place,
    /// None: each word starts with a capital.
    Street,
}

/// Whether the letters are all upper or all lower case. Nobody types `McDonald` by accident, so
/// mixed case is kept.
pub(super) fn is_one_case(text: &str) -> bool {
    let (mut upper, mut lower) = (false, false);
    if text.is_ascii() {
        for byte in text.bytes() {
            upper |= byte.is_ascii_uppercase();
            lower |= byte.is_ascii_lowercase();
        }
    } else {
        for character in text.chars() {
            upper |= character.is_uppercase();
            lower |= character.is_lowercase();
        }
    }
    !(upper && lower)
}

/// Lower case with capitals where they belong; the text has single spaces.
pub(super) fn recase(mut text: CompactString, words: Words) -> CompactString {
    if text.is_ascii() && text.len() <= 64 {
        text.make_ascii_lowercase();
        let mut capitals = 0_u64;
        mark(&text, words, &mut |index| capitals |= 1 << index);
        while capitals != 0 {
            let index = capitals.trailing_zeros() as usize;
            text[index..=index].make_ascii_uppercase();
            capitals &= capitals - 1;
        }
        return text;
    }
    let lower: String = text.chars().map(lower_char).collect();
    let mut capitals = Vec::new();
    mark(&lower, words, &mut |index| capitals.push(index));
    capitals.sort_unstable();
    let is_capital = |index: usize| capitals.binary_search(&index).is_ok();
    lower
        .char_indices()
        .map(|(index, character)| if is_capital(index) { upper_char(character) } else { character })
        .collect()
}

/// Calls `capital` with the index of each letter of the lower-case text that becomes a capital.
fn mark(text: &str, words: Words, capital: &mut impl FnMut(usize)) {
    let mut start = 0;
    for word in text.split(' ') {
        let (first, last) = (start == 0, start + word.len() == text.len());
        match if first { None } else { form(word, words) } {
            Some(Form::Particle) if !last => {}
            Some(Form::Capitals) => word.char_indices().for_each(|(index, _)| capital(start + index)),
            _ => mark_parts(word, start, capital),
        }
        start += word.len() + 1;
    }
}

/// Capitals of a word of several parts: `lefebvre-o'neil`, `j.r.`.
fn mark_parts(word: &str, start: usize, capital: &mut impl FnMut(usize)) {
    let mut part_start = true;
    for (index, character) in word.char_indices() {
        if !character.is_alphanumeric() {
            let apostrophe = matches!(character, '\'' | '\u{2019}' | '`');
            // `mary's` has no second part, `o'neil` has.
            let after = &word[index + character.len_utf8()..];
            part_start = !apostrophe || after.chars().take_while(|next| next.is_alphanumeric()).count() >= 2;
            continue;
        }
        if part_start {
            capital(start + index);
            let part = &word.as_bytes()[index..];
            if matches!(part, [b'm', b'c', third, fourth, ..] if third.is_ascii_lowercase() && fourth.is_ascii_lowercase())
            {
                capital(start + index + 2);
            }
        }
        part_start = false;
    }
}

/// How a word is written when it does not stand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In lower case, unless it stands last.
    Particle,
    /// All capitals.
    Capitals,
}

fn form(word: &str, words: Words) -> Option<Form> {
    if words == Words::Street || word.len() > 5 {
        return None;
    }
    let packed = pack(word.trim_end_matches(',').as_bytes());
    if words == Words::Place { find(&PLACE_WORDS, packed) } else { find(&PERSON_WORDS, packed) }
}

const fn entry(word: &str, form: Form) -> (u128, Form) {
    (pack(word.as_bytes()), form)
}

const PERSON_WORDS: [(u128, Form); 39] = [
    entry("AF", Form::Particle),
    entry("AL", Form::Particle),
    entry("AV", Form::Particle),
    entry("BIN", Form::Particle),
    entry("DA", Form::Particle),
    entry("DAS", Form::Particle),
    entry("DDS", Form::Capitals),
    entry("DE", Form::Particle),
    entry("DEL", Form::Particle),
    entry("DELLA", Form::Particle),
    entry("DEN", Form::Particle),
    entry("DER", Form::Particle),
    entry("DI", Form::Particle),
    entry("DO", Form::Particle),
    entry("DOS", Form::Particle),
    entry("DU", Form::Particle),
    entry("E", Form::Particle),
    entry("EL", Form::Particle),
    entry("HET", Form::Particle),
    entry("IBN", Form::Particle),
    entry("II", Form::Capitals),
    entry("III", Form::Capitals),
    entry("IV", Form::Capitals),
    entry("LA", Form::Particle),
    entry("LAS", Form::Particle),
    entry("LE", Form::Particle),
    entry("LOS", Form::Particle),
    entry("MD", Form::Capitals),
    entry("OP", Form::Particle),
    entry("TEN", Form::Particle),
    entry("TER", Form::Particle),
    entry("VAN", Form::Particle),
    entry("VI", Form::Capitals),
    entry("VII", Form::Capitals),
    entry("VON", Form::Particle),
    entry("Y", Form::Particle),
    entry("ZU", Form::Particle),
    entry("ZUM", Form::Particle),
    entry("ZUR", Form::Particle),
];

const PLACE_WORDS: [(u128, Form); 11] = [
    entry("AND", Form::Particle),
    entry("DE", Form::Particle),
    entry("DES", Form::Particle),
    entry("DU", Form::Particle),
    entry("IN", Form::Particle),
    entry("LAS", Form::Particle),
    entry("OF", Form::Particle),
    entry("ON", Form::Particle),
    entry("OR", Form::Particle),
    entry("SUR", Form::Particle),
    entry("THE", Form::Particle),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(PERSON_WORDS.is_sorted_by(|left, right| left.0 < right.0));
        assert!(PLACE_WORDS.is_sorted_by(|left, right| left.0 < right.0));
    }
}
