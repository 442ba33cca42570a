//! Street lines after USPS Publication 28: suffixes, directions and units abbreviated, title case.

use compact_str::CompactString;

use super::address_words::{DIRECTIONS, SUFFIXES, UNITS};
use super::name::{Words, is_one_case, recase};
use super::packed::{find, pack};
use super::text::tidy;

/// The most words that are looked at; a longer line is only tidied and recased.
const WORDS_MAX: usize = 24;

/// One line: `123 MAIN STREET NORTHWEST APARTMENT 5` → `123 Main St NW Apt 5`.
pub fn address(text: &str) -> CompactString {
    let line = tidy(text);
    let one_case = is_one_case(&line);
    let mut words = [Word::default(); WORDS_MAX];
    let Some(count) = cut(&line, &mut words) else {
        return if one_case { recase(line, Words::Street) } else { line };
    };
    let words = &mut words[..count];
    if let Some(first) = words.first_mut() {
        first.text = without_float(first.text);
    }
    let box_words = post_office_box(words);
    if box_words == 0 {
        abbreviate(words);
    }
    join(words, box_words, one_case)
}

/// A word of the line, what it is replaced by, and the comma after it.
#[derive(Debug, Clone, Copy, Default)]
struct Word<'a> {
    text: &'a str,
    comma: bool,
    packed: u128,
    standard: Option<&'static str>,
}

fn cut<'a>(line: &'a str, words: &mut [Word<'a>; WORDS_MAX]) -> Option<usize> {
    let mut count = 0;
    for text in line.split(' ').filter(|text| !text.is_empty()) {
        let place = words.get_mut(count)?;
        let bare = text.trim_end_matches(',');
        *place = Word {
            text: bare,
            comma: bare.len() < text.len(),
            packed: pack(bare.as_bytes()),
            standard: None,
        };
        count += 1;
    }
    Some(count)
}

/// A spreadsheet's `1204.0` is a house number that went through a float.
fn without_float(word: &str) -> &str {
    match word.strip_suffix(".0") {
        Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => number,
        _ => word,
    }
}

/// How many words at the start say "PO Box", in any of its spellings; 0 for a street.
fn post_office_box(words: &[Word<'_>]) -> usize {
    const SPELLINGS: [&[u128]; 4] = [
        &[pack(b"PO"), pack(b"BOX")],
        &[pack(b"P"), pack(b"O"), pack(b"BOX")],
        &[pack(b"POST"), pack(b"OFFICE"), pack(b"BOX")],
        &[pack(b"POBOX")],
    ];
    let starts = |spelling: &&&[u128]| {
        words.len() > spelling.len()
            && spelling.iter().zip(words).all(|(packed, word)| *packed == word.packed)
    };
    SPELLINGS.iter().find(starts).map_or(0, |spelling| spelling.len())
}

fn abbreviate(words: &mut [Word<'_>]) {
    let street_from = usize::from(words.first().is_some_and(|word| has_digit(word.text)));
    let mut street_to = words.len();
    for index in street_from + 1..words.len() {
        let named = words.get(index + 1).is_some_and(|next| is_identifier(next.text));
        if let Some(unit) = find(&UNITS, words[index].packed).filter(|_| named) {
            words[index].standard = Some(unit);
            street_to = street_to.min(index);
        } else if words[index].text.starts_with('#') {
            street_to = street_to.min(index);
        }
        if words[index - 1].comma {
            street_to = street_to.min(index);
        }
    }
    if street_from < street_to {
        abbreviate_street(&mut words[street_from..street_to]);
    }
}

/// The words of a street without house number and unit. A word is abbreviated only where another one is left to be the
/// street's name: `North St`, `12 Court`.
fn abbreviate_street(words: &mut [Word<'_>]) {
    let mut name_to = words.len();
    if name_to > 1
        && let Some(direction) = find(&DIRECTIONS, words[name_to - 1].packed)
    {
        words[name_to - 1].standard = Some(direction);
        name_to -= 1;
    }
    if name_to > 1
        && let Some(suffix) = find(&SUFFIXES, words[name_to - 1].packed)
    {
        words[name_to - 1].standard = Some(suffix);
        name_to -= 1;
    }
    if name_to > 1
        && let Some(direction) = find(&DIRECTIONS, words[0].packed)
    {
        words[0].standard = Some(direction);
    }
}

/// `5`, `4B`, `"C"`: what comes after a unit's word; a longer word is a street's name.
fn is_identifier(text: &str) -> bool {
    has_digit(text) || text.chars().filter(|character| character.is_alphanumeric()).count() == 1
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn join(words: &[Word<'_>], box_words: usize, one_case: bool) -> CompactString {
    let mut line = CompactString::const_new("");
    if box_words > 0 {
        line.push_str("PO Box");
    }
    for word in &words[box_words..] {
        if !line.is_empty() {
            line.push(' ');
        }
        match word.standard {
            Some(standard) => line.push_str(standard),
            None if one_case => push_cased(word, &mut line),
            None => line.push_str(word.text),
        }
        if word.comma {
            line.push(',');
        }
    }
    line
}

fn push_cased(word: &Word<'_>, line: &mut CompactString) {
    let ordinal = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        digits > 0
            && ["st", "nd", "rd", "th"].iter().any(|ending| text[digits..].eq_ignore_ascii_case(ending))
    };
    let mut text = CompactString::from(word.text);
    if ordinal(&text) {
        text.make_ascii_lowercase();
    } else if has_digit(&text) || is_abbreviation(word.packed) {
        text.make_ascii_uppercase();
    } else {
        text = recase(text, Words::Street);
    }
    line.push_str(&text);
}

/// Words that are written in capitals wherever they stand.
const fn is_abbreviation(packed: u128) -> bool {
    const NE: u128 = pack(b"NE");
    const NW: u128 = pack(b"NW");
    const SE: u128 = pack(b"SE");
    const SW: u128 = pack(b"SW");
    const RR: u128 = pack(b"RR");
    const HC: u128 = pack(b"HC");
    const US: u128 = pack(b"US");
    matches!(packed, NE | NW | SE | SW | RR | HC | US)
}
