//! Rows as two credit bureaus send them, made up: the same ones each time and as dirty as real ones.
//!
//! Of a hundred rows, eight repeat a lead that came before (half of them word for word), four cannot be accepted (no
//! usable phone, or cells missing), ten carry something that is accepted with a warning. A row depends on its number
//! alone.

use std::path::Path;

use crate::Outcome;

/// Numbers that look random and are the same in each run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn percent(&mut self, chances: u64) -> bool {
        self.below(100) < chances
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[usize::try_from(self.below(of.len() as u64)).expect("a small index")]
    }
}

/// Whose file it is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 17 columns, three of them twice; no id.
    Experian,
    /// 13 columns with an id.
    TransUnion,
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

impl Form {
    /// The kind of lead source.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Experian => "experian",
            Self::TransUnion => "transunion",
        }
    }

    /// The column names.
    pub fn header(self) -> &'static [&'static str] {
        match self {
            Self::Experian => &EXPERIAN,
            Self::TransUnion => &TRANSUNION,
        }
    }

    /// The cells of that row.
    pub fn row(self, number: u64) -> Vec<String> {
        let mut numbers = Numbers(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        if number == 0 || !is_repeat(&mut numbers) {
            return self.lead(number);
        }
        let mut first = numbers.below(number);
        while first > 0 && is_repeat(&mut Numbers(first.wrapping_mul(0x2545_f491_4f6c_dd1d))) {
            first -= 1;
        }
        let mut row = self.lead(first);
        if numbers.percent(50) {
            // The same person, with a newer score: the phone says who it is.
            let score = if self == Self::Experian { 11 } else { 7 };
            if let Some(cell) = row.get_mut(score) {
                *cell = (300 + numbers.below(551)).to_string();
            }
        }
        row
    }

    fn lead(self, number: u64) -> Vec<String> {
        let mut numbers = Numbers(number.wrapping_mul(0x9e6c_63d0_876a_68ef) ^ 0x5851_f42d_4c95_7f2d);
        let mut row = match self {
            Self::Experian => experian(number, &mut numbers),
            Self::TransUnion => transunion(number, &mut numbers),
        };
        if numbers.percent(1) {
            row.truncate(row.len() - 2);
        }
        row
    }

    /// Writes a file of that many rows.
    pub fn write(self, path: &Path, rows: u32) -> Outcome<()> {
        let mut file = csv::WriterBuilder::new().flexible(true).from_path(path)?;
        file.write_record(self.header())?;
        for number in 0..u64::from(rows) {
            file.write_record(self.row(number))?;
        }
        file.flush()?;
        Ok(())
    }
}

fn is_repeat(numbers: &mut Numbers) -> bool {
    numbers.percent(8)
}

/// A number of the North American plan that no other row has, in one of the forms that files have it.
fn phone(number: u64, numbers: &mut Numbers) -> String {
    const AREAS: [u64; 8] = [303, 720, 617, 970, 212, 406, 415, 702];
    const EXCHANGES: u64 = 600;
    let place = number.wrapping_mul(982_451_653) % (8 * EXCHANGES * 10_000);
    let area = AREAS[usize::try_from(place % 8).expect("a small index")];
    // 220 to 999 without those that end in 11 and without 555, which is reserved.
    let exchange = match 220 + place / 8 % EXCHANGES {
        555 => 820,
        exchange if exchange % 100 == 11 => 821 + exchange / 100,
        exchange => exchange,
    };
    let line = place / 8 / EXCHANGES;
    match numbers.below(20) {
        0 | 1 => format!("({area}) {exchange}-{line:04}"),
        2 => format!("1-{area}-{exchange}-{line:04}"),
        3 => format!("{area}{exchange}{line:04}.0"),
        4 => format!("({area}) {exchange}-{line:04} x{}", 1 + line % 99),
        _ => format!("{area}{exchange}{line:04}"),
    }
}

/// The phone of a row; three in a hundred have none that can be used.
fn main_phone(number: u64, numbers: &mut Numbers) -> String {
    if numbers.percent(3) {
        numbers.pick(&["0000000000", "N/A", "", "123"]).to_owned()
    } else {
        phone(number, numbers)
    }
}

fn name(numbers: &mut Numbers) -> [String; 2] {
    const FIRST: [&str; 9] =
        ["ALMA", "JOSÉ", "Mary Ann", "WILLIAM", "anne-marie", "LI", "ROBERT", "CHRISTOPHER", "KAREN"];
    const LAST: [&str; 8] =
        ["REYES", "MCDONALD", "O'BRIEN", "VAN DER BERG", "SMITH JR", "Garcia", "NGUYEN", "LEFEBVRE-O'NEIL"];
    [numbers.pick(&FIRST).to_owned(), numbers.pick(&LAST).to_owned()]
}

fn street(numbers: &mut Numbers) -> &'static str {
    numbers.pick(&[
        "MAIN ST",
        "N PINE ST APT 4B",
        "Oak Avenue",
        "LAKE SHORE DRIVE EAST",
        "WASHINGTON AVE UNIT 12",
    ])
}

fn place(numbers: &mut Numbers) -> [String; 3] {
    let city = numbers.pick(&["DENVER", "BOULDER", "CAMBRIDGE", "Fort Collins", "ST LOUIS"]);
    let state = numbers.pick(&["CO", "CO", "co ", "Colorado", "MA", "NY"]);
    // A leading zero that a spreadsheet has eaten is accepted with a warning.
    let zip = if numbers.percent(5) {
        "2139"
    } else {
        numbers.pick(&["80202", "80202-1234", "02139", "80301", "10001.0"])
    };
    [city.to_owned(), state.to_owned(), zip.to_owned()]
}

fn money(numbers: &mut Numbers) -> String {
    let amount = 50_000 + numbers.below(700_000);
    match numbers.below(10) {
        0 => format!("${},{:03}.55", amount / 1_000, amount % 1_000),
        1 => String::new(),
        2 => format!("{amount}.00"),
        _ => amount.to_string(),
    }
}

/// Five in a hundred are codes that say why there is no score, accepted with a warning.
fn score(numbers: &mut Numbers) -> String {
    if numbers.percent(5) { "9002".to_owned() } else { (300 + numbers.below(551)).to_string() }
}

fn experian(number: u64, numbers: &mut Numbers) -> Vec<String> {
    let [first, last] = name(numbers);
    let [city, state, zip] = place(numbers);
    let house = format!("{}{}", 1 + numbers.below(9_999), if numbers.percent(5) { ".0" } else { "" });
    let second = if numbers.percent(20) { phone(number + 19_000_000, numbers) } else { String::new() };
    let rate = format!("{}.{}", 2 + numbers.below(6), numbers.below(1_000));
    let main = main_phone(number, numbers);
    let usable = main.len() >= 10 && !main.starts_with('0');
    vec![
        first,
        String::new(),
        last,
        house,
        street(numbers).to_owned(),
        city,
        state,
        zip,
        String::new(),
        String::new(),
        String::new(),
        score(numbers),
        money(numbers),
        rate,
        main,
        if usable { second } else { String::new() },
        String::new(),
    ]
}

fn transunion(number: u64, numbers: &mut Numbers) -> Vec<String> {
    let [first, last] = name(numbers);
    let [city, state, zip] = place(numbers);
    let (year, month, day) = (2001 + numbers.below(25), 1 + numbers.below(12), 1 + numbers.below(28));
    let opened = match numbers.below(8) {
        0 => format!("{month:02}/{day:02}/{year}"),
        1 => "43539".to_owned(),
        _ => format!("{year}-{month:02}-{day:02}"),
    };
    vec![
        first,
        last,
        format!("{} {}", 1 + numbers.below(9_999), street(numbers)),
        city,
        state,
        zip,
        main_phone(number, numbers),
        score(numbers),
        money(numbers),
        money(numbers),
        opened,
        format!("TU{number:09}"),
        "2026-11-02".to_owned(),
    ]
}
