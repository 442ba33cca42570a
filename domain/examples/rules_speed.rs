//! How many records a second the rules take on one core: map, normalise, validate, fingerprint.
//!
//! `cargo run --release -p domain --example rules_speed -- [ROWS]` makes that many rows of each source in memory
//! (100,000 unless told), the same ones each time and as dirty as real ones, and prints one line of JSON. The cells are
//! already cut, as a CSV reader hands them over; reading the file is not a rule.

use std::hint::black_box;
use std::time::Instant;

use chrono::NaiveDate;
use domain::intake::{Cells, Plan, Regions, Scratch, Settings, SourceKind, Verdict};

/// A row as a CSV reader keeps it: one text, and where each cell ends.
struct Row {
    text: String,
    ends: Vec<u32>,
}

impl Row {
    fn new(cells: &[String]) -> Self {
        let mut row = Self { text: String::new(), ends: Vec::new() };
        for cell in cells {
            row.text.push_str(cell);
            row.ends.push(u32::try_from(row.text.len()).expect("a short row"));
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
        &self.text[start as usize..self.ends[index] as usize]
    }
}

/// Numbers that look random and are the same in each run (a linear congruential generator, Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).expect("a small index")]
    }

    fn phone(&mut self) -> String {
        let (area, line) = (self.pick(&["303", "720", "617", "970", "212", "406"]), self.below(10_000_000));
        let (exchange, line) = (200 + line % 800, line / 800 % 10_000);
        match self.below(20) {
            0 => format!("({area}) {exchange}-{line:04}"),
            1 => format!("1-{area}-{exchange}-{line:04}"),
            2 => format!("{area}{exchange}{line:04}.0"),
            3 => "0000000000".to_owned(),
            4 => format!("({area}) {exchange}-{line:04} x{}", line % 100),
            5 => "N/A".to_owned(),
            _ => format!("{area}{exchange}{line:04}"),
        }
    }

    fn name(&mut self) -> (&'static str, &'static str) {
        const FIRST: [&str; 9] =
            ["ALMA", "JOSÉ", "Mary Ann", "WILLIAM", "anne-marie", "LI", "ROBERT", "CHRISTOPHER", "KAREN"];
        const LAST: [&str; 10] = [
            "REYES",
            "MCDONALD",
            "O'BRIEN",
            "VAN DER BERG",
            "SMITH JR",
            "Garcia",
            "LEFEBVRE-O'NEIL",
            "JOHNSON",
            "NGUYEN",
            "WILLIAMS",
        ];
        (self.pick(&FIRST), self.pick(&LAST))
    }

    fn street(&mut self) -> &'static str {
        self.pick(&[
            "MAIN ST",
            "N PINE ST APT 4B",
            "Oak Avenue",
            "LAKE SHORE DRIVE EAST",
            "ELM STREET NORTHWEST",
            "MARTIN LUTHER KING BLVD",
            "WASHINGTON AVE UNIT 12",
        ])
    }

    fn money(&mut self) -> String {
        let amount = 50_000 + self.below(700_000);
        match self.below(10) {
            0 => format!("${},{:03}.55", amount / 1_000, amount % 1_000),
            1 => String::new(),
            2 => format!("{amount}.00"),
            _ => amount.to_string(),
        }
    }

    fn score(&mut self) -> String {
        if self.one_in(30) { "9002".to_owned() } else { (300 + self.below(551)).to_string() }
    }

    fn place(&mut self) -> [String; 3] {
        let city = self.pick(&["DENVER", "BOULDER", "CAMBRIDGE", "Fort Collins", "ST LOUIS"]);
        let state = self.pick(&["CO", "co ", "Colorado", "MA", "NY", "MT"]);
        let zip = self.pick(&["80202", "80202-1234", "2139", "02139", "80301", "10001.0"]);
        [city.to_owned(), state.to_owned(), zip.to_owned()]
    }
}

const EXPERIAN: [&str; 17] = [
    "First Name",
    "Middle Name",
    "Surname",
    "Primary Street ID (House number)",
    "Street Name/Apartment",
    "City",
    "State ",
    " Zip Code",
    "Telephone # 1",
    "Telephone # 2",
    "Telephone # 3",
    "FICO_V30A_PSCRN_SCORE_VALUE",
    "Total balance on open first mortgage trades reported in the last 3 months",
    "Estimated interest rate on open with balance first mortgage loans with the largest current balance reported in the last 6 months",
    "Telephone # 1",
    "Telephone # 2",
    "Telephone # 3",
];

const TRANSUNION: [&str; 13] = [
    "First_Name",
    "Last_Name",
    "Address",
    "City",
    "State",
    "Zipcode",
    "Phone_Number",
    "FICO04 Score",
    "Current Balance of Most Recent Mortgage",
    "Monthly Payment Amount of Most Recent Mortgage",
    "Open Date of Most Recent Mortgage",
    "Perm_ID",
    "Trigger_Date",
];

fn experian(numbers: &mut Numbers) -> Row {
    let (first, last) = numbers.name();
    let [city, state, zip] = numbers.place();
    let house = format!("{}{}", 1 + numbers.below(9_999), if numbers.one_in(20) { ".0" } else { "" });
    let first_group = if numbers.one_in(4) { numbers.phone() } else { String::new() };
    let second = if numbers.one_in(5) { numbers.phone() } else { String::new() };
    let rate = format!(
        "{}.{}{}",
        2 + numbers.below(6),
        numbers.below(1_000),
        if numbers.one_in(10) { "%" } else { "" }
    );
    Row::new(&[
        first.to_owned(),
        String::new(),
        last.to_owned(),
        house,
        numbers.street().to_owned(),
        city,
        state,
        zip,
        first_group,
        String::new(),
        String::new(),
        numbers.score(),
        numbers.money(),
        rate,
        numbers.phone(),
        second,
        String::new(),
    ])
}

fn transunion(numbers: &mut Numbers) -> Row {
    let (first, last) = numbers.name();
    let [city, state, zip] = numbers.place();
    let (year, month, day) = (2001 + numbers.below(25), 1 + numbers.below(12), 1 + numbers.below(28));
    let opened = match numbers.below(8) {
        0 => format!("{month:02}/{day:02}/{year}"),
        1 => "43539".to_owned(),
        2 => "Mar-19".to_owned(),
        _ => format!("{year}-{month:02}-{day:02}"),
    };
    Row::new(&[
        first.to_owned(),
        last.to_owned(),
        format!("{} {}", 1 + numbers.below(9_999), numbers.street()),
        city,
        state,
        zip,
        numbers.phone(),
        numbers.score(),
        numbers.money(),
        numbers.money(),
        opened,
        format!("TU{}", numbers.below(100_000_000)),
        "2026-11-02".to_owned(),
    ])
}

/// Records a second, and how many of them were accepted.
///
/// The rows are read many times in short stretches, and the best time of each stretch counts: what the code needs, not
/// what else the machine does.
fn measure(plan: &Plan, rows: &[Row]) -> (f64, usize) {
    const PASSES: usize = 15;
    const STRETCH: usize = 500;
    let mut scratch = Scratch::default();
    let mut best = vec![f64::INFINITY; rows.len().div_ceil(STRETCH)];
    let mut accepted = 0;
    for _ in 0..PASSES {
        accepted = 0;
        for (stretch, best) in rows.chunks(STRETCH).zip(&mut best) {
            let start = Instant::now();
            for row in stretch {
                let verdict = black_box(plan.read_cells(row, &mut scratch));
                accepted += usize::from(matches!(verdict, Verdict::Accept { .. }));
            }
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of rows is far below 2^52")]
    let speed = rows.len() as f64 / best.iter().sum::<f64>();
    (speed, accepted)
}

fn main() {
    let count: usize =
        std::env::args().nth(1).map_or(100_000, |text| text.parse().expect("a number of rows"));
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    let settings = Settings { today, phone_regions: Regions::default() };
    let plan = |kind: SourceKind, header: &[&str]| {
        let mapping = kind.mapping().expect("a built-in mapping");
        Plan::for_columns(&mapping, header, &settings).expect("a plan")
    };
    let mut numbers = Numbers(20_261_120);
    let rows: Vec<Row> = (0..count).map(|_| experian(&mut numbers)).collect();
    let (experian_speed, experian_accepted) = measure(&plan(SourceKind::Experian, &EXPERIAN), &rows);
    let rows: Vec<Row> = (0..count).map(|_| transunion(&mut numbers)).collect();
    let (transunion_speed, transunion_accepted) = measure(&plan(SourceKind::TransUnion, &TRANSUNION), &rows);
    // Half of each: the time is the mean, so the speed is the harmonic one.
    let both = 2.0 / (1.0 / experian_speed + 1.0 / transunion_speed);
    println!(
        "{{\"rules_records_per_second\":{both:.0},\"experian\":{experian_speed:.0},\"transunion\":{transunion_speed:.0},\
         \"rows_of_each\":{count},\"experian_accepted\":{experian_accepted},\"transunion_accepted\":{transunion_accepted}}}"
    );
}
