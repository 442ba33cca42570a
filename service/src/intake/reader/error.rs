//! Why a file as a whole cannot be read, or not to its end.

use thiserror::Error;

/// The file cannot be read, or not past a point. The records before that point were handed out.
///
/// `message` says what is wrong and what to do; it never contains text of the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct FileError {
    /// One of the constants of [`code`]; stable, for programs.
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// Physical line, from 1, where the fault was noticed; absent when lines mean nothing (a PDF, a gzip).
    pub line: Option<u64>,
    /// How many records were read before the fault, refused ones included.
    pub records_read: u32,
}

impl FileError {
    /// A fault that concerns the file and no line of it.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), line: None, records_read: 0 }
    }

    /// The same fault, noticed at that line.
    pub(super) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }
}

/// The codes of [`FileError`] and of [`Body::Malformed`](super::Body::Malformed). What the rules refuse too has their code.
pub mod code {
    use domain::intake::codes;

    /// File: no record and no header.
    pub const EMPTY_FILE: &str = "EMPTY_FILE";
    /// File: a workbook, an archive, a PDF, a web page or other content that is not text records.
    /// Record: it contains a NUL character, which no database column can hold.
    pub const NOT_TEXT: &str = "NOT_TEXT";
    /// File: the header has too many columns. Record: it has too many cells.
    pub const TOO_MANY_COLUMNS: &str = codes::TOO_MANY_COLUMNS;
    /// File: the header row is too long, never ends or is not valid in the file's encoding.
    pub const HEADER_UNREADABLE: &str = "HEADER_UNREADABLE";
    /// File: the compressed stream ends before its end mark.
    pub const GZIP_TRUNCATED: &str = "GZIP_TRUNCATED";
    /// File: the compressed stream is damaged.
    pub const GZIP_CORRUPT: &str = "GZIP_CORRUPT";
    /// File: the compressed stream expands beyond the permitted ratio.
    pub const GZIP_BOMB: &str = "GZIP_BOMB";
    /// File: more expanded bytes than permitted.
    pub const FILE_TOO_LARGE: &str = "FILE_TOO_LARGE";
    /// File: more records than a record number can count.
    pub const TOO_MANY_RECORDS: &str = "TOO_MANY_RECORDS";
    /// File: the input ended with an error (a broken connection, a failing disk).
    pub const READ_FAILED: &str = "READ_FAILED";
    /// File: a JSON array whose closing bracket is missing.
    pub const JSON_UNTERMINATED: &str = "JSON_UNTERMINATED";
    /// File: something follows the JSON array.
    pub const JSON_TRAILING: &str = "JSON_TRAILING";
    /// File: JSON was asked for, but no array or object stands there.
    pub const JSON_EXPECTED: &str = "JSON_EXPECTED";
    /// Record: a JSON value that is cut off, or whose brackets or strings do not match.
    pub const MALFORMED_ROW: &str = codes::MALFORMED_ROW;
    /// Record: a JSON value nested too deep.
    pub const JSON_TOO_DEEP: &str = codes::JSON_TOO_DEEP;
    /// Record: bytes that are not text in the file's encoding.
    pub const INVALID_ENCODING: &str = "INVALID_ENCODING";
    /// Record: a cell above the limit.
    pub const CELL_TOO_LARGE: &str = "CELL_TOO_LARGE";
    /// Record: longer than the limit.
    pub const RECORD_TOO_LARGE: &str = "RECORD_TOO_LARGE";
    /// Record: the records of its batch are together longer than the limit.
    pub const BATCH_TOO_LARGE: &str = "BATCH_TOO_LARGE";
    /// Record: a quote opens a cell and nothing closes it.
    pub const UNCLOSED_QUOTE: &str = "UNCLOSED_QUOTE";
}
