//! Each record of the sample files has the outcome, the code and the field values that `expected.json` says.
//!
//! Which record is a repeat or a revision is decided where leads are stored; here a small memory of the file stands
//! in for it: the source's id, then phone and e-mail as the mapping's identity says.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use chrono::NaiveDate;
use domain::intake::{ContactIdentity, Plan, Regions, Scratch, Settings, SourceKind, Verdict, difference};
use domain::lead::{Issue, Lead, Value};
use serde_json::Value as Json;

/// What became of a record, beside the lead that it makes.
struct Outcome {
    word: &'static str,
    issues: Vec<Issue>,
    lead: Option<Lead>,
    /// The record (from 1) that this one repeats or revises.
    of: Option<usize>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

fn settings() -> Settings {
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    Settings { today, phone_regions: Regions::default() }
}

/// The verdicts on a CSV file.
fn csv_verdicts(name: &str, kind: SourceKind) -> Vec<Verdict> {
    let bytes = fs::read(path(name)).expect("the sample file");
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode(&bytes).0.into_owned(),
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut records = reader.records().map(|record| record.expect("a record"));
    let cells = |record: csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = cells(records.next().expect("a header"));
    let mapping = kind.mapping().expect("a built-in mapping");
    let plan = Plan::for_columns(&mapping, &header, &settings()).expect("a plan");
    let mut scratch = Scratch::default();
    records.map(|record| plan.read_cells(&cells(record), &mut scratch)).collect()
}

/// The verdicts on the elements of a JSON array.
fn json_verdicts(name: &str, kind: SourceKind) -> Vec<Verdict> {
    let text = fs::read_to_string(path(name)).expect("the sample file");
    let elements: Vec<&serde_json::value::RawValue> = serde_json::from_str(&text).expect("an array");
    line_verdicts(elements.into_iter().map(serde_json::value::RawValue::get), kind)
}

fn line_verdicts<'a>(lines: impl Iterator<Item = &'a str>, kind: SourceKind) -> Vec<Verdict> {
    let mapping = kind.mapping().expect("a built-in mapping");
    let plan = Plan::for_json(&mapping, &settings()).expect("a plan");
    let mut scratch = Scratch::default();
    lines.map(|line| plan.read_json(line, &mut scratch)).collect()
}

/// Adds what only the sequence of records can tell.
fn outcomes(verdicts: Vec<Verdict>, kind: SourceKind) -> Vec<Outcome> {
    let identity = kind.mapping().expect("a built-in mapping").identity;
    let by_contact = identity.contact_identity != ContactIdentity::None;
    let mut known: Vec<(usize, u128, Lead)> = Vec::new();
    let mut outcomes = Vec::new();
    for (record, verdict) in (1..).zip(verdicts) {
        let (lead, warnings, fingerprint) = match verdict {
            Verdict::Skip => {
                outcomes.push(Outcome { word: "skip", issues: Vec::new(), lead: None, of: None });
                continue;
            }
            Verdict::Reject(issues) => {
                outcomes.push(Outcome { word: "reject", issues, lead: None, of: None });
                continue;
            }
            Verdict::Accept { lead, warnings, fingerprint } => (lead, warnings, fingerprint),
        };
        let same_id = known
            .iter_mut()
            .find(|(_, _, other)| lead.external_id.is_some() && other.external_id == lead.external_id);
        let (word, of) = if let Some((first, print, other)) = same_id {
            let repeat = *print == fingerprint || difference(other, &lead).is_empty();
            (*print, *other) = (fingerprint, lead.clone());
            (if repeat { "duplicate" } else { "update" }, Some(*first))
        } else if let Some((first, _, _)) = known.iter().find(|(_, _, other)| {
            by_contact
                && (identity.phone && lead.phone.is_some() && other.phone == lead.phone
                    || identity.email && lead.email.is_some() && other.email == lead.email)
        }) {
            ("duplicate", Some(*first))
        } else {
            known.push((record, fingerprint, lead.clone()));
            (if warnings.is_empty() { "accept" } else { "warn" }, None)
        };
        outcomes.push(Outcome { word, issues: warnings, lead: Some(lead), of });
    }
    outcomes
}

/// A lead's field as `expected.json` writes it.
fn shown(lead: &Lead, field: &str) -> Json {
    let text = |text: &Option<compact_str::CompactString>| text.as_deref().map_or(Json::Null, Json::from);
    // The table shows North American numbers as ten digits.
    let ten = |phone: &str| phone.strip_prefix("+1").expect("a North American number").to_owned();
    match field {
        "external_id" => text(&lead.external_id),
        "first_name" => text(&lead.first_name),
        "last_name" => text(&lead.last_name),
        "phone" => lead.phone.as_deref().map_or(Json::Null, |phone| ten(phone).into()),
        "alt_phones" => lead.alt_phones.iter().map(|phone| ten(phone)).collect(),
        "phone_ext" => text(&lead.phone_ext),
        "email" => text(&lead.email),
        "alt_emails" => lead.alt_emails.iter().map(ToString::to_string).collect(),
        "address" => text(&lead.address),
        "state" => text(&lead.state),
        "zip" => text(&lead.zip),
        "zip4" => text(&lead.zip4),
        detail => match lead.detail(detail) {
            None => Json::Null,
            Some(Value::Boolean(value)) => (*value).into(),
            Some(Value::Integer(value)) => (*value).into(),
            Some(Value::Decimal(value)) => value.to_string().parse::<f64>().expect("a number").into(),
            Some(Value::Date(value)) => value.to_string().into(),
            Some(Value::Text(value)) => value.as_str().into(),
        },
    }
}

/// Everything in which a record differs from what the table says; each line names the record.
fn check(file: &str, outcomes: &[Outcome], word: impl Fn(&str) -> &str) -> Vec<String> {
    let expected: Json =
        serde_json::from_str(&fs::read_to_string(path("expected.json")).expect("the table")).expect("JSON");
    let records = expected["files"][file].as_array().expect("records");
    let mut faults = Vec::new();
    assert_eq!(outcomes.len(), records.len(), "{file}: number of records");
    let number = |id: &str| records.iter().position(|record| record["id"] == id).map(|index| index + 1);
    for (record, outcome) in records.iter().zip(outcomes) {
        let id = record["id"].as_str().expect("an id");
        let mut fault = |what: String| faults.push(format!("{id}: {what}; issues {:?}", outcome.issues));
        let wanted = word(record["outcome"].as_str().expect("an outcome"));
        if outcome.word != wanted {
            fault(format!("outcome {} instead of {wanted}", outcome.word));
        }
        if wanted == "reject" {
            let code = record["code"].as_str().expect("a code");
            if outcome.issues.first().is_none_or(|issue| issue.code != code) {
                fault(format!("the first reason is not {code}"));
            }
        }
        for (field, value) in record["fields"].as_object().into_iter().flatten() {
            match field.as_str() {
                "duplicate_of" | "updates" => {
                    if outcome.of != number(value.as_str().expect("an id")) {
                        fault(format!("belongs to record {:?} instead of {value}", outcome.of));
                    }
                }
                // What a destination answers is a matter of delivery; that a contact recurs, of the lead's page.
                "npa_record_id" | "retry_after_s" | "same_contact_as" => {}
                field => {
                    let found = shown(outcome.lead.as_ref().expect("a lead"), field);
                    // The table writes a last name that is not there as an empty text.
                    if found != *value && !(found.is_null() && value == "") {
                        fault(format!("{field} is {found} instead of {value}"));
                    }
                }
            }
        }
    }
    faults
}

fn counts(outcomes: &[Outcome]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome.word).or_insert(0) += 1;
    }
    counts
}

#[test]
fn experian() {
    let outcomes = outcomes(csv_verdicts("experian.csv", SourceKind::Experian), SourceKind::Experian);
    let faults = check("experian.csv", &outcomes, |word| word);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let wanted = [("accept", 18), ("duplicate", 1), ("reject", 4), ("skip", 1), ("warn", 4)];
    assert_eq!(counts(&outcomes), wanted.into());
}

#[test]
fn transunion() {
    let outcomes = outcomes(csv_verdicts("transunion.csv", SourceKind::TransUnion), SourceKind::TransUnion);
    let faults = check("transunion.csv", &outcomes, |word| word);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let wanted = [("accept", 14), ("duplicate", 2), ("reject", 4), ("warn", 8)];
    assert_eq!(counts(&outcomes), wanted.into());
}

#[test]
fn leadsource() {
    let outcomes = outcomes(json_verdicts("leadsource.json", SourceKind::LeadSource), SourceKind::LeadSource);
    let faults = check("leadsource.json", &outcomes, |word| word);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let wanted = [("accept", 15), ("duplicate", 1), ("reject", 3), ("update", 1), ("warn", 8)];
    assert_eq!(counts(&outcomes), wanted.into());
    let kept = &outcomes[23].lead.as_ref().expect("L24").extra;
    assert_eq!(kept.as_slice(), [("UTM_Source".into(), "google".into())]);
    let kept = &outcomes[17].lead.as_ref().expect("L18").extra;
    assert_eq!(kept.as_slice(), [("Est. Home Value".into(), "$500,000 - $550,000".into())]);
}

#[test]
fn npa_conversations() {
    let text = fs::read_to_string(path("npa_ivr.ndjson")).expect("the sample file");
    let outcomes = outcomes(line_verdicts(text.lines(), SourceKind::Npa), SourceKind::Npa);
    // What is sent, and what the client's own rules stop before, is decided at delivery: here all of them are leads.
    let faults = check("npa_ivr.ndjson", &outcomes, |word| match word {
        "succeeded" | "failed" | "rejected" => "accept",
        "invalid" | "malformed" => "reject",
        other => other,
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let lead = outcomes[20].lead.as_ref().expect("N21");
    assert_eq!(lead.email.as_deref(), Some("jane.roe@example.com"));
    assert!(outcomes.iter().filter_map(|outcome| outcome.lead.as_ref()).all(|lead| lead.extra.is_empty()));
}

/// The same leads come as CSV too: the mapping is the same, and so are the leads.
#[test]
fn leadsource_as_csv_reads_as_leadsource_as_json() {
    let text = fs::read_to_string(path("leadsource.json")).expect("the sample file");
    let elements: Vec<Json> = serde_json::from_str(&text).expect("an array");
    let header: Vec<String> = elements[0].as_object().expect("an object").keys().cloned().collect();
    let mapping = SourceKind::LeadSource.mapping().expect("a built-in mapping");
    let as_csv = Plan::for_columns(&mapping, &header, &settings()).expect("a plan");
    let as_json = Plan::for_json(&mapping, &settings()).expect("a plan");
    let mut scratch = Scratch::default();
    let mut compared = 0;
    for element in elements.iter().filter(|element| element.is_object() && element["UTM_Source"].is_null()) {
        let cell = |name: &String| match &element[name] {
            Json::String(text) => text.clone(),
            Json::Null => String::new(),
            other => other.to_string(),
        };
        let cells: Vec<String> = header.iter().map(cell).collect();
        let wanted = as_json.read_json(&element.to_string(), &mut scratch);
        assert_eq!(as_csv.read_cells(&cells, &mut scratch), wanted);
        let values = header.iter().map(|name| (name.clone(), cell(name))).collect();
        assert_eq!(as_csv.read_values(&values, &mut scratch), wanted);
        assert_eq!(as_json.read_values(&values, &mut scratch), wanted);
        compared += 1;
    }
    assert_eq!(compared, 26);
}
