//! Money: integers of a currency's minor unit. Floating point never touches an amount.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Amounts beyond this are refused where they come in, so that a million of them still add up in an `i64`.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// Text that is not a currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency is an ISO 4217 code of three capital letters, such as USD")]
pub struct InvalidCurrency;

/// Text that is not an amount of the currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an amount in {currency} is a number with at most {digits} decimals, such as {example}, and not negative"
)]
pub struct InvalidAmount {
    currency: Currency,
    digits: u32,
    example: String,
}

impl Currency {
    /// The US dollar, which a new partner starts with.
    pub const USD: Self = Self(*b"USD");

    /// The code, as in `USD`.
    pub fn code(&self) -> &str {
        // Three ASCII letters, which the only constructor has checked.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point: how many minor units make a major one, as a power of ten (ISO 4217, table A.1).
    pub fn digits(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
            | b"UGX" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// The amount as people write it: `10400` is `104.00` in USD.
    pub fn show(&self, minor_units: i64) -> String {
        let digits = self.digits();
        if digits == 0 {
            return minor_units.to_string();
        }
        let unit = 10_u64.pow(digits);
        let sign = if minor_units < 0 { "-" } else { "" };
        let size = minor_units.unsigned_abs();
        format!("{sign}{}.{:0width$}", size / unit, size % unit, width = digits as usize)
    }

    /// The minor units of `104`, `104.5` or `104.50`.
    pub fn read(&self, text: &str) -> Result<i64, InvalidAmount> {
        let digits = self.digits();
        let refuse =
            || InvalidAmount { currency: *self, digits, example: self.show(10_i64.pow(digits) * 10) };
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > digits as usize {
            return Err(refuse());
        }
        let padded = format!("{whole}{part:0<width$}", width = digits as usize);
        padded.parse().ok().filter(|amount| *amount <= AMOUNT_MAX).ok_or_else(refuse)
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].into_iter().all(u8::is_ascii_uppercase) => Ok(Self([*a, *b, *c])),
            _ => Err(InvalidCurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_and_read_by_the_currencys_digits() {
        let jpy: Currency = "JPY".parse().unwrap();
        let kwd: Currency = "KWD".parse().unwrap();
        for (currency, minor, text) in [
            (Currency::USD, 10_400, "104.00"),
            (Currency::USD, 5, "0.05"),
            (Currency::USD, -1_250, "-12.50"),
            (jpy, 104, "104"),
            (kwd, 1_005, "1.005"),
        ] {
            assert_eq!(currency.show(minor), text);
            if minor >= 0 {
                assert_eq!(currency.read(text), Ok(minor));
            }
        }
        assert_eq!(Currency::USD.read(" 7.5 "), Ok(750));
        for wrong in ["", ".", "-1", "1.005", "1,00", "1e3", "9999999999999", "99999999999999999999"] {
            assert!(Currency::USD.read(wrong).is_err(), "{wrong}");
        }
        assert!(jpy.read("1.0").is_err());
        assert_eq!("usd".parse::<Currency>(), Err(InvalidCurrency));
    }
}
