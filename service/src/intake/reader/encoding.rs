//! Which encoding a file has, and its bytes as UTF-8.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

/// A byte that UTF-8 never contains: it stands for what another encoding's decoder could not read, so that
/// an undecodable record is found in one way whatever the encoding.
const UNDECODABLE: u8 = 0xff;

/// What the first bytes say.
pub(super) struct Detected {
    pub(super) encoding: &'static Encoding,
    /// Bytes of the byte order mark; 0 without one.
    pub(super) mark_bytes: usize,
    /// Neither a mark nor the caller says it: bytes behind the sample may say otherwise.
    pub(super) judged: bool,
}

/// A byte order mark decides, then the caller's `name`. Else UTF-8 if the sample is UTF-8, also when it is so but for a few damaged
/// characters: other encodings hardly ever form valid multi-byte sequences by chance, and refusing a record
/// is better than garbling every name of the file. Else what the frequencies of the bytes say, for text from the United States.
pub(super) fn detect(sample: &[u8], name: Option<&str>) -> Detected {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(sample) {
        return Detected { encoding, mark_bytes, judged: false };
    }
    if let Some(encoding) = name.and_then(|name| Encoding::for_label(name.as_bytes())) {
        return Detected { encoding, mark_bytes: 0, judged: false };
    }
    let Sequences { multibyte, invalid, .. } = count_sequences(sample);
    if invalid == 0 || multibyte > invalid {
        return Detected { encoding: UTF_8, mark_bytes: 0, judged: true };
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    let encoding = detector.guess(Some(b"us"), Utf8Detection::Deny);
    Detected { encoding, mark_bytes: 0, judged: true }
}

/// What a piece of text has besides ASCII.
#[derive(Default)]
struct Sequences<'a> {
    /// Valid multi-byte sequences.
    multibyte: usize,
    /// Invalid ones.
    invalid: usize,
    /// The beginning of one that the end of the piece cuts; it is neither.
    cut: &'a [u8],
}

fn count_sequences(piece: &[u8]) -> Sequences<'_> {
    let mut found = Sequences::default();
    if piece.is_ascii() {
        return found;
    }
    let mut chunks = piece.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        found.multibyte += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        if chunks.peek().is_none() && incomplete(chunk.invalid()) {
            found.cut = chunk.invalid();
        } else {
            found.invalid += usize::from(!chunk.invalid().is_empty());
        }
    }
    found
}

fn incomplete(sequence: &[u8]) -> bool {
    std::str::from_utf8(sequence).is_err_and(|error| error.error_len().is_none())
}

/// All the bytes of a file that is taken for UTF-8, piece by piece: one whose sample is plain ASCII may show only later that it is
/// not. The name with the first accent may be any record of a long list.
#[derive(Default)]
pub(super) struct Watch {
    multibyte: bool,
    invalid: bool,
    /// The beginning of a character that the end of the last piece cut.
    cut: Vec<u8>,
}

impl Watch {
    /// Looks at the next piece. One character that is UTF-8 settles it, so that hardly any file is looked at twice.
    pub(super) fn pass(&mut self, piece: &[u8]) {
        if self.multibyte || (self.cut.is_empty() && piece.is_ascii()) {
            return;
        }
        let mut joined = std::mem::take(&mut self.cut);
        joined.extend_from_slice(piece);
        let Sequences { multibyte, invalid, cut } = count_sequences(&joined);
        self.multibyte = multibyte > 0;
        self.invalid |= invalid > 0;
        self.cut = cut.to_vec();
    }

    /// Whether the file, now that all of it has passed, has bytes that are not UTF-8 and no character besides ASCII that is. A file
    /// that has both is damaged UTF-8, of which only the damaged records are refused.
    pub(super) fn denies_utf8(&self) -> bool {
        !self.multibyte && (self.invalid || !self.cut.is_empty())
    }
}

/// Turns the bytes of a file into UTF-8.
pub(super) enum Decoding {
    /// Taken as it is; what is not UTF-8 is found record by record.
    Utf8,
    /// Through a decoder.
    Other(Box<Decoder>),
}

impl Decoding {
    pub(super) fn new(encoding: &'static Encoding) -> Self {
        if encoding == UTF_8 {
            Self::Utf8
        } else {
            Self::Other(Box::new(encoding.new_decoder_without_bom_handling()))
        }
    }
}

/// Appends `encoded` as UTF-8 to `text`; `last` ends the stream.
pub(super) fn decode(decoder: &mut Decoder, mut encoded: &[u8], last: bool, text: &mut Vec<u8>) {
    loop {
        let used = text.len();
        let room = decoder
            .max_utf8_buffer_length_without_replacement(encoded.len())
            .unwrap_or(encoded.len())
            .max(16);
        text.resize(used + room, 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(encoded, &mut text[used..], last);
        text.truncate(used + written);
        encoded = &encoded[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(UNDECODABLE),
        }
    }
}
