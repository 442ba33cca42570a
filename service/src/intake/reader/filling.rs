//! A batch while records are added to it: bytes that are not yet known to be text.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use super::batch::{Batch, Entry, Kind, Problem};
use super::error::code;
use super::options::Options;

/// Bytes of a refused record's raw text that are kept once the batch is full.
const RAW_BYTES_WHEN_FULL: usize = 1 << 10;
/// Room for cells to begin with.
const CELL_ROOM_BYTES: usize = 64 << 10;

/// A batch under construction.
pub(super) struct Filling {
    /// Number of the record before the next one.
    number: u32,
    batch_bytes_max: usize,
    refused_raw_bytes_max: usize,
    text: Vec<u8>,
    /// Used up to `cells_used`, the rest is room to write into.
    cells: Vec<u8>,
    cells_used: usize,
    cell_ends: Vec<u32>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

impl Filling {
    /// Empties `batch` and takes its memory; the first record will follow number `number`.
    pub(super) fn reuse(batch: &mut Batch, number: u32, options: &Options) -> Self {
        let Batch { text, cells, mut cell_ends, mut entries, mut problems } = std::mem::take(batch);
        let mut text = text.into_bytes();
        let mut cells = cells.into_bytes();
        text.clear();
        cells.resize(cells.capacity(), 0);
        cell_ends.clear();
        entries.clear();
        problems.clear();
        Self {
            number,
            // Offsets are 32 bits wide; a third of that leaves room for replacement characters.
            batch_bytes_max: options.batch_bytes_max.min(1 << 30),
            refused_raw_bytes_max: options.refused_raw_bytes_max,
            text,
            cells,
            cells_used: 0,
            cell_ends,
            entries,
            problems,
        }
    }

    /// How many records were added.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Room for the cells of the next record, `used` bytes of which are taken already; never empty.
    pub(super) fn cell_room(&mut self, used: usize) -> &mut [u8] {
        let from = self.cells_used + used;
        if self.cells.len() <= from {
            let room = self.cells.len().max(CELL_ROOM_BYTES);
            self.cells.resize(from + room, 0);
        }
        &mut self.cells[from..]
    }

    /// The bytes that were written into the room for the next record.
    pub(super) fn new_cells(&self, bytes: Range<usize>) -> &[u8] {
        &self.cells[self.cells_used + bytes.start..self.cells_used + bytes.end]
    }

    /// Adds a row whose cells stand in the room, ending at `ends`.
    pub(super) fn push_cells(&mut self, line: u64, raw: &[u8], ends: &[usize]) {
        if self.refuse_beyond_limit(line, raw) {
            return;
        }
        let base = offset(self.cells_used);
        let first = offset(self.cell_ends.len());
        self.cell_ends.extend(ends.iter().map(|end| base + offset(*end)));
        self.cells_used += ends.last().copied().unwrap_or(0);
        let kind = Kind::Cells(first..offset(self.cell_ends.len()));
        self.push(line, raw, base, kind);
    }

    /// Adds a row that repeats the header.
    pub(super) fn push_repeated_header(&mut self, line: u64, raw: &[u8]) {
        if !self.refuse_beyond_limit(line, raw) {
            self.push(line, raw, 0, Kind::RepeatedHeader);
        }
    }

    /// Adds a JSON value.
    pub(super) fn push_json(&mut self, line: u64, raw: &[u8]) {
        if !self.refuse_beyond_limit(line, raw) {
            self.push(line, raw, 0, Kind::Json);
        }
    }

    /// Adds a record that cannot be read; of a long raw text only the beginning is kept.
    pub(super) fn push_malformed(&mut self, line: u64, raw: &[u8], problem: Problem) {
        let kind = self.problem(problem);
        let raw = cut(raw, self.raw_bytes_kept(self.text.len()));
        self.push(line, raw, 0, kind);
    }

    fn push(&mut self, line: u64, raw: &[u8], cells_start: u32, kind: Kind) {
        let start = offset(self.text.len());
        self.text.extend_from_slice(raw);
        let end = offset(self.text.len());
        // The line feed keeps the bytes of neighbours from forming one character.
        self.text.push(b'\n');
        self.number += 1;
        self.entries.push(Entry { number: self.number, line, raw: start..end, cells_start, kind });
    }

    fn problem(&mut self, problem: Problem) -> Kind {
        self.problems.push(problem);
        Kind::Malformed(offset(self.problems.len() - 1))
    }

    fn refuse_beyond_limit(&mut self, line: u64, raw: &[u8]) -> bool {
        let beyond = self.text.len() + raw.len() > self.batch_bytes_max;
        if beyond {
            let message = format!(
                "This record and those before it in its batch have more than {} bytes. Shorten their cells, or send fewer such records in one file.",
                self.batch_bytes_max
            );
            self.push_malformed(line, raw, Problem { code: code::BATCH_TOO_LARGE, message });
        }
        beyond
    }

    fn raw_bytes_kept(&self, text_bytes: usize) -> usize {
        if text_bytes >= self.batch_bytes_max {
            self.refused_raw_bytes_max.min(RAW_BYTES_WHEN_FULL)
        } else {
            self.refused_raw_bytes_max
        }
    }

    /// The finished batch. Records that are not text become malformed ones here: checking a whole batch at once is
    /// nearly free, and only a batch that fails is gone through record by record.
    pub(super) fn finish(mut self, encoding: &str) -> Batch {
        let text = std::mem::take(&mut self.text);
        let text = match String::from_utf8(text) {
            Ok(text) if memchr(0, text.as_bytes()).is_none() => text,
            Ok(text) => self.repair(text.as_bytes(), encoding),
            Err(error) => self.repair(error.as_bytes(), encoding),
        };
        self.cells.truncate(self.cells_used);
        // Cells are the text without ASCII characters, and those of records that are no text were blanked.
        let cells = String::from_utf8(self.cells).expect("cells of valid text are valid text");
        Batch { text, cells, cell_ends: self.cell_ends, entries: self.entries, problems: self.problems }
    }

    fn repair(&mut self, text: &[u8], encoding: &str) -> String {
        let mut repaired = String::with_capacity(text.len() + text.len() / 16);
        let mut entries = std::mem::take(&mut self.entries);
        for entry in &mut entries {
            let raw = &text[entry.raw.start as usize..entry.raw.end as usize];
            let start = offset(repaired.len());
            match String::from_utf8_lossy(raw) {
                Cow::Borrowed(raw) if memchr(0, raw.as_bytes()).is_none() => repaired.push_str(raw),
                lossy => {
                    let kept = cut(lossy.as_bytes(), self.raw_bytes_kept(repaired.len())).len();
                    let kept = lossy[..kept].chars();
                    repaired
                        .extend(kept.map(|character| if character == '\0' { '\u{fffd}' } else { character }));
                    self.refuse_entry(entry, matches!(lossy, Cow::Owned(_)), encoding);
                }
            }
            entry.raw = start..offset(repaired.len());
            repaired.push('\n');
        }
        self.entries = entries;
        repaired
    }

    fn refuse_entry(&mut self, entry: &mut Entry, undecodable: bool, encoding: &str) {
        match &entry.kind {
            Kind::Malformed(_) => return,
            Kind::Cells(ends) if !ends.is_empty() => {
                let end = self.cell_ends[ends.end as usize - 1];
                self.cells[entry.cells_start as usize..end as usize].fill(b' ');
            }
            Kind::Cells(_) | Kind::RepeatedHeader | Kind::Json => {}
        }
        let problem = if undecodable {
            let message = format!(
                "The record has bytes that are not {encoding}. Save the file as UTF-8 and send the record again."
            );
            Problem { code: code::INVALID_ENCODING, message }
        } else {
            let message = "The record has a NUL character. Remove it and send the record again.".to_owned();
            Problem { code: code::NOT_TEXT, message }
        };
        entry.kind = self.problem(problem);
    }
}

/// The first `most` bytes, or up to three fewer so as not to cut a character.
fn cut(text: &[u8], most: usize) -> &[u8] {
    if text.len() <= most {
        return text;
    }
    let is_boundary = |end: &usize| text[*end] & 0b1100_0000 != 0b1000_0000;
    let end = (most.saturating_sub(3)..=most).rev().find(is_boundary).unwrap_or(most);
    &text[..end]
}

/// An offset within a batch, whose size is limited far below 4 GiB.
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a batch is limited to less than 4 GiB")
}
