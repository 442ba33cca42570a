//! A hash for ids and names while actions pass: a million rows ask for one several times each.
//!
//! Ids are made by us and names are a plan's: nobody outside chooses them, so one multiplication for eight bytes is enough.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes the hashes of a map.
pub(super) type Folding = BuildHasherDefault<FoldHasher>;

/// Folds words together by the two halves of a product.
#[derive(Default)]
pub(super) struct FoldHasher(u64);

impl FoldHasher {
    #[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
    fn fold(&mut self, word: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = u128::from(self.0.rotate_left(29) ^ word) * u128::from(ODD);
        self.0 = (mixed as u64) ^ (mixed >> 64) as u64;
    }
}

impl Hasher for FoldHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(last));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn ids_of_one_moment_and_names_of_one_beginning_are_told_apart() {
        let folding = Folding::default();
        let ids: HashSet<u64> = (0..10_000_u128)
            .map(|number| folding.hash_one(Uuid::from_u128(0x0193_4f7a << 96 | number)))
            .collect();
        assert_eq!(ids.len(), 10_000);
        let names = ["Event", "Event ", "Event\0", "Email Campaign", "Email Campaigns", ""];
        let names: HashSet<u64> = names.iter().map(|name| folding.hash_one(name.as_bytes())).collect();
        assert_eq!(names.len(), 6);
        // The map's places come of the low bits: they must differ too.
        let low: HashSet<u64> =
            (0..4_096_u128).map(|number| folding.hash_one(Uuid::from_u128(number << 64)) & 0xffff).collect();
        assert!(low.len() > 3_500, "{}", low.len());
    }
}
