//! The raw text of a refused record, taken apart again: for the correction form and for the export.

use domain::intake::{Plan, Settings};
use entity::{import, lead_source};

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

/// The record's values by column, in the order of the file; of JSON as [`Plan::cells_of`] gives them. None when that is refused as
/// a whole. A row that is too short has its missing cells blank, what a row has too much is joined to its last column.
pub fn values(raw: &str, columns: Option<&Columns>, plan: &Plan) -> Option<Vec<(String, String)>> {
    match columns {
        Some(columns) => csv_values(raw, columns.delimiter, plan),
        None => plan.cells_of(raw),
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
