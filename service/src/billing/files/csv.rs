//! Lines as CSV. Its bytes are what a closed report's hash is of.

use std::io::{self, Write};

use chrono::SecondsFormat;
use domain::billing::Currency;

use super::Head;
use crate::billing::rating::Line;
use crate::intake::export::neutral;

const COLUMNS: [&str; 16] = [
    "line",
    "email",
    "product",
    "lead_type",
    "action_type",
    "level",
    "occurred_at",
    "amount",
    "billed",
    "duplicate",
    "over_cap",
    "status",
    "reason",
    "duplicate_of",
    "own_period",
    "action",
];

/// Writes lines as CSV.
pub struct LineCsv<W: Write> {
    writer: ::csv::Writer<W>,
    currency: Currency,
}

impl<W: Write> LineCsv<W> {
    /// Begins with the header.
    pub fn begin(out: W, currency: Currency) -> io::Result<Self> {
        let mut writer = ::csv::Writer::from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer, currency })
    }

    /// Writes one line. Text that a spreadsheet would take for a formula is neutralised.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        let money = |amount| self.currency.show(amount);
        let duplicate = line.duplicate_of.map(|action| action.to_string());
        self.writer.write_record([
            line.line.to_string().as_str(),
            &neutral(&line.email),
            &neutral(&line.product),
            &neutral(&line.lead_type),
            &neutral(&line.action_type),
            &neutral(&line.level),
            &line.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            &money(line.price),
            &money(line.billed),
            if duplicate.is_some() { "yes" } else { "no" },
            &money(line.over_cap),
            &line.fate,
            &neutral(line.reason.as_deref().unwrap_or_default()),
            duplicate.as_deref().unwrap_or_default(),
            line.own_period.as_deref().unwrap_or_default(),
            &line.action.to_string(),
        ])?;
        Ok(())
    }

    /// Ends, and gives back where it went.
    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

pub(super) fn write(head: &Head, lines: impl Iterator<Item = Line>, out: impl Write) -> io::Result<()> {
    let mut csv = LineCsv::begin(out, head.currency)?;
    for line in lines {
        csv.write(&line)?;
    }
    csv.finish()?.flush()
}
