//! Who is whom: pairs by key, strongest key first.

use std::collections::HashMap;

/// The keys in order of their strength.
pub const KEYS: [&str; 4] = ["remote_id", "external_id", "phone", "email"];

/// A record's keys, normalised, in the order of [`KEYS`]; what it does not have matches nothing.
pub type Keys<'a> = [Option<&'a str>; KEYS.len()];

/// A record of ours and one of theirs that are the same lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Index among ours.
    pub ours: usize,
    /// Index among theirs.
    pub theirs: usize,
    /// Index of the key in [`KEYS`].
    pub key: usize,
}

/// Pairs both sides. Records come in their order: ours by age, theirs as their list has them.
///
/// A pass for each key, over what is unpaired: of the records that have the same key, the first of ours is paired with
/// the first of theirs, the second with the second.
pub fn assign(ours: &[Keys<'_>], theirs: &[Keys<'_>]) -> Vec<Pair> {
    let mut ours_free = vec![true; ours.len()];
    let mut theirs_free = vec![true; theirs.len()];
    let mut pairs = Vec::new();
    for key in 0..KEYS.len() {
        let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
        // From the last to the first, so that the first lies on top.
        for (index, keys) in theirs.iter().enumerate().rev() {
            if let Some(value) = keys[key].filter(|_| theirs_free[index]) {
                waiting.entry(value).or_default().push(index);
            }
        }
        for (index, keys) in ours.iter().enumerate() {
            if !ours_free[index] {
                continue;
            }
            let met = keys[key].and_then(|value| waiting.get_mut(value)).and_then(Vec::pop);
            if let Some(met) = met {
                (ours_free[index], theirs_free[met]) = (false, false);
                pairs.push(Pair { ours: index, theirs: met, key });
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ours: &[Keys<'_>], theirs: &[Keys<'_>]) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> =
            assign(ours, theirs).into_iter().map(|pair| (pair.ours, pair.theirs)).collect();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn a_stronger_key_of_another_record_wins() {
        let ours = [[None, Some("a"), Some("1"), None], [None, Some("b"), Some("2"), None]];
        // Their first row has the id of our second lead and the phone of our first.
        let theirs = [[Some("x"), Some("b"), Some("1"), None], [Some("y"), None, Some("2"), None]];
        assert_eq!(
            pairs(&ours, &theirs),
            [(1, 0)],
            "its own phone must not take their second row from nobody"
        );
        let theirs = [[Some("x"), Some("b"), Some("1"), None], [Some("y"), Some("a"), None, None]];
        assert_eq!(pairs(&ours, &theirs), [(0, 1), (1, 0)]);
    }

    #[test]
    fn equals_pair_in_their_order_and_each_once() {
        let one = [None, None, Some("1"), None];
        assert_eq!(pairs(&[one, one], &[one, one, one]), [(0, 0), (1, 1)]);
        assert_eq!(pairs(&[one, one, one], &[one]), [(0, 0)]);
        assert_eq!(pairs(&[[None; 4]], &[[None; 4]]), []);
    }
}
