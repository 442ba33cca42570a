//! A mapping compiled against one file: names resolved to indexes once, not for every record.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use compact_str::{CompactString, ToCompactString, format_compact};

use super::catalogue::{self, Target, Transform};
use super::plan_error::list;
use super::rules::phone::Regions;
use super::rules::text::trim;
use super::{Cells, ColumnRef, FieldSpec, MappingSpec, PlanError, assemble, codes, json};
use crate::lead::{Issue, Lead};

/// The most columns that a header, distinct paths that a mapping, or values beside the mapping that a JSON record may have.
pub const COLUMNS_MAX: usize = 1_000;

/// The longest cell that a record may have, in bytes.
pub const CELL_BYTES_MAX: usize = 32 * 1024;

/// What the rules need to know beside the record.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Today in UTC: a vehicle may be of next year's model, not of a later one.
    pub today: NaiveDate,
    /// The regions whose telephone numbers the tenant accepts.
    pub phone_regions: Regions,
}

/// The verdict on one record.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every verdict is an acceptance, a box would cost each an allocation"
)]
pub enum Verdict {
    /// A lead.
    Accept {
        /// The clean lead.
        lead: Lead,
        /// What was dropped or repaired on the way.
        warnings: Vec<Issue>,
        /// [`fingerprint()`](super::fingerprint()) of the lead.
        fingerprint: u128,
    },
    /// A record that cannot be a lead, with every reason; the decisive one first.
    Reject(Vec<Issue>),
    /// No record: a blank line, or the header once more in the middle of a file.
    Skip,
}

/// Buffers that are used again from record to record, so that a file costs no allocation per cell.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) slots: json::Slots,
    pub(super) joined: String,
    pub(super) encoded: Vec<u8>,
}

/// A mapping compiled against one file's header, or against JSON paths.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) settings: Settings,
    pub(super) steps: Vec<Step>,
    /// Slot → its name, unique; a slot is a column's index or a JSON path of the mapping.
    pub(super) labels: Vec<CompactString>,
    /// Slots that no field reads, in order of their labels.
    pub(super) unmapped: Vec<usize>,
    /// Name as [`key`] makes it → slot, sorted.
    pub(super) keys: Vec<(String, usize)>,
    /// Names as [`key`] makes them.
    pub(super) ignored: Vec<String>,
    /// The header's cells as they came; empty for JSON.
    header: Vec<CompactString>,
}

/// One field to fill.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub name: CompactString,
    pub target: Target,
    pub transform: Transform,
    /// Slots in order of preference, or in order of joining.
    pub from: Vec<usize>,
    pub join: bool,
    pub fallback: Vec<usize>,
    pub required: bool,
}

impl Plan {
    /// Compiles a mapping against a header. Columns that the mapping names and the header lacks are blank;
    /// a header with none of them is refused.
    pub fn for_columns(
        spec: &MappingSpec,
        header: &[impl AsRef<str>],
        settings: &Settings,
    ) -> Result<Self, PlanError> {
        if header.len() > COLUMNS_MAX {
            return Err(PlanError::TooManyColumns { found: header.len(), max: COLUMNS_MAX });
        }
        let columns: Vec<Column> = columns(header);
        let find = |wanted: &ColumnRef| {
            let wanted_key = key(&wanted.column);
            let found = |column: &Column| {
                column.key == wanted_key && column.occurrence == usize::from(wanted.occurrence)
            };
            columns.iter().position(found)
        };
        let mut plan = Self::new(settings);
        for field in resolve(spec)? {
            plan.push(&field, |column| find(column));
        }
        if plan.steps.iter().all(|step| step.from.is_empty() && step.fallback.is_empty()) {
            return Err(no_known_column(spec, header));
        }
        plan.header = columns.iter().map(|column| column.name.clone()).collect();
        plan.labels = columns.iter().map(|column| column.label.clone()).collect();
        plan.ignored = spec.ignore.iter().map(|name| key(name)).collect();
        plan.unmapped = (0..columns.len())
            .filter(|&index| !plan.reads(index) && !plan.ignored.contains(&columns[index].key))
            .collect();
        plan.unmapped.sort_by(|&left, &right| columns[left].label.cmp(&columns[right].label));
        plan.keys = columns.iter().enumerate().map(|(slot, column)| (key(&column.label), slot)).collect();
        plan.keys.sort();
        Ok(plan)
    }

    /// Compiles a mapping for JSON objects.
    pub fn for_json(spec: &MappingSpec, settings: &Settings) -> Result<Self, PlanError> {
        let mut plan = Self::new(settings);
        let mut labels: Vec<CompactString> = Vec::new();
        for field in resolve(spec)? {
            plan.push(&field, |column| {
                // An object has no second key of the same name that could be told from the first.
                if column.occurrence != 1 {
                    return None;
                }
                let wanted = key(&column.column);
                let known = labels.iter().position(|label| key(label) == wanted);
                Some(known.unwrap_or_else(|| {
                    labels.push(column.column.trim().to_compact_string());
                    labels.len() - 1
                }))
            });
        }
        if labels.len() > COLUMNS_MAX {
            return Err(PlanError::TooManyColumns { found: labels.len(), max: COLUMNS_MAX });
        }
        plan.keys = labels.iter().enumerate().map(|(slot, label)| (key(label), slot)).collect();
        plan.keys.sort();
        plan.labels = labels;
        plan.ignored = spec.ignore.iter().map(|name| key(name)).collect();
        Ok(plan)
    }

    /// The names under which a record's cells are kept and can be corrected, in the order of the file: the header's, the
    /// second of two equal ones as `Name (2)`. For JSON, the paths of the mapping.
    pub fn labels(&self) -> &[CompactString] {
        &self.labels
    }

    /// The [labels](Self::labels) of the cells that an issue speaks of, in the order of the file: those that its field is read
    /// from; for a missing contact all that could give one. None for an issue of the whole record.
    pub fn labels_of<'a>(&'a self, issue: &Issue) -> impl Iterator<Item = &'a str> + use<'a> {
        let contact = issue.code == codes::MISSING_CONTACT;
        let concerns = |step: &&Step| {
            step.name == issue.field || (contact && matches!(step.target, Target::Phone | Target::Email))
        };
        let slots: BTreeSet<usize> = self
            .steps
            .iter()
            .filter(concerns)
            .flat_map(|step| step.from.iter().chain(&step.fallback).copied())
            .collect();
        slots.into_iter().map(|slot| self.labels[slot].as_str())
    }

    /// Reads the cells of one record. `cells` has one for each column of the header.
    pub fn read_cells<C: Cells + ?Sized>(&self, cells: &C, scratch: &mut Scratch) -> Verdict {
        let (count, wanted) = (cells.len(), self.labels.len());
        let blank = |index: usize| trim(cells.cell(index)).is_empty();
        if count < wanted {
            if (0..count).all(blank) {
                return Verdict::Skip;
            }
            return malformed(&format_compact!(
                "The row has {count} cells, the header has {wanted}. Send it with all of its cells."
            ));
        }
        if !(wanted..count).all(blank) {
            return malformed(&format_compact!(
                "The row has {count} cells, the header has {wanted}. Is a cell with the delimiter inside not quoted?"
            ));
        }
        if self.repeats_header(cells) {
            return Verdict::Skip;
        }
        assemble::assemble(self, cells, Vec::new(), &mut scratch.joined, &mut scratch.encoded)
    }

    /// Reads one JSON object: an element of an array or a line.
    pub fn read_json(&self, text: &str, scratch: &mut Scratch) -> Verdict {
        if trim(text).is_empty() {
            return Verdict::Skip;
        }
        let filled = scratch.slots.fill(self, text);
        self.read_slots(filled, scratch)
    }

    /// Reads corrected values: [label](Self::labels) → text. A label that is missing is blank, an unknown one is
    /// kept as extra.
    pub fn read_values(&self, values: &BTreeMap<String, String>, scratch: &mut Scratch) -> Verdict {
        let filled = scratch.slots.fill_values(self, values);
        self.read_slots(filled, scratch)
    }

    fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            steps: Vec::new(),
            labels: Vec::new(),
            unmapped: Vec::new(),
            keys: Vec::new(),
            ignored: Vec::new(),
            header: Vec::new(),
        }
    }

    fn push(&mut self, field: &Resolved<'_>, mut find: impl FnMut(&ColumnRef) -> Option<usize>) {
        let mut slots = |columns: &[ColumnRef]| columns.iter().filter_map(&mut find).collect::<Vec<_>>();
        let join = !field.spec.join.is_empty();
        let from = slots(if join { &field.spec.join } else { &field.spec.from });
        let fallback = slots(&field.spec.fallback);
        if from.is_empty() && fallback.is_empty() && !field.spec.required {
            return;
        }
        self.steps.push(Step {
            name: CompactString::from(field.name),
            target: field.target,
            transform: field.transform,
            from,
            join,
            fallback,
            required: field.spec.required,
        });
    }

    fn reads(&self, slot: usize) -> bool {
        self.steps.iter().any(|step| step.from.contains(&slot) || step.fallback.contains(&slot))
    }

    fn repeats_header<C: Cells + ?Sized>(&self, cells: &C) -> bool {
        // The first cell settles it for nearly every record.
        self.header.iter().enumerate().all(|(index, name)| trim(cells.cell(index)) == name)
    }
}

/// A name as it is compared: outer blanks, their number inside and letter case do not matter.
pub fn key(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for word in name.trim_start_matches('\u{feff}').split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(word.chars().flat_map(char::to_lowercase));
    }
    text
}

/// A refusal of the whole row.
pub(super) fn malformed(message: &str) -> Verdict {
    refused(codes::MALFORMED_ROW, CompactString::from(message))
}

pub(super) fn refused(code: &'static str, message: CompactString) -> Verdict {
    Verdict::Reject(vec![Issue {
        field: CompactString::const_new("record"),
        code: CompactString::const_new(code),
        message,
        value: None,
    }])
}

/// Refuses unknown fields and transforms.
pub(super) fn check(spec: &MappingSpec) -> Result<(), PlanError> {
    resolve(spec).map(|_| ())
}

struct Column {
    name: CompactString,
    key: String,
    occurrence: usize,
    label: CompactString,
}

fn columns(header: &[impl AsRef<str>]) -> Vec<Column> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut columns = Vec::with_capacity(header.len());
    for name in header {
        let name = trim(name.as_ref().trim_start_matches('\u{feff}')).to_compact_string();
        let key = key(&name);
        let occurrence = seen.entry(key.clone()).or_insert(0);
        *occurrence += 1;
        let occurrence = *occurrence;
        let shown = if name.is_empty() { CompactString::const_new("(no name)") } else { name.clone() };
        let label = if occurrence == 1 { shown } else { format_compact!("{shown} ({occurrence})") };
        columns.push(Column { name, key, occurrence, label });
    }
    columns
}

struct Resolved<'a> {
    name: &'a str,
    target: Target,
    transform: Transform,
    spec: &'a FieldSpec,
}

/// The mapping's fields in the order in which records are read: contact data as the catalogue lists it, then
/// details by name.
fn resolve(spec: &MappingSpec) -> Result<Vec<Resolved<'_>>, PlanError> {
    if spec.fields.is_empty() {
        return Err(PlanError::NoFields);
    }
    let mut fields = Vec::with_capacity(spec.fields.len());
    for (name, field) in &spec.fields {
        let (target, possible) = match catalogue::field(name) {
            Some(known) => (known.target, known.transforms),
            None if is_custom(name) => (Target::Detail, catalogue::CUSTOM_TRANSFORMS),
            None => {
                let known = list_all(catalogue::FIELDS.iter().map(|known| known.name));
                return Err(PlanError::UnknownField { field: shorten(name), known });
            }
        };
        let mut every = field.from.iter().chain(&field.join).chain(&field.fallback);
        if field.from.is_empty() == field.join.is_empty()
            || every.any(|column| key(&column.column).is_empty())
        {
            return Err(PlanError::NoColumn { field: name.clone() });
        }
        fields.push(Resolved { name, target, transform: transform(name, field, possible)?, spec: field });
    }
    // `spec.fields` is sorted by name, and the sort is stable.
    fields.sort_by_key(|field| match field.target {
        Target::Detail => usize::MAX,
        _ => catalogue::FIELDS.iter().position(|known| known.name == field.name).unwrap_or(usize::MAX),
    });
    Ok(fields)
}

fn transform(name: &str, field: &FieldSpec, possible: &[Transform]) -> Result<Transform, PlanError> {
    let Some(wanted) = &field.transform else { return Ok(possible[0]) };
    let Some(transform) = Transform::from_name(wanted) else {
        return Err(PlanError::UnknownTransform {
            field: name.to_owned(),
            transform: shorten(wanted),
            known: list_all(Transform::ALL.into_iter().map(Transform::name)),
        });
    };
    if possible.contains(&transform) {
        return Ok(transform);
    }
    Err(PlanError::UnfitTransform {
        field: name.to_owned(),
        transform: wanted.clone(),
        possible: list_all(possible.iter().map(|possible| possible.name())),
    })
}

fn is_custom(name: &str) -> bool {
    name.strip_prefix(catalogue::CUSTOM_PREFIX).is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() <= 60
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    })
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

fn list_all<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn no_known_column(spec: &MappingSpec, header: &[impl AsRef<str>]) -> PlanError {
    let expected =
        spec.fields.values().flat_map(|field| field.from.iter().chain(&field.join).chain(&field.fallback));
    PlanError::NoKnownColumn {
        found: list(header.iter().map(AsRef::as_ref)),
        expected: list(expected.map(|column| column.column.as_str())),
    }
}
