//! CSV records (RFC 4180, and what is sent under that name), by `csv-core`'s automaton.

use std::fmt::Write as _;

use csv_core::{ReadRecordResult, Reader as Core, ReaderBuilder};

use super::batch::Problem;
use super::csv_damage::{cell_start, looks_like_records, next_line};
use super::error::{FileError, code};
use super::filling::Filling;
use super::json::too_large;
use super::options::Options;
use super::window::Window;

/// Splits a CSV file into its rows.
pub(super) struct Rows {
    core: Core,
    delimiter: u8,
    /// The header's cells, trimmed; empty until it is read.
    header: Vec<String>,
    /// Bytes of the current row that the automaton has seen and that are still in the window.
    scanned: usize,
    /// Bytes of the current row's cells.
    cell_bytes: usize,
    /// Where the current row's cells end; one more than permitted, and one that the automaton keeps free.
    ends: Vec<usize>,
    /// Cells of the current row so far.
    cells: usize,
    /// The current row was refused already: its bytes are passed over.
    refused: bool,
    columns_max: usize,
    cell_bytes_max: usize,
    record_bytes_max: usize,
}

impl Rows {
    pub(super) fn new(delimiter: u8, options: &Options) -> Self {
        Self {
            core: automaton(delimiter),
            delimiter,
            header: Vec::new(),
            scanned: 0,
            cell_bytes: 0,
            ends: vec![0; options.columns_max + 2],
            cells: 0,
            refused: false,
            columns_max: options.columns_max,
            cell_bytes_max: options.cell_bytes_max,
            record_bytes_max: options.record_bytes_max,
        }
    }

    /// From now on rows equal to this header are recognised.
    pub(super) fn set_header(&mut self, header: &[String]) {
        self.header = header.to_vec();
    }

    /// Adds the next row. False: there is none.
    pub(super) fn next(&mut self, window: &mut Window, filling: &mut Filling) -> Result<bool, FileError> {
        if self.refused {
            self.pass_refused(window)?;
        }
        if !pass_line_ends(window) {
            return window.end().map(|()| false);
        }
        loop {
            let input = &window.rest()[self.scanned..];
            if input.is_empty() {
                if self.refuse_growing(window, filling) {
                    return Ok(true);
                }
                if !window.fill() {
                    window.end()?;
                    self.finish_last(window, filling);
                    return Ok(true);
                }
                continue;
            }
            match self.read(input, filling) {
                ReadRecordResult::Record => {
                    // The last byte is the line end; of CR LF only the CR belongs to this row.
                    self.finish(self.scanned - 1, window, filling);
                    return Ok(true);
                }
                ReadRecordResult::OutputEndsFull => {
                    self.refuse(window, filling, too_many_cells(self.columns_max));
                    return Ok(true);
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull | ReadRecordResult::End => {}
            }
        }
    }

    /// Lets the automaton go on; the cells are written where the batch will keep them.
    fn read(&mut self, input: &[u8], filling: &mut Filling) -> ReadRecordResult {
        let room = filling.cell_room(self.cell_bytes);
        let (result, read, written, ends) = self.core.read_record(input, room, &mut self.ends[self.cells..]);
        self.scanned += read;
        self.cell_bytes += written;
        self.cells += ends;
        result
    }

    /// Adds the row whose text is the first `length` bytes of the window.
    fn finish(&mut self, length: usize, window: &mut Window, filling: &mut Filling) {
        let raw = &window.rest()[..length];
        let line = window.line();
        let ends = &self.ends[..self.cells];
        if let Some(cell) = self.oversized_cell(ends) {
            if !self.recover(cell, false, window, filling) {
                self.refuse_cell(cell, window, filling);
                self.refused = false;
                self.forget_row(window);
            }
            return;
        }
        if length > self.record_bytes_max {
            filling.push_malformed(line, raw, too_large(self.record_bytes_max));
        } else if self.cells > self.columns_max {
            filling.push_malformed(line, raw, too_many_cells(self.columns_max));
        } else if self.repeats_header(ends, filling) {
            filling.push_repeated_header(line, raw);
        } else {
            filling.push_cells(line, raw, ends);
        }
        self.forget_row(window);
    }

    fn oversized_cell(&self, ends: &[usize]) -> Option<usize> {
        if self.cell_bytes <= self.cell_bytes_max {
            return None;
        }
        let mut start = 0;
        ends.iter().position(|end| *end - std::mem::replace(&mut start, *end) > self.cell_bytes_max)
    }

    fn repeats_header(&self, ends: &[usize], filling: &Filling) -> bool {
        if ends.len() != self.header.len() || self.header.iter().all(String::is_empty) {
            return false;
        }
        let mut start = 0;
        self.header.iter().zip(ends).all(|(name, end)| {
            let cell = filling.new_cells(std::mem::replace(&mut start, *end)..*end);
            cell.len() >= name.len() && std::str::from_utf8(cell).is_ok_and(|cell| trim_cell(cell) == name)
        })
    }

    /// Refuses a row that has outgrown a limit before its end is seen. True: a record was added.
    fn refuse_growing(&mut self, window: &mut Window, filling: &mut Filling) -> bool {
        let before = self.cells.checked_sub(1).map_or(0, |last| self.ends[last]);
        if self.cell_bytes - before > self.cell_bytes_max {
            if !self.recover(self.cells, false, window, filling) {
                self.refuse_cell(self.cells, window, filling);
            }
            return true;
        }
        if self.scanned > self.record_bytes_max {
            self.refuse(window, filling, too_large(self.record_bytes_max));
            return true;
        }
        false
    }

    /// Adds the row that the file ends with. A line end completes it, except within quotes: then its last cell was opened by a quote
    /// that nothing closes.
    fn finish_last(&mut self, window: &mut Window, filling: &mut Filling) {
        let length = self.scanned;
        let result = self.read(b"\n", filling);
        self.scanned = length;
        if result != ReadRecordResult::InputEmpty {
            self.finish(length, window, filling);
        } else if !self.recover(self.cells, true, window, filling) {
            let opened = self.opened_at(self.cells, window);
            filling.push_malformed(
                window.line(),
                window.rest(),
                unclosed_quote(window.line_at(opened), false),
            );
            self.forget_row(window);
            self.core = automaton(self.delimiter);
        }
    }

    /// If a quote opened that cell and the lines after it look like rows of this file, the quote is a stray one: refuses
    /// only what stands up to the end of its line and goes on behind it, instead of losing every row up to the next quote.
    /// Going back is cheap: no single quote follows within the cell, so the same text is not gone through a third time.
    fn recover(&mut self, cell: usize, ended: bool, window: &mut Window, filling: &mut Filling) -> bool {
        let opened = self.opened_at(cell, window);
        let rest = window.rest();
        if rest.get(opened) != Some(&b'"') {
            return false;
        }
        let Some((line_end, next)) = next_line(rest, opened) else { return false };
        if !looks_like_records(&rest[next..], self.delimiter, self.header.len(), ended) {
            return false;
        }
        let problem = unclosed_quote(window.line_at(opened), true);
        filling.push_malformed(window.line(), &rest[..line_end], problem);
        self.scanned = next;
        self.forget_row(window);
        self.core = automaton(self.delimiter);
        true
    }

    fn opened_at(&self, cell: usize, window: &Window) -> usize {
        cell_start(window.rest(), self.delimiter, cell)
    }

    fn refuse_cell(&mut self, cell: usize, window: &mut Window, filling: &mut Filling) {
        let opened = self.opened_at(cell, window);
        let mut message = format!(
            "Cell {} of the record has more than {} bytes. Shorten it and send the record again.",
            cell + 1,
            self.cell_bytes_max
        );
        if window.rest().get(opened) == Some(&b'"') {
            let line = window.line_at(opened);
            let _ = write!(message, " Its quote opens at line {line}: check that it is closed.");
        }
        self.refuse(window, filling, Problem { code: code::CELL_TOO_LARGE, message });
    }

    /// Adds the current row as a refused one; the rest of it will be passed over.
    fn refuse(&mut self, window: &mut Window, filling: &mut Filling, problem: Problem) {
        filling.push_malformed(window.line(), &window.rest()[..self.scanned], problem);
        self.refused = true;
    }

    /// Passes over the rest of a refused row without keeping it.
    fn pass_refused(&mut self, window: &mut Window) -> Result<(), FileError> {
        let (mut output, mut ends) = ([0; 4_096], [0; 256]);
        window.consume(std::mem::take(&mut self.scanned));
        loop {
            if window.rest().is_empty() && !window.fill() {
                window.end()?;
            }
            let (result, read, ..) = self.core.read_record(window.rest(), &mut output, &mut ends);
            window.consume(read);
            if matches!(result, ReadRecordResult::Record | ReadRecordResult::End) {
                self.refused = false;
                self.forget_row(window);
                return Ok(());
            }
        }
    }

    fn forget_row(&mut self, window: &mut Window) {
        window.consume(std::mem::take(&mut self.scanned));
        self.cell_bytes = 0;
        self.cells = 0;
    }
}

/// White space and a byte order mark (of a file that was glued to another) do not belong to a header's cell.
pub(super) fn trim_cell(cell: &str) -> &str {
    cell.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

/// Consumes the line ends before a row: the second half of CR LF and empty lines, which are no rows. False: nothing follows.
fn pass_line_ends(window: &mut Window) -> bool {
    loop {
        let line_ends = window.rest().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        window.consume(line_ends);
        if !window.rest().is_empty() {
            return true;
        }
        if !window.fill() {
            return false;
        }
    }
}

fn automaton(delimiter: u8) -> Core {
    ReaderBuilder::new().delimiter(delimiter).build()
}

fn too_many_cells(columns_max: usize) -> Problem {
    let message =
        format!("The record has more than {columns_max} cells. Check the delimiter, or send fewer columns.");
    Problem { code: code::TOO_MANY_COLUMNS, message }
}

fn unclosed_quote(line: u64, recovered: bool) -> Problem {
    let rest = if recovered {
        "The lines after it were read as records."
    } else {
        "Everything after it belongs to this record."
    };
    let message =
        format!("The quote that opens a cell at line {line} is never closed: remove or close it. {rest}");
    Problem { code: code::UNCLOSED_QUOTE, message }
}
