//! Finding one's way in a damaged row. Needed only for rows that are refused, so clarity goes before speed.

use csv_core::{ReadFieldResult, ReaderBuilder};
use memchr::memchr2;

use super::detect::cell_counts;

/// Rows that are looked at to tell rows from the text of a long cell.
const ROWS_COMPARED: usize = 3;
/// Bytes in which these rows have to stand.
const BYTES_COMPARED_MAX: usize = 64 << 10;

/// Where that cell (from 0) of the row that `text` begins with starts.
pub(super) fn cell_start(text: &[u8], delimiter: u8, cell: usize) -> usize {
    let mut core = ReaderBuilder::new().delimiter(delimiter).build();
    let mut output = [0; 4_096];
    let (mut position, mut passed) = (0, 0);
    while passed < cell {
        let (result, read, _) = core.read_field(&text[position..], &mut output);
        position += read;
        match result {
            ReadFieldResult::Field { .. } => passed += 1,
            ReadFieldResult::OutputFull => {}
            ReadFieldResult::InputEmpty | ReadFieldResult::End => break,
        }
    }
    position
}

/// Where the line that `position` is in ends, and where the next one starts; `None` in the last line.
pub(super) fn next_line(text: &[u8], position: usize) -> Option<(usize, usize)> {
    let end = position + memchr2(b'\n', b'\r', &text[position..])?;
    let next = if text[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
    Some((end, next))
}

/// Whether `text` begins with rows of as many cells as the header. With one column every text does, so that says nothing.
/// `ended`: the file ends with `text`.
pub(super) fn looks_like_records(text: &[u8], delimiter: u8, columns: usize, ended: bool) -> bool {
    let sample = &text[..text.len().min(BYTES_COMPARED_MAX)];
    let counts = cell_counts(sample, delimiter, ended && sample.len() == text.len(), ROWS_COMPARED);
    columns > 1 && !counts.is_empty() && counts.iter().all(|count| *count == columns)
}
