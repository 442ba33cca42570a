//! A period's actions out of the store, as numbers to rate.
//!
//! They come by COPY in binary, because the way out of the database costs more than rating: names become numbers as they
//! pass, forty bytes an action stay. The order does not matter here, rating sorts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::billing::{Action, Charged, Rules, Window};
use domain::ids::BillingReportId;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::book::{Book, Names, Numbers, Reading};
use super::copy::{Fields, copy_out};
use super::late::{self, LateGroup};
use crate::database::TenantTx;
use crate::error::Error;

/// A period's actions, and what they meet.
#[derive(Default)]
pub struct Facts {
    /// The period's own, and earlier ones that they may repeat.
    pub actions: Vec<Action>,
    /// What lead users were charged for this period by reports of later ones.
    pub charged: Charged,
    /// Actions of earlier, closed periods that no report has yet.
    pub late: Vec<LateGroup>,
    /// Which of all these came in after their period was closed; in order.
    pub late_ids: Vec<Uuid>,
    /// Names beyond those of the plan, by number.
    pub names: Names,
}

/// Loads what the period's report is made of. `replacing`: that report does not count any more.
///
/// A late action of the period that another report accounts for is not rated here again; when it is charged there, others
/// may repeat it.
pub async fn load(tx: &TenantTx, book: &Book, replacing: Option<BillingReportId>) -> Result<Facts, Error> {
    let replaced = replacing.map_or(Uuid::nil(), BillingReportId::uuid);
    let loaded = load_each(tx, &[book], replaced).await?.pop();
    loaded.ok_or_else(|| Error::internal("loading a period", "it has no facts"))
}

/// The same for several partners, in their order. Their actions lie among each other, so that one walk through all of them
/// costs little more than the walk for one; everything is in memory at the end, so keep them few.
pub async fn load_all(tx: &TenantTx, books: &[Book]) -> Result<Vec<Facts>, Error> {
    let books: Vec<&Book> = books.iter().collect();
    load_each(tx, &books, Uuid::nil()).await
}

async fn load_each(tx: &TenantTx, books: &[&Book], replaced: Uuid) -> Result<Vec<Facts>, Error> {
    let mut all: Vec<Loading<'_>> = books.iter().map(|book| Loading::new(book)).collect();
    // Only what is asked for in the same words can be asked for at once.
    let mut spans: HashMap<Span, Vec<usize>> = HashMap::new();
    for (index, book) in books.iter().enumerate() {
        spans.entry(Span::of(book)).or_default().push(index);
    }
    for (span, together) in spans {
        copy_actions(tx, span, &together, &mut all, replaced).await?;
    }
    let mut loaded = Vec::with_capacity(all.len());
    for Loading { book, numbers, mut facts } in all {
        facts.charged = late::charged_elsewhere(tx, book, replaced, &numbers).await?;
        let mut reading = Reading { numbers: &numbers, names: &mut facts.names, late: &mut facts.late_ids };
        facts.late = late::load(tx, book, replaced, &mut reading).await?;
        facts.late_ids.sort_unstable();
        loaded.push(facts);
    }
    Ok(loaded)
}

/// A partner's facts on their way.
struct Loading<'a> {
    book: &'a Book,
    numbers: Numbers,
    facts: Facts,
}

impl<'a> Loading<'a> {
    fn new(book: &'a Book) -> Self {
        let facts = Facts { names: Names::of(&book.rules), ..Facts::default() };
        Self { book, numbers: book.numbers(), facts }
    }

    fn take(&mut self, row: &mut Fields<'_>) -> Option<()> {
        let Facts { names, late_ids: late, actions, .. } = &mut self.facts;
        actions.push(Reading { numbers: &self.numbers, names, late }.action(row)?);
        Some(())
    }
}

/// Which actions a period needs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Span {
    /// From here on, for what may be repeated.
    since: DateTime<Utc>,
    /// The period's first moment.
    from: DateTime<Utc>,
    /// The first one after it.
    to: DateTime<Utc>,
}

impl Span {
    fn of(book: &Book) -> Self {
        let (from, to) = book.bounds;
        Self { since: history_since(&book.rules, from), from, to }
    }
}

/// Reads the actions of some partners, which need the same span of them, in one walk.
async fn copy_actions(
    tx: &TenantTx,
    span: Span,
    together: &[usize],
    all: &mut [Loading<'_>],
    replaced: Uuid,
) -> Result<(), Error> {
    let tenant = tx.tenant().uuid();
    let places: HashMap<Uuid, usize, Xxh3DefaultBuilder> =
        together.iter().map(|index| (all[*index].book.partner.id, *index)).collect();
    let partners: Vec<String> = places.keys().map(|partner| format!("'{partner}'")).collect();
    // UUIDs, numbers and RFC 3339 times of our own making: nothing of them ends the quotes. COPY takes no parameters.
    let statement = format!(
        "COPY (SELECT partner_id, id, lead_user_id, product_id, lead_type, action_type, level, occurred_at, late,
                      occurred_at < '{from}' OR (late AND EXISTS ({elsewhere}))
               FROM lead_action a
               WHERE tenant_id = '{tenant}' AND partner_id IN ({partners}) AND occurred_at >= '{since}' AND occurred_at < '{to}'
                 AND NOT {nothing})
         TO STDOUT (FORMAT binary)",
        partners = partners.join(", "),
        from = span.from.to_rfc3339(),
        to = span.to.to_rfc3339(),
        since = span.since.to_rfc3339(),
        elsewhere = late::accounted(tenant, replaced),
        nothing = late::accounted_as_nothing(tenant, replaced),
    );
    copy_out(&mut *tx.lock().await, &statement, |row| all.get_mut(*places.get(&row.uuid()?)?)?.take(row))
        .await
}

/// From when on earlier actions matter: those that the period's own may repeat.
fn history_since(rules: &Rules, from: DateTime<Utc>) -> DateTime<Utc> {
    match rules.window() {
        Window::Period => from,
        Window::Days(days) => from - chrono::TimeDelta::days(days.into()),
        Window::Forever => DateTime::from_timestamp(0, 0).unwrap_or(from),
    }
}
