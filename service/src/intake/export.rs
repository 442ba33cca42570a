//! Refused records as CSV: the raw columns as they came, then the reasons.
//!
//! A cell that a spreadsheet would take for a formula gets an apostrophe in front, so that opening
//! the export runs nothing (OWASP, "CSV Injection").

use std::borrow::Cow;

use domain::ids::{ImportId, SourceId};
use domain::lead::Issue;
use entity::failed_record;

use super::{failed, imports, listing, raw, sources};
use crate::app::App;
use crate::database::TenantTx;
use crate::error::Error;

/// Rows that are read at a time.
const ROWS_AT_ONCE: usize = 500;

/// The columns after the raw ones.
const REASON_COLUMNS: [&str; 6] =
    ["Baton record", "Baton line", "Baton state", "Baton codes", "Baton reasons", "Baton raw text"];

/// An export under way: a header, then rows until there are none.
pub struct FailedExport {
    import: ImportId,
    labels: Vec<String>,
    columns: Option<raw::Columns>,
    plan: domain::intake::Plan,
    after: Option<(i32, uuid::Uuid)>,
    begun: bool,
}

impl FailedExport {
    /// Prepares the export of the refused records of one import's file.
    pub async fn new(app: &App, tx: &TenantTx, import: ImportId) -> Result<Self, Error> {
        let row = imports::by_id(tx, import).await?;
        let source = sources::by_id(tx, SourceId(row.source_id)).await?;
        let columns = raw::Columns::of(row);
        let plan = raw::plan(&source, columns.as_ref(), &app.intake_settings())?;
        let labels = plan.labels().iter().map(ToString::to_string).collect();
        Ok(Self { import, labels, columns, plan, after: None, begun: false })
    }

    /// The next piece of the file, the header first; none when it is complete.
    pub async fn next(&mut self, tx: &TenantTx) -> Result<Option<Vec<u8>>, Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed_to_write = |error: csv::Error| Error::internal("writing an export", error);
        if !self.begun {
            let names = self.labels.iter().map(String::as_str).chain(REASON_COLUMNS);
            writer.write_record(names.map(|name| neutral(name).into_owned())).map_err(failed_to_write)?;
        }
        let rows = listing::failed_in_order(tx, self.import, self.after, ROWS_AT_ONCE).await?;
        if rows.is_empty() && self.begun {
            return Ok(None);
        }
        self.begun = true;
        for row in rows {
            writer.write_record(self.record(&row)?).map_err(failed_to_write)?;
            self.after = Some((row.record, row.id));
        }
        writer.into_inner().map(Some).map_err(|error| Error::internal("writing an export", error.to_string()))
    }

    fn record(&self, row: &failed_record::Model) -> Result<Vec<String>, Error> {
        let values = raw::values(&row.raw, self.columns.as_ref(), &self.plan).unwrap_or_default();
        let reasons = failed::reasons(row)?;
        let join = |pick: fn(&Issue) -> String| reasons.iter().map(pick).collect::<Vec<_>>().join("; ");
        let find = |label: &String| {
            values.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let mut cells: Vec<String> =
            self.labels.iter().map(|label| neutral(find(label)).into_owned()).collect();
        cells.extend([
            row.record.to_string(),
            row.line.to_string(),
            row.state.clone(),
            join(|reason| reason.code.to_string()),
            join(|reason| format!("{}: {}", reason.field, reason.message)),
            neutral(&row.raw).into_owned(),
        ]);
        Ok(cells)
    }
}

/// A cell that no spreadsheet takes for a formula.
pub fn neutral(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The whole export in one piece, for commands.
pub async fn failed_csv(app: &App, tx: &TenantTx, import: ImportId) -> Result<Vec<u8>, Error> {
    let mut export = FailedExport::new(app, tx, import).await?;
    let mut all = Vec::new();
    while let Some(piece) = export.next(tx).await? {
        all.extend(piece);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::neutral;

    #[test]
    fn formulas_are_neutralised_and_other_cells_left() {
        for (cell, safe) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1 303", "'+1 303"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\n=1", "'\n=1"),
            ("Ada", "Ada"),
            ("", ""),
        ] {
            assert_eq!(neutral(cell), safe);
        }
    }
}
