//! A batch of raw records goes through the rules: clean candidates, refused records, blanks.

use domain::intake::{Cells, Plan, Scratch, Verdict};
use domain::lead::Issue;
use entity::lead_source;

use super::merge::Candidate;
use super::reader::{Batch, Body, CellSlice, Format, RawRecord, Shape};
use super::sources;
use crate::error::Error;

/// A batch that has been through the rules and waits for its transaction.
#[derive(Debug, Default)]
pub struct Prepared {
    /// From 0.
    pub batch: i32,
    /// How far into the file, as it was sent, the batch reaches.
    pub bytes_read: i64,
    /// Clean leads in the order of the file.
    pub candidates: Vec<Candidate>,
    /// Refused records in the order of the file.
    pub refused: Vec<Refused>,
    /// Blank records and repeated headers.
    pub skipped: i32,
}

/// A refused record.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// From 1.
    pub record: i32,
    /// Physical line of the file, from 1.
    pub line: i64,
    /// The decoded text.
    pub raw: String,
    /// Every reason.
    pub reasons: Vec<Issue>,
}

impl Cells for CellSlice<'_> {
    fn len(&self) -> usize {
        CellSlice::len(self)
    }

    fn cell(&self, index: usize) -> &str {
        CellSlice::cell(self, index)
    }
}

/// The plan that reads records of that shape for that source.
pub fn plan_for(
    source: &lead_source::Model,
    shape: &Shape,
    settings: &domain::intake::Settings,
) -> Result<Plan, Error> {
    let mapping = sources::mapping_of(source)?;
    let plan = match shape.format {
        Format::Csv => Plan::for_columns(&mapping, &shape.header, settings),
        _ => Plan::for_json(&mapping, settings),
    };
    plan.map_err(|error| Error::Invalid {
        field: Some("file".into()),
        code: "NO_KNOWN_COLUMN".into(),
        message: format!("{error}. Is this a file of source `{}` ({})?", source.slug, source.kind),
    })
}

/// Sends every record of the batch through the rules.
pub fn prepare(plan: &Plan, batch: &Batch, scratch: &mut Scratch) -> Prepared {
    let mut prepared = Prepared { candidates: Vec::with_capacity(batch.len()), ..Prepared::default() };
    for raw in batch.records() {
        let record = i32::try_from(raw.number).unwrap_or(i32::MAX);
        match verdict(plan, &raw, scratch) {
            Verdict::Accept { lead, warnings, fingerprint } => {
                prepared.candidates.push(Candidate { record, lead, warnings, fingerprint });
            }
            Verdict::Reject(reasons) => prepared.refused.push(Refused {
                record,
                line: i64::try_from(raw.line).unwrap_or(i64::MAX),
                raw: raw.raw.to_owned(),
                reasons,
            }),
            Verdict::Skip => prepared.skipped += 1,
        }
    }
    prepared
}

fn verdict(plan: &Plan, raw: &RawRecord<'_>, scratch: &mut Scratch) -> Verdict {
    match raw.body {
        Body::Cells(cells) => plan.read_cells(&cells, scratch),
        Body::Json(text) => plan.read_json(text, scratch),
        Body::RepeatedHeader => Verdict::Skip,
        Body::Malformed { code, message } => Verdict::Reject(vec![Issue {
            field: "record".into(),
            code: code.into(),
            message: message.into(),
            value: None,
        }]),
    }
}
