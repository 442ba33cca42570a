//! Section `jobs`: work in the background other than imports and deliveries.

use serde::Deserialize;

use super::{Error, within};

/// Background jobs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// Jobs that one process works on at a time.
    pub at_once: usize,
}

impl Jobs {
    pub(super) fn check(&self) -> Result<(), Error> {
        within("jobs.at_once", self.at_once, 1, 64)
    }
}
