//! Section `intake`: what comes in.

use serde::Deserialize;

use super::{Error, within};

/// What comes in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    /// The largest file as sent, bytes.
    pub file_bytes_max: u64,
    /// The largest single record, bytes.
    pub record_bytes_max: usize,
    /// Imports that one process runs at a time.
    pub imports_at_once: usize,
}

impl Intake {
    pub(super) fn check(&self) -> Result<(), Error> {
        within("intake.file_bytes_max", self.file_bytes_max, 1024, 1 << 40)?;
        within("intake.record_bytes_max", self.record_bytes_max, 1024, 1 << 26)?;
        within("intake.imports_at_once", self.imports_at_once, 1, 64)
    }
}
