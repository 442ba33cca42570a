//! JSON that is written straight from rows.

use std::fmt::Display;
use std::io::Write as _;

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Name, Value};
use chrono::{DateTime, Datelike, Timelike, Utc};

/// A JSON text under construction. Commas come by themselves.
#[derive(Default)]
pub(super) struct Json {
    text: Vec<u8>,
}

impl From<Json> for Value {
    /// As the engine carries it and the edge writes it.
    fn from(json: Json) -> Self {
        Self::Binary(json.text.into())
    }
}

impl Json {
    /// Opens an object or a list.
    pub(super) fn open(&mut self, bracket: u8) {
        self.text.push(bracket);
    }

    /// Closes it.
    pub(super) fn close(&mut self, bracket: u8) {
        self.text.push(bracket);
    }

    /// Begins the next item of a list.
    pub(super) fn item(&mut self) {
        if !matches!(self.text.last(), None | Some(b'[' | b'{')) {
            self.text.push(b',');
        }
    }

    /// Begins the next field of an object. GraphQL's names need no escapes.
    pub(super) fn name(&mut self, name: &Name) {
        self.item();
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
    }

    pub(super) fn null(&mut self) {
        self.text.extend_from_slice(b"null");
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.text.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn string(&mut self, text: &str) {
        let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if text.bytes().all(plain) {
            self.quoted(text.as_bytes());
        } else {
            self.serialized(text);
        }
    }

    /// A text that may be absent.
    pub(super) fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    /// Texts.
    pub(super) fn texts(&mut self, texts: Option<&[String]>) {
        self.open(b'[');
        for text in texts.unwrap_or_default() {
            self.item();
            self.string(text);
        }
        self.close(b']');
    }

    /// An id, whose form needs no escapes.
    pub(super) fn id(&mut self, id: impl Display) {
        self.text.push(b'"');
        // Writing to memory cannot fail.
        let _ = write!(self.text, "{id}");
        self.text.push(b'"');
    }

    /// A whole number that may be absent.
    pub(super) fn integer(&mut self, number: Option<impl Into<i64>>) {
        match number {
            Some(number) => self.serialized(&number.into()),
            None => self.null(),
        }
    }

    /// A number; what is none becomes null.
    pub(super) fn float(&mut self, number: f64) {
        self.serialized(&number);
    }

    /// The name of an enum's value.
    pub(super) fn enumerated<E: EnumType>(&mut self, value: E) {
        let item = E::items().iter().find(|item| item.value == value);
        self.text(item.map(|item| item.name));
    }

    /// JSON that is already written.
    pub(super) fn raw(&mut self, json: &str) {
        self.text.extend_from_slice(json.as_bytes());
    }

    /// A moment that may be absent, as RFC 3339 with as many digits as it has: 0, 3, 6 or 9.
    pub(super) fn moment(&mut self, moment: Option<DateTime<Utc>>) {
        let Some(moment) = moment else { return self.null() };
        let (date, time) = (moment.date_naive(), moment.time());
        if !(0..=9999).contains(&date.year()) {
            return self.string(&moment.to_rfc3339());
        }
        let mut text = *b"\"0000-00-00T00:00:00";
        let mut digits = |at: usize, count: usize, mut number: u32| {
            for place in text[at..at + count].iter_mut().rev() {
                *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        digits(1, 4, date.year().unsigned_abs());
        digits(6, 2, date.month());
        digits(9, 2, date.day());
        digits(12, 2, time.hour());
        digits(15, 2, time.minute());
        digits(18, 2, time.second());
        self.text.extend_from_slice(&text);
        let nanos = time.nanosecond() % 1_000_000_000;
        // Writing to memory cannot fail.
        let _ = match nanos {
            0 => Ok(()),
            _ if nanos % 1_000_000 == 0 => write!(self.text, ".{:03}", nanos / 1_000_000),
            _ if nanos % 1_000 == 0 => write!(self.text, ".{:06}", nanos / 1_000),
            _ => write!(self.text, ".{nanos:09}"),
        };
        self.text.extend_from_slice(b"+00:00\"");
    }

    fn quoted(&mut self, plain: &[u8]) {
        self.text.push(b'"');
        self.text.extend_from_slice(plain);
        self.text.push(b'"');
    }

    fn serialized(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        let before = self.text.len();
        if serde_json::to_writer(&mut self.text, value).is_err() {
            self.text.truncate(before);
            self.null();
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::ScalarType;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Json)) -> serde_json::Value {
        let mut json = Json::default();
        write(&mut json);
        serde_json::from_slice(&json.text).expect("it is JSON")
    }

    proptest! {
        #[test]
        fn a_moment_is_written_as_the_scalar_writes_it(seconds in -80_000_000_000_i64..260_000_000_000, nanos in 0_i64..1_000_000_000, unit in 0..4_u32) {
            let nanos = nanos / 1_000_i64.pow(unit) * 1_000_i64.pow(unit);
            let moment = DateTime::from_timestamp(seconds, 0).unwrap() + TimeDelta::nanoseconds(nanos);
            let Value::String(scalar) = moment.to_value() else { panic!("a string") };
            prop_assert_eq!(written(|json| json.moment(Some(moment))), serde_json::json!(scalar));
        }

        #[test]
        fn a_text_reads_back(text in ".*") {
            prop_assert_eq!(written(|json| json.string(&text)), serde_json::json!(text));
        }
    }

    #[test]
    fn lists_and_objects_have_their_commas() {
        let texts = ["a".to_owned(), "b\"\n".to_owned()];
        assert_eq!(written(|json| json.texts(Some(&texts))), serde_json::json!(["a", "b\"\n"]));
        let object = written(|json| {
            json.open(b'{');
            for name in ["one", "two"] {
                json.name(&Name::new(name));
                json.integer(Some(1));
            }
            json.close(b'}');
        });
        assert_eq!(object, serde_json::json!({ "one": 1, "two": 1 }));
    }
}
