//! The bytes of a file, expanded when they are compressed, within limits.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::error::{FileError, code};
use super::options::Options;

/// Below this many expanded bytes the ratio says nothing: a short file of equal rows compresses well.
const RATIO_COUNTS_FROM_BYTES: u64 = 10_000_000;

type Input = Box<dyn Read + Send>;

/// The expanded bytes of a file.
pub(super) struct Source {
    stream: Stream,
    expanded_bytes: u64,
    expanded_bytes_max: u64,
    gzip_ratio_max: u64,
}

enum Stream {
    Plain(Input),
    Gzip(Box<MultiGzDecoder<Counted>>),
}

impl Source {
    /// Looks at the first two bytes for the mark of gzip (RFC 1952, section 2.3.1).
    pub(super) fn open(mut input: Input, options: &Options) -> Result<Self, FileError> {
        let mut mark = Vec::with_capacity(2);
        (&mut input).take(2).read_to_end(&mut mark).map_err(|error| read_failed(&error))?;
        let gzip = mark == [0x1f, 0x8b];
        let whole: Input = Box::new(io::Cursor::new(mark).chain(input));
        let stream = if gzip {
            let counted = Counted { buffered: BufReader::new(whole), consumed_bytes: 0 };
            Stream::Gzip(Box::new(MultiGzDecoder::new(counted)))
        } else {
            Stream::Plain(whole)
        };
        Ok(Self {
            stream,
            expanded_bytes: 0,
            expanded_bytes_max: options.expanded_bytes_max,
            gzip_ratio_max: options.gzip_ratio_max,
        })
    }

    /// Whether the file is compressed.
    pub(super) fn is_gzip(&self) -> bool {
        matches!(self.stream, Stream::Gzip(_))
    }

    /// Appends the next `most_bytes` bytes, fewer only at the end. So what is read at once does not depend on the
    /// pieces in which the input arrives. After an error, the bytes before it are appended and good.
    pub(super) fn read(&mut self, into: &mut Vec<u8>, most_bytes: usize) -> Result<usize, FileError> {
        let before = into.len();
        into.reserve(most_bytes);
        let result = match &mut self.stream {
            Stream::Plain(input) => input.take(most_bytes as u64).read_to_end(into),
            Stream::Gzip(decoder) => decoder.take(most_bytes as u64).read_to_end(into),
        };
        let read = into.len() - before;
        self.expanded_bytes += read as u64;
        if let Some(excess) =
            self.expanded_bytes.checked_sub(self.expanded_bytes_max).filter(|excess| *excess > 0)
        {
            into.truncate(into.len() - usize::try_from(excess).unwrap_or(read).min(read));
            return Err(self.too_large());
        }
        match result {
            Ok(_) => self.check_ratio().map(|()| read),
            Err(error) if self.is_gzip() => Err(gzip_failed(&error)),
            Err(error) => Err(read_failed(&error)),
        }
    }

    fn check_ratio(&self) -> Result<(), FileError> {
        let Stream::Gzip(decoder) = &self.stream else { return Ok(()) };
        let allowed = decoder.get_ref().consumed_bytes.saturating_mul(self.gzip_ratio_max);
        if self.expanded_bytes <= RATIO_COUNTS_FROM_BYTES || self.expanded_bytes <= allowed {
            return Ok(());
        }
        let message = format!(
            "The compressed file expands to more than {} times its size, which no file of records does. Send it uncompressed.",
            self.gzip_ratio_max
        );
        Err(FileError::new(code::GZIP_BOMB, message))
    }

    fn too_large(&self) -> FileError {
        let message = format!(
            "The file has more than {} bytes{}. Split it and send the parts one after the other.",
            self.expanded_bytes_max,
            if self.is_gzip() { " when expanded" } else { "" }
        );
        FileError::new(code::FILE_TOO_LARGE, message)
    }
}

fn gzip_failed(error: &io::Error) -> FileError {
    match error.kind() {
        ErrorKind::UnexpectedEof => FileError::new(
            code::GZIP_TRUNCATED,
            "The compressed file is cut off: its end is missing. Compress and send it again.",
        ),
        ErrorKind::InvalidInput | ErrorKind::InvalidData => FileError::new(
            code::GZIP_CORRUPT,
            "The compressed file is damaged (not valid gzip from here on). Compress and send it again.",
        ),
        _ => read_failed(error),
    }
}

fn read_failed(error: &io::Error) -> FileError {
    let message = format!("The file could not be read to its end ({}). Send it again.", error.kind());
    FileError::new(code::READ_FAILED, message)
}

/// Counts what the decoder really used, not what is buffered ahead of it.
struct Counted {
    buffered: BufReader<Input>,
    consumed_bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.buffered.read(into)?;
        self.consumed_bytes += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.buffered.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.consumed_bytes += amount as u64;
        self.buffered.consume(amount);
    }
}
