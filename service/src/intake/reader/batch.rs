//! A batch of records: one buffer of text and offsets into it.

use std::ops::Range;

/// Records in the order of the file. It is filled again and again, so a steady import allocates nothing a record.
#[derive(Debug, Default)]
pub struct Batch {
    /// Raw text of all records, each followed by a line feed.
    pub(super) text: String,
    /// Cells of all records without quotes and delimiters, one after the other.
    pub(super) cells: String,
    /// Where each cell ends in `cells`.
    pub(super) cell_ends: Vec<u32>,
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
}

/// Where one record lies in its batch.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) line: u64,
    /// In `text`.
    pub(super) raw: Range<u32>,
    /// Where its first cell starts in `cells`.
    pub(super) cells_start: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Positions in `cell_ends`.
    Cells(Range<u32>),
    RepeatedHeader,
    Json,
    /// Position in `problems`.
    Malformed(u32),
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// One record as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// From 1; the header is not counted, rows of empty cells and empty NDJSON lines are.
    pub number: u32,
    /// Physical line of the file, from 1, where the record starts.
    pub line: u64,
    /// The decoded text without the line end. Cut, and with U+FFFD for what could not be decoded, when the record is malformed.
    pub raw: &'a str,
    /// What the record holds.
    pub body: Body<'a>,
}

/// What a record holds.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// A CSV row. It may have fewer or more cells than the header: the rules judge that.
    Cells(CellSlice<'a>),
    /// A CSV row that repeats the header: two exports glued together.
    RepeatedHeader,
    /// The text of one JSON value without the white space around it, empty for an empty line. Brackets and strings match and the nesting is
    /// within the limit; the rest of the grammar is for the parser that reads the value.
    Json(&'a str),
    /// The record cannot be read, the next one can.
    Malformed {
        /// One of [`code`](super::code).
        code: &'static str,
        /// What is wrong and what to do; never contains text of the record.
        message: &'a str,
    },
}

/// The cells of one row, unquoted, not trimmed.
#[derive(Debug, Clone, Copy)]
pub struct CellSlice<'a> {
    cells: &'a str,
    start: u32,
    ends: &'a [u32],
}

impl<'a> CellSlice<'a> {
    /// How many cells the row has; at least one.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no cell: never for a record of a file.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cell at that position, from 0. Panics beyond `len()`, as a slice does.
    pub fn cell(&self, index: usize) -> &'a str {
        let start = if index == 0 { self.start } else { self.ends[index - 1] };
        &self.cells[start as usize..self.ends[index] as usize]
    }

    /// All cells in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let cells = *self;
        (0..cells.len()).map(move |index| cells.cell(index))
    }
}

impl Batch {
    /// How many records the batch holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = RawRecord<'_>> {
        self.entries.iter().map(|entry| self.record(entry))
    }

    /// The record at that position of the batch, from 0.
    pub fn get(&self, index: usize) -> Option<RawRecord<'_>> {
        self.entries.get(index).map(|entry| self.record(entry))
    }

    /// Bytes of memory that the batch occupies, free room included.
    pub fn memory_bytes(&self) -> usize {
        self.text.capacity()
            + self.cells.capacity()
            + self.cell_ends.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.problems.capacity() * size_of::<Problem>()
    }

    fn record(&self, entry: &Entry) -> RawRecord<'_> {
        let raw = &self.text[entry.raw.start as usize..entry.raw.end as usize];
        let body = match &entry.kind {
            Kind::Cells(ends) => Body::Cells(CellSlice {
                cells: &self.cells,
                start: entry.cells_start,
                ends: &self.cell_ends[ends.start as usize..ends.end as usize],
            }),
            Kind::RepeatedHeader => Body::RepeatedHeader,
            Kind::Json => Body::Json(raw.trim_matches([' ', '\t', '\r', '\n'])),
            Kind::Malformed(problem) => {
                let problem = &self.problems[*problem as usize];
                Body::Malformed { code: problem.code, message: &problem.message }
            }
        };
        RawRecord { number: entry.number, line: entry.line, raw, body }
    }
}
