//! What holds for every file.

use std::io;

use proptest::prelude::*;
use service::intake::reader::{Batch, Format, Options, Reader};

use crate::support::{Owned, Pieces, Record, gzip, owned, read_all};

/// Text in which what matters to the reader is frequent.
fn dirty_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b"\",;\t|\r\n \\".to_vec()),
        3 => prop::sample::select(b"[]{}:ab1".to_vec()),
        1 => prop::sample::select(vec![0xe9, 0xc3, 0xa9, 0xff, 0xfe, 0xef, 0xbb, 0xbf, 0]),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..400)
}

fn format() -> impl Strategy<Value = Option<Format>> {
    prop::option::of(prop::sample::select(vec![
        Format::Csv,
        Format::JsonArray,
        Format::Ndjson,
        Format::JsonObjects,
    ]))
}

/// Limits that small files reach.
fn narrow(format: Option<Format>, read_bytes: usize) -> Options {
    Options {
        format,
        sample_bytes: 32,
        read_bytes,
        batch_records: 7,
        columns_max: 6,
        cell_bytes_max: 40,
        record_bytes_max: 90,
        batch_bytes_max: 300,
        refused_raw_bytes_max: 30,
        json_depth_max: 3,
        ..Options::default()
    }
}

fn cells() -> impl Strategy<Value = Vec<Vec<String>>> {
    let cell = "[a-z\u{e9}\u{1f600}\",;\n\r\t |']{0,8}";
    (1_usize..6).prop_flat_map(move |columns| {
        prop::collection::vec(prop::collection::vec(cell, columns..=columns), 0..40)
    })
}

/// The rows as the csv crate writes them, each on its own.
fn written(rows: &[Vec<String>], delimiter: u8, terminator: csv::Terminator) -> Vec<Vec<u8>> {
    let write = |row: &Vec<String>| {
        let mut writer =
            csv::WriterBuilder::new().delimiter(delimiter).terminator(terminator).from_writer(Vec::new());
        writer.write_record(row).unwrap();
        writer.into_inner().unwrap()
    };
    rows.iter().map(write).collect()
}

fn line_ends(text: &str) -> usize {
    text.replace("\r\n", "\n").matches(['\n', '\r']).count()
}

proptest! {
    #[test]
    fn cells_come_out_as_written(
        rows in cells(),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        terminator in prop::sample::select(vec![csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')]),
        read_bytes in 1_usize..50,
    ) {
        let header: Vec<String> = (0..rows.first().map_or(2, Vec::len)).map(|column| format!("Column {column}")).collect();
        let pieces = written(&[vec![header.clone()], rows.clone()].concat(), delimiter, terminator);
        let options = Options { format: Some(Format::Csv), delimiter: Some(delimiter), sample_bytes: 8, read_bytes, ..Options::default() };
        let file = read_all(io::Cursor::new(pieces.concat()), &options).unwrap();
        prop_assert_eq!(&file.shape.header, &header);
        prop_assert_eq!(file.fault, None);
        prop_assert_eq!(file.records.len(), rows.len());
        let mut before = String::from_utf8(pieces[0].clone()).unwrap();
        for ((record, row), piece) in file.records.iter().zip(&rows).zip(&pieces[1..]) {
            let piece = String::from_utf8(piece.clone()).unwrap();
            prop_assert_eq!(record.cells(), &row[..]);
            let line_end = if terminator_is_crlf(terminator) { 2 } else { 1 };
            prop_assert_eq!(&record.raw, &piece[..piece.len() - line_end]);
            prop_assert_eq!(record.line, 1 + line_ends(&before) as u64);
            before.push_str(&piece);
        }
    }

    /// The default options find out by themselves what was written.
    #[test]
    fn the_delimiter_is_found(
        rows in prop::collection::vec(prop::collection::vec("[a-z0-9 ]{1,6}", 4), 1..40),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
    ) {
        let header = vec![(0..4).map(|column| format!("Column {column}")).collect()];
        let bytes = written(&[header, rows.clone()].concat(), delimiter, csv::Terminator::CRLF).concat();
        let file = read_all(io::Cursor::new(bytes), &Options::default()).unwrap();
        prop_assert_eq!(file.shape.delimiter, Some(char::from(delimiter)));
        prop_assert_eq!(file.records.len(), rows.len());
    }

    /// Pieces of the input, and compression, change no record.
    #[test]
    fn pieces_change_nothing(
        bytes in dirty_bytes(),
        format in format(),
        read_bytes in 1_usize..100,
        sizes in prop::collection::vec(1_usize..20, 1..5),
    ) {
        let options = narrow(format, read_bytes);
        let whole = read_all(io::Cursor::new(bytes.clone()), &options);
        prop_assert_eq!(&read_all(Pieces::new(bytes.clone(), vec![1]), &options), &whole);
        prop_assert_eq!(&read_all(Pieces::new(bytes.clone(), sizes), &options), &whole);
        let compressed = read_all(io::Cursor::new(gzip(&bytes)), &options);
        prop_assert_eq!(compressed.map(|file| file.records).ok(), whole.map(|file| file.records).ok());
    }

    /// Where no limit is reached, neither the sample nor the amount read at once changes a record.
    #[test]
    fn amounts_change_nothing(bytes in dirty_bytes(), read_bytes in 1_usize..100, delimiter in prop::option::of(Just(b','))) {
        let bytes = [b"\xef\xbb\xbfa,b\n", &bytes[..]].concat();
        let options = Options { format: Some(Format::Csv), delimiter, ..Options::default() };
        let delimiter = read_all(io::Cursor::new(bytes.clone()), &options).map(|file| file.shape.delimiter);
        if let Ok(Some(delimiter)) = delimiter {
            let options = Options { delimiter: u8::try_from(delimiter).ok(), ..options };
            let whole = read_all(io::Cursor::new(bytes.clone()), &options).unwrap();
            let little = Options { sample_bytes: 16, read_bytes, ..options };
            // A sample of other bytes may hold more NULs than a text has.
            if let Ok(other) = read_all(io::Cursor::new(bytes), &little) {
                prop_assert_eq!(other.records, whole.records);
            }
        }
    }

    /// Any bytes, again and again, neither panic nor fill the memory.
    #[test]
    fn memory_is_bounded(bytes in dirty_bytes(), format in format(), repeat in 1_usize..40) {
        let options = narrow(format, 64);
        if let Ok(file) = read_all(io::Cursor::new(bytes.repeat(repeat)), &options) {
            // Room for cells to begin with is 64 KiB.
            prop_assert!(file.memory_bytes < 140 << 10, "{} bytes", file.memory_bytes);
            for record in &file.records {
                prop_assert!(record.raw.len() <= 90 && !record.raw.contains('\0'));
                if let Owned::Cells(cells) = &record.body {
                    prop_assert!(cells.len() <= 6 && cells.iter().all(|cell| cell.len() <= 40));
                }
            }
        }
    }

    /// An import that goes on after `skipped` batches finds the records that it would have found.
    #[test]
    fn batches_can_be_skipped(bytes in dirty_bytes(), format in format(), batch_records in 1_u32..9, skipped in 0_usize..6) {
        let options = Options { batch_records, ..narrow(format, 50) };
        let Ok(mut reader) = Reader::open(io::Cursor::new(bytes.clone()), &options) else { return Ok(()) };
        let whole = read_all(io::Cursor::new(bytes), &options).unwrap();
        let mut batch = Batch::default();
        let mut rest: Vec<Record> = Vec::new();
        let mut place = 0;
        while reader.next_batch(&mut batch) == Ok(true) {
            let first = batch.get(0).unwrap().number;
            prop_assert_eq!(first, u32::try_from(place).unwrap() * batch_records + 1);
            if place >= skipped {
                rest.extend(owned(&batch));
            }
            place += 1;
        }
        let dropped = (skipped * batch_records as usize).min(whole.records.len());
        prop_assert_eq!(&rest[..], &whole.records[dropped..]);
        prop_assert_eq!(reader.records_read() as usize, whole.records.len());
    }
}

fn terminator_is_crlf(terminator: csv::Terminator) -> bool {
    matches!(terminator, csv::Terminator::CRLF)
}
