//! A JSON object as the cells of a record: every leaf has a path, `lead_data.phone`.
//!
//! Numbers are kept as they are written, so that an amount stays exact and an id of twenty digits whole.
//! An array of plain values is one cell, joined by `; `; in any other array the index is a part of the path.

use std::collections::BTreeMap;
use std::fmt;

use compact_str::{CompactString, format_compact};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::assemble::assemble;
use super::plan::{key, refused};
use super::rules::text::{raw, trim};
use super::{COLUMNS_MAX, Cells, Plan, Scratch, Verdict, codes};

/// How deeply arrays and objects may be nested in a record.
pub const NESTING_MAX: usize = 64;

/// The texts of a plan's paths, in one buffer.
#[derive(Debug, Default)]
pub struct Slots {
    text: String,
    ranges: Vec<(usize, usize)>,
    path: String,
    folded: String,
}

impl Cells for Slots {
    fn len(&self) -> usize {
        self.ranges.len()
    }

    fn cell(&self, index: usize) -> &str {
        let (start, end) = self.ranges[index];
        &self.text[start..end]
    }
}

/// Why a text is no record.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nested deeper than [`NESTING_MAX`].
    TooDeep,
    /// More than [`COLUMNS_MAX`] values that the mapping does not name.
    TooMany,
    /// No JSON, or no object; says which.
    Malformed(CompactString),
}

impl Fault {
    fn refusal(self) -> Verdict {
        let (code, message) = match self {
            Self::TooDeep => (
                codes::JSON_TOO_DEEP,
                format_compact!(
                    "The JSON value is nested more than {NESTING_MAX} levels deep. Send it with fewer levels."
                ),
            ),
            Self::TooMany => (
                codes::TOO_MANY_COLUMNS,
                format_compact!(
                    "The record has more than {COLUMNS_MAX} values that the mapping does not name. Send fewer, or have the mapping ignore what nobody needs."
                ),
            ),
            Self::Malformed(what) => (codes::MALFORMED_ROW, what),
        };
        refused(code, message)
    }
}

/// What the mapping does not name, under its path.
type Extra = Vec<(CompactString, CompactString)>;

impl Plan {
    /// The texts of one JSON object as the rules read them: those of the mapping by [label](Self::labels), blank ones too, then
    /// what the mapping does not name. [Read again](Self::read_values) they come to the same verdict. None for a text that is
    /// refused as a whole.
    pub fn cells_of(&self, text: &str) -> Option<Vec<(String, String)>> {
        let mut slots = Slots::default();
        let extra = slots.fill(self, text).ok()?;
        let named = (0..slots.len()).map(|slot| (self.labels[slot].to_string(), slots.cell(slot).to_owned()));
        let others = extra.into_iter().map(|(name, text)| (name.into_string(), text.into_string()));
        Some(named.chain(others).collect())
    }

    /// The verdict on the record that the slots were filled from.
    pub(super) fn read_slots(&self, filled: Result<Extra, Fault>, scratch: &mut Scratch) -> Verdict {
        match filled {
            Ok(extra) => assemble(self, &scratch.slots, extra, &mut scratch.joined, &mut scratch.encoded),
            Err(fault) => fault.refusal(),
        }
    }
}

impl Slots {
    /// Fills the slots from one object; gives what the mapping does not name, or why the text is no record.
    pub(super) fn fill(&mut self, plan: &Plan, text: &str) -> Result<Extra, Fault> {
        self.reset(plan);
        let value: &RawValue = serde_json::from_str(text).map_err(|error| broken(&error))?;
        if !value.get().starts_with('{') {
            return Err(no_object());
        }
        let mut extra = Extra::new();
        self.walk(plan, value.get(), 1, &mut extra)?;
        // As everywhere in JSON, the last of two equal keys wins.
        extra.sort_by(|left, right| left.0.cmp(&right.0));
        extra.reverse();
        extra.dedup_by(|later, earlier| later.0 == earlier.0);
        extra.reverse();
        Ok(extra)
    }

    /// Fills the slots from values by label.
    pub(super) fn fill_values(
        &mut self,
        plan: &Plan,
        values: &BTreeMap<String, String>,
    ) -> Result<Extra, Fault> {
        self.reset(plan);
        let mut extra = Extra::new();
        for (name, value) in values {
            self.path.clear();
            self.path.push_str(name);
            let start = self.text.len();
            self.text.push_str(value);
            self.keep(plan, start, &mut extra)?;
        }
        Ok(extra)
    }

    fn reset(&mut self, plan: &Plan) {
        self.text.clear();
        self.path.clear();
        self.ranges.clear();
        self.ranges.resize(plan.labels.len(), (0, 0));
    }

    fn walk(&mut self, plan: &Plan, value: &str, depth: usize, extra: &mut Extra) -> Result<(), Fault> {
        match value.as_bytes().first() {
            Some(b'{' | b'[') if depth > NESTING_MAX => Err(Fault::TooDeep),
            Some(b'{') => {
                let walk = Object { slots: self, plan, depth, extra };
                let mut json = serde_json::Deserializer::from_str(value);
                json.deserialize_map(walk).map_err(|error| broken(&error))?
            }
            Some(b'[') => self.walk_array(plan, value, depth, extra),
            _ => {
                let start = self.text.len();
                self.push_scalar(value);
                self.keep(plan, start, extra)
            }
        }
    }

    fn walk_array(&mut self, plan: &Plan, value: &str, depth: usize, extra: &mut Extra) -> Result<(), Fault> {
        let elements: Vec<&RawValue> = serde_json::from_str(value).map_err(|error| broken(&error))?;
        if elements.iter().all(|element| !element.get().starts_with(['{', '['])) {
            let start = self.text.len();
            for element in elements {
                let before = self.text.len();
                if before > start {
                    self.text.push_str("; ");
                }
                let pushed = self.text.len();
                self.push_scalar(element.get());
                if self.text.len() == pushed {
                    self.text.truncate(before);
                }
            }
            return self.keep(plan, start, extra);
        }
        let length = self.path.len();
        for (index, element) in elements.into_iter().enumerate() {
            self.path.push_str(&format_compact!(".{index}"));
            self.walk(plan, element.get(), depth + 1, extra)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    /// Appends a plain value's text; null is blank.
    fn push_scalar(&mut self, value: &str) {
        match value.as_bytes().first() {
            Some(b'"') => {
                let text = &mut self.text;
                // The text was validated as JSON; an escape that makes no character was refused there.
                if serde_json::Deserializer::from_str(value).deserialize_str(Append(text)).is_err() {
                    text.push('\u{fffd}');
                }
            }
            Some(b'n') | None => {}
            Some(_) => self.text.push_str(value),
        }
    }

    /// Gives the text from `start` on to the slot of the current path, or to the extras.
    fn keep(&mut self, plan: &Plan, start: usize, extra: &mut Extra) -> Result<(), Fault> {
        let path = fold(&self.path, &mut self.folded);
        if let Ok(found) = plan.keys.binary_search_by(|(known, _)| known.as_str().cmp(path)) {
            self.ranges[plan.keys[found].1] = (start, self.text.len());
            return Ok(());
        }
        if !plan.ignored.iter().any(|name| is_below(path, name)) {
            let text = trim(&self.text[start..]);
            if !text.is_empty() {
                if extra.len() >= COLUMNS_MAX {
                    return Err(Fault::TooMany);
                }
                extra.push((raw(&self.path), raw(text)));
            }
        }
        self.text.truncate(start);
        Ok(())
    }
}

/// A path as keys are compared, without an allocation for the usual ones.
fn fold<'a>(path: &'a str, folded: &'a mut String) -> &'a str {
    let simple = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    if path.bytes().all(simple) {
        return path;
    }
    *folded = key(path);
    folded
}

fn is_below(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What is wrong with the text, without a piece of it: it may hold a lead's data.
fn broken(error: &serde_json::Error) -> Fault {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Eof => "ends too early",
        Category::Syntax | Category::Data | Category::Io => "is not valid",
    };
    Fault::Malformed(format_compact!(
        "The JSON {what} at line {}, column {}. Correct it and send the record again.",
        error.line(),
        error.column()
    ))
}

fn no_object() -> Fault {
    Fault::Malformed(CompactString::const_new(
        "The element is not a JSON object. Send one JSON object for each lead.",
    ))
}

struct Object<'a, 'p> {
    slots: &'a mut Slots,
    plan: &'p Plan,
    depth: usize,
    extra: &'a mut Extra,
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = Result<(), Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let length = self.slots.path.len();
        while let Some(()) = {
            if length > 0 {
                self.slots.path.push('.');
            }
            map.next_key_seed(AppendKey(&mut self.slots.path))?
        } {
            let value: &RawValue = map.next_value()?;
            if let Err(fault) = self.slots.walk(self.plan, value.get(), self.depth + 1, self.extra) {
                // The parser would call an object that is not read to its end malformed.
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Err(fault));
            }
            self.slots.path.truncate(length);
        }
        self.slots.path.truncate(length);
        Ok(Ok(()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Ok(Err(no_object()))
    }
}

struct Append<'a>(&'a mut String);

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }
}

struct AppendKey<'a>(&'a mut String);

impl<'de> serde::de::DeserializeSeed<'de> for AppendKey<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(Append(self.0))
    }
}
