//! What a status word means, whatever its case and its separators: the usual ones, and a destination's own.

use std::collections::BTreeMap;

use super::Report;
use crate::journey::Step;

/// Words of one destination at most.
const WORDS_MAX: usize = 200;
/// Letters and digits of a word that count.
const LETTERS_MAX: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Step(Step),
    OptedOut,
    /// It says nothing.
    Nothing,
}

impl Meaning {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "opted_out" => Some(Self::OptedOut),
            "ignored" => Some(Self::Nothing),
            name => Step::parse(name).filter(|step| step.rank().is_some()).map(Self::Step),
        }
    }
}

/// A destination's own words → what they mean. They go before the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusMap(BTreeMap<String, Meaning>);

/// Why a map cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusMapError {
    /// A word without a letter or digit.
    #[error("`{0}` is no word")]
    NoWord(String),
    /// The word means nothing that is known.
    #[error(
        "`{word}` means `{meaning}`, which is none of submitted, contacted, qualified, sold, lost, opted_out, ignored"
    )]
    NoMeaning {
        /// The sender's.
        word: String,
        /// As it was given.
        meaning: String,
    },
    /// Too many.
    #[error("a map has at most {WORDS_MAX} words")]
    TooMany,
}

impl StatusMap {
    /// From the sender's words → `submitted`, `contacted`, `qualified`, `sold`, `lost`, `opted_out` or `ignored`.
    pub fn new(map: &BTreeMap<String, String>) -> Result<Self, StatusMapError> {
        if map.len() > WORDS_MAX {
            return Err(StatusMapError::TooMany);
        }
        let entry = |(word, meaning): (&String, &String)| {
            let letters = letters(word);
            if letters.is_empty() {
                return Err(StatusMapError::NoWord(word.clone()));
            }
            let known = Meaning::parse(meaning);
            let known = known
                .ok_or_else(|| StatusMapError::NoMeaning { word: word.clone(), meaning: meaning.clone() })?;
            Ok((letters, known))
        };
        Ok(Self(map.iter().map(entry).collect::<Result<_, _>>()?))
    }
}

/// The words that a report is read with.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(pub(super) &'a StatusMap);

impl Words<'_> {
    /// Enters what a status word means.
    pub(super) fn apply(self, report: &mut Report, status: &str) {
        match self.meaning(status) {
            Some(Meaning::Step(step)) => report.steps.push(step),
            Some(Meaning::OptedOut) => report.opted_out = true,
            Some(Meaning::Nothing) | None => {}
        }
    }

    fn meaning(self, status: &str) -> Option<Meaning> {
        let word = letters(status);
        self.0.0.get(&word).copied().or_else(|| usual(&word))
    }
}

fn letters(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(LETTERS_MAX).collect()
}

fn usual(word: &str) -> Option<Meaning> {
    Some(match word {
        "received" | "submitted" | "created" | "new" | "accepted" => Meaning::Step(Step::Submitted),
        "contacted" | "reached" | "replied" | "responded" | "inconversation" => {
            Meaning::Step(Step::Contacted)
        }
        "qualified" | "appointmentset" | "appointment" | "quoted" | "working" => {
            Meaning::Step(Step::Qualified)
        }
        "sold" | "won" | "closedwon" | "funded" | "purchased" => Meaning::Step(Step::Sold),
        "lost" | "dead" | "closedlost" | "notsold" | "notinterested" | "unqualified" | "badlead" => {
            Meaning::Step(Step::Lost)
        }
        "dnc" | "donotcontact" | "donotcall" | "optout" | "optedout" | "unsubscribed" | "stop" => {
            Meaning::OptedOut
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destinations_own_words_go_before_the_usual_ones() {
        let map = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(word, meaning)| ((*word).to_owned(), (*meaning).to_owned()));
            StatusMap::new(&pairs.collect())
        };
        let own =
            map(&[("In Escrow", "qualified"), ("Dead", "ignored"), ("Halt!", "opted_out")]).expect("a map");
        let said = |status: &str| {
            let mut report = Report::default();
            Words(&own).apply(&mut report, status);
            (report.steps, report.opted_out)
        };
        assert_eq!(said("in-escrow"), (vec![Step::Qualified], false));
        assert_eq!(said("DEAD"), (vec![], false));
        assert_eq!(said("halt"), (vec![], true));
        assert_eq!(said("Closed Won"), (vec![Step::Sold], false), "the usual ones still count");
        assert!(matches!(map(&[("?", "sold")]), Err(StatusMapError::NoWord(_))));
        // A step of the journey that a destination cannot report.
        assert!(matches!(map(&[("x", "retried")]), Err(StatusMapError::NoMeaning { .. })));
    }
}
