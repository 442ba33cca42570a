//! The reader against real files, bad input and properties.

mod bad_input;
mod fixtures;
mod json;
mod properties;
mod support;
