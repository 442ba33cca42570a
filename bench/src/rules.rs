//! The rules alone: map, normalise, validate, fingerprint, on one core.
//!
//! The cells are already cut, as the file's reader hands them over; reading the file is no rule.

use std::hint::black_box;
use std::time::Instant;

use chrono::NaiveDate;
use domain::intake::{Cells, Plan, Regions, Scratch, Settings, SourceKind, Verdict};

use crate::Size;
use crate::data::Form;
use crate::report::{Aim, Line};

/// A row as the file's reader keeps it: one text, and where each cell ends.
struct Row {
    text: String,
    ends: Vec<usize>,
}

impl Row {
    fn new(cells: &[String]) -> Self {
        let mut row = Self { text: String::new(), ends: Vec::with_capacity(cells.len()) };
        for cell in cells {
            row.text.push_str(cell);
            row.ends.push(row.text.len());
        }
        row
    }
}

impl Cells for Row {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn cell(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }
}

/// Half of the records of each form; the time is the mean of both, so the speed is the harmonic one.
pub fn measure(size: Size) -> Vec<Line> {
    eprintln!("rules: reading records");
    let rows = size.of(100_000);
    let (experian, transunion) = (speed(Form::Experian, rows), speed(Form::TransUnion, rows));
    let both = 2.0 / (1.0 / experian + 1.0 / transunion);
    let note = format!("Experian {experian:.0}, TransUnion {transunion:.0}; best of 10 passes, one core");
    vec![Line::new("rules alone", "records/s", both).aim(Aim::AtLeast(500_000.0)).note(note)]
}

/// Records a second. The rows are read many times in short stretches, and the best time of each stretch counts: what
/// the code needs, not what else the machine does.
fn speed(form: Form, count: u32) -> f64 {
    const PASSES: usize = 10;
    const STRETCH: usize = 500;
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    let settings = Settings { today, phone_regions: Regions::default() };
    let kind: SourceKind = form.kind().parse().expect("a kind");
    let mapping = kind.mapping().expect("a built-in mapping");
    let plan = Plan::for_columns(&mapping, form.header(), &settings).expect("a plan");
    let rows: Vec<Row> = (0..u64::from(count)).map(|number| Row::new(&form.row(number))).collect();
    let mut scratch = Scratch::default();
    let mut best = vec![f64::INFINITY; rows.len().div_ceil(STRETCH)];
    for _ in 0..PASSES {
        for (stretch, best) in rows.chunks(STRETCH).zip(&mut best) {
            let started = Instant::now();
            for row in stretch {
                // Kept until here, so that freeing what was read counts too.
                let verdict: Verdict = black_box(plan.read_cells(row, &mut scratch));
                drop(verdict);
            }
            *best = best.min(started.elapsed().as_secs_f64());
        }
    }
    f64::from(count) / best.iter().sum::<f64>()
}
