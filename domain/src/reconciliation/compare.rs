//! Field by field: what both sides say of one lead.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::list::{Field, Record, Standing, folded};
use crate::intake::rules::text::is_placeholder;

/// A record that was made there longer than this before we submitted the lead was there already: clocks differ a little.
pub const PRE_EXISTING_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What we say of a lead, as it is stored.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// The source's id.
    pub external_id: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Further phones, E.164: the other side may have made one of them the first.
    pub alt_phones: Vec<String>,
    /// Lower case.
    pub email: Option<String>,
    /// Further e-mails.
    pub alt_emails: Vec<String>,
    /// Given names.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Two letters.
    pub state: Option<String>,
    /// What stands for a missing first name at this destination.
    pub first_name_fallback: Option<String>,
    /// When we handed it over for the first time.
    pub submitted_at: Option<DateTime<Utc>>,
}

/// A field in which the sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// The field, as in `first_name`; `status` when it is deleted there.
    pub field: String,
    /// What we say.
    pub ours: Option<String>,
    /// What they say.
    pub theirs: Option<String>,
}

/// What came of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The fields that differ, in a fixed order.
    pub mismatches: Vec<Mismatch>,
    /// Fields that they have and we do not: information.
    pub enriched: Vec<&'static str>,
    /// It was there before we submitted it.
    pub pre_existing: bool,
    /// The person wants no more contact.
    pub opted_out: bool,
}

/// Compares a pair. A field that their list has no column for is not compared.
///
/// Case, blanks and the forms of an apostrophe do not count in names; an external id is compared when both have one,
/// because many services drop it.
pub fn compare(ours: &Ours, theirs: &Record, has: impl Fn(Field) -> bool) -> Compared {
    let mut compared = Compared::default();
    let alternates = |main: &Option<String>, further: &[String], value: &str| {
        main.as_deref() == Some(value) || further.iter().any(|one| one == value)
    };
    let mut field = |field: Field, ours: Option<&str>, theirs: Option<&str>, same: bool| {
        if !has(field) || same {
            return;
        }
        match (ours, theirs) {
            (None, None) => {}
            (None, Some(_)) => compared.enriched.push(field.name()),
            (Some(_), _) => compared.mismatches.push(Mismatch {
                field: field.name().to_owned(),
                ours: ours.map(str::to_owned),
                theirs: theirs.map(str::to_owned),
            }),
        }
    };
    let same_id = theirs.external_id.is_none()
        || ours.external_id.as_deref().map(super::list::external_key) == theirs.external_key();
    field(Field::ExternalId, ours.external_id.as_deref(), theirs.external_id.as_deref(), same_id);
    let same_phone =
        theirs.phone.as_deref().is_some_and(|phone| alternates(&ours.phone, &ours.alt_phones, phone));
    field(Field::Phone, ours.phone.as_deref(), theirs.shown_phone(), same_phone);
    let same_email =
        theirs.email.as_deref().is_some_and(|email| alternates(&ours.email, &ours.alt_emails, email));
    field(Field::Email, ours.email.as_deref(), theirs.shown_email(), same_email);
    let first = ours.first_name.as_deref().or(ours.first_name_fallback.as_deref());
    let their_first = their_name(first, theirs.first_name.as_deref());
    field(Field::FirstName, first, their_first, same_name(first, their_first));
    let last = ours.last_name.as_deref();
    let their_last = their_name(last, theirs.last_name.as_deref());
    field(Field::LastName, last, their_last, same_name(last, their_last));
    let state = ours.state.as_deref();
    field(Field::State, state, theirs.state.as_deref(), state == theirs.state.as_deref());
    if theirs.standing == Standing::Deleted {
        compared.mismatches.push(Mismatch {
            field: Field::Status.name().to_owned(),
            ours: Some("active".to_owned()),
            theirs: theirs.status.clone(),
        });
    }
    compared.opted_out = theirs.standing == Standing::OptedOut;
    compared.pre_existing = match (ours.submitted_at, theirs.created_at) {
        (Some(submitted), Some(created)) => created < submitted - PRE_EXISTING_TOLERANCE,
        _ => false,
    };
    compared
}

/// Their name; none when they wrote a word for no value, unless the lead is called so.
fn their_name<'a>(ours: Option<&str>, theirs: Option<&'a str>) -> Option<&'a str> {
    theirs.filter(|name| !is_placeholder(name) || same_name(ours, theirs))
}

fn same_name(ours: Option<&str>, theirs: Option<&str>) -> bool {
    ours.map(folded) == theirs.map(folded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::Regions;
    use crate::reconciliation::list::{Mapping, Table};

    fn record(header: &[&str], row: &[&str]) -> Record {
        let table = Table::new(&Mapping::default(), header, &Regions::default()).unwrap();
        table.read(|index| row.get(index).copied().unwrap_or_default()).unwrap()
    }

    fn ours() -> Ours {
        Ours {
            external_id: Some("LS-1".into()),
            phone: Some("+19705550101".into()),
            alt_phones: vec!["+19705550102".into()],
            email: Some("ada@example.com".into()),
            first_name: Some("Ada".into()),
            last_name: Some("O'Neil".into()),
            state: Some("CO".into()),
            ..Ours::default()
        }
    }

    const HEADER: [&str; 8] =
        ["id", "external_id", "first_name", "last_name", "email", "phone", "state", "status"];

    fn fields(row: &[&str]) -> Vec<String> {
        let compared = compare(&ours(), &record(&HEADER, row), |_| true);
        compared.mismatches.into_iter().map(|one| one.field).collect()
    }

    #[test]
    fn a_format_is_no_difference_and_a_value_is() {
        let same =
            ["7", " ls-1 ", "ADA", "o’neil", "ADA@example.com ", "(970) 555-0101", "Colorado", "active"];
        assert_eq!(fields(&same), Vec::<String>::new());
        let table: [(usize, &str, &[&str]); 9] = [
            (1, "", &[]),
            (1, "LS-2", &["external_id"]),
            (2, "Bob", &["first_name"]),
            (3, "", &["last_name"]),
            (4, "other@example.com", &["email"]),
            (5, "970-555-0102", &[]),
            (5, "call me", &["phone"]),
            (6, "CA", &["state"]),
            (7, "deleted", &["status"]),
        ];
        for (column, value, expected) in table {
            let mut row = same;
            row[column] = value;
            assert_eq!(fields(&row), expected, "{}: {value}", HEADER[column]);
        }
    }

    #[test]
    fn a_word_for_no_value_is_a_name_when_the_lead_is_called_so() {
        let header = ["id", "phone", "first_name", "last_name"];
        let of = |first: Option<&str>, theirs: &str| {
            let ours = Ours {
                phone: Some("+19705550101".into()),
                first_name: first.map(Into::into),
                ..Ours::default()
            };
            let compared = compare(&ours, &record(&header, &["7", "9705550101", theirs, "N/A"]), |_| true);
            (
                compared.mismatches.into_iter().map(|one| (one.ours, one.theirs)).collect::<Vec<_>>(),
                compared.enriched,
            )
        };
        assert_eq!(of(Some("Nil"), "NIL"), (vec![], vec![]));
        assert_eq!(of(None, "nil"), (vec![], vec![]));
        assert_eq!(of(Some("Ada"), "null"), (vec![(Some("Ada".into()), None)], vec![]));
        assert_eq!(of(Some("Nil"), "Null"), (vec![(Some("Nil".into()), None)], vec![]));
        let table = Table::new(&Mapping::default(), &header, &Regions::default()).unwrap();
        assert_eq!(table.read(|index| ["24", "", "none", "-"][index]), None, "no record says only that");
    }

    #[test]
    fn what_only_they_know_is_enrichment_and_what_their_list_lacks_is_not_compared() {
        let ours = Ours { phone: Some("+19705550101".into()), ..Ours::default() };
        let theirs = record(&["id", "phone", "email"], &["7", "9705550101", "a@example.com"]);
        let compared = compare(&ours, &theirs, |_| true);
        assert_eq!((compared.mismatches.len(), compared.enriched), (0, vec!["email"]));
        let ours = Ours { last_name: Some("Cole".into()), ..ours };
        assert!(compare(&ours, &theirs, |field| field != Field::LastName).mismatches.is_empty());
        assert_eq!(compare(&ours, &theirs, |_| true).mismatches.len(), 1);
    }
}
