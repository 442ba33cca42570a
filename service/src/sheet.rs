//! A table as CSV, for people and their spreadsheets.

use crate::error::Error;
use crate::intake::export::neutral;

/// Rows as text. Cells that a spreadsheet would run are neutralised.
pub(crate) struct Sheet(csv::Writer<Vec<u8>>);

impl Sheet {
    /// Begins with the header.
    pub(crate) fn new(header: &[&str]) -> Result<Self, Error> {
        let mut sheet = Self(csv::Writer::from_writer(Vec::new()));
        sheet.0.write_record(header).map_err(failed)?;
        Ok(sheet)
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is made where it is given")]
    pub(crate) fn row(&mut self, cells: Vec<String>) -> Result<(), Error> {
        self.0.write_record(cells.iter().map(|cell| neutral(cell).into_owned())).map_err(failed)
    }

    /// The bytes.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        self.0.into_inner().map_err(|error| Error::internal("writing CSV", error.to_string()))
    }
}

fn failed(error: csv::Error) -> Error {
    Error::internal("writing CSV", error)
}
