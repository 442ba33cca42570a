//! A period's actions out of the store, as numbers to rate.
//!
//! They come by COPY in binary, because the way out of the database costs more than rating: names become numbers as they
//! pass, forty bytes an action stay. The order does not matter here, rating sorts.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::billing::{Action, Charged, Rules, Window};
use domain::ids::BillingReportId;
use uuid::Uuid;

use super::book::{Book, ById, Names, Numbers, Reading};
use super::copy::{Fields, copy_out};
use super::folding::Folding;
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
    let with_late = with_late_actions(tx, books).await?;
    let mut loaded = Vec::with_capacity(all.len());
    for Loading { book, products, mut facts } in all {
        if with_late.contains(&book.partner.id) {
            let numbers = Numbers { users: book.numbered_users().collect(), products };
            facts.charged = late::charged_elsewhere(tx, book, replaced, &numbers).await?;
            let Facts { names, late_ids: late, .. } = &mut facts;
            let mut reading = Reading { products: &numbers.products, from: i64::MIN, names, late };
            facts.late = late::load(tx, book, replaced, &numbers, &mut reading).await?;
            facts.late_ids.sort_unstable();
        }
        loaded.push(facts);
    }
    Ok(loaded)
}

/// Those of the books' partners that have late actions. Nothing of the others can be owed or charged in another period.
async fn with_late_actions(tx: &TenantTx, books: &[&Book]) -> Result<HashSet<Uuid>, Error> {
    let partners: Vec<Uuid> = books.iter().map(|book| book.partner.id).collect();
    let found: Vec<Uuid> = sqlx::query_scalar(
        "SELECT partner FROM unnest($2::uuid[]) AS wanted (partner)
         WHERE EXISTS (SELECT FROM lead_action WHERE tenant_id = $1 AND partner_id = partner AND late)",
    )
    .bind(tx.tenant().uuid())
    .bind(partners)
    .fetch_all(&mut *tx.lock().await)
    .await?;
    Ok(found.into_iter().collect())
}

/// A partner's facts on their way.
struct Loading<'a> {
    book: &'a Book,
    products: ById,
    facts: Facts,
}

impl<'a> Loading<'a> {
    fn new(book: &'a Book) -> Self {
        let facts = Facts { names: Names::of(&book.rules), ..Facts::default() };
        Self { book, products: book.product_numbers(), facts }
    }

    fn take(&mut self, user: u32, from: i64, row: &mut Fields<'_>) -> Option<()> {
        let Facts { names, late_ids: late, actions, .. } = &mut self.facts;
        actions.push(Reading { products: &self.products, from, names, late }.action(user, row)?);
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
    // A lead user is one partner's: its id says whose the action is, and a row need not.
    let places: HashMap<Uuid, (usize, u32), Folding> = together
        .iter()
        .flat_map(|&index| all[index].book.numbered_users().map(move |(id, number)| (id, (index, number))))
        .collect();
    let partners: Vec<String> =
        together.iter().map(|index| format!("'{}'", all[*index].book.partner.id)).collect();
    let from = span.from.timestamp_micros();
    // UUIDs, numbers and RFC 3339 times of our own making: nothing of them ends the quotes. COPY takes no parameters.
    let statement = format!(
        "COPY (SELECT lead_user_id, id, product_id, lead_type, action_type, level, occurred_at,
                      CASE WHEN late THEN EXISTS ({elsewhere}) END
               FROM lead_action a
               WHERE tenant_id = '{tenant}' AND partner_id IN ({partners}) AND occurred_at >= '{since}' AND occurred_at < '{to}'
                 AND NOT {nothing})
         TO STDOUT (FORMAT binary)",
        partners = partners.join(", "),
        to = span.to.to_rfc3339(),
        since = span.since.to_rfc3339(),
        elsewhere = late::accounted(tenant, replaced),
        nothing = late::accounted_as_nothing(tenant, replaced),
    );
    let mut connection = tx.lock().await;
    // The actions of a partner lie all over the table, in the order in which they came. Fetched one by one in the index's order, nearly
    // every page is looked up once for each action on it: in the order of the pages it takes a third of the time.
    sqlx::query("SET LOCAL enable_indexscan = off").execute(&mut *connection).await?;
    copy_out(&mut connection, &statement, |row| {
        let (index, user) = *places.get(&row.uuid()?)?;
        all.get_mut(index)?.take(user, from, row)
    })
    .await?;
    sqlx::query("SET LOCAL enable_indexscan TO DEFAULT").execute(&mut *connection).await?;
    Ok(())
}

/// From when on earlier actions matter: those that the period's own may repeat.
fn history_since(rules: &Rules, from: DateTime<Utc>) -> DateTime<Utc> {
    match rules.window() {
        Window::Period => from,
        Window::Days(days) => from - chrono::TimeDelta::days(days.into()),
        Window::Forever => DateTime::from_timestamp(0, 0).unwrap_or(from),
    }
}
