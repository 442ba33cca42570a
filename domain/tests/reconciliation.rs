//! Properties of reconciliation: pairs, and lists in other forms.

use std::collections::HashSet;

use domain::intake::Regions;
use domain::reconciliation::{KEYS, Mapping, Ours, Table, assign, compare};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

type OwnKeys = [Option<u8>; KEYS.len()];

fn text(keys: &[OwnKeys]) -> Vec<[Option<String>; KEYS.len()]> {
    keys.iter().map(|keys| keys.map(|key| key.map(|key| key.to_string()))).collect()
}

fn borrowed(keys: &[[Option<String>; KEYS.len()]]) -> Vec<[Option<&str>; KEYS.len()]> {
    keys.iter().map(|keys| keys.each_ref().map(Option::as_deref)).collect()
}

fn keys() -> impl Strategy<Value = Vec<OwnKeys>> {
    // Few values, so that records meet in many ways.
    vec([option::of(0..8_u8), option::of(0..5_u8), option::of(0..5_u8), option::of(0..5_u8)], 0..14)
}

proptest! {
    /// Each record is paired once, by a key that both have; and nothing is left that a key could still pair.
    #[test]
    fn pairs_are_one_to_one_right_and_all_there_are(ours in keys(), theirs in keys()) {
        let (ours, theirs) = (text(&ours), text(&theirs));
        let (ours, theirs) = (borrowed(&ours), borrowed(&theirs));
        let pairs = assign(&ours, &theirs);
        let mut taken = HashSet::new();
        for pair in &pairs {
            prop_assert!(taken.insert((true, pair.ours)) && taken.insert((false, pair.theirs)));
            prop_assert!(ours[pair.ours][pair.key].is_some());
            prop_assert_eq!(ours[pair.ours][pair.key], theirs[pair.theirs][pair.key]);
        }
        for (index, left) in ours.iter().enumerate().filter(|(index, _)| !taken.contains(&(true, *index))) {
            for (other, right) in theirs.iter().enumerate().filter(|(other, _)| !taken.contains(&(false, *other))) {
                let shared = (0..KEYS.len()).find(|key| left[*key].is_some() && left[*key] == right[*key]);
                prop_assert_eq!(shared, None, "{} and {} could be paired", index, other);
            }
        }
    }

    /// A weaker key never pairs what a stronger one of either could: of a pair by key k, neither has an unpaired partner
    /// by a stronger key, nor one that was paired by a weaker key.
    #[test]
    fn a_stronger_key_is_never_beaten(ours in keys(), theirs in keys()) {
        let (ours, theirs) = (text(&ours), text(&theirs));
        let (ours, theirs) = (borrowed(&ours), borrowed(&theirs));
        let pairs = assign(&ours, &theirs);
        let by_ours = |index: usize| pairs.iter().find(|pair| pair.ours == index).map_or(KEYS.len(), |pair| pair.key);
        let by_theirs = |index: usize| pairs.iter().find(|pair| pair.theirs == index).map_or(KEYS.len(), |pair| pair.key);
        for (index, left) in ours.iter().enumerate() {
            for (other, right) in theirs.iter().enumerate() {
                for key in 0..KEYS.len() {
                    if left[key].is_some() && left[key] == right[key] {
                        prop_assert!(by_ours(index) <= key || by_theirs(other) <= key, "{} and {} by {}", index, other, KEYS[key]);
                    }
                }
            }
        }
    }

    /// The same lead in any other form – capitals, blanks, brackets, a country code, a state's name – is no mismatch.
    #[test]
    fn another_form_is_never_a_mismatch(
        first in "[A-Z][a-z]{1,8}( [A-Z][a-z]{1,6})?", last in "[A-Z]['a-z]{1,10}", number in 0..9999_u32,
        form in 0..4_usize, upper in any::<bool>(), blanks in "[ \t]{0,3}",
    ) {
        let phone = format!("+1303555{number:04}");
        let (area, exchange, line) = (&phone[2..5], &phone[5..8], &phone[8..]);
        let written = [
            phone.clone(), format!("({area}) {exchange}-{line}"), format!("1-{area}-{exchange}-{line}"), format!("{area}{exchange}{line}.0"),
        ];
        let name = |name: &str| {
            let name = if upper { name.to_uppercase() } else { name.to_lowercase() };
            format!("{blanks}{}{blanks}", name.replace('\'', "’"))
        };
        let ours = Ours {
            external_id: Some("LS-7".into()),
            phone: Some(phone.clone()),
            email: Some(format!("a{number}@example.com")),
            first_name: Some(first.clone()),
            last_name: Some(last.clone()),
            state: Some("CO".into()),
            ..Ours::default()
        };
        let row = [
            format!("{blanks}ls-7"), name(&first), name(&last), format!(" A{number}@EXAMPLE.com"), written[form].clone(),
            "colorado".to_owned(),
        ];
        let header = ["external_id", "first_name", "last_name", "email", "phone", "state"];
        let table = Table::new(&Mapping::default(), &header, &Regions::default()).unwrap();
        let record = table.read(|index| row[index].as_str()).unwrap();
        prop_assert_eq!(compare(&ours, &record, |_| true).mismatches, []);
    }

    /// No cell makes a list panic.
    #[test]
    fn any_cell_is_read_or_left(cells in vec(".{0,60}", 10)) {
        let header = ["id", "external_id", "first_name", "last_name", "email", "phone", "state", "source", "status", "created_at"];
        let table = Table::new(&Mapping::default(), &header, &Regions::default()).unwrap();
        if let Some(record) = table.read(|index| cells[index].as_str()) {
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<domain::reconciliation::Record>(&text).unwrap(), record);
        }
    }
}
