//! Lists as files, and what a run says of them.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use chrono::TimeDelta;
use serde_json::{Value, json};
use service::Error;
use service::reconciliation::exceptions::ExceptionRow;
use service::reconciliation::run;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::world::{World, fixture};

fn said<'a>(row: &'a ExceptionRow, side: Option<&'a Value>, field: &str) -> &'a str {
    side.and_then(|side| side[field].as_str()).unwrap_or_else(|| panic!("{field} of {row:?}"))
}

/// The CRM's export against the leads of the file, as the expectations say: totals, and record by record.
#[tokio::test]
async fn the_crms_export_comes_out_as_expected() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("expected.json")).expect("there"))
            .expect("JSON");
    let world = World::new().await;
    world.import(&fixture("leadsource.json")).await;
    let total = &expected["totals"]["reconciliation"];
    assert_eq!(Value::from(world.deliver().await), total["ours"]);
    let report = world.reconcile(&fixture("crm_export.csv")).await.expect("a report");
    let counts = report.counts;
    let found = json!({
        "ours": counts.ours, "matched": counts.matched, "mismatched": counts.mismatched, "crm_rows": counts.theirs,
        "crm_duplicates": counts.duplicated, "extra_unexpected": counts.unexpected, "extra_known": counts.extra_known,
        "missing": missing(&report.differences),
    });
    assert_eq!(&found, total);
    assert_eq!((counts.skipped, counts.pre_existing, counts.enriched, counts.opted_out), (1, 1, 1, 1));
    assert_eq!(report.run.state, "done");

    // Each record of theirs that is a difference, by its id in their list.
    let mut by_remote: BTreeMap<String, (String, String)> = BTreeMap::new();
    for row in report.differences.iter().filter(|row| row.kind != "missing") {
        let fields = row.fields.iter().flat_map(|fields| fields.as_array().cloned().unwrap_or_default());
        let fields: Vec<String> =
            fields.map(|one| one["field"].as_str().expect("a field").to_owned()).collect();
        let code = match row.kind.as_str() {
            "duplicated" => "CRM_DUPLICATE".to_owned(),
            "rejected_present" => "REJECTED_BUT_PRESENT".to_owned(),
            "duplicate_delivered" => "DUPLICATE_DELIVERED".to_owned(),
            "unexpected" => "UNEXPECTED".to_owned(),
            _ => fields.join(","),
        };
        by_remote.insert(row.remote_id.clone().expect("an id"), (row.kind.clone(), code));
    }
    for record in expected["files"]["crm_export.csv"].as_array().expect("a list") {
        let remote = (61_000 + record["record"].as_u64().expect("a number")).to_string();
        let wanted = match record["outcome"].as_str().expect("an outcome") {
            "match" | "extra_known" | "skip" => None,
            "mismatch" => Some("mismatched"),
            "crm_duplicate" => Some("duplicated"),
            _ => Some(match record["code"].as_str().expect("a code") {
                "REJECTED_BUT_PRESENT" => "rejected_present",
                "DUPLICATE_DELIVERED" => "duplicate_delivered",
                _ => "unexpected",
            }),
        };
        let found = by_remote.remove(&remote);
        assert_eq!(found.as_ref().map(|(kind, _)| kind.as_str()), wanted, "{record}");
        if let Some((_, code)) = found {
            assert_eq!(code, record["code"].as_str().expect("a code"), "{record}");
        }
    }
    assert_eq!(by_remote, BTreeMap::new(), "nothing else is a difference");

    // Two people became one there: of the four that are missing, one has a record of another's.
    let suspected: Vec<&ExceptionRow> = report.differences.iter().filter(|row| row.merge_suspected).collect();
    assert_eq!(suspected.len(), 1);
    assert_eq!(said(suspected[0], suspected[0].ours.as_ref(), "external_id"), "LS-1014");
    assert_eq!(said(suspected[0], suspected[0].theirs.as_ref(), "remote_id"), "61012");

    // The wish for no more contact stands in the lead's journey, once.
    world.reconcile(&fixture("crm_export.csv")).await.expect("a report");
    let opted_out = world
        .rows("SELECT to_jsonb(l.external_id) FROM lead_event e JOIN lead l ON l.id = e.lead_id WHERE e.kind = 'opted_out'")
        .await;
    assert_eq!(opted_out, [json!("LS-1026")]);
}

/// LS-1014 is L14: the number of the record is the end of its id.
fn missing(differences: &[ExceptionRow]) -> Vec<String> {
    let mut ids: Vec<String> = differences
        .iter()
        .filter(|row| row.kind == "missing")
        .map(|row| format!("L{}", said(row, row.ours.as_ref(), "external_id").trim_start_matches("LS-10")))
        .collect();
    ids.sort();
    ids
}

const HEADER: &str = "id,external_id,first_name,last_name,email,phone,state,status,created_at\n";

fn their_row(id: u32, number: u32) -> String {
    format!(
        "{id},LS-{number},Ada,Cole{number},ada{number}@example.com,+1970556{number:04},CO,active,2026-11-10 16:00:00\n"
    )
}

/// What lies outside the period is recognised and not counted; what was handed over after the list was made is not missing.
#[tokio::test]
async fn a_period_counts_its_own_leads_and_a_list_only_what_it_can_have() {
    let world = World::new().await;
    world.lead(1).await;
    world.deliver().await;
    world.app.clock.advance(TimeDelta::days(3));
    let since = world.app.clock.now();
    world.lead(2).await;
    world.deliver().await;
    let path = world.list("list.csv", &format!("{HEADER}{}", their_row(7, 1)));
    world.app.clock.advance(TimeDelta::minutes(1));
    let mut request = world.request(World::file(&path));
    request.since = Some(since);
    let counts = run::run(&world.app, world.tenant, request.clone()).await.expect("a report").counts;
    assert_eq!((counts.ours, counts.matched, counts.missing, counts.unexpected), (1, 0, 1, 0));
    request.since = None;
    request.as_of = Some(since - TimeDelta::hours(1));
    let counts = run::run(&world.app, world.tenant, request.clone()).await.expect("a report").counts;
    assert_eq!((counts.ours, counts.matched, counts.missing), (1, 1, 0));
    request.channel = Some("sms".to_owned());
    let counts = run::run(&world.app, world.tenant, request).await.expect("a report").counts;
    assert_eq!((counts.ours, counts.differences()), (0, 0));
}

/// A dry run says the same and leaves nothing.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::new().await;
    world.lead(1).await;
    world.deliver().await;
    let path = world.list("list.csv", &format!("{HEADER}{}", their_row(7, 9)));
    world.app.clock.advance(TimeDelta::hours(1));
    let mut request = world.request(World::file(&path));
    request.dry_run = true;
    let report = run::run(&world.app, world.tenant, request).await.expect("a report");
    assert_eq!((report.counts.missing, report.differences.len()), (1, 1));
    for sql in [
        "SELECT to_jsonb(r) FROM reconciliation_run r",
        "SELECT to_jsonb(e) FROM reconciliation_exception e",
        "SELECT to_jsonb(e) FROM lead_event e",
    ] {
        assert_eq!(world.rows(sql).await, Vec::<Value>::new(), "{sql}");
    }
}

/// A workbook says the same as the CSV; a mapping names its columns.
#[tokio::test]
async fn a_workbook_and_a_mapping_are_read_alike() {
    let world = World::new().await;
    for number in 1..=3 {
        world.lead(number).await;
    }
    world.deliver().await;
    world.app.clock.advance(TimeDelta::hours(1));
    let request = world.request(World::file(&fixture("crm_export.xlsx")));
    let report = run::run(&world.app, world.tenant, request.clone()).await.expect("a report");
    let counts = report.counts;
    assert_eq!((counts.theirs, counts.matched, counts.missing, counts.skipped), (2, 2, 1, 0), "{counts:?}");

    let change = service::reconciliation::plans::PlanChange {
        mapping: Some(json!({"columns": {"phone": "Tel"}, "our_sources": ["baton"]})),
        ..Default::default()
    };
    service::reconciliation::plans::change(&world.app, world.tenant, world.destination, change)
        .await
        .expect("a plan");
    let path = world.list("list.csv", "Tel;Source\n(970) 556-0001;x\n970-556-0099;Baton\n970-556-0098;app\n");
    let counts = world.reconcile(&path).await.expect("a report").counts;
    assert_eq!((counts.matched, counts.missing, counts.unexpected, counts.extra_known), (1, 2, 1, 1));
}

/// A list that cannot be compared says what is wrong, and the run says so too; nothing is judged by it.
#[tokio::test]
async fn a_list_that_cannot_be_read_judges_nothing() {
    let world = World::new().await;
    world.lead(1).await;
    world.deliver().await;
    let table = [
        ("names.csv", "Name,Notes\nAda,hello\n", "UNKNOWN_COLUMNS"),
        ("empty.csv", "", "EMPTY_FILE"),
        ("broken.xlsx", "PK\u{3}\u{4}not a workbook", "UNREADABLE_WORKBOOK"),
    ];
    for (name, text, wanted) in table {
        let refused = world.reconcile(&world.list(name, text)).await.expect_err(name);
        let Error::Invalid { code, field, .. } = &refused else { panic!("{name}: {refused:?}") };
        assert_eq!((code.as_ref(), field.as_deref()), (wanted, Some("file")), "{name}: {refused}");
    }
    let runs = world.rows("SELECT to_jsonb(r) FROM reconciliation_run r").await;
    assert_eq!(runs.len(), 3);
    for run in runs {
        assert_eq!(run["state"], "failed");
        assert!(run["error"].as_str().is_some_and(|text| text.len() > 20), "{run}");
    }
    assert_eq!(world.rows("SELECT to_jsonb(e) FROM reconciliation_exception e").await, Vec::<Value>::new());
}

/// The CRM's workbook with that table of shared texts.
fn with_shared_texts(table: &str) -> Vec<u8> {
    let book = std::fs::read(fixture("crm_export.xlsx")).expect("there");
    let mut writer = ZipWriter::new_append(Cursor::new(book)).expect("a workbook");
    writer.start_file("xl/sharedStrings.xml", SimpleFileOptions::default()).expect("an entry");
    writer.write_all(table.as_bytes()).expect("written");
    writer.finish().expect("an archive").into_inner()
}

/// Room for the texts that cells share is taken by the number that the workbook says: one that lies would end the process.
#[tokio::test]
async fn a_workbook_that_lies_about_its_texts_is_refused() {
    let world = World::new().await;
    world.lead(1).await;
    world.deliver().await;
    let path = world.folder.path().join("book.xlsx");
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
    let tables = [
        format!("{declaration}<sst count=\"1\" uniqueCount=\"99999999999999\"><si><t>Ada</t></si></sst>"),
        format!("{declaration}<sst count=\"1\" uniqueCount=\"18446744073709551616\"></sst>"),
        format!("{declaration}<!-- <sst> --><sst uniqueCount=\"99999999999999\"></sst>"),
    ];
    for table in tables {
        std::fs::write(&path, with_shared_texts(&table)).expect("written");
        let refused = world.reconcile(&path).await.expect_err("it lies");
        let Error::Invalid { code, message, .. } = &refused else { panic!("{table}: {refused:?}") };
        assert_eq!(code, "UNREADABLE_WORKBOOK", "{table}");
        assert!(message.contains("send the list as CSV"), "{message}");
    }
    // How often cells name a text may be any number.
    let honest = format!("{declaration}<sst count=\"100000\" uniqueCount=\"1\"><si><t>Ada</t></si></sst>");
    std::fs::write(&path, with_shared_texts(&honest)).expect("written");
    let counts = world.reconcile(&path).await.expect("a report").counts;
    assert_eq!(counts.theirs, 2, "{counts:?}");
}
