//! Reading a whole file into owned records, and inputs that arrive in pieces.

use std::io::{self, Read, Write};

use flate2::{Compression, write::GzEncoder};
use service::intake::reader::{Batch, Body, FileError, Options, Reader, Shape};

/// A record that outlives its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub number: u32,
    pub line: u64,
    pub raw: String,
    pub body: Owned,
}

/// A body that outlives its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    Cells(Vec<String>),
    RepeatedHeader,
    Json(String),
    Malformed(&'static str, String),
}

impl Record {
    /// The cells; a record of another kind fails the test.
    pub fn cells(&self) -> &[String] {
        match &self.body {
            Owned::Cells(cells) => cells,
            other => panic!("record {} holds {other:?}", self.number),
        }
    }

    /// The code of a malformed record.
    pub fn code(&self) -> Option<&'static str> {
        match &self.body {
            Owned::Malformed(code, _) => Some(code),
            _ => None,
        }
    }
}

/// All that a file gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeFile {
    pub shape: Shape,
    pub records: Vec<Record>,
    pub fault: Option<FileError>,
    /// The most memory that reader and batch occupied.
    pub memory_bytes: usize,
}

/// The records of one batch.
pub fn owned(batch: &Batch) -> Vec<Record> {
    batch
        .records()
        .map(|record| Record {
            number: record.number,
            line: record.line,
            raw: record.raw.to_owned(),
            body: match record.body {
                Body::Cells(cells) => Owned::Cells(cells.iter().map(str::to_owned).collect()),
                Body::RepeatedHeader => Owned::RepeatedHeader,
                Body::Json(text) => Owned::Json(text.to_owned()),
                Body::Malformed { code, message } => Owned::Malformed(code, message.to_owned()),
            },
        })
        .collect()
}

/// Reads all records of `input`.
pub fn read_all(input: impl Read + Send + 'static, options: &Options) -> Result<WholeFile, FileError> {
    let mut reader = Reader::open(input, options)?;
    let mut batch = Batch::default();
    let mut whole =
        WholeFile { shape: reader.shape().clone(), records: Vec::new(), fault: None, memory_bytes: 0 };
    loop {
        let result = reader.next_batch(&mut batch);
        whole.memory_bytes = whole.memory_bytes.max(reader.memory_bytes() + batch.memory_bytes());
        match result {
            Ok(true) => {
                assert!(batch.len() <= options.batch_records as usize && !batch.is_empty());
                whole.records.extend(owned(&batch));
            }
            Ok(false) => break,
            Err(fault) => {
                assert_eq!(fault.records_read as usize, whole.records.len());
                assert_eq!(reader.next_batch(&mut batch), Err(fault.clone()), "the fault stays");
                whole.fault = Some(fault);
                break;
            }
        }
    }
    let numbers = whole.records.iter().map(|record| record.number);
    assert!(numbers.eq(1..=u32::try_from(whole.records.len()).unwrap()), "the numbers have no gap");
    assert!(whole.records.is_sorted_by_key(|record| record.line), "the lines go forward");
    Ok(whole)
}

/// Reads all records of bytes in memory with the default options.
pub fn read_bytes(bytes: impl AsRef<[u8]>) -> Result<WholeFile, FileError> {
    read_all(io::Cursor::new(bytes.as_ref().to_vec()), &Options::default())
}

/// Gives at most so many bytes at each call as `sizes` says, in turn.
pub struct Pieces {
    bytes: io::Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Pieces {
    pub fn new(bytes: Vec<u8>, sizes: Vec<usize>) -> Self {
        Self { bytes: io::Cursor::new(bytes), sizes, turn: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].clamp(1, into.len().max(1));
        self.turn += 1;
        let size = size.min(into.len());
        self.bytes.read(&mut into[..size])
    }
}

/// Compresses bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The file of that name among the project's sample files.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
