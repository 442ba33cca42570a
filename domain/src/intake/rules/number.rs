//! Money, rates, ratios and whole numbers: exact decimals, never binary floating point.

use rust_decimal::Decimal;

use super::super::codes::{
    INVALID_LTV, INVALID_MONEY, INVALID_NUMBER, INVALID_RATE, INVALID_YEAR, LTV_FRACTION, NEGATIVE_MONEY,
};
use super::Fault;
use super::text::trim;

const MONEY: Fault = Fault::new(INVALID_MONEY, "The amount cannot be read; write it as 312450.55.");
const NEGATIVE: Fault = Fault::new(NEGATIVE_MONEY, "The amount is negative, which this field cannot be.");
const RATE: Fault = Fault::new(INVALID_RATE, "The rate is not a percentage between 0 and 100.");
const LTV: Fault = Fault::new(INVALID_LTV, "The loan-to-value ratio is not a percentage between 2 and 200.");
const FRACTION: Fault =
    Fault::new(LTV_FRACTION, "The loan-to-value ratio came as a fraction and was read as percent.");
const INTEGER: Fault = Fault::new(INVALID_NUMBER, "This is not a whole number.");
const YEAR: Fault = Fault::new(INVALID_YEAR, "The year is not four digits from 1900 to next year.");

/// An amount that is not negative; a blank text is `None`, as in every function here.
pub fn money(text: &str) -> Result<Option<Decimal>, Fault> {
    let Some(amount) = signed_money(text)? else { return Ok(None) };
    if amount.is_sign_negative() { Err(NEGATIVE) } else { Ok(Some(amount)) }
}

/// An amount: `$ ,` removed, `K` and `M` multiplied, parentheses negative.
pub fn signed_money(text: &str) -> Result<Option<Decimal>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = text.as_bytes();
    let (bytes, in_parentheses) = match bytes {
        [b'(', inner @ .., b')'] => (inner, true),
        _ => (bytes, false),
    };
    let (bytes, minus) = sign(bytes);
    let (bytes, minus_after) = sign(currency(bytes));
    let (bytes, shift) = match bytes.trim_ascii_end() {
        [rest @ .., b'k' | b'K'] => (rest, 3),
        [rest @ .., b'm' | b'M'] => (rest, 6),
        rest => (rest, 0),
    };
    if u8::from(in_parentheses) + u8::from(minus) + u8::from(minus_after) > 1 {
        return Err(MONEY);
    }
    let negative = in_parentheses || minus || minus_after;
    plain(bytes.trim_ascii(), shift, negative).map(Some).ok_or(MONEY)
}

/// A percentage from 0 to 100, with or without its sign.
pub fn rate(text: &str) -> Result<Option<Decimal>, Fault> {
    let Some((value, _)) = percentage(text, RATE)? else { return Ok(None) };
    if value <= Decimal::ONE_HUNDRED { Ok(Some(value)) } else { Err(RATE) }
}

/// A loan-to-value ratio in percent; up to 2 without a percent sign it is a fraction, and a note says so.
pub fn ltv(text: &str) -> Result<Option<(Decimal, Option<Fault>)>, Fault> {
    let Some((value, marked)) = percentage(text, LTV)? else { return Ok(None) };
    let (value, note) = if marked || value > Decimal::TWO {
        (value, None)
    } else {
        ((value * Decimal::ONE_HUNDRED).normalize(), Some(FRACTION))
    };
    // Nothing up to 2 percent is a result, so that a result never reads as a fraction.
    if value > Decimal::TWO && value <= Decimal::from(200_u8) { Ok(Some((value, note))) } else { Err(LTV) }
}

/// A whole number, thousands separated or not, perhaps with a spreadsheet's `.0`.
pub fn integer(text: &str) -> Result<Option<i64>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let (bytes, negative) = sign(text.as_bytes());
    let value = plain(bytes, 0, negative).ok_or(INTEGER)?;
    if value.scale() == 0 { i64::try_from(value).map(Some).map_err(|_| INTEGER) } else { Err(INTEGER) }
}

/// A year in four digits, from 1900 to the one after `this_year`.
pub fn year(text: &str, this_year: i32) -> Result<Option<i64>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_suffix(".0").unwrap_or(text);
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(YEAR);
    }
    let year = digits.bytes().fold(0_i64, |year, byte| year * 10 + i64::from(byte - b'0'));
    if (1900..=i64::from(this_year) + 1).contains(&year) { Ok(Some(year)) } else { Err(YEAR) }
}

/// A number with or without a percent sign, and whether it had one. Not negative.
fn percentage(text: &str, fault: Fault) -> Result<Option<(Decimal, bool)>, Fault> {
    let text = trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let (number, marked) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), true),
        None => (text, false),
    };
    plain(number.as_bytes(), 0, false).map(|value| Some((value, marked))).ok_or(fault)
}

fn sign(bytes: &[u8]) -> (&[u8], bool) {
    match bytes.trim_ascii() {
        [b'-', rest @ ..] => (rest, true),
        [b'+', rest @ ..] | rest => (rest, false),
    }
}

/// Without `$`, `USD` before or after.
fn currency(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii();
    match bytes {
        [b'U' | b'u', b'S' | b's', b'$' | b'D' | b'd', rest @ ..]
        | [rest @ .., b'U' | b'u', b'S' | b's', b'D' | b'd']
        | [b'$', rest @ ..]
        | [rest @ .., b'$'] => rest,
        _ => bytes,
    }
}

/// Digits with a decimal point and commas between groups of three, times ten to the `shift`. The result has no trailing
/// zeros after its point, so equal amounts are equal in every way.
fn plain(bytes: &[u8], shift: u32, negative: bool) -> Option<Decimal> {
    /// More than any amount; keeps the arithmetic far from overflow.
    const DIGITS_MAX: u32 = 18;
    let (mut mantissa, mut digits, mut scale) = (0_i128, 0_u32, 0_u32);
    let (mut group, mut grouped, mut fraction) = (0_u32, false, false);
    for &byte in bytes {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + i128::from(byte - b'0');
                digits += 1;
                scale += u32::from(fraction);
                group += u32::from(!fraction);
                if digits > DIGITS_MAX {
                    return None;
                }
            }
            b',' if !fraction => {
                let fits = if grouped { group == 3 } else { (1..=3).contains(&group) };
                if !fits {
                    return None;
                }
                (grouped, group) = (true, 0);
            }
            b'.' if !fraction => fraction = true,
            _ => return None,
        }
    }
    if digits == 0 || grouped && group != 3 {
        return None;
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    if shift > 0 {
        let cut = scale.min(shift);
        scale -= cut;
        mantissa *= 10_i128.pow(shift - cut);
    }
    let mantissa = if negative { -mantissa } else { mantissa };
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}
