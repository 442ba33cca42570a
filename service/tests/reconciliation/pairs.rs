//! The database pairs as the rule says.

use domain::reconciliation::{KEYS, Record, assign};
use service::database::Mode;
use service::intake::copy::CopyRows;
use service::reconciliation::list::Row;
use service::reconciliation::stage;
use uuid::Uuid;

use crate::world::World;

type OwnKeys = [Option<String>; KEYS.len()];

/// A small generator, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Few values, so that records meet in many ways; a remote id is theirs once.
    fn keys(&mut self, remote: Option<String>) -> OwnKeys {
        let mut key = |letter: char| {
            let value = self.below(6);
            (value > 1).then(|| format!("{letter}{value}"))
        };
        [remote, key('x'), key('p'), key('e')]
    }
}

fn borrowed(keys: &[OwnKeys]) -> Vec<[Option<&str>; KEYS.len()]> {
    keys.iter().map(|keys| keys.each_ref().map(Option::as_deref)).collect()
}

#[tokio::test]
async fn the_database_pairs_as_the_rule_says() {
    let world = World::new().await;
    let mut random = Random(20_261_110);
    for case in 0..60 {
        let ours: Vec<OwnKeys> = (0..random.below(9))
            .map(|_| {
                let remote = random.below(12);
                random.keys((remote < 8).then(|| format!("r{remote}")))
            })
            .collect();
        let count = random.below(9);
        let theirs: Vec<OwnKeys> = (0..count).map(|index| random.keys(Some(format!("r{index}")))).collect();
        let mut wanted: Vec<(usize, usize, usize)> = assign(&borrowed(&ours), &borrowed(&theirs))
            .into_iter()
            .map(|pair| (pair.ours, pair.theirs, pair.key))
            .collect();
        wanted.sort_unstable();
        let mut found = paired(&world, &ours, &theirs).await;
        found.sort_unstable();
        assert_eq!(found, wanted, "case {case}: {ours:?} {theirs:?}");
    }
}

async fn paired(world: &World, ours: &[OwnKeys], theirs: &[OwnKeys]) -> Vec<(usize, usize, usize)> {
    let mut tx = world.app.begin(world.tenant, Mode::ReadWrite).await.expect("a transaction");
    stage::begin(tx.connection()).await.expect("tables");
    let rows: Vec<Row> = theirs
        .iter()
        .zip(0..)
        .map(|([remote_id, external_id, phone, email], number)| Row {
            number,
            record: Record {
                remote_id: remote_id.clone(),
                external_id: external_id.clone(),
                phone: phone.clone(),
                email: email.clone(),
                ..Record::default()
            },
        })
        .collect();
    stage::theirs(tx.connection(), &rows, &mut CopyRows::default()).await.expect("copied");
    for (index, [remote_id, external_id, phone, email]) in ours.iter().enumerate() {
        sqlx::query(
            "INSERT INTO pg_temp.recon_ours VALUES ($1, $1, 'delivered', true, NULL, $2, $3, $4, $5)",
        )
        .bind(Uuid::from_u128(index as u128))
        .bind(remote_id)
        .bind(external_id)
        .bind(phone)
        .bind(email)
        .execute(tx.connection())
        .await
        .expect("inserted");
    }
    stage::pair(tx.connection()).await.expect("paired");
    let pairs: Vec<(i32, Uuid, i16)> = sqlx::query_as("SELECT n, delivery_id, by FROM pg_temp.recon_pair")
        .fetch_all(tx.connection())
        .await
        .expect("pairs");
    let index = |number: i32| usize::try_from(number).expect("a number");
    pairs
        .into_iter()
        .map(|(n, delivery, by)| {
            (
                usize::try_from(delivery.as_u128()).expect("small"),
                index(n),
                usize::try_from(by).expect("a key"),
            )
        })
        .collect()
}
