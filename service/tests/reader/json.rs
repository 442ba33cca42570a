//! JSON files, whole and damaged.

use std::io;

use proptest::prelude::*;
use service::intake::reader::{Format, Options, code};

use crate::support::{Owned, Record, WholeFile, read_all, read_bytes};

fn texts(file: &WholeFile) -> Vec<&str> {
    let mut texts = Vec::new();
    for record in &file.records {
        texts.push(if let Owned::Json(text) = &record.body { text.as_str() } else { "?" });
    }
    texts
}

#[test]
fn the_format_is_found() {
    for (text, format, records) in [
        ("[1, \"two\", null, [3], {}]", Format::JsonArray, vec!["1", "\"two\"", "null", "[3]", "{}"]),
        ("{\"a\": 1}", Format::Ndjson, vec!["{\"a\": 1}"]),
        ("{\"a\": 1}\r\n\r\n {\"a\": 2} \r\n", Format::Ndjson, vec!["{\"a\": 1}", "", "{\"a\": 2}"]),
        ("{\n \"a\": [\n1]\n}\n", Format::JsonObjects, vec!["{\n \"a\": [\n1]\n}"]),
        ("{\n\"a\": 1}\n{\n\"b\": 2}", Format::JsonObjects, vec!["{\n\"a\": 1}", "{\n\"b\": 2}"]),
        ("{\"a\": \n{\"a\": 2}\n", Format::Ndjson, vec!["?", "{\"a\": 2}"]),
    ] {
        let file = read_bytes(text).unwrap();
        assert_eq!((file.shape.format, texts(&file), &file.fault), (format, records, &None), "{text}");
    }
}

#[test]
fn a_forced_format_is_kept() {
    let forced = |text: &str, format| {
        let options = Options { format: Some(format), ..Options::default() };
        read_all(io::Cursor::new(text.as_bytes().to_vec()), &options).unwrap()
    };
    assert_eq!(forced("[a],b\n[1],2\n", Format::Csv).records[0].cells(), ["[1]", "2"]);
    assert_eq!(texts(&forced("[1]\n[2]\n", Format::Ndjson)), ["[1]", "[2]"]);
    assert_eq!(forced("a,b\n", Format::JsonArray).fault.unwrap().code, code::JSON_EXPECTED);
}

#[test]
fn deep_nesting_costs_one_record() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let permitted = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for separator in [",", "\n"] {
        let values = ["{}", &deep, &objects, &permitted, "{\"b\":1}"].join(separator);
        let text = if separator == "," { format!("[{values}]") } else { values };
        let file = read_bytes(&text).unwrap();
        let codes: Vec<_> = file.records.iter().map(Record::code).collect();
        assert_eq!(codes, [None, Some(code::JSON_TOO_DEEP), Some(code::JSON_TOO_DEEP), None, None]);
        assert_eq!(file.fault, None);
    }
    let file = read_bytes(format!("[{{}}, {}", "[".repeat(10_000))).unwrap();
    assert_eq!(file.records[1].code(), Some(code::JSON_TOO_DEEP));
    assert_eq!(file.fault.unwrap().code, code::JSON_UNTERMINATED);
}

#[test]
fn what_ends_an_array_early_comes_after_its_records() {
    for (text, records, expected) in [
        ("[{\"a\":1},\n{\"a\":2}", 2, code::JSON_UNTERMINATED),
        ("[{\"a\":1},\n{\"a\":2},", 2, code::JSON_UNTERMINATED),
        ("[{\"a\":1},\n{\"a\":", 2, code::JSON_UNTERMINATED),
        ("[1] [2]", 1, code::JSON_TRAILING),
        ("[1]]", 1, code::JSON_TRAILING),
        ("[1],\n", 1, code::JSON_UNTERMINATED),
    ] {
        let file = read_bytes(text).unwrap();
        let fault = file.fault.unwrap();
        assert_eq!(
            (file.records.len(), fault.code, fault.records_read),
            (records, expected, u32::try_from(file.records.len()).unwrap())
        );
        assert!(fault.line.is_some());
    }
}

#[test]
fn a_broken_element_costs_itself() {
    for broken in [
        "{\"a\": [1, 2}",
        "{\"a\": 1, \"b\": {\"c\": 2}",
        "{\"a\": 1]}",
        "{\"a\": \"no end}",
        "{\"a: 1}",
        "\"a\" \"b\"",
        "{\"a:[\"b\\\"c\",{}]}",
        "{\"a\":{\"\":{\"0\"\\\":null}},\"j\":null,\"k\":\"\\\"a\"}",
        "{a\":[-1,{\"b\\\"c\":null}]}",
        "{\n \"a\": \"no end,\n \"b\": 2\n}",
        "{\n \"a\": {\"b: 1},\n \"c\": 2\n}",
    ] {
        let file = read_bytes(format!(
            "[\n{{\"first\": 1}},\n{broken},\n{{\"next\": {{}}}},\n{{\"last\": []}}\n]\n"
        ))
        .unwrap();
        let texts = texts(&file);
        assert_eq!(texts[0], "{\"first\": 1}", "{broken}");
        assert_eq!(texts[texts.len() - 2..], ["{\"next\": {}}", "{\"last\": []}"], "{broken}");
        assert!(
            file.records.iter().any(|record| record.code().is_some()) || broken.starts_with('"'),
            "{broken}"
        );
        assert_eq!(file.fault, None, "{broken}");
    }
    let file = read_bytes("[{\"a\": 1},\n{\"b\": {\"c\": 2}\n]").unwrap();
    assert_eq!((file.records[1].code(), file.fault), (Some(code::MALFORMED_ROW), None));
}

/// Any value; its names and texts match `text`.
fn value(text: &'static str) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        text.prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((text, inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

const ANY_TEXT: &str = "[ -~\u{e9}\u{1f600}\n\"\\\\\\[\\]{},:]{0,12}";
const PLAIN_TEXT: &str = "[ a-z0-9\u{e9}\u{1f600},:@.]{0,12}";

fn written(value: &serde_json::Value, pretty: bool) -> String {
    if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap()
}

proptest! {
    #[test]
    fn elements_come_out_as_written(
        values in prop::collection::vec((value(ANY_TEXT), any::<bool>(), "[ \n\t]{0,3}"), 0..20),
        read_bytes in 1_usize..40,
    ) {
        let elements: Vec<String> = values.iter().map(|(value, pretty, _)| written(value, *pretty)).collect();
        let text: Vec<String> = elements.iter().zip(&values).map(|(element, (.., blank))| format!("{blank}{element}{blank}")).collect();
        let options = Options { read_bytes, sample_bytes: 2, ..Options::default() };
        let file = read_all(io::Cursor::new(format!("[{}]", text.join(",")).into_bytes()), &options).unwrap();
        prop_assert_eq!(texts(&file), elements);
        prop_assert_eq!(file.fault, None);
    }

    #[test]
    fn lines_come_out_as_written(values in prop::collection::vec(prop::option::of(value(ANY_TEXT)), 1..20), read_bytes in 1_usize..40) {
        let lines: Vec<String> = values.iter().map(|value| value.as_ref().map_or(String::new(), |value| written(value, false))).collect();
        let options = Options { read_bytes, sample_bytes: 2, format: Some(Format::Ndjson), ..Options::default() };
        let file = read_all(io::Cursor::new(format!("{{}}\n{}\n", lines.join("\n")).into_bytes()), &options).unwrap();
        prop_assert_eq!(&texts(&file)[1..], lines);
    }

    /// Whatever single character an object loses, no other object is lost. (Quotes and brackets in a text that lost its own quote look like
    /// those of the object: then the objects after it may be refused with it, which is said, never lost silently.)
    #[test]
    fn damage_costs_one_object(
        members in prop::collection::vec(("[a-z]{1,4}", value(PLAIN_TEXT)), 1..4),
        pretty in any::<bool>(),
        lost in any::<prop::sample::Index>(),
    ) {
        let object = written(&serde_json::Value::Object(members.into_iter().collect()), pretty);
        let lost = lost.index(object.chars().count());
        let damaged: String = object.chars().enumerate().filter(|(at, _)| *at != lost).map(|(_, character)| character).collect();
        let good = ["{\"first\": 1}", "{\"next\": {\"a\": [{}]}}", "{\"last\": [2]}"];
        let text = format!("[\n{},\n{damaged},\n{},\n{}\n]", good[0], good[1], good[2]);
        let file = read_bytes(&text).unwrap();
        let texts = texts(&file);
        prop_assert_eq!(texts[0], good[0]);
        prop_assert_eq!(&texts[texts.len() - 2..], &good[1..], "{}", text);
        prop_assert_eq!(file.fault, None);
    }
}
