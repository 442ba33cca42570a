//! From a stream of bytes to batches of records, whatever the file is.
//!
//! [`Reader::open`] looks at the first megabyte and finds compression, encoding, format and CSV dialect;
//! [`Reader::next_batch`] then splits the stream into records, and [`Reader::encoding_of_all`] says at the end what the first
//! megabyte could not show of the encoding. It knows no rule: a record is text with a number, and what its
//! cells mean is for the rules of `domain::intake`.
//!
//! Invariants:
//! * One bad record costs one record. What is wrong with it is its body ([`Body::Malformed`]); the next record is read. Only what
//!   concerns the whole file is a [`FileError`], and the records before it are handed out first.
//! * Batches depend on the file alone, not on the pieces in which it arrives: batch `k` holds the records
//!   `k × n + 1 ..= (k + 1) × n`. An interrupted import skips the batches that it has.
//! * Memory is bounded by the [`Options`] and does not grow with the file.
//!
//! The way of a byte: `source` (expand, limit) → `window` (decode, keep what belongs to the current record) → `csv` or
//! `json` (find the record's end) → `filling` (copy it into the batch, check that it is text) → [`Batch`].
//!
//! Deliberately absent: async (it runs on a blocking thread), workbooks, and the grammar of a JSON value.

use std::io::Read;

pub use batch::{Batch, Body, CellSlice, RawRecord};
pub use error::{FileError, code};
pub use options::{Format, Options, Shape};

use csv::{Rows, trim_cell};
use encoding::Decoding;
use filling::Filling;
use json::{JsonLines, Values};
use source::Source;
use window::Window;

mod batch;
mod csv;
mod csv_damage;
mod detect;
mod encoding;
mod error;
mod filling;
mod json;
mod json_scan;
mod options;
mod source;
mod window;

/// Reads the records of one file, in order.
pub struct Reader {
    window: Window,
    splitter: Splitter,
    shape: Shape,
    options: Options,
    records_read: u32,
    fault: Option<FileError>,
}

enum Splitter {
    Rows(Box<Rows>),
    Values(Values),
    Lines(JsonLines),
}

impl Reader {
    /// Finds out what the file is; for CSV, reads its header. Blocks until the first megabyte, or all of a smaller file, has arrived.
    ///
    /// Errors: what makes the file unreadable from the start (see [`code`]).
    pub fn open(input: impl Read + Send + 'static, options: &Options) -> Result<Self, FileError> {
        let mut source = Source::open(Box::new(input), options)?;
        let mut sample = Vec::new();
        let fault = source.read(&mut sample, options.sample_bytes).err();
        if sample.is_empty() {
            return Err(fault.unwrap_or_else(empty));
        }
        detect::refuse_signature(&sample)?;
        let gzip = source.is_gzip();
        let detected = encoding::detect(&sample, options.encoding);
        sample.drain(..detected.mark_bytes);
        let mut window = Window::new(source, Decoding::new(detected.encoding), sample, fault, options);
        if detected.judged {
            window.watch();
        }
        detect::refuse_binary(window.rest())?;
        skip_to_text(&mut window)?;

        let format = options.format.unwrap_or_else(|| detect::format(window.rest()));
        let mut shape = Shape {
            encoding: detected.encoding.name(),
            byte_order_mark: detected.mark_bytes > 0,
            gzip,
            format,
            delimiter: None,
            header: Vec::new(),
            header_raw: String::new(),
        };
        let splitter = match format {
            Format::Csv => Splitter::Rows(Box::new(open_rows(&mut window, &mut shape, options)?)),
            Format::JsonArray => Splitter::Values(Values::new(true, options)),
            Format::JsonObjects => Splitter::Values(Values::new(false, options)),
            Format::Ndjson => Splitter::Lines(JsonLines::new(options)),
        };
        Ok(Self { window, splitter, shape, options: options.clone(), records_read: 0, fault: None })
    }

    /// What the file is.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Once all records were handed out: the encoding by all of the file. It is another than the shape's when the sample was plain
    /// ASCII and what came later is not UTF-8; the file is then to be read anew with it ([`Options::encoding`]).
    pub fn encoding_of_all(&self) -> &'static str {
        if self.window.denies_utf8() { encoding_rs::WINDOWS_1252.name() } else { self.shape.encoding }
    }

    /// How many records were handed out, refused ones included.
    pub fn records_read(&self) -> u32 {
        self.records_read
    }

    /// Fills `batch` with the next records. False: there are no more, and `batch` is empty.
    ///
    /// Errors: what ends the file early, once the records before it were handed out; calling again gives the same error.
    pub fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, FileError> {
        let mut filling = Filling::reuse(batch, self.records_read, &self.options);
        while self.fault.is_none() && filling.len() < self.options.batch_records as usize {
            match self.next_record(&mut filling) {
                Ok(true) => self.records_read += 1,
                Ok(false) => break,
                Err(fault) => self.fault = Some(FileError { records_read: self.records_read, ..fault }),
            }
        }
        *batch = filling.finish(self.shape.encoding);
        match &self.fault {
            Some(fault) if batch.is_empty() => Err(fault.clone()),
            _ => Ok(!batch.is_empty()),
        }
    }

    /// Bytes of memory that the reader itself occupies besides its batches.
    pub fn memory_bytes(&self) -> usize {
        self.window.memory_bytes()
    }

    fn next_record(&mut self, filling: &mut Filling) -> Result<bool, FileError> {
        if self.records_read == u32::MAX {
            let message = format!("The file has more than {} records. Split it.", u32::MAX);
            return Err(FileError::new(code::TOO_MANY_RECORDS, message).at_line(self.window.line()));
        }
        match &mut self.splitter {
            Splitter::Rows(rows) => rows.next(&mut self.window, filling),
            Splitter::Values(values) => values.next(&mut self.window, filling),
            Splitter::Lines(lines) => lines.next(&mut self.window, filling),
        }
    }
}

/// Passes over megabytes of white space, so that the window begins with a text to judge.
fn skip_to_text(window: &mut Window) -> Result<(), FileError> {
    while window.rest().trim_ascii().is_empty() {
        window.consume(window.rest().len());
        if !window.fill() {
            return window.end().and_then(|()| Err(empty()));
        }
    }
    Ok(())
}

/// Finds the delimiter and reads the header.
fn open_rows(window: &mut Window, shape: &mut Shape, options: &Options) -> Result<Rows, FileError> {
    let named = detect::named_delimiter(window.rest());
    window.consume(named.map_or(0, |(_, bytes)| bytes));
    let delimiter = options
        .delimiter
        .filter(|delimiter| detect::is_delimiter(*delimiter))
        .or(named.map(|(delimiter, _)| delimiter))
        .unwrap_or_else(|| detect::delimiter(window.rest()));
    let mut rows = Rows::new(delimiter, options);
    let mut filling = Filling::reuse(&mut Batch::default(), 0, options);
    if !rows.next(window, &mut filling)? {
        return Err(empty());
    }
    let batch = filling.finish(shape.encoding);
    let row = batch.get(0).ok_or_else(empty)?;
    match row.body {
        Body::Cells(cells) => shape.header = cells.iter().map(|cell| trim_cell(cell).to_owned()).collect(),
        Body::Malformed { code: code::TOO_MANY_COLUMNS, .. } => {
            let message = format!(
                "The header has more than {} columns. Check that the file is CSV with one record a line, or send only the columns that are needed.",
                options.columns_max
            );
            return Err(FileError::new(code::TOO_MANY_COLUMNS, message).at_line(row.line));
        }
        Body::Malformed { message, .. } => {
            let message = format!("The header row cannot be read. {message}");
            return Err(FileError::new(code::HEADER_UNREADABLE, message).at_line(row.line));
        }
        Body::RepeatedHeader | Body::Json(_) => unreachable!("a CSV row before the header is known"),
    }
    row.raw.clone_into(&mut shape.header_raw);
    shape.delimiter = Some(char::from(delimiter));
    rows.set_header(&shape.header);
    Ok(rows)
}

fn empty() -> FileError {
    FileError::new(
        code::EMPTY_FILE,
        "The file is empty. Check the export, and send it with its header and records.",
    )
}
