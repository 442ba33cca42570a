//! A report as a workbook: a sheet that sums up, then lines, a million a sheet.
//!
//! Lines are written in constant memory: each row goes to a temporary file as it is complete. Text is never written as a formula.

use std::io::{self, Write};

use domain::billing::Totals;
use rust_xlsxwriter::{DocProperties, Format, Workbook, Worksheet, XlsxError};

use super::Head;
use crate::billing::rating::Line;

/// Rows of one sheet of lines; the format's own limit is 1,048,576.
const LINES_A_SHEET: u32 = 1_000_000;
const LINE_COLUMNS: [(&str, f64); 13] = [
    ("Line", 8.0),
    ("E-mail", 32.0),
    ("Product", 14.0),
    ("Lead type", 18.0),
    ("Action", 18.0),
    ("Level", 10.0),
    ("Occurred (UTC)", 21.0),
    ("Amount", 11.0),
    ("Billed", 11.0),
    ("Over the cap", 12.0),
    ("Status", 13.0),
    ("Reason", 26.0),
    ("Own period", 12.0),
];

pub(super) fn write(head: &Head, lines: impl Iterator<Item = Line>, out: impl Write) -> io::Result<()> {
    workbook(head, lines)
        .and_then(|mut book| {
            // The writer has to seek; what is made here is bounded by the sheets' compressed size.
            let file = tempfile::tempfile()?;
            book.save_to_writer(&file)?;
            Ok(file)
        })
        .map_err(io::Error::other)
        .and_then(|file| copy(file, out))
}

fn copy(mut file: std::fs::File, mut out: impl Write) -> io::Result<()> {
    use std::io::Seek as _;
    file.rewind()?;
    io::copy(&mut file, &mut out)?;
    out.flush()
}

/// How cells look.
struct Styles {
    title: Format,
    bold: Format,
    header: Format,
    money: Format,
    strong: Format,
}

fn workbook(head: &Head, lines: impl Iterator<Item = Line>) -> Result<Workbook, XlsxError> {
    let digits = head.currency.digits() as usize;
    let pattern = if digits == 0 { "#,##0".to_owned() } else { format!("#,##0.{}", "0".repeat(digits)) };
    let styles = Styles {
        title: Format::new().set_bold().set_font_size(16),
        bold: Format::new().set_bold(),
        header: Format::new()
            .set_bold()
            .set_background_color(0x00E8_EEF0)
            .set_border_bottom(rust_xlsxwriter::FormatBorder::Thin),
        money: Format::new().set_num_format(&pattern),
        strong: Format::new().set_bold().set_num_format(&pattern),
    };
    let mut book = Workbook::new();
    // The time of the close and not of the making: the same report gives the same bytes.
    book.set_properties(&DocProperties::new().set_title(title(head)).set_creation_datetime(&head.closed_at));
    summary(head, &styles, book.add_worksheet())?;
    let mut lines = lines.peekable();
    let mut number = 1;
    loop {
        let sheet = book.add_worksheet_with_constant_memory()?;
        sheet.set_name(if number == 1 { "Lines".to_owned() } else { format!("Lines {number}") })?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, (name, width)) in (0..).zip(LINE_COLUMNS) {
            sheet.set_column_width(column, width)?;
            sheet.write_with_format(0, column, name, &styles.header)?;
        }
        for row in 1..=LINES_A_SHEET {
            let Some(line) = lines.next() else { break };
            write_line(head, &styles, sheet, row, &line)?;
        }
        number += 1;
        if lines.peek().is_none() {
            return Ok(book);
        }
    }
}

fn title(head: &Head) -> String {
    format!("Billing report {} · {} · version {}", head.partner_name, head.period, head.version)
}

/// A spreadsheet's numbers are binary floating point; the exact ones are in every other format.
fn amount(head: &Head, minor_units: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53 minor units")]
    let units = minor_units as f64;
    units / 10_f64.powi(i32::try_from(head.currency.digits()).unwrap_or(2))
}

fn summary(head: &Head, styles: &Styles, sheet: &mut Worksheet) -> Result<(), XlsxError> {
    sheet.set_name("Summary")?;
    sheet.set_column_width(0, 30.0)?;
    for column in 1..8 {
        sheet.set_column_width(column, 15.0)?;
    }
    sheet.write_with_format(0, 0, title(head), &styles.title)?;
    let facts = [
        ("Issued by", head.tenant_name.clone()),
        ("Partner", head.partner_name.clone()),
        (
            "Period",
            format!(
                "{} to {} ({})",
                head.period.start,
                head.period.end.pred_opt().unwrap_or(head.period.end),
                head.time_zone
            ),
        ),
        ("Rate plan", head.plan.clone()),
        ("Currency", head.currency.to_string()),
        ("Closed", head.closed_at.format("%Y-%m-%d %H:%M UTC").to_string()),
        ("Lines", head.line_count.to_string()),
        ("SHA-256 of the CSV", head.line_hash.clone()),
    ];
    let mut row = 2;
    for (name, value) in facts {
        sheet.write_with_format(row, 0, name, &styles.bold)?;
        sheet.write(row, 1, value)?;
        row += 1;
    }
    row += 1;
    let totals = head.figures.totals;
    for (name, value, strong) in [
        ("Gross", totals.gross, false),
        ("Duplicates", -totals.duplicates, false),
        ("Over the cap", -totals.over_cap, false),
        ("Not billable", -totals.not_billable, false),
        ("Billed", totals.billed, true),
        ("of which adjustments", head.figures.adjustments.billed, false),
    ] {
        sheet.write_with_format(row, 0, name, &styles.bold)?;
        let format = if strong { &styles.strong } else { &styles.money };
        sheet.write_with_format(row, 1, amount(head, value), format)?;
        row += 1;
    }
    for sentence in head.savings_explained() {
        sheet.write(row, 0, sentence)?;
        row += 1;
    }
    let products = head.figures.products.iter().map(|one| {
        (format!("{} {}", one.slug, if one.name == one.slug { "" } else { &one.name }), one.totals)
    });
    row = groups(head, styles, sheet, row + 1, "Product", products)?;
    let lead_types = head.figures.lead_types.iter().map(|one| (one.name.clone(), one.totals));
    groups(head, styles, sheet, row + 1, "Lead type", lead_types)?;
    Ok(())
}

fn groups(
    head: &Head,
    styles: &Styles,
    sheet: &mut Worksheet,
    start: u32,
    name: &str,
    groups: impl Iterator<Item = (String, Totals)>,
) -> Result<u32, XlsxError> {
    for (column, title) in
        (0..).zip([name, "Actions", "Gross", "Duplicates", "Over the cap", "Not billable", "Billed"])
    {
        sheet.write_with_format(start, column, title, &styles.header)?;
    }
    let mut row = start + 1;
    for (name, totals) in groups {
        sheet.write(row, 0, name.trim_end())?;
        sheet.write(row, 1, totals.actions)?;
        let amounts = [totals.gross, totals.duplicates, totals.over_cap, totals.not_billable, totals.billed];
        for (column, value) in (2..).zip(amounts) {
            sheet.write_with_format(row, column, amount(head, value), &styles.money)?;
        }
        row += 1;
    }
    Ok(row)
}

fn write_line(
    head: &Head,
    styles: &Styles,
    sheet: &mut Worksheet,
    row: u32,
    line: &Line,
) -> Result<(), XlsxError> {
    sheet.write(row, 0, line.line)?;
    let texts = [&line.email, &line.product, &line.lead_type, &line.action_type, &line.level];
    for (column, text) in (1..).zip(texts) {
        sheet.write_string(row, column, text)?;
    }
    sheet.write_string(row, 6, line.occurred_at.format("%Y-%m-%d %H:%M:%S").to_string())?;
    for (column, value) in (7..).zip([line.price, line.billed, line.over_cap]) {
        sheet.write_number_with_format(row, column, amount(head, value), &styles.money)?;
    }
    sheet.write_string(row, 10, &line.fate)?;
    if let Some(reason) = &line.reason {
        sheet.write_string(row, 11, reason)?;
    }
    if let Some(period) = &line.own_period {
        sheet.write_string(row, 12, period)?;
    }
    Ok(())
}
