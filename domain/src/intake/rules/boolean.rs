//! Yes and no.

use rust_decimal::Decimal;

use super::super::codes::INVALID_BOOLEAN;
use super::Fault;
use super::number::money;
use super::text::trim;

const FAULT: Fault = Fault::new(INVALID_BOOLEAN, "The answer is neither yes nor no.");

/// `yes y true t 1` and `no n false f 0 none`; blank is `None`, anything else a fault and never `false`.
pub fn boolean(text: &str) -> Result<Option<bool>, Fault> {
    let text = trim(text);
    let mut lower = [0_u8; 5];
    let Some(lower) = lower.get_mut(..text.len()) else { return Err(FAULT) };
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"" => Ok(None),
        b"y" | b"yes" | b"t" | b"true" | b"1" => Ok(Some(true)),
        b"n" | b"no" | b"f" | b"false" | b"0" | b"none" => Ok(Some(false)),
        _ => Err(FAULT),
    }
}

/// Yes or no, or an amount: more than nothing means yes, and is kept.
pub fn boolean_or_amount(text: &str) -> Result<Option<(bool, Option<Decimal>)>, Fault> {
    match boolean(text) {
        Ok(answer) => Ok(answer.map(|answer| (answer, None))),
        Err(fault) => match money(text) {
            Ok(Some(amount)) if amount.is_zero() => Ok(Some((false, None))),
            Ok(Some(amount)) => Ok(Some((true, Some(amount)))),
            _ => Err(fault),
        },
    }
}
