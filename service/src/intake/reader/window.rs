//! The decoded text from the start of the current record on.

use memchr::memchr2_iter;

use super::encoding::{Decoding, Watch, decode};
use super::error::FileError;
use super::options::Options;
use super::source::Source;

/// A piece of decoded text that moves along the file. It grows only while one record is incomplete.
pub(super) struct Window {
    source: Source,
    decoding: Decoding,
    /// Of UTF-8 that only the sample speaks for.
    watch: Option<Watch>,
    /// Bytes before decoding; unused for UTF-8.
    encoded: Vec<u8>,
    text: Vec<u8>,
    /// Where the unconsumed text starts.
    start: usize,
    lines: Lines,
    read_bytes: usize,
    ended: bool,
    fault: Option<FileError>,
}

impl Window {
    /// Starts with `sample`, bytes of `source` read before without their byte order mark. `fault` is what ended that reading.
    pub(super) fn new(
        source: Source,
        decoding: Decoding,
        sample: Vec<u8>,
        fault: Option<FileError>,
        options: &Options,
    ) -> Self {
        let ended = fault.is_some();
        let mut window = Self {
            source,
            decoding,
            watch: None,
            encoded: Vec::new(),
            text: Vec::new(),
            start: 0,
            lines: Lines::default(),
            read_bytes: options.read_bytes.max(1),
            ended,
            fault,
        };
        match &mut window.decoding {
            Decoding::Utf8 => window.text = sample,
            Decoding::Other(decoder) => decode(decoder, &sample, false, &mut window.text),
        }
        window
    }

    /// Looks at all bytes for whether they are UTF-8, from what is read already on.
    pub(super) fn watch(&mut self) {
        if matches!(self.decoding, Decoding::Utf8) {
            self.watch.get_or_insert_default().pass(&self.text);
        }
    }

    /// Whether the bytes that were watched, to the end of the file, speak against UTF-8.
    pub(super) fn denies_utf8(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::denies_utf8)
    }

    /// The text that is read and not consumed.
    pub(super) fn rest(&self) -> &[u8] {
        &self.text[self.start..]
    }

    /// Physical line, from 1, where the rest starts.
    pub(super) fn line(&self) -> u64 {
        self.lines.before + 1
    }

    /// Physical line, from 1, of that position of the rest.
    pub(super) fn line_at(&self, position: usize) -> u64 {
        let mut lines = self.lines;
        lines.pass(&self.rest()[..position]);
        lines.before + 1
    }

    /// Moves the start of the rest.
    pub(super) fn consume(&mut self, bytes: usize) {
        let end = self.start + bytes;
        self.lines.pass(&self.text[self.start..end]);
        self.start = end;
    }

    /// Reads more text behind the rest. False: there is none, or only an error (see [`Window::end`]).
    pub(super) fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.text.drain(..self.start);
        self.start = 0;
        let before = self.text.len();
        // A decoder may hold back bytes of an incomplete character, so a piece may yield no text yet.
        while !self.ended && self.text.len() == before {
            let result = match &mut self.decoding {
                Decoding::Utf8 => {
                    let result = self.source.read(&mut self.text, self.read_bytes);
                    if let Some(watch) = &mut self.watch {
                        watch.pass(&self.text[before..]);
                    }
                    result
                }
                Decoding::Other(decoder) => {
                    self.encoded.clear();
                    let result = self.source.read(&mut self.encoded, self.read_bytes);
                    let last = result.as_ref().is_ok_and(|bytes| *bytes == 0);
                    decode(decoder, &self.encoded, last, &mut self.text);
                    result
                }
            };
            match result {
                Ok(bytes) => self.ended = bytes == 0,
                Err(fault) => {
                    self.ended = true;
                    self.fault = Some(fault);
                }
            }
        }
        self.text.len() > before
    }

    /// After `fill` said false: `Ok` at the end of the file, the error if it ended with one. The rest is then
    /// a record cut in the middle, which must not be taken for a whole one.
    pub(super) fn end(&self) -> Result<(), FileError> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// Bytes that the buffers occupy.
    pub(super) fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.encoded.capacity()
    }
}

/// Counts line ends: CR LF, LF and CR are one each.
#[derive(Clone, Copy, Default)]
struct Lines {
    before: u64,
    /// The text so far ends with CR: an LF that follows belongs to it.
    after_return: bool,
}

impl Lines {
    fn pass(&mut self, text: &[u8]) {
        let Some(last) = text.last() else { return };
        for position in memchr2_iter(b'\n', b'\r', text) {
            let after_return = match position.checked_sub(1) {
                Some(previous) => text[previous] == b'\r',
                None => self.after_return,
            };
            self.before += u64::from(text[position] == b'\r' || !after_return);
        }
        self.after_return = *last == b'\r';
    }
}
