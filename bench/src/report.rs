//! The table: ours, the yardstick, their ratio, the aim.

use clap::ValueEnum;
use comfy_table::Table;
use serde::Serialize;

use crate::Outcome;

/// Characters in a line of the table; long notes are broken.
const TABLE_COLUMNS: u16 = 150;

/// How the report is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// One JSON array.
    Json,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// Ours is at most that.
    AtMost(f64),
    /// Ours is at least that.
    AtLeast(f64),
    /// The ratio is at most that.
    RatioAtMost(f64),
    /// The ratio is at least that.
    RatioAtLeast(f64),
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    measure: String,
    unit: &'static str,
    ours: f64,
    yardstick: Option<f64>,
    ratio: Option<f64>,
    aim: Option<Aim>,
    met: Option<bool>,
    note: String,
}

impl Line {
    /// A figure by itself.
    pub fn new(measure: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        let (yardstick, ratio, aim, met) = (None, None, None, None);
        Self { measure: measure.into(), unit, ours, yardstick, ratio, aim, met, note: String::new() }
    }

    /// Beside the yardstick.
    pub fn beside(mut self, yardstick: f64) -> Self {
        self.yardstick = Some(yardstick);
        self.ratio = Some(self.ours / yardstick);
        self
    }

    /// With what it has to be.
    pub fn aim(mut self, aim: Aim) -> Self {
        self.aim = Some(aim);
        self.met = match aim {
            Aim::AtMost(most) => Some(self.ours <= most),
            Aim::AtLeast(least) => Some(self.ours >= least),
            Aim::RatioAtMost(most) => self.ratio.map(|ratio| ratio <= most),
            Aim::RatioAtLeast(least) => self.ratio.map(|ratio| ratio >= least),
        };
        self
    }

    /// With what else is worth knowing.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// Prints the report.
pub fn print(lines: &[Line], output: Output) -> Outcome<()> {
    if output == Output::Json {
        println!("{}", serde_json::to_string_pretty(lines)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(TABLE_COLUMNS);
    table.set_header(["measure", "ours", "yardstick", "ratio", "aim", "met", "note"]);
    for line in lines {
        table.add_row([
            line.measure.clone(),
            format!("{} {}", figure(line.ours), line.unit),
            line.yardstick.map(figure).unwrap_or_default(),
            line.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            line.aim.map(aim).unwrap_or_default(),
            line.met.map(|met| if met { "yes" } else { "NO" }).unwrap_or_default().to_owned(),
            line.note.clone(),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn aim(aim: Aim) -> String {
    match aim {
        Aim::AtMost(most) => format!("≤ {}", figure(most)),
        Aim::AtLeast(least) => format!("≥ {}", figure(least)),
        Aim::RatioAtMost(most) => format!("ratio ≤ {most}"),
        Aim::RatioAtLeast(least) => format!("ratio ≥ {least}"),
    }
}

/// As many digits as matter.
fn figure(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
