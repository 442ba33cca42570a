//! What comes in after its period was closed, in every order in which reports are closed, issued again and taken back.

use chrono::{NaiveDate, TimeDelta};
use domain::billing::{Cycle, PlanSpec, Window};
use entity::billing_report;
use service::Error;
use service::access::Actor;
use service::billing::rating::{self, Line, LineFilter};
use service::billing::{closing, lines, plans, reports};
use service::database::Mode;
use tests::TestApp;
use tests::billing::{Books, HEADER, books, close, id, ingest, sample};

async fn spec(test: &TestApp, books: Books) -> PlanSpec {
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    plans::versions(&tx, books.plan).await.expect("versions").remove(0).spec
}

async fn version(test: &TestApp, books: Books, from: (i32, u32, u32), spec: &PlanSpec) {
    let from = NaiveDate::from_ymd_opt(from.0, from.1, from.2).expect("a day");
    plans::add_version(&test.app, books.tenant, books.plan, from, spec, Actor::Operator)
        .await
        .expect("a version");
}

async fn record(test: &TestApp, books: Books, rows: &[&str]) {
    let sum = ingest(&test.app, books, &format!("{HEADER}{}\n", rows.join("\n"))).await;
    assert_eq!((sum.accepted, sum.refused), (rows.len() as u64, 0), "{sum:?}");
}

async fn all_lines(test: &TestApp, books: Books, report: &billing_report::Model) -> Vec<Line> {
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    lines::after(&tx, id(report), 0, 100).await.expect("lines")
}

/// What each line says: its fate, what is billed, and its own period when that is another.
fn said(lines: &[Line]) -> Vec<(&str, i64, Option<&str>)> {
    lines.iter().map(|line| (line.fate.as_str(), line.billed, line.own_period.as_deref())).collect()
}

async fn reissue(test: &TestApp, books: Books, report: &billing_report::Model) -> billing_report::Model {
    closing::reissue(&test.app, books.tenant, id(report), "again", Actor::Operator)
        .await
        .expect("issued again")
}

/// A later version of the plan names more, and first: what is late is rated by the version that its period was closed with.
#[tokio::test]
async fn an_adjustment_costs_what_it_cost_in_its_own_period() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    close(&test, books, "2026-10").await;
    let mut other = spec(&test, books).await;
    let mut first = other.levels[0].clone();
    first.name = "Premium".to_owned();
    first.price = "50.00".to_owned();
    other.levels.insert(0, first);
    other.levels[1].price = "11.00".to_owned();
    let mut kind = other.lead_types[0].clone();
    kind.name = "Podcast".to_owned();
    other.lead_types.insert(0, kind);
    version(&test, books, (2026, 11, 1), &other).await;
    record(
        &test,
        books,
        &[
            "l,ann@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z",
            "n,ann@example.com,ABC,Event,Click,High,2026-11-05T00:00:00Z",
        ],
    )
    .await;
    test.app.clock.advance(TimeDelta::days(20));
    let november = close(&test, books, "2026-11").await;
    let lines = all_lines(&test, books, &november).await;
    assert_eq!(said(&lines), [("billed", 1_100, None), ("billed", 1_000, Some("2026-10"))]);
    assert_eq!((lines[1].level.as_str(), lines[1].lead_type.as_str()), ("High", "Event"));
    let figures = reports::figures(&november).expect("figures");
    assert_eq!(figures.lead_types.len(), 1, "both are of one lead type: {:?}", figures.lead_types);
}

/// Issuing a report with adjustments again changes none of them.
#[tokio::test]
async fn a_report_with_adjustments_is_issued_again_as_it_was() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let october = close(&test, books, "2026-10").await;
    record(
        &test,
        books,
        &[
            "l1,ann@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z",
            "l2,user@example.com,ABC,Website Visit,Form Submission,High,2026-10-01T00:00:00Z",
            "n1,ann@example.com,ABC,Event,Click,Low,2026-11-02T00:00:00Z",
        ],
    )
    .await;
    test.app.clock.advance(TimeDelta::days(20));
    let november = close(&test, books, "2026-11").await;
    let again = reissue(&test, books, &november).await;
    assert_eq!((again.version, again.line_hash), (2, november.line_hash), "the same bytes");
    // What was told as a repeat of an October line does not make that line a repeat when October is issued again.
    let october_again = reissue(&test, books, &october).await;
    assert_eq!(october_again.line_hash, october.line_hash);
}

/// A draft of a closed period says what its report says, with the late actions that it was issued again with.
#[tokio::test]
async fn a_draft_of_a_closed_period_is_what_its_report_says() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let october = close(&test, books, "2026-10").await;
    record(&test, books, &["l1,bob@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z"]).await;
    let again = reissue(&test, books, &october).await;
    assert_eq!(again.gross, october.gross + 1_000);
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let period = reports::period(&again);
    let draft = rating::draft(&tx, books.partner, period, None, LineFilter::default(), (0, 0)).await;
    let figures = reports::figures(&again).expect("figures");
    assert_eq!(draft.expect("a draft").figures.totals, figures.totals);
}

/// The cap of a period holds over its own report and every adjustment, whichever is issued again at other prices.
#[tokio::test]
async fn the_cap_of_a_period_counts_what_later_reports_have_charged_for_it() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    let of = |key: &str, product: &str| {
        format!("{key},ann@example.com,{product},Event,Click,High,2026-10-05T00:00:00Z")
    };
    let on_time: Vec<String> =
        ["ABC", "DEF", "GHI", "JKL", "MNO", "PQR"].iter().map(|one| of(one, one)).collect();
    record(&test, books, &on_time.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let october = close(&test, books, "2026-10").await;
    assert_eq!(october.billed, 6_000);
    let late: Vec<String> = ["STU", "VWX", "YZA", "BCD", "EFG"].iter().map(|one| of(one, one)).collect();
    record(&test, books, &late.iter().map(String::as_str).collect::<Vec<_>>()).await;
    test.app.clock.advance(TimeDelta::days(20));
    let november = close(&test, books, "2026-11").await;
    assert_eq!(
        (november.gross, november.billed, november.over_cap),
        (5_000, 4_000, 1_000),
        "a hundred in all"
    );
    let mut dearer = spec(&test, books).await;
    dearer.levels[0].price = "20.00".to_owned();
    version(&test, books, (2026, 1, 1), &dearer).await;
    let october = reissue(&test, books, &october).await;
    assert_eq!(
        (october.gross, october.billed, october.over_cap),
        (12_000, 6_000, 6_000),
        "what is left of it"
    );
}

/// Where repeats are told over the end of a period, a late action repeats what came before it, and what was charged after it.
#[tokio::test]
async fn a_late_action_repeats_over_the_end_of_its_period() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    let mut forever = spec(&test, books).await;
    forever.duplicates.window = Window::Forever;
    version(&test, books, (2026, 1, 1), &forever).await;
    let of = |key: &str, product: &str, day: &str| {
        format!("{key},ann@example.com,{product},Event,Click,High,2026-{day}T00:00:00Z")
    };
    record(&test, books, &[&of("s", "ABC", "09-05"), &of("n", "DEF", "11-02")]).await;
    assert_eq!(close(&test, books, "2026-09").await.billed, 1_000);
    close(&test, books, "2026-10").await;
    test.app.clock.advance(TimeDelta::days(20));
    let november = close(&test, books, "2026-11").await;
    assert_eq!(november.billed, 1_000);
    record(&test, books, &[&of("l1", "ABC", "10-05"), &of("l2", "DEF", "10-06"), &of("l3", "GHI", "10-07")])
        .await;
    test.app.clock.advance(TimeDelta::days(31));
    let december = close(&test, books, "2026-12").await;
    let own = Some("2026-10");
    assert_eq!(
        said(&all_lines(&test, books, &december).await),
        [("duplicate", 0, own), ("duplicate", 0, own), ("billed", 1_000, own)]
    );
    // November's action was charged and stays so: what came in late before it repeats it, not the other way round.
    assert_eq!(reissue(&test, books, &november).await.line_hash, november.line_hash);
}

/// The plan bills by quarters since: a quarter of which a month is closed would bill that month again.
#[tokio::test]
async fn a_period_that_shares_days_with_a_closed_one_waits_until_that_is_void() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let october = close(&test, books, "2026-10").await;
    let quarterly = PlanSpec { cycle: Cycle::Quarter, ..spec(&test, books).await };
    version(&test, books, (2026, 1, 1), &quarterly).await;
    test.app.clock.advance(TimeDelta::days(60));
    let quarter = "2026-Q4".parse().expect("a period");
    let refused = closing::close(&test.app, books.tenant, books.partner, quarter, Actor::Operator).await;
    assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("2026-10")), "{refused:?}");
    closing::void(&test.app, books.tenant, id(&october), "by quarters now", Actor::Operator)
        .await
        .expect("void");
    assert_eq!(close(&test, books, "2026-Q4").await.line_count, 20);
}

/// Days between the last month and the first week would be in nobody's bill.
#[tokio::test]
async fn another_cycle_takes_effect_on_a_day_that_begins_a_period_of_both() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    let monthly = spec(&test, books).await;
    let [weekly, quarterly] =
        [Cycle::Week, Cycle::Quarter].map(|cycle| PlanSpec { cycle, ..monthly.clone() });
    let add = async |(year, month, day): (i32, u32, u32), spec: &PlanSpec| {
        let from = NaiveDate::from_ymd_opt(year, month, day).expect("a day");
        plans::add_version(&test.app, books.tenant, books.plan, from, spec, Actor::Operator).await
    };
    // The first day of a month, of a week, of neither.
    for day in [1, 5, 15] {
        match add((2026, 10, day), &weekly).await {
            Err(Error::Invalid { field: Some(field), message, .. }) => {
                assert_eq!(field, "effective_from");
                assert!(message.ends_with("next on 2027-02-01 or 2027-03-01"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    add((2027, 2, 1), &weekly).await.expect("a Monday");
    match add((2027, 1, 1), &quarterly).await {
        Err(Error::Invalid { field: Some(field), message, .. }) => {
            assert_eq!(field, "spec.cycle");
            assert_eq!(message, "version 2 bills by the week from 2027-02-01 on, inside a quarter");
        }
        other => panic!("{other:?}"),
    }
    // The same cycle may change its prices on any day: the periods that begin later have them.
    add((2026, 10, 15), &monthly).await.expect("a version");
}

/// A report is taken back and its period closed again: what a later report has billed stays there, and is repeated from there.
#[tokio::test]
async fn a_period_that_was_taken_back_leaves_to_others_what_they_have_billed() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    record(&test, books, &["o,ann@example.com,ABC,Event,Click,Low,2026-10-04T00:00:00Z"]).await;
    let october = close(&test, books, "2026-10").await;
    record(&test, books, &["x,ann@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z"]).await;
    test.app.clock.advance(TimeDelta::days(20));
    let november = close(&test, books, "2026-11").await;
    assert_eq!((november.billed, november.adjusted), (1_000, 1_000));
    let void = async |report: &billing_report::Model| {
        closing::void(&test.app, books.tenant, id(report), "a mistake", Actor::Operator).await.expect("void")
    };
    void(&october).await;
    // In a period that is open again an action is on time. It repeats what November has billed for October.
    record(
        &test,
        books,
        &[
            "y,ann@example.com,ABC,Event,Click,High,2026-10-06T00:00:00Z",
            "z,ann@example.com,DEF,Event,Click,High,2026-10-06T00:00:00Z",
        ],
    )
    .await;
    let october = close(&test, books, "2026-10").await;
    assert_eq!((october.version, october.billed, october.duplicates), (2, 1_200, 1_000));
    // November is taken back and closed again: its adjustment is still nobody else's.
    void(&november).await;
    let november = close(&test, books, "2026-11").await;
    assert_eq!((november.version, november.billed, november.adjusted), (2, 1_000, 1_000));
    // October is issued again while November is void: the late action is October's own from then on.
    void(&november).await;
    let october = reissue(&test, books, &october).await;
    assert_eq!((october.billed, october.duplicates, october.line_count), (2_200, 1_000, 4));
    assert_eq!(close(&test, books, "2026-11").await.billed, 0);
}
