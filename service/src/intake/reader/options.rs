//! What may be forced, what is limited, and what was found.

use std::fmt;

use domain::intake::{COLUMNS_MAX, NESTING_MAX};

/// How a file is read: what the caller knows already, and the limits.
#[derive(Debug, Clone)]
pub struct Options {
    /// Forces the format; absent: found from the first character.
    pub format: Option<Format>,
    /// The encoding of a file without a byte order mark, by its name in the WHATWG Encoding Standard; absent: found from the sample.
    pub encoding: Option<&'static str>,
    /// Forces the CSV delimiter (an ASCII character); absent: found from the first records.
    pub delimiter: Option<u8>,
    /// Bytes, expanded, by which encoding, format and dialect are judged. Default 1 MiB.
    pub sample_bytes: usize,
    /// Bytes that are read and split at once, so that they stay in the processor's cache. Default 64 KiB.
    pub read_bytes: usize,
    /// Records a batch: batch `k` (from 0) holds the records `k × n + 1 ..= (k + 1) × n`. Default 4,096.
    pub batch_records: u32,
    /// Columns of a header, and cells of a record, at most. Default [`COLUMNS_MAX`], as in the rules.
    pub columns_max: usize,
    /// Bytes of one cell, decoded, at most. Default 1 MiB.
    pub cell_bytes_max: usize,
    /// Bytes of one record, decoded, at most. Default 4 MiB.
    pub record_bytes_max: usize,
    /// Bytes of the records of one batch together; records beyond it are refused, so that memory stays
    /// flat while batches keep their number of records. Default 32 MiB, that is 8 KiB a record.
    pub batch_bytes_max: usize,
    /// Bytes of a refused record's raw text that are kept. Default 64 KiB.
    pub refused_raw_bytes_max: usize,
    /// Nesting of objects and arrays in one JSON record at most; 64 is also the highest possible value. Default
    /// [`NESTING_MAX`], as in the rules.
    pub json_depth_max: u32,
    /// Bytes of the whole file, expanded, at most. Default 4 GiB.
    pub expanded_bytes_max: u64,
    /// Expanded bytes for each compressed byte at most, looked at once 10 MB are expanded. Default 200.
    pub gzip_ratio_max: u64,
}

impl Options {
    /// The defaults, with the operator's limit of one record. A cell has a quarter of it, so that a stray quote is found
    /// by the cell that it opens before the record is full; a batch holds at least one record.
    pub fn for_records_of(record_bytes_max: usize) -> Self {
        let defaults = Self::default();
        Self {
            record_bytes_max,
            cell_bytes_max: record_bytes_max / 4,
            batch_bytes_max: defaults.batch_bytes_max.max(record_bytes_max),
            ..defaults
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            encoding: None,
            delimiter: None,
            sample_bytes: 1 << 20,
            read_bytes: 64 << 10,
            batch_records: 4_096,
            columns_max: COLUMNS_MAX,
            cell_bytes_max: 1 << 20,
            record_bytes_max: 4 << 20,
            batch_bytes_max: 32 << 20,
            refused_raw_bytes_max: 64 << 10,
            json_depth_max: NESTING_MAX,
            expanded_bytes_max: 4 << 30,
            gzip_ratio_max: 200,
        }
    }
}

/// The form of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A header row, then a record a row.
    Csv,
    /// One array; each element is a record.
    JsonArray,
    /// One JSON value a line; an empty line is an empty record.
    Ndjson,
    /// One JSON object over several lines, or several one after the other.
    JsonObjects,
}

impl Format {
    /// The name under which an import stores it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonArray => "json_array",
            Self::Ndjson => "ndjson",
            Self::JsonObjects => "json_objects",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What the reader found out about a file, to be stored with its import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Name of the encoding in the WHATWG Encoding Standard: `UTF-8`, `windows-1252`, `UTF-16LE`.
    pub encoding: &'static str,
    /// The file began with a byte order mark.
    pub byte_order_mark: bool,
    /// The file was compressed.
    pub gzip: bool,
    /// The form of the records.
    pub format: Format,
    /// The character between cells; CSV only.
    pub delimiter: Option<char>,
    /// The header's cells, trimmed, in the file's order, duplicates kept; empty for JSON.
    pub header: Vec<String>,
    /// The header as it stands in the file, without its line end; empty for JSON.
    pub header_raw: String,
}
