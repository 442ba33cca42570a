//! Their list, read in batches: CSV, XLSX, JSON; by a mapping as data.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use domain::intake::Regions;
use domain::reconciliation::list::Field;
use domain::reconciliation::{Mapping, Record, Table};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::workbook;
use crate::error::Error;
use crate::intake::reader::{Batch, Body, FileError, Format, Options, Reader};

/// Rows that are handed on at once.
const BATCH_ROWS: usize = 4_096;
/// Rows of one list at most: their number must fit the counts.
const ROWS_MAX: i32 = 50_000_000;

/// A row that is a record.
#[derive(Debug)]
pub struct Row {
    /// Its number in the list, from 1.
    pub number: i32,
    /// What it says.
    pub record: Record,
}

/// What reading a list came to.
#[derive(Clone, Debug, Default)]
pub struct ListFacts {
    /// SHA-256 of the file.
    pub hash: Vec<u8>,
    /// Rows that are no record.
    pub skipped: i32,
    /// The fields that the list has columns for.
    pub fields: Vec<Field>,
}

/// A list on its way in.
pub(super) struct Reading {
    pub(super) path: PathBuf,
    pub(super) mapping: Mapping,
    pub(super) regions: Regions,
    pub(super) sender: mpsc::Sender<Vec<Row>>,
}

impl Reading {
    /// Reads the whole list. Blocks: for a thread of its own.
    pub(super) fn read(self) -> Result<ListFacts, Error> {
        let hash = hash(&self.path)?;
        let mut rows = Rows { batch: Vec::new(), number: 0, skipped: 0, sender: self.sender };
        let fields = if workbook::is_workbook(&self.path)? {
            workbook::read(&self.path, &self.mapping, &self.regions, &mut rows)?
        } else {
            read_text(&self.path, &self.mapping, &self.regions, &mut rows)?
        };
        rows.flush()?;
        Ok(ListFacts { hash, skipped: rows.skipped, fields })
    }
}

/// Gathers rows and hands them on.
pub(super) struct Rows {
    batch: Vec<Row>,
    number: i32,
    skipped: i32,
    sender: mpsc::Sender<Vec<Row>>,
}

impl Rows {
    /// The next row of the list, if it is a record.
    pub(super) fn push(&mut self, record: Option<Record>) -> Result<(), Error> {
        if self.number == ROWS_MAX {
            return Err(Error::invalid("file", format!("the list has more than {ROWS_MAX} rows; split it")));
        }
        self.number += 1;
        match record {
            Some(record) => self.batch.push(Row { number: self.number, record }),
            None => self.skipped += 1,
        }
        if self.batch.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        // Nobody receives any more: the run has failed for a reason of its own, which is the one to tell.
        self.sender.blocking_send(batch).map_err(|_| Error::internal("reading a list", "nobody takes it"))
    }
}

/// A mapping found in a header; what is wrong is the caller's to mend.
pub(super) fn table(
    mapping: &Mapping,
    header: &[impl AsRef<str>],
    regions: &Regions,
) -> Result<Table, Error> {
    Table::new(mapping, header, regions).map_err(|error| Error::Invalid {
        field: Some("file".into()),
        code: "UNKNOWN_COLUMNS".into(),
        message: error.to_string(),
    })
}

/// The fields that a table has.
pub(super) fn fields(table: &Table) -> Vec<Field> {
    Field::ALL.into_iter().filter(|field| table.has(*field)).collect()
}

fn read_text(
    path: &Path,
    mapping: &Mapping,
    regions: &Regions,
    rows: &mut Rows,
) -> Result<Vec<Field>, Error> {
    let mut reader = Reader::open(open(path)?, &Options::default()).map_err(|error| refused(&error))?;
    let csv = reader.shape().format == Format::Csv;
    let mut known = if csv { Some(table(mapping, &reader.shape().header, regions)?) } else { None };
    let mut header = reader.shape().header.clone();
    let mut fields = known.as_ref().map(fields).unwrap_or_default();
    let mut batch = Batch::default();
    while reader.next_batch(&mut batch).map_err(|error| refused(&error))? {
        for raw in batch.records() {
            let record = match (raw.body, &known) {
                (Body::Cells(cells), Some(table)) => {
                    table.read(|index| if index < cells.len() { cells.cell(index) } else { "" })
                }
                (Body::Json(text), _) => {
                    let values = json_values(text).unwrap_or_default();
                    if !header.iter().eq(values.iter().map(|(name, _)| name)) {
                        header = values.iter().map(|(name, _)| name.clone()).collect();
                        // Objects differ in what they leave out: one without any key is no record.
                        known = Table::new(mapping, &header, regions).ok();
                        for field in known.as_ref().map(self::fields).unwrap_or_default() {
                            if !fields.contains(&field) {
                                fields.push(field);
                            }
                        }
                    }
                    let cell = |index: usize| values.get(index).map_or("", |(_, value)| value.as_str());
                    known.as_ref().and_then(|table| table.read(cell))
                }
                _ => None,
            };
            rows.push(record)?;
        }
    }
    Ok(fields)
}

/// A JSON object's leaves by dotted path, an array as it is written. None when the text is no object.
pub(super) fn json_values(text: &str) -> Option<Vec<(String, String)>> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return None };
    let mut values = Vec::new();
    flatten("", &Value::Object(object), &mut values);
    Some(values)
}

/// The parser has bounded the depth.
fn flatten(path: &str, value: &Value, values: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, values);
            }
        }
        Value::Null => values.push((path.to_owned(), String::new())),
        Value::String(text) => values.push((path.to_owned(), text.clone())),
        other => values.push((path.to_owned(), other.to_string())),
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|error| Error::Invalid {
        field: Some("file".into()),
        code: "READ_FAILED".into(),
        message: format!("the list cannot be opened ({error}): send it again"),
    })
}

fn refused(error: &FileError) -> Error {
    let line = error.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    Error::Invalid {
        field: Some("file".into()),
        code: error.code.into(),
        message: format!("{}{line}.", error.message.trim_end_matches('.')),
    }
}

fn hash(path: &Path) -> Result<Vec<u8>, Error> {
    let mut input = open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = input.read(&mut buffer).map_err(|error| Error::internal("reading a list", error))?;
        if read == 0 {
            return Ok(hash.finalize().to_vec());
        }
        hash.update(&buffer[..read]);
    }
}
