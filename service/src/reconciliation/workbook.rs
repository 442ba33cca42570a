//! Lists that come as a workbook (XLSX): the first sheet, row by row.
//!
//! A workbook is a ZIP archive. Its cells are streamed; the texts that cells share are not, so what it unpacks to is looked
//! at first, in [`super::unpacked`].

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use calamine::{DataRef, Reader as _, Xlsx, open_workbook};
use domain::intake::Regions;
use domain::reconciliation::list::Field;
use domain::reconciliation::{Mapping, Table};

use super::list::{Rows, fields, table};
use super::unpacked;
use crate::error::Error;

/// Cells of a row that are looked at.
const COLUMNS_MAX: usize = 1_000;

/// Whether the file begins as a ZIP archive does.
pub(super) fn is_workbook(path: &Path) -> Result<bool, Error> {
    let mut mark = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read(&mut mark));
    Ok(read.map_err(|error| invalid(format!("the list cannot be opened ({error}): send it again")))? == 4
        && mark == *b"PK\x03\x04")
}

/// Reads the first sheet. Answers the fields that it has.
pub(super) fn read(
    path: &Path,
    mapping: &Mapping,
    regions: &Regions,
    rows: &mut Rows,
) -> Result<Vec<Field>, Error> {
    unpacked::check(path)?;
    let mut book: Xlsx<BufReader<File>> = open_workbook(path).map_err(unreadable)?;
    let sheet =
        book.sheet_names().first().cloned().ok_or_else(|| invalid("the workbook has no sheet".into()))?;
    let mut cells = book.worksheet_cells_reader(&sheet).map_err(unreadable)?;
    let (mut at, mut row, mut known) = (None, Vec::new(), None);
    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
        let (number, column) = cell.get_position();
        if at.is_some_and(|at| at != number) {
            take(&mut row, &mut known, mapping, regions, rows)?;
        }
        at = Some(number);
        let column = column as usize;
        if column < COLUMNS_MAX {
            if row.len() <= column {
                row.resize(column + 1, String::new());
            }
            row[column] = text(cell.get_value());
        }
    }
    take(&mut row, &mut known, mapping, regions, rows)?;
    let known = known.ok_or_else(|| invalid("the first sheet of the workbook is empty".into()))?;
    Ok(fields(&known))
}

/// Takes a row that is complete: the first one is the header.
fn take(
    row: &mut Vec<String>,
    known: &mut Option<Table>,
    mapping: &Mapping,
    regions: &Regions,
    rows: &mut Rows,
) -> Result<(), Error> {
    let row = std::mem::take(row);
    match known {
        None if row.iter().all(|cell| cell.trim().is_empty()) => Ok(()),
        None => {
            *known = Some(table(mapping, &row, regions)?);
            Ok(())
        }
        Some(table) => rows.push(table.read(|index| row.get(index).map_or("", String::as_str))),
    }
}

/// A cell as text. Phones and ids come as numbers: without a fraction and without an exponent.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        DataRef::Float(number) => number.to_string(),
        DataRef::Int(number) => number.to_string(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(time) => {
            let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unreadable(error: calamine::XlsxError) -> Error {
    invalid(format!("the workbook cannot be read ({error}); save it as XLSX or CSV and send it again"))
}

pub(super) fn invalid(message: String) -> Error {
    Error::Invalid { field: Some("file".into()), code: "UNREADABLE_WORKBOOK".into(), message }
}
