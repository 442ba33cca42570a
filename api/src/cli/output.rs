//! Results: a table for people, JSON or CSV for programs.

use std::io::{self, Write as _};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;
use service::billing::files::Format;

use super::Failure;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// For people.
    Table,
    /// One JSON value.
    Json,
    /// Comma-separated, with a header; cells that a spreadsheet would run are neutralised.
    Csv,
}

/// What `--output` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Written {
    /// For people.
    Table,
    /// One JSON value.
    Json,
    /// Comma-separated, with a header; cells that a spreadsheet would run are neutralised.
    Csv,
    /// A closed report's workbook; of `billing report` alone.
    Xlsx,
    /// A closed report as a document; of `billing report` alone.
    Pdf,
}

impl Written {
    /// How results are written; messages are for people where the result is a file.
    pub(crate) fn style(self) -> Style {
        match self {
            Self::Json => Style::Json,
            Self::Csv => Style::Csv,
            Self::Table | Self::Xlsx | Self::Pdf => Style::Table,
        }
    }

    /// The report's file that is asked for.
    pub(crate) fn file(self) -> Option<Format> {
        match self {
            Self::Xlsx => Some(Format::Xlsx),
            Self::Pdf => Some(Format::Pdf),
            Self::Table | Self::Json | Self::Csv => None,
        }
    }
}

/// A kind of result.
pub(crate) trait Row: Serialize {
    /// The fields that a table and a CSV show, in order. JSON shows all.
    const COLUMNS: &'static [&'static str];
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    written: Written,
}

impl Output {
    pub(crate) fn new(written: Written) -> Self {
        Self { written }
    }

    pub(crate) fn style(self) -> Style {
        self.written.style()
    }

    /// The file that is to be written in place of the result.
    pub(crate) fn file(self) -> Option<Format> {
        self.written.file()
    }

    /// A text that is a result as it stands.
    pub(crate) fn text(text: &str) -> Result<(), Failure> {
        write(text.as_bytes())
    }

    /// A list of results.
    pub(crate) fn list<T: Row>(self, rows: &[T]) -> Result<(), Failure> {
        match self.style() {
            Style::Json => Output::json(rows),
            Style::Table if rows.is_empty() => {
                Output::note("There is nothing to show.");
                Ok(())
            }
            Style::Table => write(format!("{}\n", table(rows)?).as_bytes()),
            Style::Csv => csv(rows),
        }
    }

    /// A single result: in a table its fields stand below each other.
    pub(crate) fn one<T: Row>(self, row: &T) -> Result<(), Failure> {
        match self.style() {
            Style::Json => Output::json(row),
            Style::Csv => csv(std::slice::from_ref(row)),
            Style::Table => {
                let cells = cells(row)?;
                let mut table = Table::new();
                table.load_style(presets::NOTHING);
                for (name, cell) in T::COLUMNS.iter().zip(cells) {
                    table.add_row([(*name).to_owned(), clean(&text(&cell))]);
                }
                write(format!("{}\n", trimmed(&table)).as_bytes())
            }
        }
    }

    /// Any value as JSON, whatever the style.
    pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
        let mut text =
            serde_json::to_string_pretty(value).map_err(|error| Failure::failed("writing JSON", error))?;
        text.push('\n');
        write(text.as_bytes())
    }

    /// Bytes that are a file of their own.
    pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
        write(bytes)
    }

    /// A sentence for the person, beside the result.
    pub(crate) fn note(sentence: &str) {
        // Nobody is left to be told when standard error is closed.
        let _ = writeln!(io::stderr(), "{sentence}");
    }
}

fn cells<T: Row>(row: &T) -> Result<Vec<Value>, Failure> {
    let value = serde_json::to_value(row).map_err(|error| Failure::failed("writing a result", error))?;
    Ok(T::COLUMNS.iter().map(|column| value.get(column).cloned().unwrap_or(Value::Null)).collect())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Data from outside must not steer the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|one| if one.is_control() && one != '\n' { '\u{fffd}' } else { one }).collect()
}

/// The rows as a table.
pub(crate) fn table<T: Row>(rows: &[T]) -> Result<String, Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(T::COLUMNS.iter().map(|column| column.to_uppercase().replace('_', " ")));
    let mut numeric = vec![!rows.is_empty(); T::COLUMNS.len()];
    for row in rows {
        let cells = cells(row)?;
        for (numeric, cell) in numeric.iter_mut().zip(&cells) {
            *numeric &= cell.is_number();
        }
        table.add_row(cells.iter().map(|cell| clean(&text(cell))));
    }
    for (index, numeric) in numeric.into_iter().enumerate() {
        if let Some(column) = table.column_mut(index).filter(|_| numeric) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    Ok(trimmed(&table))
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn csv<T: Row>(rows: &[T]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::failed("writing CSV", error);
    writer.write_record(T::COLUMNS).map_err(failed)?;
    for row in rows {
        let cells = cells(row)?.into_iter().map(|cell| match &cell {
            Value::String(_) | Value::Array(_) => service::intake::export::neutral(&text(&cell)).into_owned(),
            _ => text(&cell),
        });
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::failed("writing CSV", error.to_string()))?;
    write(&bytes)
}

/// A reader that has seen enough (`| head`) is no failure.
fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::failed("writing the result", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample {
        name: &'static str,
        count: u32,
        hidden: bool,
    }

    impl Row for Sample {
        const COLUMNS: &'static [&'static str] = &["name", "count"];
    }

    #[test]
    fn a_table_aligns_numbers_and_lets_nothing_steer_the_terminal() {
        let rows = [
            Sample { name: "short", count: 7, hidden: true },
            Sample { name: "red \u{1b}[31m", count: 1234, hidden: false },
        ];
        let table = table(&rows).expect("a table");
        let lines: Vec<_> = table.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(lines[0].starts_with("NAME") && lines[0].ends_with("COUNT"), "{table}");
        assert!(lines[1].ends_with("   7") && lines[2].ends_with("1234"), "{table}");
        assert!(!table.contains('\u{1b}') && !table.contains("true"), "{table}");
    }
}
