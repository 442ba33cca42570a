//! The sample files: what each of them tests stands in their README.

use encoding_rs::Encoding;
use service::intake::reader::{Format, code};

use crate::support::{Owned, Record, WholeFile, fixture, gzip, read_bytes};

fn read(name: &str) -> WholeFile {
    let file = read_bytes(fixture(name)).unwrap();
    assert_eq!(file.fault, None);
    file
}

fn record(file: &WholeFile, number: usize) -> &Record {
    &file.records[number - 1]
}

#[test]
fn experian_is_windows_1252_with_a_newline_in_a_cell() {
    let file = read("experian.csv");
    assert_eq!(file.shape.encoding, "windows-1252");
    assert_eq!(file.shape.delimiter, Some(','));
    assert_eq!(file.shape.header.len(), 17);
    assert_eq!(file.shape.header[6], "State");
    assert!(file.shape.header_raw.contains("State ,"));
    assert_eq!(file.shape.header.iter().filter(|name| *name == "Telephone # 1").count(), 2);
    assert_eq!(file.records.len(), 28);
    assert_eq!(record(&file, 14).cells()[2], "O\u{2019}BRIEN");
    assert_eq!(record(&file, 25).cells().len(), 6);
    assert_eq!(record(&file, 27).cells()[0], "=HYPERLINK(\"http://example.com\",\"x\")");
    assert_eq!(record(&file, 28).raw, ",".repeat(16));

    let spanning = file.records.iter().find(|record| record.raw.contains('\n')).unwrap();
    assert!(spanning.cells().iter().any(|cell| cell.contains('\n')));
    assert_eq!(spanning.line, u64::from(spanning.number) + 1);
    assert_eq!(record(&file, 28).line, 30, "one line more than records, header and newline counted");
}

#[test]
fn transunion_has_a_byte_order_mark() {
    let file = read("transunion.csv");
    assert_eq!((file.shape.encoding, file.shape.byte_order_mark), ("UTF-8", true));
    assert!(!file.shape.header[0].starts_with('\u{feff}'));
    assert_eq!(file.records.len(), 28);
    assert!(file.records.iter().all(|record| matches!(record.body, Owned::Cells(_))));
}

#[test]
fn leadsource_is_split_into_its_elements() {
    let file = read("leadsource.json");
    assert_eq!(file.shape.format, Format::JsonArray);
    assert_eq!(file.records.len(), 28);
    let elements: Vec<serde_json::Value> = serde_json::from_slice(&fixture("leadsource.json")).unwrap();
    for (record, element) in file.records.iter().zip(&elements) {
        let Owned::Json(text) = &record.body else { panic!("record {} is {:?}", record.number, record.body) };
        assert_eq!(&serde_json::from_str::<serde_json::Value>(text).unwrap(), element);
    }
    assert_eq!((record(&file, 1).line, record(&file, 28).raw.as_str()), (2, "\"oops\""));
}

#[test]
fn npa_has_a_truncated_and_an_empty_line() {
    let file = read("npa_ivr.ndjson");
    assert_eq!(file.shape.format, Format::Ndjson);
    assert_eq!(file.records.len(), 27);
    assert_eq!(record(&file, 25).code(), Some(code::MALFORMED_ROW));
    assert!(record(&file, 25).raw.starts_with("{\"session_id\": 925"));
    assert!(matches!(&record(&file, 26).body, Owned::Json(text) if text.contains("José Ángel Núñez")));
    assert_eq!((&record(&file, 27).body, record(&file, 27).line), (&Owned::Json(String::new()), 27));
}

#[test]
fn broker_b_is_split_at_semicolons() {
    let file = read("broker_dispositions_b.csv");
    assert_eq!(file.shape.delimiter, Some(';'));
    assert_eq!(file.records.len(), 24);
    assert_eq!(record(&file, 1).cells()[7], "150,00");
    assert_ne!(record(&file, 20).cells().len(), file.shape.header.len(), "written with commas");
}

#[test]
fn invoca_repeats_its_header() {
    let file = read("invoca_calls.csv");
    assert_eq!(file.records.len(), 24);
    for record in &file.records {
        assert_eq!(record.body == Owned::RepeatedHeader, record.number == 23, "record {}", record.number);
    }
}

#[test]
fn encoding_and_compression_change_nothing() {
    for name in
        ["experian.csv", "transunion.csv", "leadsource.json", "npa_ivr.ndjson", "broker_dispositions_b.csv"]
    {
        let plain = read(name);
        let bytes = fixture(name);
        let encoding = Encoding::for_label(plain.shape.encoding.as_bytes()).unwrap();
        let text = encoding.decode_with_bom_removal(&bytes).0.into_owned();
        let little: Vec<u8> =
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> =
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        let half = text.len() / 2;
        let half = text.floor_char_boundary(half);
        let members = [gzip(&text.as_bytes()[..half]), gzip(&text.as_bytes()[half..])].concat();
        for (bytes, encoding) in [
            (text.clone().into_bytes(), "UTF-8"),
            (little, "UTF-16LE"),
            (big, "UTF-16BE"),
            (members, "UTF-8"),
        ] {
            let other = read_bytes(bytes).unwrap();
            assert_eq!(other.shape.encoding, encoding, "{name}");
            assert_eq!(other.shape.header, plain.shape.header, "{name} as {encoding}");
            assert_eq!(other.records, plain.records, "{name} as {encoding}");
        }
    }
}
