//! Short ASCII words as one integer, so that a word is found in a table by comparing numbers.

/// The longest word that can be packed.
const WORD_MAX: usize = 16;

/// The word in upper case without dots, left-aligned, so that numbers sort as words do. 0 for a word that
/// is empty, too long or has anything but ASCII letters, digits and `#`.
pub(super) const fn pack(word: &[u8]) -> u128 {
    let mut packed = 0_u128;
    let mut length = 0;
    let mut index = 0;
    while index < word.len() {
        let byte = word[index].to_ascii_uppercase();
        index += 1;
        if byte == b'.' {
            continue;
        }
        if length == WORD_MAX || !(byte.is_ascii_alphanumeric() || byte == b'#') {
            return 0;
        }
        packed = packed << 8 | byte as u128;
        length += 1;
    }
    if length == 0 { 0 } else { packed << (8 * (WORD_MAX - length)) }
}

/// The value beside the word in a table that is sorted by word.
pub(super) fn find<T: Copy>(table: &[(u128, T)], packed: u128) -> Option<T> {
    table.binary_search_by_key(&packed, |&(word, _)| word).ok().map(|index| table[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_words_do() {
        assert!(pack(b"AVE") < pack(b"AVENUE"));
        assert!(pack(b"AVENUE") < pack(b"BLVD"));
        assert_eq!(pack(b"n.w."), pack(b"NW"));
        assert_eq!(pack(b""), 0);
        assert_eq!(pack(b"SEVENTEENLETTERSX"), 0);
        assert_ne!(pack(b"SIXTEENLETTERSXX"), 0);
        assert_eq!(pack("É".as_bytes()), 0);
    }
}
