//! From the cells of one record to its verdict: each field of the plan is read by its rule.

use compact_str::{CompactString, format_compact};

use super::catalogue::{Target, Transform};
use super::plan::{Plan, Step};
use super::rules::text::{excerpt, raw, trim};
use super::rules::{Fault, address, boolean, channel, credit, date, name, number, phone, state, text, zip};
use super::{CELL_BYTES_MAX, Cells, Verdict, codes, fingerprint};
use crate::lead::{Issue, Lead, Value};

/// The longest name, address, label or id, in bytes: what an index of the database can hold.
const TEXT_BYTES_MAX: usize = 1_000;

const TOO_LONG: Fault = Fault::new(codes::TEXT_TOO_LONG, "The text is longer than 1,000 bytes.");
const FORMULA: Fault = Fault::new(
    codes::FORMULA_TEXT,
    "The text looks like a spreadsheet's formula; it is kept as text and made harmless in exports.",
);
const NO_NAME: Fault = Fault::new(
    codes::MISSING_NAME,
    "There is no first name; a CRM that needs one will not take the lead as it is.",
);
const NO_CONTACT: Fault = Fault::new(
    codes::MISSING_CONTACT,
    "There is neither a valid phone nor a valid e-mail; one of them is needed.",
);
pub(super) const REQUIRED: Fault = Fault::new(codes::INVALID_FIELD, "The field is required and blank.");

/// Reads the record. `extra` is what a JSON object has beside the mapping.
pub(super) fn assemble<C: Cells + ?Sized>(
    plan: &Plan,
    cells: &C,
    extra: Vec<(CompactString, CompactString)>,
    joined: &mut String,
    encoded: &mut Vec<u8>,
) -> Verdict {
    let mut draft = Draft {
        plan,
        cells,
        lead: Lead { extra, ..Lead::default() },
        warnings: Vec::new(),
        reasons: Vec::new(),
    };
    for slot in 0..plan.labels.len() {
        if cells.cell(slot).len() > CELL_BYTES_MAX {
            return draft.too_long(slot);
        }
    }
    for step in &plan.steps {
        match step.target {
            Target::Phone => draft.phones(step),
            Target::Email => draft.emails(step),
            _ => draft.field(step, joined),
        }
    }
    draft.finish(encoded)
}

/// The lead in the making.
pub(super) struct Draft<'p, C: ?Sized> {
    pub plan: &'p Plan,
    pub cells: &'p C,
    pub lead: Lead,
    pub warnings: Vec<Issue>,
    pub reasons: Vec<Issue>,
}

/// The text of a field and the slot that it came from.
#[derive(Clone, Copy)]
struct Source<'a> {
    text: &'a str,
    slot: usize,
}

impl<'p, C: Cells + ?Sized> Draft<'p, C> {
    fn field(&mut self, step: &Step, joined: &mut String) {
        let source = if step.join { self.joined(&step.from, joined) } else { self.first(step) };
        let Some(source) = source else {
            if step.required {
                self.reasons.push(issue(&step.name, REQUIRED, None));
            }
            return;
        };
        if let Err(fault) = self.read(step, source) {
            if step.required {
                let fault = Fault::new(codes::INVALID_FIELD, fault.message);
                self.reasons.push(issue(&step.name, fault, Some(source.text)));
            } else {
                self.warnings.push(issue(&step.name, fault, Some(source.text)));
            }
            self.keep_raw(step, source);
        }
    }

    fn read(&mut self, step: &Step, source: Source<'_>) -> Result<(), Fault> {
        let text = source.text;
        match step.target {
            Target::Channel => self.lead.channel = channel::channel(text)?,
            Target::State => self.lead.state = state::state(text)?,
            Target::Zip => {
                if let Some(zip) = zip::zip(text)? {
                    (self.lead.zip, self.lead.zip4) = (Some(zip.five), zip.four);
                    self.note(step, zip.note, text);
                }
            }
            Target::FullName => {
                if text.len() > TEXT_BYTES_MAX {
                    return Err(TOO_LONG);
                }
                let (first, last) = name::full(text);
                self.formula(step, text);
                if self.lead.first_name.is_none() && self.lead.last_name.is_none() {
                    self.lead.first_name = present(first);
                    self.lead.last_name = present(last);
                }
            }
            Target::Detail => return self.detail(step, source),
            _ => {
                let value = present(self.text(step, text)?);
                let lead = &mut self.lead;
                *match step.target {
                    Target::ExternalId => &mut lead.external_id,
                    Target::LeadType => &mut lead.lead_type,
                    Target::FirstName => &mut lead.first_name,
                    Target::LastName => &mut lead.last_name,
                    Target::Address => &mut lead.address,
                    _ => &mut lead.city,
                } = value;
            }
        }
        Ok(())
    }

    fn detail(&mut self, step: &Step, source: Source<'_>) -> Result<(), Fault> {
        let text = source.text;
        let value = match step.transform {
            Transform::Money => number::money(text)?.map(Value::Decimal),
            Transform::Rate => number::rate(text)?.map(Value::Decimal),
            Transform::Boolean => boolean::boolean(text)?.map(Value::Boolean),
            Transform::Date => date::date(text)?.map(Value::Date),
            Transform::Integer => number::integer(text)?.map(Value::Integer),
            Transform::Year => {
                use chrono::Datelike;
                number::year(text, self.plan.settings.today.year())?.map(Value::Integer)
            }
            Transform::Ltv => number::ltv(text)?.map(|(value, note)| {
                self.note(step, note, text);
                Value::Decimal(value)
            }),
            Transform::Phone => {
                Some(Value::Text(phone::normalise(text, &self.plan.settings.phone_regions)?.number))
            }
            Transform::CreditScore => match credit::credit(text)? {
                Some(credit::Credit::Rating(rating, note)) => {
                    self.note(step, Some(note), text);
                    self.put("credit_rating", Value::Text(rating), source);
                    None
                }
                Some(credit::Credit::Score(score)) => Some(Value::Integer(score)),
                None => None,
            },
            Transform::BooleanOrAmount => boolean::boolean_or_amount(text)?.map(|(answer, amount)| {
                if let Some(amount) = amount {
                    self.put("cash_out_amount", Value::Decimal(amount), source);
                }
                Value::Boolean(answer)
            }),
            _ => present(self.text(step, text)?).map(Value::Text),
        };
        if let Some(value) = value {
            self.put(&step.name, value, source);
        }
        Ok(())
    }

    /// Sets a detail, or keeps the raw text when a field read before has already set it otherwise.
    fn put(&mut self, name: &str, value: Value, source: Source<'_>) {
        match self.lead.details.iter().find(|(known, _)| known == name) {
            None => {
                if self.lead.details.capacity() == 0 {
                    self.lead.details.reserve_exact(self.plan.steps.len().min(32));
                }
                self.lead.details.push((CompactString::from(name), value));
            }
            Some((_, known)) if *known == value => {}
            Some(_) => self.keep(source.slot, source.text),
        }
    }

    fn text(&mut self, step: &Step, text: &str) -> Result<CompactString, Fault> {
        let long = step.target == Target::Detail && step.transform == Transform::Text;
        if text.len() > TEXT_BYTES_MAX && !long {
            return Err(TOO_LONG);
        }
        self.formula(step, text);
        Ok(match step.transform {
            Transform::Upper => text::upper(text),
            Transform::Lower => text::lower(text),
            Transform::City => name::city(text),
            Transform::Name => name::person(text),
            Transform::Address => address::address(text),
            _ => text::tidy(text),
        })
    }

    /// The first text that is not blank. What further columns say otherwise is kept as extra.
    fn first(&mut self, step: &Step) -> Option<Source<'p>> {
        let mut found: Option<Source<'p>> = None;
        let cells = self.cells;
        for &slot in step.from.iter().chain(&step.fallback) {
            let text = trim(cells.cell(slot));
            match found {
                _ if text.is_empty() => {}
                None => found = Some(Source { text, slot }),
                Some(source) if source.text == text => {}
                Some(_) => self.keep(slot, text),
            }
        }
        found
    }

    fn joined<'a>(&self, slots: &[usize], joined: &'a mut String) -> Option<Source<'a>> {
        joined.clear();
        let mut from = None;
        for &slot in slots {
            let text = trim(self.cells.cell(slot));
            if text.is_empty() {
                continue;
            }
            if from.is_some() {
                joined.push(' ');
            }
            joined.push_str(text);
            from = from.or(Some(slot));
        }
        from.map(|slot| Source { text: joined, slot })
    }

    fn formula(&mut self, step: &Step, text: &str) {
        if text::looks_like_formula(text) {
            self.note(step, Some(FORMULA), text);
        }
    }

    fn note(&mut self, step: &Step, note: Option<Fault>, text: &str) {
        if let Some(note) = note {
            self.warnings.push(issue(&step.name, note, Some(text)));
        }
    }

    /// Keeps the raw text of the cell, or of each cell that a field joins.
    fn keep_raw(&mut self, step: &Step, source: Source<'_>) {
        if step.join {
            for &slot in &step.from {
                let cells = self.cells;
                self.keep(slot, trim(cells.cell(slot)));
            }
        } else {
            self.keep(source.slot, source.text);
        }
    }

    pub(super) fn keep(&mut self, slot: usize, text: &str) {
        let label = &self.plan.labels[slot];
        if !text.is_empty() && !self.lead.extra.iter().any(|(known, _)| known == label) {
            self.lead.extra.push((label.clone(), raw(text)));
        }
    }

    fn too_long(&self, slot: usize) -> Verdict {
        let name: CompactString = self.plan.labels[slot].chars().take(80).collect();
        Verdict::Reject(vec![Issue {
            field: CompactString::const_new("record"),
            code: CompactString::const_new(codes::CELL_TOO_LONG),
            message: format_compact!("The cell `{name}` is longer than 32 KiB; is a quotation mark missing?"),
            value: Some(excerpt(self.cells.cell(slot))),
        }])
    }

    fn is_blank(&self) -> bool {
        self.lead.extra.is_empty() && (0..self.cells.len()).all(|slot| trim(self.cells.cell(slot)).is_empty())
    }

    fn finish(mut self, encoded: &mut Vec<u8>) -> Verdict {
        let no_contact = self.lead.phone.is_none() && self.lead.email.is_none();
        if no_contact || !self.reasons.is_empty() {
            if self.is_blank() {
                return Verdict::Skip;
            }
            if no_contact {
                self.reasons.insert(0, issue("record", NO_CONTACT, None));
            }
            // What was wrong beside it helps the person who corrects the record.
            self.reasons.append(&mut self.warnings);
            return Verdict::Reject(self.reasons);
        }
        let names = |step: &Step| matches!(step.target, Target::FirstName | Target::FullName);
        if self.lead.first_name.is_none() && self.plan.steps.iter().any(names) {
            self.warnings.push(issue("first_name", NO_NAME, None));
        }
        for &slot in &self.plan.unmapped {
            let text = trim(self.cells.cell(slot));
            if !text.is_empty() {
                self.lead.extra.push((self.plan.labels[slot].clone(), raw(text)));
            }
        }
        sort_by_name(&mut self.lead.details);
        sort_by_name(&mut self.lead.extra);
        let fingerprint = fingerprint(&self.lead, encoded);
        Verdict::Accept { lead: self.lead, warnings: self.warnings, fingerprint }
    }
}

/// The rules nearly always find the pairs in order already.
fn sort_by_name<V>(pairs: &mut [(CompactString, V)]) {
    if !pairs.is_sorted_by(|left, right| left.0 <= right.0) {
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
    }
}

fn present(text: CompactString) -> Option<CompactString> {
    if text.is_empty() { None } else { Some(text) }
}

pub(super) fn issue(field: &str, fault: Fault, value: Option<&str>) -> Issue {
    Issue {
        field: CompactString::from(field),
        code: CompactString::const_new(fault.code),
        message: CompactString::const_new(fault.message),
        value: value.map(excerpt),
    }
}
