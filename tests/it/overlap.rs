//! Files that bring the same leads at the same time: whichever comes first, each lead is there once.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::ids::TenantId;
use entity::lead_source;
use service::database::Mode;
use service::delivery::testing::FakeCrm;
use service::intake::imports::Counts;
use service::intake::run::Ended;
use tests::TestApp;
use tests::data::{destination, import_file};

/// Leads of both files together; a third is in both, a third in each alone. More than a batch each, so that batches meet.
const LEADS: u32 = 13_500;
const HEADER: &str = "Lead ID,First Name,Pri. Phone,Email,City\n";

/// How the second file brings a lead that the first one has.
#[derive(Clone, Copy)]
enum Again {
    /// In the same words.
    Same,
    /// With another city: a revision.
    Revised,
    /// Under another id, with the same phone: a duplicate.
    Renamed,
}

impl Again {
    fn of(number: u32) -> Self {
        [Self::Same, Self::Revised, Self::Renamed][number as usize / 3 % 3]
    }
}

fn row(text: &mut String, number: u32, id: &str, city: &str) {
    let phone = 3_032_000_000_u64 + u64::from(number);
    writeln!(text, "{id}{number},Ada,{phone},lead{number}@example.com,{city}").expect("a string takes it");
}

/// The first file goes up, the second one comes down to meet it: their batches want the same keys in opposite orders.
fn files(test: &TestApp) -> [PathBuf; 2] {
    let (mut first, mut second) = (HEADER.to_owned(), HEADER.to_owned());
    for number in (0..LEADS).filter(|number| number % 3 != 2) {
        row(&mut first, number, "LS-", "Denver");
    }
    for number in (0..LEADS).rev().filter(|number| number % 3 != 1) {
        match Again::of(number) {
            Again::Revised if number % 3 == 0 => row(&mut second, number, "LS-", "Boulder"),
            Again::Renamed if number % 3 == 0 => row(&mut second, number, "OTHER-", "Denver"),
            _ => row(&mut second, number, "LS-", "Denver"),
        }
    }
    [("first.csv", first), ("second.csv", second)].map(|(name, text)| {
        let path = test.folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    })
}

async fn done(test: &TestApp, tenant: TenantId, source: &lead_source::Model, path: &Path) -> Counts {
    match import_file(&Arc::clone(&test.app), tenant, source, path).await.1 {
        Ended::Done(counts) => counts,
        other => panic!("not done: {other:?}"),
    }
}

async fn both_at_once(first_begins: bool) {
    let test = TestApp::new().await;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    destination(&test.app, tenant, "bonzo", crm.url(), None).await;
    let [first, second] = files(&test);
    let (begins, follows) = if first_begins { (&first, &second) } else { (&second, &first) };
    let counts = tokio::join!(done(&test, tenant, &source, begins), done(&test, tenant, &source, follows));
    let both = [counts.0, counts.1];

    let sum = |pick: fn(&Counts) -> i64| both.iter().map(pick).sum::<i64>();
    let (leads, third) = (i64::from(LEADS), i64::from(LEADS / 3));
    assert_eq!(sum(|one| one.records), leads + third);
    assert_eq!(sum(|one| one.accepted), leads, "{both:?}");
    assert_eq!(sum(|one| one.updated), third / 3, "{both:?}");
    assert_eq!(sum(|one| one.duplicates), third / 3 * 2, "{both:?}");
    assert_eq!(sum(|one| one.rejected + one.warned + one.skipped), 0, "{both:?}");

    let mut tx = test.app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let phones: Vec<String> =
        sqlx::query_scalar("SELECT phone FROM lead").fetch_all(tx.connection()).await.expect("leads");
    let unique: BTreeSet<&String> = phones.iter().collect();
    assert_eq!((phones.len() as u64, unique.len() as u64), (leads.cast_unsigned(), leads.cast_unsigned()));
    let deliveries: (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT lead_id) FROM delivery")
        .fetch_one(tx.connection())
        .await
        .expect("deliveries");
    assert_eq!(deliveries, (leads, leads), "each lead is delivered once");
    let revised: (i64, i64) =
        sqlx::query_as("SELECT count(*), count(DISTINCT lead_id) FROM lead_event WHERE kind = 'updated'")
            .fetch_one(tx.connection())
            .await
            .expect("events");
    assert_eq!(revised, (third / 3, third / 3), "each revision is in its lead's journey, once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_files_at_once_bring_each_lead_once() {
    both_at_once(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_they_do_the_other_way_round() {
    both_at_once(false).await;
}
