//! A file of actions: CSV, JSON or one JSON object a line, gzipped or not, read in batches and recorded batch by batch.
//!
//! What is stored stays stored when a later batch fails, and the same file again changes nothing: so it is simply sent again.

use std::io::Read;
use std::sync::Arc;

use domain::ids::{PartnerId, TenantId};
use serde::Serialize;
use tokio::sync::mpsc;

use super::record::{self, Fault, RawAction, Recorded};
use crate::app::App;
use crate::error::Error;
use crate::intake::reader::{Batch, Body, FileError, Format, Options, Reader};

/// Refused entries that are told one by one; the rest is counted.
const REFUSALS_TOLD_MAX: usize = 1_000;
const RECORDS_AT_ONCE: u32 = 2_000;

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ingested {
    /// Entries of the file.
    pub records: u64,
    /// Stored now.
    pub accepted: u64,
    /// Stored before.
    pub repeated: u64,
    /// Not stored.
    pub refused: u64,
    /// The first refused ones and why.
    pub refusals: Vec<Refusal>,
}

/// A refused entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its number in the file, from 1.
    pub record: u32,
    /// Its line in the file, from 1.
    pub line: u64,
    /// Every fault.
    pub faults: Vec<Fault>,
}

/// An entry on its way.
struct Entry {
    record: u32,
    line: u64,
    action: Result<RawAction, Fault>,
}

/// Records every action of the file.
pub async fn ingest(
    app: &Arc<App>,
    tenant: TenantId,
    partner: PartnerId,
    input: impl Read + Send + 'static,
) -> Result<Ingested, Error> {
    let (sender, mut receiver) = mpsc::channel::<Vec<Entry>>(2);
    let options = Options { batch_records: RECORDS_AT_ONCE, ..Options::default() };
    let reading = tokio::task::spawn_blocking(move || read(input, &options, &sender));
    let mut sum = Ingested::default();
    while let Some(entries) = receiver.recv().await {
        store(app, tenant, partner, entries, &mut sum).await?;
    }
    let read = reading.await.map_err(|error| Error::internal("reading a file of actions", error))?;
    read.map_err(|error| Error::Invalid {
        field: Some("file".into()),
        code: error.code.into(),
        message: format!("{} ({} entries were recorded before)", error.message, sum.accepted + sum.repeated),
    })?;
    Ok(sum)
}

fn read(
    input: impl Read + Send + 'static,
    options: &Options,
    sender: &mpsc::Sender<Vec<Entry>>,
) -> Result<(), FileError> {
    let mut reader = Reader::open(input, options)?;
    let columns: Vec<Option<Column>> = reader.shape().header.iter().map(|name| Column::of(name)).collect();
    let csv = reader.shape().format == Format::Csv;
    let mut batch = Batch::default();
    while reader.next_batch(&mut batch)? {
        let mut entries = Vec::with_capacity(batch.len());
        for record in batch.records() {
            let action = match record.body {
                Body::Cells(cells) if csv && cells.iter().all(|cell| cell.trim().is_empty()) => continue,
                Body::Json("") | Body::RepeatedHeader => continue,
                Body::Cells(cells) => Ok(from_cells(&columns, cells.iter())),
                Body::Json(text) => from_json(text),
                Body::Malformed { code, message } => {
                    Err(Fault { field: "record", code, message: message.to_owned() })
                }
            };
            entries.push(Entry { record: record.number, line: record.line, action });
        }
        // The other end has met an error: it tells of it.
        if sender.blocking_send(entries).is_err() {
            break;
        }
    }
    Ok(())
}

async fn store(
    app: &App,
    tenant: TenantId,
    partner: PartnerId,
    entries: Vec<Entry>,
    sum: &mut Ingested,
) -> Result<(), Error> {
    sum.records += entries.len() as u64;
    let mut places = Vec::new();
    let mut actions = Vec::new();
    for entry in entries {
        match entry.action {
            Ok(action) => {
                places.push((entry.record, entry.line));
                actions.push(action);
            }
            Err(fault) => refuse(sum, entry.record, entry.line, vec![fault]),
        }
    }
    let answers = record::record(app, tenant, partner, actions).await?;
    for ((record, line), answer) in places.into_iter().zip(answers) {
        match answer {
            Recorded::New(_) => sum.accepted += 1,
            Recorded::Repeated(_) => sum.repeated += 1,
            Recorded::Refused(faults) => refuse(sum, record, line, faults),
        }
    }
    Ok(())
}

fn refuse(sum: &mut Ingested, record: u32, line: u64, faults: Vec<Fault>) {
    sum.refused += 1;
    if sum.refusals.len() < REFUSALS_TOLD_MAX {
        sum.refusals.push(Refusal { record, line, faults });
    }
}

/// A field of an action, as a header or a JSON key names it.
#[derive(Clone, Copy)]
enum Column {
    Key,
    Email,
    Product,
    LeadType,
    ActionType,
    Level,
    OccurredAt,
    Lead,
}

impl Column {
    fn of(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Some(match plain.to_ascii_lowercase().as_str() {
            "key" | "idempotencykey" | "actionid" | "id" => Self::Key,
            "email" | "leaduser" | "user" => Self::Email,
            "product" => Self::Product,
            "leadtype" => Self::LeadType,
            "actiontype" | "action" => Self::ActionType,
            "level" | "engagementlevel" => Self::Level,
            "occurredat" | "occurred" | "time" | "date" => Self::OccurredAt,
            "lead" | "leadid" => Self::Lead,
            _ => return None,
        })
    }

    fn set(self, action: &mut RawAction, text: String) {
        let field = match self {
            Self::Key => &mut action.key,
            Self::Email => &mut action.email,
            Self::Product => &mut action.product,
            Self::LeadType => &mut action.lead_type,
            Self::ActionType => &mut action.action_type,
            Self::Level => &mut action.level,
            Self::OccurredAt => &mut action.occurred_at,
            Self::Lead => &mut action.lead,
        };
        *field = Some(text);
    }
}

fn from_cells<'a>(columns: &[Option<Column>], cells: impl Iterator<Item = &'a str>) -> RawAction {
    let mut action = RawAction::default();
    for (column, cell) in columns.iter().zip(cells) {
        if let Some(column) = column {
            column.set(&mut action, cell.to_owned());
        }
    }
    action
}

fn from_json(text: &str) -> Result<RawAction, Fault> {
    let fault = |message: &str| Fault { field: "record", code: "INVALID_JSON", message: message.to_owned() };
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| fault("the entry is not a JSON object"))?;
    let mut action = RawAction::default();
    for (name, value) in object {
        let Some(column) = Column::of(&name) else { continue };
        match value {
            serde_json::Value::String(text) => column.set(&mut action, text),
            serde_json::Value::Number(number) => column.set(&mut action, number.to_string()),
            serde_json::Value::Null => {}
            _ => return Err(fault("every field of an action is text")),
        }
    }
    Ok(action)
}
