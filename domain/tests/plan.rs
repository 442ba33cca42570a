//! Mappings, headers, malformed records, corrections, and the fingerprint that must never change.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::intake::{
    COLUMNS_MAX, ContactIdentity, MappingError, MappingSpec, Plan, PlanError, Regions, Scratch, Settings,
    SourceKind, Verdict, codes, details_from_json, difference, fingerprint, write_details_json,
};
use domain::lead::{Issue, Lead, Value};

fn settings() -> Settings {
    let today = NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day");
    Settings { today, phone_regions: Regions::default() }
}

fn mapping(json: &str) -> MappingSpec {
    MappingSpec::parse(json).expect("a mapping")
}

fn read(json: &str, header: &[&str], row: &[&str]) -> Verdict {
    let plan = Plan::for_columns(&mapping(json), header, &settings()).expect("a plan");
    plan.read_cells(row, &mut Scratch::default())
}

fn accepted(verdict: Verdict) -> (Lead, Vec<String>) {
    match verdict {
        Verdict::Accept { lead, warnings, .. } => {
            (lead, warnings.into_iter().map(|warning| warning.code.to_string()).collect())
        }
        other => panic!("not accepted: {other:?}"),
    }
}

fn reasons(verdict: Verdict) -> Vec<(String, String)> {
    match verdict {
        Verdict::Reject(issues) => {
            issues.into_iter().map(|issue| (issue.field.to_string(), issue.code.to_string())).collect()
        }
        other => panic!("not refused: {other:?}"),
    }
}

const SMALL: &str = r#"{"fields": {"first_name": "Name", "phone": ["Phone", "Other"], "email": "Mail", "property_value": "Value"}}"#;
const HEADER: [&str; 5] = ["Name", "Phone", "Other", "Mail", "Value"];

#[test]
fn built_in_mappings_are_valid_and_survive_being_stored() {
    for kind in SourceKind::ALL {
        assert_eq!(kind.as_str().parse::<SourceKind>(), Ok(kind));
        let Some(spec) = kind.mapping() else { continue };
        let stored = serde_json::to_string(&spec).expect("JSON");
        assert_eq!(mapping(&stored), spec, "{kind}");
    }
    assert!(SourceKind::Generic.mapping().is_none());
    assert!("Experian".parse::<SourceKind>().is_err());
    let npa = SourceKind::Npa.mapping().expect("a mapping");
    assert_eq!(npa.identity.contact_identity, ContactIdentity::None);
    assert!(npa.identity.phone && npa.identity.email);
}

#[test]
fn a_mapping_that_cannot_work_is_refused_by_name() {
    let refused = |json: &str| match MappingSpec::parse(json).expect_err("a refusal") {
        MappingError::Json(error) => error.to_string(),
        MappingError::Plan(error) => error.to_string(),
    };
    let table = [
        (r#"{"fields": {"fone": "Phone"}}"#, "unknown field `fone`; known are external_id, lead_type"),
        (r#"{"fields": {"custom.": "Phone"}}"#, "unknown field `custom.`"),
        (
            r#"{"fields": {"phone": {"from": "P", "transform": "dial"}}}"#,
            "unknown transform `dial` of field `phone`; known are text",
        ),
        (
            r#"{"fields": {"phone": {"from": "P", "transform": "money"}}}"#,
            "cannot be read by `money`; possible are phone",
        ),
        (r#"{"fields": {}}"#, "no fields"),
        (r#"{"fields": {"phone": []}}"#, "the field `phone` needs"),
        (r#"{"fields": {"phone": " "}}"#, "the field `phone` needs"),
        (r#"{"fields": {"address": {"from": "A", "join": ["B"]}}}"#, "the field `address` needs"),
        (r#"{"fields": {"phone": "P", "phone": "Q"}}"#, "`phone` stands twice"),
        (r#"{"fields": {"phone": {"columns": "P"}}}"#, "unknown field `columns`"),
        (
            r#"{"fields": {"phone": {"from": {"column": "P", "occurrence": 0}}}}"#,
            "a column name or a list of columns",
        ),
        (r#"{"fields": {"phone": [{"column": "P", "occurrence": 0}]}}"#, "counts from 1"),
        (r#"{"fields": {"phone": 7}}"#, "a column name, a list of columns"),
        (r#"{"fields": {"phone": "P"}, "ignored": []}"#, "unknown field `ignored`"),
        (
            r#"{"fields": {"phone": "P"}, "identity": {"contact_identity": "world"}}"#,
            "unknown variant `world`",
        ),
        ("fields", "expected"),
    ];
    for (json, wanted) in table {
        let found = refused(json);
        assert!(found.contains(wanted), "{json}: {found}");
    }
}

#[test]
fn a_header_without_any_known_column_names_both_sides() {
    let spec = mapping(SMALL);
    let header = ["a;b;c", "secret\nline"];
    let error = Plan::for_columns(&spec, &header, &settings()).expect_err("a refusal");
    let text = error.to_string();
    assert!(text.contains("Found: `a;b;c`, `secretline`"), "{text}");
    assert!(text.contains("`Phone`") && text.contains("`Mail`"), "{text}");
    let wide = vec!["x"; COLUMNS_MAX + 1];
    let error = Plan::for_columns(&spec, &wide, &settings()).expect_err("a refusal");
    assert_eq!(error, PlanError::TooManyColumns { found: COLUMNS_MAX + 1, max: COLUMNS_MAX });
    assert!(Plan::for_columns(&spec, &wide[1..], &settings()).is_err());
}

#[test]
fn header_names_match_whatever_their_case_and_blanks() {
    let header = ["\u{feff}  NAME ", "phone", "OTHER", "mail", "Value", "Extra  Note"];
    let (lead, _) = accepted(read(SMALL, &header, &["Ann", "3035550101", "", "", "", "hi "]));
    assert_eq!(lead.first_name.as_deref(), Some("Ann"));
    assert_eq!(lead.extra.as_slice(), [("Extra  Note".into(), "hi".into())]);
}

#[test]
fn an_issue_knows_the_columns_that_it_speaks_of() {
    let spec = SourceKind::Experian.mapping().expect("a mapping");
    let header = ["Zip Code", "Telephone # 1", "First Name", "Telephone # 1", "Email"];
    let plan = Plan::for_columns(&spec, &header, &settings()).expect("a plan");
    let columns = |field: &str, code: &str| {
        let issue = Issue { field: field.into(), code: code.into(), message: "".into(), value: None };
        plan.labels_of(&issue).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(columns("zip", codes::INVALID_ZIP), ["Zip Code"]);
    assert_eq!(columns("record", codes::MALFORMED_ROW), Vec::<String>::new());
    let contact = columns("record", codes::MISSING_CONTACT);
    assert!(
        contact.contains(&"Telephone # 1".to_owned()) && !contact.contains(&"Zip Code".to_owned()),
        "{contact:?}"
    );
}

#[test]
fn malformed_rows_and_no_rows() {
    let row = |cells: &[&str]| read(SMALL, &HEADER, cells);
    let malformed = [("record".to_owned(), codes::MALFORMED_ROW.to_owned())];
    assert_eq!(reasons(row(&["Ann", "3035550101"])), malformed);
    assert_eq!(reasons(row(&["Ann", "3035550101", "", "", "", "left over"])), malformed);
    assert_eq!(row(&["", " ", "", "", ""]), Verdict::Skip);
    assert_eq!(row(&[""]), Verdict::Skip);
    assert_eq!(row(&[]), Verdict::Skip);
    assert_eq!(row(&HEADER), Verdict::Skip);
    assert!(matches!(row(&["Ann", "3035550101", "", "", "", "", " "]), Verdict::Accept { .. }));
    let long = "x".repeat(40_000);
    assert_eq!(
        reasons(row(&["Ann", "3035550101", "", "", &long])),
        [("record".to_owned(), codes::CELL_TOO_LONG.to_owned())]
    );
    let name = "x".repeat(2_000);
    let (lead, codes) = accepted(row(&[&name, "3035550101", "", "", ""]));
    assert_eq!((lead.first_name, codes), (None, vec!["TEXT_TOO_LONG".to_owned(), "MISSING_NAME".to_owned()]));
    assert_eq!(lead.extra, [("Name".into(), name.into())]);
}

#[test]
fn every_reason_is_given_and_the_decisive_one_first() {
    let found = reasons(read(SMALL, &HEADER, &["=1+1", "123", "", "bob@@example", "abc"]));
    let codes: Vec<_> = found.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("record", codes::MISSING_CONTACT),
            ("first_name", codes::FORMULA_TEXT),
            ("phone", codes::INVALID_PHONE),
            ("email", codes::INVALID_EMAIL),
            ("property_value", codes::INVALID_MONEY),
        ]
    );
}

#[test]
fn unreadable_text_is_kept_under_its_column_and_blank_is_nothing() {
    let (lead, codes) = accepted(read(SMALL, &HEADER, &["Ann", "123", "3035550101", "nobody", "a lot"]));
    assert_eq!(lead.phone.as_deref(), Some("+13035550101"));
    assert_eq!(codes, [codes::INVALID_PHONE, codes::INVALID_EMAIL, codes::INVALID_MONEY]);
    let extra: Vec<_> = lead.extra.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(extra, [("Mail", "nobody"), ("Phone", "123"), ("Value", "a lot")]);
    assert!(lead.details.is_empty());
    let (lead, codes) = accepted(read(SMALL, &HEADER, &["Ann", "3035550101", "", "", " "]));
    assert!(lead.details.is_empty() && lead.extra.is_empty() && codes.is_empty());
}

/// The database takes five words; the way in stands for any other.
#[test]
fn an_unknown_channel_is_a_warning_and_a_known_one_is_folded() {
    let json = r#"{"fields": {"phone": "Phone", "channel": "Via"}}"#;
    let via = |word: &str| read(json, &["Phone", "Via"], &["3035550101", word]);
    let (lead, codes) = accepted(via("Fax"));
    assert_eq!((lead.channel, codes), (None, vec![codes::INVALID_FIELD.to_owned()]));
    assert_eq!(lead.extra, [("Via".into(), "Fax".into())]);
    let (lead, codes) = accepted(via(" Sms "));
    assert_eq!((lead.channel.as_deref(), codes), (Some("sms"), Vec::new()));
    assert!(lead.extra.is_empty());
    assert_eq!(via("SMS"), via("sms"), "one fingerprint");
    let required = r#"{"fields": {"phone": "Phone", "channel": {"from": "Via", "required": true}}}"#;
    let refused = reasons(read(required, &["Phone", "Via"], &["3035550101", "Fax"]));
    assert_eq!(refused, [("channel".to_owned(), codes::INVALID_FIELD.to_owned())]);
}

#[test]
fn duplicate_headers_are_told_apart() {
    let json = r#"{"fields": {"phone": [{"column": "Tel", "occurrence": 2}, "Tel"], "email": "Mail"}}"#;
    let header = ["Tel", "Tel", "Mail", "Note", "note", "Note"];
    let spec = mapping(json);
    let plan = Plan::for_columns(&spec, &header, &settings()).expect("a plan");
    assert_eq!(plan.labels(), ["Tel", "Tel (2)", "Mail", "Note", "note (2)", "Note (3)"]);
    let row = ["3035550101", "7205550102", "", "a", "b", "c"];
    let verdict = plan.read_cells(&row[..], &mut Scratch::default());
    let (lead, _) = accepted(verdict.clone());
    assert_eq!(lead.phone.as_deref(), Some("+17205550102"));
    assert_eq!(lead.alt_phones, ["+13035550101"]);
    assert_eq!(
        lead.extra,
        [("Note".into(), "a".into()), ("Note (3)".into(), "c".into()), ("note (2)".into(), "b".into())]
    );
    let values: BTreeMap<String, String> =
        plan.labels().iter().zip(row).map(|(label, cell)| (label.to_string(), cell.to_owned())).collect();
    assert_eq!(plan.read_values(&values, &mut Scratch::default()), verdict);
}

#[test]
fn fields_of_the_tenants_own_and_what_a_second_column_says() {
    let json = r#"{"fields": {
        "phone": "P", "city": ["Town", "City"], "custom.budget": {"from": "B", "transform": "money"}, "custom.note": "N",
        "vehicle_year": {"from": "Y", "required": true}}, "ignore": ["Secret"]}"#;
    let header = ["P", "Town", "City", "B", "N", "Y", "secret"];
    let (lead, _) =
        accepted(read(json, &header, &["3035550101", "BOULDER", "DENVER", "5K", " as is ", "2020", "x"]));
    assert_eq!(lead.city.as_deref(), Some("Boulder"));
    assert_eq!(lead.extra, [("City".into(), "DENVER".into())]);
    assert_eq!(lead.detail("custom.note"), Some(&Value::Text("as is".into())));
    assert_eq!(lead.detail("custom.budget"), Some(&Value::Decimal(5_000.into())));
    let required = |year: &str| reasons(read(json, &header, &["3035550101", "", "", "", "", year, ""]));
    let wanted = [("vehicle_year".to_owned(), codes::INVALID_FIELD.to_owned())];
    assert_eq!(required("twenty twenty"), wanted);
    assert_eq!(required(" "), wanted);
    // A file that lacks the column altogether has no usable record either.
    assert_eq!(reasons(read(json, &["P"], &["3035550101"])), wanted);
}

#[test]
fn broken_json_is_refused_without_quoting_it() {
    let spec = SourceKind::Npa.mapping().expect("a mapping");
    let plan = Plan::for_json(&spec, &settings()).expect("a plan");
    let mut scratch = Scratch::default();
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let arrays = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let amid = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(100), "]".repeat(100));
    for (text, code) in
        ["{\"lead_data\": {\"phone\": \"303555", "\"oops\"", "[1]", "7", "null", "{} {}", "{\"a\":}"]
            .map(|text| (text, codes::MALFORMED_ROW))
            .into_iter()
            .chain([&deep, &arrays, &amid].map(|text| (text.as_str(), codes::JSON_TOO_DEEP)))
    {
        match plan.read_json(text, &mut scratch) {
            Verdict::Reject(issues) => {
                assert_eq!(issues[0].code, code);
                assert!(!issues[0].message.contains("303555"), "{}", issues[0].message);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(plan.read_json("  \r\n", &mut scratch), Verdict::Skip);
    assert_eq!(plan.read_json("{}", &mut scratch), Verdict::Skip);
    let allowed = format!("{}{{}}{}", "{\"a\":".repeat(63), "}".repeat(63));
    assert_eq!(plan.read_json(&allowed, &mut scratch), Verdict::Skip);
}

#[test]
fn a_json_record_has_a_thousand_values_beside_the_mapping_at_most() {
    let spec = mapping(r#"{"fields": {"phone": "phone"}, "ignore": ["debug"]}"#);
    let plan = Plan::for_json(&spec, &settings()).expect("a plan");
    let mut scratch = Scratch::default();
    let mut read = |below: &str, values: usize| {
        let many: Vec<String> = (0..values).map(|number| format!(r#""v{number}": {number}"#)).collect();
        let text = format!(r#"{{"{below}": {{{}}}, "phone": "3035550101", "last": 1}}"#, many.join(", "));
        plan.read_json(&text, &mut scratch)
    };
    assert_eq!(accepted(read("data", COLUMNS_MAX - 1)).0.extra.len(), COLUMNS_MAX);
    assert_eq!(accepted(read("debug", 5_000)).0.extra.len(), 1, "what is ignored costs nothing");
    let wanted = [("record".to_owned(), codes::TOO_MANY_COLUMNS.to_owned())];
    assert_eq!(reasons(read("data", COLUMNS_MAX)), wanted);
    assert_eq!(reasons(read("data", 5_000)), wanted, "whatever comes after them");
    let values = (0..=COLUMNS_MAX).map(|number| (format!("v{number}"), "1".to_owned())).collect();
    assert_eq!(reasons(plan.read_values(&values, &mut Scratch::default())), wanted, "corrected, too");
}

#[test]
fn json_keeps_numbers_as_written_and_flattens_what_the_mapping_does_not_name() {
    let spec = mapping(
        r#"{"fields": {"external_id": "id", "phone": "contact.phones", "property_value": "value"}, "ignore": ["debug"]}"#,
    );
    let plan = Plan::for_json(&spec, &settings()).expect("a plan");
    let text = r#"{"ID": 12345678901234567890123, "contact": {"phones": ["3035550101", null, 7205550102]}, "value": 450000.10,
        "debug": {"a": 1}, "tags": ["x", "y"], "list": [{"k": "v"}, 2], "none": null, "esc": "a\u0000\n\ud83d\ude00", "dup": 1, "dup": 2}"#;
    let (lead, codes) = accepted(plan.read_json(text, &mut Scratch::default()));
    assert_eq!(lead.external_id.as_deref(), Some("12345678901234567890123"));
    assert_eq!(lead.phone.as_deref(), Some("+13035550101"));
    assert_eq!(lead.alt_phones, ["+17205550102"]);
    assert_eq!(codes, Vec::<String>::new());
    let mut json = String::new();
    write_details_json(&lead, &mut json);
    assert_eq!(json, r#"{"property_value":450000.1}"#);
    let extra: Vec<_> = lead.extra.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(
        extra,
        [("dup", "2"), ("esc", "a\n\u{1f600}"), ("list.0.k", "v"), ("list.1", "2"), ("tags", "x; y")]
    );
}

/// Stored fingerprints are compared with new ones: should this value change, every re-import would be a revision.
#[test]
fn the_fingerprint_is_pinned() {
    let lead = Lead {
        external_id: Some("LS-1".into()),
        first_name: Some("Ann".into()),
        phone: Some("+13035550101".into()),
        alt_phones: vec!["+13035550102".into()],
        details: vec![
            ("credit_score".into(), Value::Integer(712)),
            ("found_home".into(), Value::Boolean(true)),
            ("ltv".into(), Value::Decimal("55.60".parse().expect("a decimal"))),
            ("trigger_date".into(), Value::Date(NaiveDate::from_ymd_opt(2026, 11, 2).expect("a day"))),
        ],
        extra: vec![("UTM".into(), "x".into())],
        ..Lead::default()
    };
    let print = fingerprint(&lead, &mut Vec::new());
    assert_eq!(format!("{print:032x}"), "f042a2299600fbb9ae7efce4ca1e4879");
    let mut encoded = Vec::new();
    fingerprint(&Lead { city: Some("Rye".into()), ..Lead::default() }, &mut encoded);
    assert_eq!(encoded, [1, 10, 3, 0, 0, 0, b'R', b'y', b'e']);
}

#[test]
fn a_later_trigger_date_is_no_revision_but_another_fingerprint() {
    let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).map(Value::Date).expect("a day");
    let lead = |date: Value, score: i64| Lead {
        details: vec![("credit_score".into(), Value::Integer(score)), ("trigger_date".into(), date)],
        ..Lead::default()
    };
    let (first, later, revised) = (lead(day(2), 700), lead(day(9), 700), lead(day(9), 710));
    assert!(difference(&first, &later).is_empty());
    let mut buffer = Vec::new();
    assert_ne!(fingerprint(&first, &mut buffer), fingerprint(&later, &mut buffer));
    let changes = difference(&first, &revised);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].field, "credit_score");
    assert_eq!(
        (changes[0].from.clone(), changes[0].to.clone()),
        (Some(Value::Integer(700)), Some(Value::Integer(710)))
    );
}

#[test]
fn stored_details_come_back_as_they_were() {
    let json = r#"{"cash_out":true,"credit_score":712,"custom.day":"2026-01-02","ltv":55.6,"mortgage_balance":250000,
        "mortgage_open_date":"2019-03-15","veteran":null,"loan_amount":1e5}"#;
    let details = details_from_json(json).expect("details");
    let decimal = |text: &str| Value::Decimal(text.parse().expect("a decimal"));
    let wanted = [
        ("cash_out".into(), Value::Boolean(true)),
        ("credit_score".into(), Value::Integer(712)),
        ("custom.day".into(), Value::Text("2026-01-02".into())),
        ("loan_amount".into(), decimal("100000")),
        ("ltv".into(), decimal("55.6")),
        ("mortgage_balance".into(), decimal("250000")),
        ("mortgage_open_date".into(), Value::Date(NaiveDate::from_ymd_opt(2019, 3, 15).expect("a day"))),
    ];
    assert_eq!(details, wanted);
    for corrupt in ["", "[]", "{\"a\":{}}", "{\"a\":[1]}", "{\"mortgage_open_date\":\"soon\"}", "{} x"] {
        assert!(details_from_json(corrupt).is_err(), "{corrupt}");
    }
    let exact = serde_json::to_string(&decimal("0.10000000000000000001")).expect("JSON");
    assert_eq!(exact, "0.10000000000000000001");
}
