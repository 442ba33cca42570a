//! The raw text of a refused record, taken apart again: for the correction form and for the export.

use domain::intake::{Plan, Settings};
use entity::{import, lead_source};
use serde_json::Value;

use super::sources;
use crate::error::Error;

/// How the cells of a CSV file stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The header's cells, duplicates kept.
    pub header: Vec<String>,
    /// An ASCII character.
    pub delimiter: u8,
}

impl Columns {
    /// Of a CSV import; none for JSON.
    pub fn of(import: import::Model) -> Option<Self> {
        let delimiter = import.delimiter.and_then(|text| text.bytes().next())?;
        Some(Self { header: import.columns?, delimiter })
    }
}

/// The plan that reads corrected values of such a record by the names that [`values`] gives.
pub fn plan(
    source: &lead_source::Model,
    columns: Option<&Columns>,
    settings: &Settings,
) -> Result<Plan, Error> {
    let mapping = sources::mapping_of(source)?;
    let plan = match columns {
        Some(columns) => Plan::for_columns(&mapping, &columns.header, settings),
        None => Plan::for_json(&mapping, settings),
    };
    plan.map_err(|error| Error::invalid("mapping", error.to_string()))
}

/// The record's values by column, in the order of the file. None when it is broken JSON or no object. A row that is
/// too short has its missing cells blank, what a row has too much is joined to its last column.
pub fn values(raw: &str, columns: Option<&Columns>, plan: &Plan) -> Option<Vec<(String, String)>> {
    match columns {
        Some(columns) => csv_values(raw, columns.delimiter, plan),
        None => json_values(raw),
    }
}

fn csv_values(raw: &str, delimiter: u8, plan: &Plan) -> Option<Vec<(String, String)>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(raw.as_bytes());
    let row = reader.records().next()?.ok()?;
    let labels = plan.labels();
    let mut values: Vec<(String, String)> = labels
        .iter()
        .enumerate()
        .map(|(index, label)| (label.to_string(), row.get(index).unwrap_or_default().to_owned()))
        .collect();
    if let Some((_, last)) = values.last_mut() {
        for more in row.iter().skip(labels.len()).filter(|cell| !cell.is_empty()) {
            last.push(' ');
            last.push_str(more);
        }
    }
    Some(values)
}

pub(crate) fn json_values(raw: &str) -> Option<Vec<(String, String)>> {
    let Ok(Value::Object(object)) = serde_json::from_str(raw) else { return None };
    let mut values = Vec::new();
    flatten("", &Value::Object(object), &mut values);
    Some(values)
}

/// Leaves by dotted path. The parser has bounded the depth.
fn flatten(path: &str, value: &Value, values: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, values);
            }
        }
        Value::Null => values.push((path.to_owned(), String::new())),
        Value::String(text) => values.push((path.to_owned(), text.clone())),
        other => values.push((path.to_owned(), other.to_string())),
    }
}
