//! Billing from recorded actions to a closed report's files, over the real database.

use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use chrono::TimeDelta;
use domain::billing::{Period, PlanSpec, Totals};
use domain::ids::BillingReportId;
use service::Error;
use service::access::Actor;
use service::billing::files::{self, Format};
use service::billing::rating::{self, LineFilter};
use service::billing::{closing, difference, ingest, lines, overview, plans, reads, reports};
use service::database::Mode;
use sqlx::Row as _;
use tests::TestApp;
use tests::billing::{Books, HEADER, books, close, id, ingest as record, october, partner, sample};

async fn totals(test: &TestApp, books: Books, period: &str) -> Totals {
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let period: Period = period.parse().expect("a period");
    let draft = rating::draft(&tx, books.partner, period, None, LineFilter::default(), (0, 0)).await;
    draft.expect("a draft").figures.totals
}

async fn file(test: &TestApp, books: Books, report: BillingReportId, format: Format) -> Vec<u8> {
    let file = files::ensure(&test.app, books.tenant, report, format).await.expect("a file");
    files::read(&test.app, &file).await.expect("its bytes")
}

#[tokio::test]
async fn the_sample_is_drafted_closed_and_written_to_the_cent() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let draft = totals(&test, books, "2026-10").await;
    assert_eq!((draft.gross, draft.billed, draft.duplicates, draft.over_cap), (19_400, 10_000, 9_000, 400));

    let report = close(&test, books, "2026-10").await;
    assert_eq!((report.gross, report.billed, report.line_count, report.version), (19_400, 10_000, 20, 1));
    let figures = reports::figures(&report).expect("figures");
    assert_eq!(figures.totals, draft);
    let billed: HashMap<&str, i64> =
        figures.products.iter().map(|one| (one.slug.as_str(), one.totals.billed)).collect();
    for (product, amount) in [("ABC", 10), ("DEF", 7), ("GHI", 15), ("JKL", 20), ("MNO", 5), ("PQR", 2)]
        .into_iter()
        .chain([("STU", 10), ("VWX", 5), ("YZA", 15), ("BCD", 5), ("EFG", 6)])
    {
        assert_eq!(billed[product], amount * 100, "{product}");
    }

    let csv = String::from_utf8(file(&test, books, id(&report), Format::Csv).await).expect("text");
    assert_eq!(csv.lines().count(), 21, "{csv}");
    assert!(
        csv.contains(",EFG,Feedback,Submission,High,2026-10-19T09:00:00Z,10.00,6.00,no,4.00,over_cap,"),
        "{csv}"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&file(&test, books, id(&report), Format::Json).await).expect("JSON");
    assert_eq!(json["totals"]["savings"], "94.00");
    assert_eq!(json["lines"].as_array().expect("lines").len(), 20);
    assert_eq!(json["csv_sha256"], files::hex(&report.line_hash));
    assert!(file(&test, books, id(&report), Format::Pdf).await.starts_with(b"%PDF-"));
    let xlsx = file(&test, books, id(&report), Format::Xlsx).await;
    assert!(xlsx.starts_with(b"PK"), "a zip archive");

    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let users = reads::lead_users(&tx, id(&report), (0, 10)).await.expect("lead users");
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].totals, draft, "the one lead user is the whole report");
    let filter = LineFilter { fate: Some("duplicate".to_owned()), ..LineFilter::default() };
    let page = lines::page(&tx, id(&report), &filter, (0, 3)).await.expect("a page");
    assert_eq!((page.total, page.lines.len()), (8, 3));
}

#[tokio::test]
async fn the_same_report_gives_the_same_bytes_and_its_hash_is_that_of_the_csv() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let report = close(&test, books, "2026-10").await;
    // Time passes: a workbook and a document would like to say when they were made.
    test.app.clock.advance(TimeDelta::days(3));
    for format in files::FORMATS {
        let kept = files::ensure(&test.app, books.tenant, id(&report), format).await.expect("a file");
        let again = files::hash_again(&test.app, books.tenant, id(&report), format).await.expect("a hash");
        assert_eq!(kept.sha256, again, "{format:?}");
        if format == Format::Csv {
            assert_eq!(kept.sha256, report.line_hash);
        }
    }
}

#[tokio::test]
async fn a_repeated_action_changes_nothing_and_a_bad_one_names_its_field() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let again = record(&test.app, books, domain::billing::SAMPLE_CSV).await;
    assert_eq!((again.accepted, again.repeated, again.refused), (0, 20, 0));

    let file = format!(
        "{HEADER}k1,ann@example.com,ABC,Event,Click,High,2026-11-01T00:00:00Z
k1,ann@example.com,ABC,Event,Click,High,2026-11-01T00:00:00Z
k1,ann@example.com,ABC,Event,Click,Low,2026-11-01T00:00:00Z
k2,not an address,XYZ,Evnt,Clik,Highest,2031-01-01
k3,,,,,,
k4,bob@example.com,ABC,Event,Click,High,2025-12-31T23:59:59Z
k5,bob@example.com,ABC,Event,Click,High,yesterday
"
    );
    let sum = record(&test.app, books, &file).await;
    assert_eq!((sum.records, sum.accepted, sum.repeated, sum.refused), (7, 1, 1, 5), "{sum:?}");
    let faults: Vec<(u32, Vec<(&str, &str)>)> = sum
        .refusals
        .iter()
        .map(|one| (one.record, one.faults.iter().map(|fault| (fault.field, fault.code)).collect()))
        .collect();
    assert_eq!(faults[0], (3, vec![("key", "KEY_REUSED")]).clone());
    let of = |record: u32| &faults.iter().find(|(number, _)| *number == record).expect("refused").1;
    for fault in [
        ("email", "INVALID_EMAIL"),
        ("product", "UNKNOWN_PRODUCT"),
        ("occurred_at", "TIME_IN_FUTURE"),
        ("lead_type", "UNKNOWN_NAME"),
        ("action_type", "UNKNOWN_NAME"),
        ("level", "UNKNOWN_NAME"),
    ] {
        assert!(of(4).contains(&fault), "{fault:?} in {faults:?}");
    }
    assert_eq!(of(5).len(), 6, "every missing field is named: {faults:?}");
    assert_eq!(*of(6), [("occurred_at", "NO_RATE_PLAN")]);
    assert_eq!(*of(7), [("occurred_at", "INVALID_TIME")]);
    assert_eq!(totals(&test, books, "2026-11").await.actions, 1);
}

#[tokio::test]
async fn a_closed_report_does_not_change_and_a_late_action_adjusts_the_next_one() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let october_report = close(&test, books, "2026-10").await;
    let before = file(&test, books, id(&october_report), Format::Csv).await;

    // Ann is new; the sample's user has reached the cap, and repeats what October's report has billed already.
    let late = format!(
        "{HEADER}l1,ann@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z
l2,user@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z
l3,user@example.com,ABC,Website Visit,Form Submission,High,2026-10-01T00:00:00Z
n1,ann@example.com,ABC,Event,Click,Low,2026-11-02T00:00:00Z
"
    );
    assert_eq!(record(&test.app, books, &late).await.accepted, 4);
    assert_eq!(
        totals(&test, books, "2026-10").await.actions,
        23,
        "a draft of October shows what a reissue would say"
    );
    assert_eq!(file(&test, books, id(&october_report), Format::Csv).await, before, "what is closed stays");

    // November ends.
    test.app.clock.advance(TimeDelta::days(20));
    let november = close(&test, books, "2026-11").await;
    assert_eq!(
        (november.line_count, november.gross, november.billed, november.adjusted),
        (4, 3_200, 1_200, 1_000)
    );
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let all = lines::after(&tx, id(&november), 0, 100).await.expect("lines");
    let said: Vec<_> = all
        .iter()
        .map(|line| (line.email.as_str(), line.fate.as_str(), line.billed, line.own_period.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            ("ann@example.com", "billed", 200, None),
            ("ann@example.com", "billed", 1_000, Some("2026-10")),
            ("user@example.com", "duplicate", 0, Some("2026-10")),
            ("user@example.com", "over_cap", 0, Some("2026-10")),
        ]
    );
    drop(tx);
    // Issued again, October does not take back what November has billed for it; nobody is over the cap.
    let again =
        closing::reissue(&test.app, books.tenant, id(&october_report), "checked", Actor::Operator).await;
    let again = again.expect("it is issued again");
    assert_eq!((again.version, again.billed, again.line_count), (2, 10_000, 20));
}

#[tokio::test]
async fn a_reissue_says_line_by_line_what_differs() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let first = close(&test, books, "2026-10").await;
    let late = format!("{HEADER}l1,ann@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z\n");
    record(&test.app, books, &late).await;
    // A dearer plan was agreed on, in force since January.
    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let mut spec: PlanSpec = plans::versions(&tx, books.plan).await.expect("versions").remove(0).spec;
    drop(tx);
    spec.levels[2].price = "3.00".to_owned();
    let from = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
    plans::add_version(&test.app, books.tenant, books.plan, from, &spec, Actor::Operator)
        .await
        .expect("a version");
    let second = closing::reissue(&test.app, books.tenant, id(&first), "another plan", Actor::Operator)
        .await
        .expect("issued");
    assert_eq!((second.version, second.plan_version, second.replaces), (2, 2, Some(first.id)));

    let tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let former = reports::by_id(&tx, id(&first)).await.expect("the former");
    assert_eq!((former.state.as_str(), former.billed, former.plan_version), ("superseded", 10_000, 1));
    let difference = difference::between(&tx, id(&first), id(&second)).await.expect("a difference");
    // Low costs a dollar more twice; the cap takes it from the last line; Ann's ten dollars are new.
    assert_eq!((difference.amount(), difference.note(), difference.changed), (1_000, "debit", 4));
    let new = &difference.lines[0];
    assert_eq!(
        (new.email.as_str(), new.billed_before, new.billed_after),
        ("ann@example.com", None, Some(1_000))
    );
    drop(tx);
    for late_comer in [id(&first), id(&first)] {
        let refused = closing::reissue(&test.app, books.tenant, late_comer, "again", Actor::Operator).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    }
    let voided = closing::void(&test.app, books.tenant, id(&second), "a mistake", Actor::Operator)
        .await
        .expect("void");
    assert_eq!(voided.state, "void");
    assert_eq!(close(&test, books, "2026-10").await.version, 3);
}

#[tokio::test]
async fn a_period_closes_once_and_not_before_its_end() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    sample(&test.app, books).await;
    let close = |period: &str| {
        let (app, period) = (test.app.clone(), period.parse::<Period>().expect("a period"));
        async move { closing::close(&app, books.tenant, books.partner, period, Actor::Operator).await }
    };
    assert!(matches!(close("2026-11").await, Err(Error::Conflict(why)) if why.contains("not over")));
    assert!(matches!(close("2026-Q3").await, Err(Error::Invalid { .. })));
    assert!(
        matches!(close("2025-12").await, Err(Error::Conflict(why)) if why.contains("no version in force"))
    );
    let (one, other) = tokio::join!(close("2026-10"), close("2026-10"));
    assert!(one.is_ok() ^ other.is_ok(), "{one:?} {other:?}");
}

/// Many actions of many lead users and two partners: the figures are those of one SQL statement that says the rule by windows.
#[tokio::test]
async fn the_figures_are_those_of_a_plain_statement() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    let other = partner(&test.app, books.tenant, books.plan, "contoso").await;
    let mut file = HEADER.to_owned();
    let (products, types) = (tests::billing::PRODUCTS, ["Event", "Referral", "Email Campaign"]);
    let (actions, levels) = (["Click", "Signup", "Like"], ["High", "Medium", "Low"]);
    let mut state = 7_u64;
    let mut pick = |many: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("small") % many
    };
    for number in 0..3_000 {
        let (day, second) = (pick(31) + 1, pick(60));
        let line = format!(
            "k{number},u{}@example.com,{},{},{},{},2026-10-{day:02}T12:00:{second:02}Z\n",
            pick(40),
            products[pick(11)],
            types[pick(3)],
            actions[pick(3)],
            levels[pick(3)],
        );
        file.push_str(&line);
    }
    for partner in [books.partner, other] {
        let sum = ingest::ingest(&test.app, books.tenant, partner, Cursor::new(file.clone()))
            .await
            .expect("recorded");
        assert_eq!((sum.accepted, sum.refused), (3_000, 0), "{:?}", sum.refusals.first());
    }
    let mut tx = test.app.begin(books.tenant, Mode::ReadOnly).await.expect("a transaction");
    let row = sqlx::query(
        "WITH priced AS (
             SELECT *, CASE WHEN (lead_type, action_type, level) IN (('Email Campaign', 'Click', 'High')) THEN 1500
                            WHEN (lead_type, action_type, level) IN (('Referral', 'Signup', 'High')) THEN 2000
                            WHEN level = 'High' THEN 1000 WHEN level = 'Medium' THEN 500 ELSE 200 END AS price,
                    row_number() OVER (PARTITION BY partner_id, lead_user_id, product_id, action_type, level
                                       ORDER BY occurred_at, id) AS nth
             FROM lead_action WHERE tenant_id = $1 AND partner_id = $2
         ), running AS (
             SELECT *, sum(CASE WHEN nth = 1 THEN price ELSE 0 END) OVER (PARTITION BY lead_user_id ORDER BY occurred_at, id) AS run
             FROM priced
         )
         SELECT sum(price)::bigint AS gross, coalesce(sum(price) FILTER (WHERE nth > 1), 0)::bigint AS duplicates,
                coalesce(sum(greatest(0, least(price, 10000 - (run - price)))) FILTER (WHERE nth = 1), 0)::bigint AS billed
         FROM running",
    )
    .bind(books.tenant.uuid())
    .bind(books.partner.uuid())
    .fetch_one(tx.connection())
    .await
    .expect("a row");
    let all = overview::partners(&tx, october(), test.app.clock.now()).await.expect("an overview");
    assert_eq!(all.len(), 2);
    for one in all {
        let totals = one.totals;
        assert!(totals.over_cap > 0 && totals.duplicates > 0, "{totals:?}");
        assert_eq!(totals.gross, row.get::<i64, _>("gross"));
        assert_eq!(totals.duplicates, row.get::<i64, _>("duplicates"));
        assert_eq!(totals.billed, row.get::<i64, _>("billed"));
    }
}

/// Text that a spreadsheet would run comes out as text.
#[tokio::test]
async fn no_cell_of_a_file_is_a_formula() {
    let test = TestApp::new().await;
    let books = books(&test.app, test.tenant("acme").await).await;
    let file = format!("{HEADER}k,=cmd@example.com,ABC,Event,Click,High,2026-10-05T00:00:00Z\n");
    let sum = record(&test.app, books, &file).await;
    assert_eq!(sum.accepted, 1, "{sum:?}");
    let report = close(&test, books, "2026-10").await;
    let mut csv = String::new();
    Cursor::new(self::file(&test, books, id(&report), Format::Csv).await)
        .read_to_string(&mut csv)
        .expect("text");
    assert!(csv.contains("'=cmd@example.com"), "{csv}");
}
