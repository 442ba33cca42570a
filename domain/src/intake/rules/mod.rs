//! One rule family a file: text in, a normalised value or a [`Fault`] out.
//!
//! A rule never guesses: what can be read in two ways is a fault. Each is idempotent, its own output is
//! its fixed point.

pub mod address;
mod address_words;
pub mod boolean;
pub mod channel;
pub mod credit;
pub mod date;
pub mod email;
pub mod name;
pub mod number;
mod packed;
pub mod phone;
pub mod state;
pub mod text;
pub mod zip;

/// Why a text gives no value, or what was repaired on the way to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// A code of [`codes`](super::codes).
    pub code: &'static str,
    /// One sentence: what is wrong and what would be right; never the value itself.
    pub message: &'static str,
}

impl Fault {
    pub(crate) const fn new(code: &'static str, message: &'static str) -> Self {
        Self { code, message }
    }
}
