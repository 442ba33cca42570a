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
}

/// A byte order mark decides. Else UTF-8 if the sample is UTF-8, also when it is so but for a few damaged
/// characters: other encodings hardly ever form valid multi-byte sequences by chance, and refusing a record
/// is better than garbling every name of the file. Else what the frequencies of the bytes say, for text from the United States.
pub(super) fn detect(sample: &[u8]) -> Detected {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(sample) {
        return Detected { encoding, mark_bytes };
    }
    let (multibyte, invalid) = count_sequences(sample);
    if invalid == 0 || multibyte > invalid {
        return Detected { encoding: UTF_8, mark_bytes: 0 };
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    Detected { encoding: detector.guess(Some(b"us"), Utf8Detection::Deny), mark_bytes: 0 }
}

/// Valid multi-byte sequences and invalid ones; a sequence that the end of the sample cuts is neither.
fn count_sequences(sample: &[u8]) -> (usize, usize) {
    if sample.is_ascii() {
        return (0, 0);
    }
    let mut chunks = sample.utf8_chunks().peekable();
    let (mut multibyte, mut invalid) = (0, 0);
    while let Some(chunk) = chunks.next() {
        multibyte += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        let cut_by_end = chunks.peek().is_none() && incomplete(chunk.invalid());
        invalid += usize::from(!chunk.invalid().is_empty() && !cut_by_end);
    }
    (multibyte, invalid)
}

fn incomplete(sequence: &[u8]) -> bool {
    std::str::from_utf8(sequence).is_err_and(|error| error.error_len().is_none())
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
