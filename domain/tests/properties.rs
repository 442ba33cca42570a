//! What holds for every input, and not only for the examples.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use compact_str::CompactString;
use domain::intake::rules::{address, boolean, credit, date, email, name, number, phone, state, text, zip};
use domain::intake::{
    Plan, Regions, Scratch, Settings, SourceKind, Verdict, details_from_json, difference, fingerprint,
    write_details_json, write_extra_json, write_warnings_json,
};
use domain::lead::Lead;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn settings() -> Settings {
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    Settings { today, phone_regions: Regions::from_codes(&["US", "FR"]).expect("regions") }
}

/// Text as cells have it: random characters, or pieces that mean something to a rule in any order.
fn cell() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "303",
        "555",
        "0101",
        "3035550101",
        "+1",
        "+33 6 12 34 56 78",
        "x12",
        "ext",
        "(",
        ")",
        "-",
        ".",
        ".0",
        "/",
        ";",
        ",",
        "|",
        " ",
        "  ",
        "\n",
        "\u{a0}",
        "\u{200b}",
        "\0",
        "é",
        "ß",
        "İ",
        "ﬁ",
        "O’",
        "O'",
        "MC",
        "mc",
        "DONALD",
        "VAN",
        "der",
        "JR",
        "III",
        "N",
        "NORTH",
        "st",
        "STREET",
        "AVENUE",
        "APT",
        "#",
        "P.O.",
        "PO",
        "BOX",
        "4B",
        "22ND",
        "jane",
        "@",
        "example",
        "com",
        "dot",
        "at",
        "$",
        "%",
        "K",
        "m",
        "USD",
        "250,000",
        "0.8",
        "0",
        "1",
        "9",
        "19",
        "2019",
        "03",
        "15",
        "Mar",
        "T00:00",
        "80202",
        "1234",
        "co",
        "New",
        "York",
        "yes",
        "No",
        "=",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ":",
        "null",
        "\u{1F600}",
        "E+09",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
        1 => "[ -~]{0,24}",
    ]
}

/// A value that the rule gives is its own fixed point.
macro_rules! fixed_point {
    ($rule:expr, $text:expr) => {{
        let once = $rule(&$text);
        prop_assert_eq!($rule(&once), once.clone(), "{:?}", $text);
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn a_normalised_text_stays(text in cell()) {
        fixed_point!(text::tidy, text);
        fixed_point!(text::upper, text);
        fixed_point!(text::lower, text);
        fixed_point!(name::person, text);
        fixed_point!(name::city, text);
        fixed_point!(address::address, text);
        let (first, last) = name::full(&text);
        let joined = format!("{first} {last}");
        prop_assert_eq!(name::full(&joined), (first, last));
    }

    #[test]
    fn tidy_text_has_no_blank_but_single_spaces(text in cell()) {
        let tidy = text::tidy(&text);
        prop_assert!(!tidy.starts_with(' ') && !tidy.ends_with(' ') && !tidy.contains("  "));
        prop_assert!(tidy.chars().all(|character| character == ' ' || !text::is_blank(character)));
        let kept = |text: &str| text.chars().filter(|character| !text::is_blank(*character)).collect::<String>();
        prop_assert_eq!(kept(&tidy), kept(&text));
    }

    #[test]
    fn a_phone_is_a_number_of_its_region_and_stays(text in cell()) {
        let regions = settings().phone_regions;
        for part in phone::split(&text) {
            let Ok(found) = phone::normalise(part, &regions) else { continue };
            let digits = found.number.as_bytes();
            if let Some(national) = digits.strip_prefix(b"+1") {
                prop_assert_eq!(national.len(), 10);
                prop_assert!(national.iter().all(u8::is_ascii_digit));
                prop_assert!((b'2'..=b'9').contains(&national[0]) && (b'2'..=b'9').contains(&national[3]));
                prop_assert!(&national[1..3] != b"11" && &national[..3] != b"555");
            } else {
                prop_assert!(digits.starts_with(b"+33"));
            }
            // No digit is invented: each one of the number stands in the text, in this order.
            let given: String = part.chars().filter(char::is_ascii_digit).collect();
            prop_assert!(given.contains(&found.number[3..]), "{part:?} {found:?}");
            let again = phone::normalise(&found.number, &regions).expect("a normalised number");
            prop_assert_eq!(again.number, found.number);
        }
    }

    #[test]
    fn every_number_of_the_plan_is_read_in_every_form(area in 200_u32..1000, exchange in 200_u32..1000, line in 0_u32..10_000) {
        prop_assume!(area != 555 && area % 100 != 11);
        let wanted = format!("+1{area}{exchange}{line:04}");
        prop_assume!(wanted[2..].bytes().any(|digit| digit != wanted.as_bytes()[2]));
        for form in [
            format!("{area}{exchange}{line:04}"), format!("({area}) {exchange}-{line:04}"), format!("1{area}{exchange}{line:04}.0"),
            format!("+1 {area}.{exchange}.{line:04}"), format!("{area}-{exchange}-{line:04} x5"),
        ] {
            let found = phone::normalise(&form, &Regions::default()).map(|phone| phone.number);
            prop_assert_eq!(found.as_deref(), Ok(wanted.as_str()), "{}", form);
        }
    }

    #[test]
    fn an_email_is_one_address_and_stays(text in cell()) {
        for part in email::split(&text) {
            for found in [email::normalise(part), email::normalise_spoken(part)].into_iter().flatten() {
                prop_assert_eq!(found.matches('@').count(), 1);
                prop_assert!(found.is_ascii() && !found.contains(' ') && found.len() <= 254);
                prop_assert_eq!(email::normalise(&found), Ok(found.clone()));
                prop_assert_eq!(email::normalise_spoken(&found), Ok(found.clone()));
            }
        }
    }

    #[test]
    fn a_code_stays(text in cell()) {
        if let Ok(Some(found)) = state::state(&text) {
            prop_assert_eq!(found.len(), 2);
            prop_assert_eq!(state::state(&found), Ok(Some(found.clone())));
        }
        if let Ok(Some(found)) = zip::zip(&text) {
            prop_assert!(found.five.len() == 5 && found.five.bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert!(found.four.iter().all(|four| four.len() == 4));
            let written = match &found.four {
                Some(four) => format!("{}-{four}", found.five),
                None => found.five.to_string(),
            };
            let again = zip::zip(&written).expect("a ZIP").expect("a ZIP");
            prop_assert_eq!((again.five, again.four, again.note), (found.five, found.four, None));
        }
    }

    #[test]
    fn a_number_stays_and_blank_is_never_zero(text in cell()) {
        let blank = text::trim(&text).is_empty();
        for rule in [number::money, number::signed_money, number::rate] {
            match rule(&text) {
                Ok(Some(value)) => {
                    prop_assert!(!blank);
                    prop_assert_eq!(rule(&value.to_string()), Ok(Some(value)));
                    prop_assert_eq!(value.to_string(), value.normalize().to_string());
                    prop_assert!(text.bytes().any(|byte| byte.is_ascii_digit()));
                }
                Ok(None) => prop_assert!(blank),
                Err(_) => prop_assert!(!blank),
            }
        }
        if let Ok(Some((value, _))) = number::ltv(&text) {
            prop_assert_eq!(number::ltv(&value.to_string()), Ok(Some((value, None))));
        }
        if let Ok(Some(value)) = number::integer(&text) {
            prop_assert_eq!(number::integer(&value.to_string()), Ok(Some(value)));
        }
        if let Ok(Some(value)) = number::year(&text, 2026) {
            prop_assert_eq!(number::year(&value.to_string(), 2026), Ok(Some(value)));
        }
        if let Ok(Some(credit::Credit::Score(score))) = credit::credit(&text) {
            prop_assert!((300..=850).contains(&score));
            prop_assert_eq!(credit::credit(&score.to_string()), Ok(Some(credit::Credit::Score(score))));
        }
        if let Ok(Some(day)) = date::date(&text) {
            prop_assert_eq!(date::date(&day.to_string()), Ok(Some(day)));
        }
        prop_assert_eq!(boolean::boolean(&text) == Ok(None), blank);
        let _ = boolean::boolean_or_amount(&text);
    }

    #[test]
    fn money_is_exact(units in 0_i64..1_000_000_000_000, cents in 0_i64..100) {
        let wanted = Decimal::new(units * 100 + cents, 2);
        prop_assert_eq!(number::money(&format!("{units}.{cents:02}")), Ok(Some(wanted)));
        let mut grouped = units.to_string();
        let mut at = grouped.len();
        while at > 3 {
            at -= 3;
            grouped.insert(at, ',');
        }
        prop_assert_eq!(number::money(&format!("$ {grouped}.{cents:02}")), Ok(Some(wanted)));
        prop_assert_eq!(number::signed_money(&format!("({grouped}.{cents:02})")).map(|value| value.map(|value| -value)), Ok(Some(wanted)));
    }

    #[test]
    fn every_day_is_read_in_every_form(days in 0_i32..80_000) {
        let day = NaiveDate::from_num_days_from_ce_opt(693_596 + days).expect("a day from 1900 on");
        for form in ["%Y-%m-%d", "%m/%d/%Y", "%-m/%-d/%Y", "%Y%m%d", "%d-%b-%Y", "%B %-d, %Y", "%Y-%m-%dT00:00:00Z"] {
            prop_assert_eq!(date::date(&day.format(form).to_string()), Ok(Some(day)), "{}", form);
        }
        let serial = (day - NaiveDate::from_ymd_opt(1899, 12, 30).expect("a day")).num_days();
        if (10_000..=99_999).contains(&serial) {
            prop_assert_eq!(date::date(&serial.to_string()), Ok(Some(day)));
        }
    }
}

/// A plan of each built-in mapping, with all its columns in order of the fields.
fn plans() -> Vec<(Vec<String>, Plan)> {
    let mut plans = Vec::new();
    for kind in SourceKind::ALL {
        let Some(mapping) = kind.mapping() else { continue };
        let mut header: Vec<String> = Vec::new();
        for field in mapping.fields.values() {
            for column in field.from.iter().chain(&field.join).chain(&field.fallback) {
                let count = header.iter().filter(|name| **name == column.column).count();
                for _ in count..usize::from(column.occurrence) {
                    header.push(column.column.clone());
                }
            }
        }
        header.push("Unmapped".to_owned());
        let plan = Plan::for_columns(&mapping, &header, &settings()).expect("a plan");
        plans.push((header, plan));
    }
    plans
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn any_row_gets_a_verdict_and_an_accepted_lead_can_be_reached(cells in prop::collection::vec(cell(), 32)) {
        let mut scratch = Scratch::default();
        for (header, plan) in plans() {
            let row = &cells[..header.len()];
            match plan.read_cells(row, &mut scratch) {
                Verdict::Accept { lead, warnings, fingerprint: print } => {
                    prop_assert!(lead.phone.is_some() || lead.email.is_some());
                    prop_assert_eq!(fingerprint(&lead, &mut Vec::new()), print);
                    prop_assert_eq!(plan.read_cells(row, &mut scratch), Verdict::Accept { lead: lead.clone(), warnings: warnings.clone(), fingerprint: print });
                    check_wire(&lead)?;
                    let mut json = String::new();
                    write_warnings_json(&warnings, &mut json);
                    let read: Vec<domain::lead::Issue> = serde_json::from_str(&json).expect("an array of issues");
                    prop_assert_eq!(&read, &warnings);
                    let values: BTreeMap<String, String> =
                        plan.labels().iter().zip(row).map(|(label, cell)| (label.to_string(), cell.clone())).collect();
                    let by_values = plan.read_values(&values, &mut scratch);
                    prop_assert_eq!(by_values, Verdict::Accept { lead, warnings: read, fingerprint: print });
                }
                Verdict::Reject(reasons) => prop_assert!(!reasons.is_empty()),
                Verdict::Skip => prop_assert!(row.iter().all(|cell| text::trim(cell).is_empty())),
            }
        }
    }

    #[test]
    fn any_text_as_json_gets_a_verdict(text in prop_oneof![cell(), "[\\[\\]{}\":,a0 ]{0,40}"], value in cell(), deep in 0_usize..200) {
        let mut scratch = Scratch::default();
        let plan = Plan::for_json(&SourceKind::Npa.mapping().expect("a mapping"), &settings()).expect("a plan");
        let _ = plan.read_json(&text, &mut scratch);
        let object = serde_json::json!({"lead_data": {"phone": value, "email": [value, 7], "vehicle_year": 2020}, "other": [{"a": value}, null]});
        let _ = plan.read_json(&object.to_string(), &mut scratch);
        let _ = plan.read_json(&format!("{}{}", "[".repeat(deep), "{\"a\":".repeat(deep)), &mut scratch);
    }
}

fn check_wire(lead: &Lead) -> Result<(), TestCaseError> {
    let mut json = String::new();
    write_details_json(lead, &mut json);
    let details = details_from_json(&json).expect("what was written");
    prop_assert_eq!(&details, &lead.details);
    let again = Lead { details, ..lead.clone() };
    prop_assert!(difference(lead, &again).is_empty());
    json.clear();
    write_extra_json(lead, &mut json);
    let extra: BTreeMap<CompactString, CompactString> =
        serde_json::from_str(&json).expect("an object of texts");
    prop_assert_eq!(extra.len(), lead.extra.len());
    for (name, value) in &lead.extra {
        prop_assert_eq!(extra.get(name), Some(value));
    }
    Ok(())
}
