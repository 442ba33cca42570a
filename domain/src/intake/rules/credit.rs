//! Credit scores: a whole number from 300 to 850; words and ranges are a rating.

use compact_str::CompactString;

use super::super::codes::{CREDIT_RATING, INVALID_CREDIT_SCORE};
use super::Fault;
use super::number::integer;
use super::text::{is_placeholder, tidy};

/// What a credit cell says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credit {
    /// A score.
    Score(i64),
    /// `Excellent (720+)`, `680-719`: kept, but no score is invented from it.
    Rating(CompactString, Fault),
}

const SCORE: Fault =
    Fault::new(INVALID_CREDIT_SCORE, "The credit score is not a whole number from 300 to 850.");
const RATING: Fault =
    Fault::new(CREDIT_RATING, "The credit score came as words or a range and is kept as credit_rating.");

/// A score or a rating; blank is `None`. Bureaus send exclusion codes (9001 to 9003) and 0 in the score's place.
pub fn credit(text: &str) -> Result<Option<Credit>, Fault> {
    match integer(text) {
        Ok(None) => Ok(None),
        Ok(Some(score @ 300..=850)) => Ok(Some(Credit::Score(score))),
        Ok(Some(_)) => Err(SCORE),
        Err(_) => {
            let text = tidy(text);
            if !is_placeholder(&text) && is_rating(&text) {
                Ok(Some(Credit::Rating(text, RATING)))
            } else {
                Err(SCORE)
            }
        }
    }
}

/// Words, or two numbers with a dash.
fn is_rating(text: &str) -> bool {
    let letters = text.chars().filter(|character| character.is_alphabetic()).count();
    let range = text.split_once(['-', '\u{2013}']).is_some_and(|(low, high)| {
        let number = |part: &str| {
            let part = part.trim();
            part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        number(low) && number(high)
    });
    letters >= 3 || range || text.ends_with('+') && text.len() == 4
}
