//! Each kind of bad input gives a code, a message that says what to do, and costs no more than it must.

use std::io::{self, Read, Write};
use std::ops::Range;

use flate2::{Compression, write::GzEncoder};
use service::intake::reader::{Batch, FileError, Options, Reader, code};

use crate::support::{Owned, Record, WholeFile, gzip, read_all, read_bytes};

const MEBIBYTE: usize = 1 << 20;

fn refused(bytes: impl AsRef<[u8]>) -> FileError {
    let error = read_bytes(bytes).expect_err("the file is refused");
    assert_eq!(error.records_read, 0);
    error
}

/// The rows of these numbers.
fn rows(numbers: Range<u32>, row: impl Fn(u32) -> String) -> String {
    numbers.map(row).collect()
}

fn codes(file: &WholeFile) -> Vec<Option<&'static str>> {
    file.records.iter().map(Record::code).collect()
}

#[test]
fn an_empty_file_is_refused() {
    for bytes in [&b""[..], b"\xef\xbb\xbf", b" \r\n\t\n", b"\xff\xfe", b"\xff\xfe\n\0"] {
        assert_eq!(refused(bytes).code, code::EMPTY_FILE, "{bytes:?}");
    }
    assert_eq!(refused(gzip(b"")).code, code::EMPTY_FILE);
    assert_eq!(refused(vec![b'\n'; MEBIBYTE + 1]).code, code::EMPTY_FILE);
}

#[test]
fn a_header_alone_is_a_file_without_records() {
    for bytes in ["a,b", "a,b\n", "a,b\r\n\r\n", "[]", "[ ]\n"] {
        let file = read_bytes(bytes).unwrap();
        assert!(file.records.is_empty() && file.fault.is_none(), "{bytes}");
    }
}

#[test]
fn what_is_no_text_is_named() {
    let workbook = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml";
    for (bytes, hint) in [
        (&workbook[..], "Excel workbook"),
        (b"PK\x03\x04\x14\0\0\0\x08\0leads.csv", "ZIP archive"),
        (b"%PDF-1.7\n%", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", ".xls"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0", "binary"),
        (b"p\0h\0o\0n\0e\0\n\0", "UTF-16"),
        (b"  <!DOCTYPE html><html>", "web page"),
    ] {
        let error = refused(bytes);
        assert_eq!(error.code, code::NOT_TEXT);
        assert!(error.message.contains(hint), "{} lacks {hint}", error.message);
    }
    assert!(refused(gzip(&gzip(b"a,b\n1,2\n"))).message.contains("twice"));
}

#[test]
fn a_nul_costs_one_record() {
    let mut text = "name,phone\nAnn,1\nB\0b,2\nCleo,3\n".to_owned();
    text.extend((0..500).map(|row| format!("Dan,{row}\n")));
    let file = read_bytes(&text).unwrap();
    assert_eq!(file.records.len(), 503);
    assert_eq!(file.records[1].code(), Some(code::NOT_TEXT));
    assert_eq!(file.records[1].raw, "B\u{fffd}b,2");
    assert_eq!(file.records[2].cells(), ["Cleo", "3"]);
}

#[test]
fn too_many_columns_name_the_limit() {
    let error = refused(vec!["c"; 10_000].join(","));
    assert_eq!((error.code, error.line), (code::TOO_MANY_COLUMNS, Some(1)));
    assert!(error.message.contains("1000"), "{}", error.message);

    let wide = vec!["c"; 1_000].join(",");
    let file = read_bytes(format!("{wide}\n{wide},d\n1,2\n{wide}\n")).unwrap();
    assert_eq!(file.shape.header.len(), 1_000);
    assert_eq!(codes(&file), [Some(code::TOO_MANY_COLUMNS), None, None]);
    assert_eq!(file.records[2].body, Owned::RepeatedHeader);

    let wider = vec!["c"; 100_000].join(",");
    let file = read_bytes(format!("a,b\n{wider}\n1,2\n")).unwrap();
    assert_eq!(codes(&file), [Some(code::TOO_MANY_COLUMNS), None]);
    assert_eq!(file.records[1].cells(), ["1", "2"]);
}

#[test]
fn invalid_utf8_costs_one_record() {
    let mut bytes = "name,city\n".as_bytes().to_vec();
    for row in 0..60_000 {
        bytes.extend_from_slice(format!("José {row},Cañon City\n").as_bytes());
    }
    assert!(bytes.len() > MEBIBYTE);
    bytes.extend_from_slice(b"Jos\xe9 late,Denver\nAnn,Boulder\n");
    let file = read_bytes(&bytes).unwrap();
    assert_eq!(file.shape.encoding, "UTF-8");
    let [.., late, last] = &file.records[..] else { panic!() };
    assert_eq!(
        (late.code(), late.raw.as_str(), late.line),
        (Some(code::INVALID_ENCODING), "Jos\u{fffd} late,Denver", 60_002)
    );
    assert_eq!(last.cells(), ["Ann", "Boulder"]);
    assert_eq!(file.records.iter().filter(|record| record.code().is_some()).count(), 1);
}

#[test]
fn characters_do_not_form_across_records() {
    // The halves of one character, in two records: joined they would be valid.
    let file = read_bytes(b"\xef\xbb\xbfa\nx\xc3\n\xa9y\nz\n").unwrap();
    assert_eq!(codes(&file), [Some(code::INVALID_ENCODING), Some(code::INVALID_ENCODING), None]);
}

#[test]
fn an_undecodable_character_of_utf_16_costs_one_record() {
    let mut bytes = vec![0xff, 0xfe];
    for unit in "a,b\n1,".encode_utf16().chain([0xd800]).chain("\n3,4\n".encode_utf16()) {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    let file = read_bytes(&bytes).unwrap();
    assert_eq!(codes(&file), [Some(code::INVALID_ENCODING), None]);
    assert_eq!(file.records[0].raw, "1,\u{fffd}");
}

#[test]
fn a_large_cell_costs_one_record_and_no_memory() {
    for quote in ["", "\""] {
        let cell = "x".repeat(10 * MEBIBYTE);
        let text = format!("a,b\n1,2\n3,{quote}{cell}{quote}\n5,6\n");
        let file = read_bytes(&text).unwrap();
        assert_eq!(codes(&file), [None, Some(code::CELL_TOO_LARGE), None]);
        assert_eq!(file.records[1].raw.len(), 64 << 10);
        assert_eq!(
            (file.records[2].cells(), file.records[2].line),
            (&["5".to_owned(), "6".to_owned()][..], 4)
        );
        assert!(file.memory_bytes < 8 * MEBIBYTE, "{} bytes", file.memory_bytes);
    }
}

#[test]
fn a_large_cell_of_many_lines_is_passed_over_whole() {
    let cell = "a line of a long note\n".repeat(MEBIBYTE / 4);
    let file = read_bytes(format!("a,b\n1,2\n3,\"{cell}\"\n5,6\n")).unwrap();
    assert_eq!(codes(&file), [None, Some(code::CELL_TOO_LARGE), None]);
    let Owned::Malformed(_, message) = &file.records[1].body else { panic!() };
    assert!(message.contains("Cell 2") && message.contains("opens at line 3"), "{message}");
    assert_eq!(file.records[2].line, 4 + MEBIBYTE as u64 / 4);
}

#[test]
fn a_large_record_costs_one_record() {
    let row = vec!["y".repeat(MEBIBYTE / 2); 12].join(",");
    let file = read_bytes(format!("a,b\n{row}\n5,6\n")).unwrap();
    assert_eq!(codes(&file), [Some(code::RECORD_TOO_LARGE), None]);

    let line = format!("{{\"a\": \"{}\"}}", "z".repeat(6 * MEBIBYTE));
    for text in [format!("{{}}\n{line}\n{{\"b\": 1}}\n"), format!("[{{}}, {line}, {{\"b\": 1}}]")] {
        let file = read_bytes(&text).unwrap();
        assert_eq!(codes(&file), [None, Some(code::RECORD_TOO_LARGE), None]);
        assert_eq!(file.records[2].body, Owned::Json("{\"b\": 1}".to_owned()));
        assert!(file.fault.is_none() && file.memory_bytes < 14 * MEBIBYTE, "{} bytes", file.memory_bytes);
    }
}

#[test]
fn an_unclosed_quote_costs_its_line() {
    let row = |row| format!("{row},Ann,303\n");
    for (count, what) in [(10, "ends with the file"), (120_000, "is longer than a cell")] {
        let text = format!("id,name,phone\n{}X,\"Bob,303\n{}", rows(0..3, row), rows(3..count, row));
        let file = read_bytes(&text).unwrap();
        assert_eq!(file.records.len(), count as usize + 1, "{what}");
        let Owned::Malformed(code, message) = &file.records[3].body else { panic!("{what}") };
        assert_eq!((*code, file.records[3].raw.as_str()), (code::UNCLOSED_QUOTE, "X,\"Bob,303"));
        assert!(message.contains("line 5"), "{message}");
        assert!(
            file.records.iter().filter(|record| record.number != 4).all(|record| record.cells().len() == 3)
        );
        assert_eq!(file.records.last().unwrap().line, u64::from(count) + 2);
    }
}

#[test]
fn an_unclosed_quote_before_other_text_takes_the_rest() {
    let file = read_bytes("id,note\n1,ok\n2,\"cut off in\nthe middle").unwrap();
    assert_eq!(codes(&file), [None, Some(code::UNCLOSED_QUOTE)]);
    assert_eq!(file.records[1].raw, "2,\"cut off in\nthe middle");
    let file = read_bytes("id,note\n1,\"ok\"").unwrap();
    assert_eq!(file.records[0].cells(), ["1", "ok"]);
}

#[test]
fn a_batch_is_bounded_in_bytes_and_keeps_its_records() {
    let options = Options { batch_bytes_max: 64 << 10, batch_records: 100, ..Options::default() };
    let mut text = "a,b\n".to_owned();
    text.extend((0..250).map(|row| format!("{row},{}\n", "x".repeat(if row < 100 { 4_000 } else { 40 }))));
    let file = read_all(io::Cursor::new(text.into_bytes()), &options).unwrap();
    assert_eq!(file.records.len(), 250);
    let refused = file.records.iter().filter(|record| record.code() == Some(code::BATCH_TOO_LARGE)).count();
    assert!((80..=90).contains(&refused), "{refused}");
    assert!(file.records[100..].iter().all(|record| record.code().is_none()), "the next batch starts anew");
}

#[test]
fn a_truncated_gzip_gives_its_records_first() {
    let text = format!("a,b\n{}", rows(0..100_000, |row| format!("{row},{}\n", row * 7)));
    let whole = gzip(text.as_bytes());
    let file = read_bytes(&whole[..whole.len() / 2]).unwrap();
    let fault = file.fault.unwrap();
    assert_eq!(fault.code, code::GZIP_TRUNCATED);
    assert!(file.records.len() > 25_000, "{}", file.records.len());
    // A record cut in the middle would look like a whole one.
    assert!(file.records.iter().all(|record| record.cells()[1] == (7 * (record.number - 1)).to_string()));

    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let fault = read_bytes(&damaged).unwrap().fault.unwrap();
    assert_eq!(fault.code, code::GZIP_CORRUPT);
    assert_eq!(refused(&whole[..12]).code, code::GZIP_TRUNCATED);
}

#[test]
fn a_gzip_bomb_is_stopped_early() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(b"a,b\n").unwrap();
    for _ in 0..16 {
        encoder.write_all(&vec![b'1'; MEBIBYTE]).unwrap();
    }
    let file = read_bytes(encoder.finish().unwrap()).unwrap();
    assert_eq!(file.fault.unwrap().code, code::GZIP_BOMB);
    assert!(file.memory_bytes < 8 * MEBIBYTE, "{} bytes", file.memory_bytes);
}

#[test]
fn a_file_above_the_limit_gives_what_is_below_it() {
    let options = Options { expanded_bytes_max: 2 * MEBIBYTE as u64, ..Options::default() };
    let endless = io::Cursor::new(b"a,b\n").chain(io::repeat(b'\n'));
    let file = read_all(endless, &options).unwrap();
    assert_eq!(file.fault.unwrap().code, code::FILE_TOO_LARGE);
    let text = format!("a,b\n{}", "12345,67890\n".repeat(MEBIBYTE / 4));
    let file = read_all(io::Cursor::new(text.into_bytes()), &options).unwrap();
    assert_eq!(file.records.len(), (2 * MEBIBYTE - 4) / 12);
    assert!(file.records.iter().all(|record| record.cells() == ["12345", "67890"]));
}

#[test]
fn a_broken_connection_loses_no_whole_record() {
    struct Breaks;
    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let input = io::Cursor::new(b"a,b\n1,2\n3,4").chain(Breaks);
    let file = read_all(input, &Options::default()).unwrap();
    let fault = file.fault.unwrap();
    assert_eq!((fault.code, fault.records_read, file.records.len()), (code::READ_FAILED, 1, 1));
    assert_eq!(Reader::open(Breaks, &Options::default()).err().unwrap().code, code::READ_FAILED);
}

/// The first accent may stand behind the sample: then all of the file says which encoding it has. One that has characters of both
/// stays UTF-8, with the damaged records refused.
#[test]
fn an_accent_behind_the_sample_is_judged_by_the_whole_file() {
    for (name, encoding, last) in [
        (&b"Ren\xe9"[..], "windows-1252", Some("Ren\u{e9}")),
        (b"Rene", "UTF-8", Some("Rene")),
        (b"Ren\xc3\xa9", "UTF-8", Some("Ren\u{e9}")),
        (b"Ren\xc3\xa9\n4,Ren\xe9", "UTF-8", None),
        (b"Ren\xe9\n4,Ren\xc3\xa9", "UTF-8", Some("Ren\u{e9}")),
    ] {
        for (read_bytes, end) in (1..9).flat_map(|bytes| [(bytes, ""), (bytes, "\n")]) {
            let bytes = [&b"phone,name\n1,Ann\n3,"[..], name, end.as_bytes()].concat();
            let options = Options { sample_bytes: 12, read_bytes, ..Options::default() };
            let mut reader = Reader::open(io::Cursor::new(bytes.clone()), &options).unwrap();
            assert_eq!(reader.shape().encoding, "UTF-8");
            let mut batch = Batch::default();
            while reader.next_batch(&mut batch).unwrap() {}
            assert_eq!(reader.encoding_of_all(), encoding, "{name:?} by {read_bytes}");
            let anew = Options { encoding: Some(encoding), ..options };
            let file = read_all(io::Cursor::new(bytes), &anew).unwrap();
            assert_eq!(file.shape.encoding, encoding);
            let record = file.records.last().unwrap();
            assert_eq!(record.code().is_none().then(|| record.cells()[1].as_str()), last, "{name:?}");
        }
    }
    // A mark at the beginning says it for all of the file.
    let marked = io::Cursor::new(b"\xef\xbb\xbfphone,name\n1,Ann\n3,Ren\xe9\n");
    let options = Options { sample_bytes: 16, ..Options::default() };
    let mut reader = Reader::open(marked, &options).unwrap();
    while reader.next_batch(&mut Batch::default()).unwrap() {}
    assert_eq!(reader.encoding_of_all(), "UTF-8");
}
