//! What kind of file this is, judged by its first bytes.

use csv_core::{ReadRecordResult, ReaderBuilder};
use memchr::{memchr, memchr_iter, memmem};

use super::error::{FileError, code};
use super::json_scan::{Scan, Step};
use super::options::Format;

/// The delimiters that are tried, the likelier first.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// Records that a delimiter is tried on.
const DIALECT_RECORDS_MAX: usize = 20;
/// Bytes that a delimiter is tried on.
const DIALECT_BYTES_MAX: usize = 64 << 10;
/// Text has no NUL at all; one in so many bytes is damage of a record, more are another kind of file.
const BYTES_A_NUL: usize = 1_000;

/// The beginnings of files that are no text, with what they are and what to do.
const SIGNATURES: [(&[u8], &str); 9] = [
    (b"%PDF-", "a PDF document: ask for the data as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls): save it as CSV"),
    (b"\x1f\x8b", "compressed twice with gzip: compress it only once"),
    (b"BZh", "compressed with bzip2: unpack it or use gzip"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it or use gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard: unpack it or use gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it"),
    (b"PAR1", "a Parquet file: export it as CSV"),
    (b"\x89PNG", "an image: ask for the data as CSV"),
];

/// Refuses a file that begins as a known kind of file without text.
pub(super) fn refuse_signature(sample: &[u8]) -> Result<(), FileError> {
    if sample.starts_with(b"PK\x03\x04") {
        let is_workbook = |name: &&[u8]| memmem::find(sample, name).is_some();
        return Err(not_text(if [&b"[Content_Types].xml"[..], b"xl/"].iter().any(is_workbook) {
            "an Excel workbook: save it as CSV"
        } else {
            "a ZIP archive: unpack it and send the file inside"
        }));
    }
    let known = SIGNATURES.iter().find(|(signature, _)| sample.starts_with(signature));
    known.map_or(Ok(()), |(_, what)| Err(not_text(what)))
}

/// Refuses a file with NUL bytes, and markup.
pub(super) fn refuse_binary(text: &[u8]) -> Result<(), FileError> {
    let nuls = memchr_iter(0, text).count();
    if nuls * BYTES_A_NUL > text.len() {
        return Err(not_text("binary data, or UTF-16 without a byte order mark: save it as CSV in UTF-8"));
    }
    if text.trim_ascii_start().starts_with(b"<") {
        return Err(not_text("a web page or XML: ask for the data as CSV or JSON"));
    }
    Ok(())
}

fn not_text(what: &str) -> FileError {
    FileError::new(code::NOT_TEXT, format!("This is not a text file with records. It looks like {what}."))
}

/// The format by the first character that is no white space; for an object, by whether the first line holds all of it.
pub(super) fn format(text: &[u8]) -> Format {
    let text = text.trim_ascii_start();
    match text.first() {
        Some(b'[') => Format::JsonArray,
        Some(b'{') => object_format(text),
        _ => Format::Csv,
    }
}

fn object_format(text: &[u8]) -> Format {
    let Some(end) = memchr(b'\n', text) else { return Format::Ndjson };
    let complete = matches!(Scan::new(false).feed(&text[..end]), Step::End(_));
    // A first line that is cut off does not make the lines after it one object.
    if complete || text[end..].trim_ascii_start().starts_with(b"{") {
        Format::Ndjson
    } else {
        Format::JsonObjects
    }
}

/// The delimiter that Excel's first line `sep=;` names, and the bytes of that line.
pub(super) fn named_delimiter(text: &[u8]) -> Option<(u8, usize)> {
    let line = text.get(..4).filter(|start| start.eq_ignore_ascii_case(b"sep=")).and(text.get(4..))?;
    let delimiter = *line.first().filter(|delimiter| is_delimiter(**delimiter))?;
    match line.get(1..)? {
        [b'\r', b'\n', ..] => Some((delimiter, 7)),
        [b'\n' | b'\r', ..] => Some((delimiter, 6)),
        _ => None,
    }
}

/// Whether that byte can stand between cells.
pub(super) fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | b'\0')
}

/// The delimiter that splits the header into many cells and the records into as many. Quotes are respected.
pub(super) fn delimiter(text: &[u8]) -> u8 {
    let sample = &text[..text.len().min(DIALECT_BYTES_MAX)];
    let mut best = (0, DELIMITERS[0]);
    for delimiter in DELIMITERS {
        let counts = cell_counts(sample, delimiter, sample.len() == text.len(), DIALECT_RECORDS_MAX);
        let Some(header) = counts.first() else { continue };
        let alike = counts.iter().filter(|count| *count == header).count();
        // In thousandths, so that equal shares compare equal.
        let score = (header - 1) * (alike * 1_000 / counts.len());
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

/// How many cells each of the first `most` records has. The last one counts only if it is complete or `ended`.
pub(super) fn cell_counts(mut text: &[u8], delimiter: u8, ended: bool, most: usize) -> Vec<usize> {
    let mut core = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut output, mut ends) = ([0; 1_024], [0; 128]);
    let mut counts = Vec::with_capacity(most);
    let mut cells = 0;
    while counts.len() < most {
        let (result, read, _, new_cells) = core.read_record(text, &mut output, &mut ends);
        text = &text[read..];
        cells += new_cells;
        match result {
            ReadRecordResult::Record => {
                counts.push(cells);
                cells = 0;
            }
            ReadRecordResult::InputEmpty if !ended => break,
            ReadRecordResult::End => break,
            ReadRecordResult::InputEmpty
            | ReadRecordResult::OutputFull
            | ReadRecordResult::OutputEndsFull => {}
        }
    }
    counts
}
