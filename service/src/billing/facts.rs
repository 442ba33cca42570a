//! A period's actions out of the store, as numbers to rate.
//!
//! They come by COPY in binary, because the way out of the database costs more than rating: names become numbers as they
//! pass, forty bytes an action stay. The order does not matter here, rating sorts.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use domain::billing::{Action, Charged, Period, Rules, Settled, Window};
use domain::ids::{BillingReportId, PartnerId, RatePlanId};
use entity::{partner, product};
use futures_util::TryStreamExt as _;
use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::catalog::{self, PlanVersion};
use crate::database::TenantTx;
use crate::error::Error;

/// What a partner's period is rated with.
pub struct Book {
    /// The partner.
    pub partner: partner::Model,
    /// Its zone.
    pub zone: Tz,
    /// The period.
    pub period: Period,
    /// The plan's version in force on the period's first day.
    pub plan: PlanVersion,
    /// The same, ready to rate with.
    pub rules: Rules,
    /// Products; actions name them by their place.
    pub products: Vec<product::Model>,
    /// Lead users in the order of their addresses; actions name them by their place.
    pub users: Vec<(Uuid, String)>,
    /// The period's first moment and the first one after it.
    pub bounds: (DateTime<Utc>, DateTime<Utc>),
}

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

/// Late actions of one closed period.
pub struct LateGroup {
    /// Their own period.
    pub period: Period,
    /// The plan's version that it was closed with.
    pub rules: Rules,
    /// What is settled of their lead users there.
    pub settled: Vec<Settled>,
    /// The late actions.
    pub actions: Vec<Action>,
}

/// Lead types, action types and levels by number: those of the plan, then others that actions have.
#[derive(Default)]
pub struct Names {
    /// Lead types.
    pub lead_types: Interner,
    /// Action types.
    pub action_types: Interner,
    /// Levels.
    pub levels: Interner,
}

/// Names by number.
#[derive(Default)]
pub struct Interner {
    numbers: HashMap<Vec<u8>, u16, Xxh3DefaultBuilder>,
    names: Vec<String>,
}

impl Interner {
    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        for name in names {
            all.number(name.as_bytes());
        }
        all
    }

    fn number(&mut self, name: &[u8]) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(String::from_utf8_lossy(name).into_owned());
        self.numbers.insert(name.to_vec(), number);
        number
    }

    /// The name of that number.
    pub fn name(&self, number: u16) -> &str {
        self.names.get(usize::from(number)).map_or("", String::as_str)
    }
}

impl Names {
    fn of(rules: &Rules) -> Self {
        Self {
            lead_types: Interner::of(rules.lead_types()),
            action_types: Interner::of(rules.action_types().iter().map(String::as_str)),
            levels: Interner::of(rules.levels().iter().map(String::as_str)),
        }
    }
}

impl Book {
    /// The book of a partner's period. `plan` stands in for the one in force.
    pub async fn open(
        tx: &TenantTx,
        partner: PartnerId,
        period: Period,
        plan: Option<PlanVersion>,
    ) -> Result<Self, Error> {
        let partner = catalog::partner(tx, partner).await?;
        let zone = catalog::zone(&partner)?;
        let plan = match plan {
            Some(plan) => plan,
            None => catalog::version_for(tx, RatePlanId(partner.plan_id), period).await?,
        };
        let products = catalog::products(tx).await?;
        let rules = plan.rules(&products, zone)?;
        if rules.cycle().of(period.start) != period {
            return Err(Error::invalid(
                "period",
                format!("the rate plan bills by {:?}: {period} is none of its periods", rules.cycle())
                    .to_lowercase(),
            ));
        }
        let tenant = tx.tenant().uuid();
        let users = sqlx::query_as(
            "SELECT id, email FROM lead_user WHERE tenant_id = $1 AND partner_id = $2 ORDER BY email COLLATE \"C\"",
        )
        .bind(tenant)
        .bind(partner.id)
        .fetch_all(&mut *tx.lock().await)
        .await?;
        let bounds = period.bounds(zone);
        Ok(Self { partner, zone, period, plan, rules, products, users, bounds })
    }

    fn user_numbers(&self) -> HashMap<Uuid, u32, Xxh3DefaultBuilder> {
        self.users.iter().zip(0_u32..).map(|((id, _), number)| (*id, number)).collect()
    }
}

/// A report that counts, as far as later ones care.
struct Live {
    id: Uuid,
    period: Period,
    bounds: (DateTime<Utc>, DateTime<Utc>),
    plan: (Uuid, i32),
}

type LiveRow = (Uuid, NaiveDate, NaiveDate, String, Uuid, i32);

/// Loads what the period's report is made of. `replacing`: that report does not count any more.
pub async fn load(tx: &TenantTx, book: &Book, replacing: Option<BillingReportId>) -> Result<Facts, Error> {
    let tenant = tx.tenant().uuid();
    let replaced = replacing.map_or(Uuid::nil(), BillingReportId::uuid);
    let live = live_reports(tx, book, replaced).await?;
    let mut facts = Facts { names: Names::of(&book.rules), ..Facts::default() };
    let users = book.user_numbers();
    let products: HashMap<Uuid, u32, Xxh3DefaultBuilder> =
        book.products.iter().zip(0_u32..).map(|(product, number)| (product.id, number)).collect();
    let (from, to) = book.bounds;
    let since = history_since(&book.rules, from);
    let mut reading =
        Reading { users: &users, products: &products, names: &mut facts.names, late: &mut facts.late_ids };
    // UUIDs, numbers and RFC 3339 times of our own making: nothing of them ends the quotes. COPY takes no parameters.
    let statement = format!(
        "COPY (SELECT id, lead_user_id, product_id, lead_type, action_type, level, occurred_at, late, occurred_at < '{from}'
               FROM lead_action a
               WHERE tenant_id = '{tenant}' AND partner_id = '{partner}' AND occurred_at >= '{since}' AND occurred_at < '{to}'
                 AND NOT (late AND occurred_at >= '{from}' AND EXISTS ({elsewhere})))
         TO STDOUT (FORMAT binary)",
        partner = book.partner.id,
        from = from.to_rfc3339(),
        to = to.to_rfc3339(),
        since = since.to_rfc3339(),
        elsewhere = accounted(tenant, replaced),
    );
    copy_out(&mut *tx.lock().await, &statement, |row| {
        facts.actions.push(reading.action(row)?);
        Some(())
    })
    .await?;
    facts.charged = charged_elsewhere(tx, book, replaced, &users).await?;
    load_late(tx, book, replaced, &live, &users, &products, &mut facts).await?;
    facts.late_ids.sort_unstable();
    Ok(facts)
}

/// A subselect: whether the action `a` is a line of a report that counts. Late ones alone can be one elsewhere.
fn accounted(tenant: Uuid, replaced: Uuid) -> String {
    format!(
        "SELECT FROM bill_line l JOIN billing_report r ON r.tenant_id = l.tenant_id AND r.id = l.report_id
         WHERE l.tenant_id = '{tenant}' AND l.action_id = a.id AND l.late AND r.state = 'closed' AND r.id <> '{replaced}'"
    )
}

/// From when on earlier actions matter: those that the period's own may repeat.
fn history_since(rules: &Rules, from: DateTime<Utc>) -> DateTime<Utc> {
    match rules.window() {
        Window::Period => from,
        Window::Days(days) => from - chrono::TimeDelta::days(days.into()),
        Window::Forever => DateTime::from_timestamp(0, 0).unwrap_or(from),
    }
}

async fn live_reports(tx: &TenantTx, book: &Book, replaced: Uuid) -> Result<Vec<Live>, Error> {
    let rows: Vec<LiveRow> = sqlx::query_as(
        "SELECT id, period_start, period_end, time_zone, plan_id, plan_version FROM billing_report
         WHERE tenant_id = $1 AND partner_id = $2 AND state = 'closed' AND id <> $3 ORDER BY period_start",
    )
    .bind(tx.tenant().uuid())
    .bind(book.partner.id)
    .bind(replaced)
    .fetch_all(&mut *tx.lock().await)
    .await?;
    let live = |(id, start, end, zone, plan, version): LiveRow| {
        let period = Period { start, end };
        let zone = zone.parse().unwrap_or(book.zone);
        Live { id, period, bounds: period.bounds(zone), plan: (plan, version) }
    };
    Ok(rows.into_iter().map(live).collect())
}

/// What reports of later periods have charged for this one.
async fn charged_elsewhere(
    tx: &TenantTx,
    book: &Book,
    replaced: Uuid,
    users: &HashMap<Uuid, u32, Xxh3DefaultBuilder>,
) -> Result<Charged, Error> {
    let rows: Vec<(Uuid, DateTime<Utc>, i64)> = sqlx::query_as(
        "SELECT l.lead_user_id, l.occurred_at, l.billed FROM billing_report r
         JOIN bill_line l ON l.tenant_id = r.tenant_id AND l.report_id = r.id
         WHERE r.tenant_id = $1 AND r.partner_id = $2 AND r.state = 'closed' AND r.id <> $3 AND r.period_start >= $4
           AND l.late AND l.own_period = $5",
    )
    .bind(tx.tenant().uuid())
    .bind(book.partner.id)
    .bind(replaced)
    .bind(book.period.end)
    .bind(book.period.to_string())
    .fetch_all(&mut *tx.lock().await)
    .await?;
    let mut charged = Charged::new();
    for (user, at, billed) in rows {
        if let Some(user) = users.get(&user) {
            *charged.entry((*user, book.rules.cap_span(at.timestamp_micros()))).or_default() += billed;
        }
    }
    Ok(charged)
}

async fn load_late(
    tx: &TenantTx,
    book: &Book,
    replaced: Uuid,
    live: &[Live],
    users: &HashMap<Uuid, u32, Xxh3DefaultBuilder>,
    products: &HashMap<Uuid, u32, Xxh3DefaultBuilder>,
    facts: &mut Facts,
) -> Result<(), Error> {
    let tenant = tx.tenant().uuid();
    let mut found = Vec::new();
    {
        let mut reading = Reading { users, products, names: &mut facts.names, late: &mut facts.late_ids };
        let statement = format!(
            "COPY (SELECT id, lead_user_id, product_id, lead_type, action_type, level, occurred_at, late, false
                   FROM lead_action a
                   WHERE tenant_id = '{tenant}' AND partner_id = '{}' AND late AND occurred_at < '{}'
                     AND NOT EXISTS ({})) TO STDOUT (FORMAT binary)",
            book.partner.id,
            book.bounds.0.to_rfc3339(),
            accounted(tenant, replaced),
        );
        copy_out(&mut *tx.lock().await, &statement, |row| {
            found.push(reading.action(row)?);
            Some(())
        })
        .await?;
    }
    for report in live.iter().filter(|report| report.period.end <= book.period.start) {
        let (from, to) = (report.bounds.0.timestamp_micros(), report.bounds.1.timestamp_micros());
        let actions: Vec<Action> = found.iter().filter(|one| (from..to).contains(&one.at)).copied().collect();
        if actions.is_empty() {
            continue;
        }
        let version = catalog::version(tx, RatePlanId(report.plan.0), report.plan.1).await?;
        let rules = version.rules(&book.products, book.zone)?;
        let wanted: Vec<Uuid> = actions.iter().map(|one| book.users[one.user as usize].0).collect();
        let settled = settled(tx, book, report, &wanted, &mut facts.names, (users, products)).await?;
        facts.late.push(LateGroup { period: report.period, rules, settled, actions });
    }
    Ok(())
}

type SettledRow = (Uuid, Uuid, Uuid, String, String, String, DateTime<Utc>, i64);

/// What is settled of those lead users for a closed period: its own report's lines, and adjustments of later ones.
async fn settled(
    tx: &TenantTx,
    book: &Book,
    report: &Live,
    wanted: &[Uuid],
    names: &mut Names,
    (users, products): (&HashMap<Uuid, u32, Xxh3DefaultBuilder>, &HashMap<Uuid, u32, Xxh3DefaultBuilder>),
) -> Result<Vec<Settled>, Error> {
    let rows: Vec<SettledRow> = sqlx::query_as(
        "SELECT l.action_id, l.lead_user_id, l.product_id, l.lead_type, l.action_type, l.level, l.occurred_at, l.billed
         FROM billing_report r JOIN bill_line l ON l.tenant_id = r.tenant_id AND l.report_id = r.id
         WHERE r.tenant_id = $1 AND r.partner_id = $2 AND r.state = 'closed' AND l.lead_user_id = ANY($3)
           AND ((r.id = $4 AND l.own_period IS NULL) OR l.own_period = $5)",
    )
    .bind(tx.tenant().uuid())
    .bind(book.partner.id)
    .bind(wanted)
    .bind(report.id)
    .bind(report.period.to_string())
    .fetch_all(&mut *tx.lock().await)
    .await?;
    let settled = |(id, user, product, lead_type, action_type, level, at, billed): SettledRow| {
        let action = Action {
            id,
            at: at.timestamp_micros(),
            user: *users.get(&user)?,
            product: *products.get(&product)?,
            lead_type: names.lead_types.number(lead_type.as_bytes()),
            action_type: names.action_types.number(action_type.as_bytes()),
            level: names.levels.number(level.as_bytes()),
            before: false,
        };
        Some(Settled { action, billed })
    };
    Ok(rows.into_iter().filter_map(settled).collect())
}

/// What turns a row into an action.
struct Reading<'a> {
    users: &'a HashMap<Uuid, u32, Xxh3DefaultBuilder>,
    products: &'a HashMap<Uuid, u32, Xxh3DefaultBuilder>,
    names: &'a mut Names,
    late: &'a mut Vec<Uuid>,
}

impl Reading<'_> {
    fn action(&mut self, row: &mut Fields<'_>) -> Option<Action> {
        let id = row.uuid()?;
        let (user, product) = (row.uuid()?, row.uuid()?);
        let lead_type = self.names.lead_types.number(row.next()?);
        let action_type = self.names.action_types.number(row.next()?);
        let level = self.names.levels.number(row.next()?);
        let at = row.micros()?;
        if row.boolean()? {
            self.late.push(id);
        }
        let before = row.boolean()?;
        let (user, product) = (*self.users.get(&user)?, *self.products.get(&product)?);
        Some(Action { id, at, user, product, lead_type, action_type, level, before })
    }
}

/// The fields of one row in binary.
pub(super) struct Fields<'a>(&'a [u8]);

/// Microseconds from 1970 to 2000, where Postgres counts from.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl<'a> Fields<'a> {
    /// The bytes of the next field; none when it is NULL or missing.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// The next field as a UUID.
    pub(super) fn uuid(&mut self) -> Option<Uuid> {
        Uuid::from_slice(self.next()?).ok()
    }

    /// The next field as a moment, microseconds since 1970.
    pub(super) fn micros(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.next()?.try_into().ok()?) + POSTGRES_EPOCH_MICROS)
    }

    fn boolean(&mut self) -> Option<bool> {
        Some(*self.next()?.first()? != 0)
    }
}

/// Runs a COPY … TO STDOUT in binary and hands over each row.
pub(super) async fn copy_out(
    connection: &mut PgConnection,
    statement: &str,
    mut each: impl FnMut(&mut Fields<'_>) -> Option<()>,
) -> Result<(), Error> {
    /// Signature, flags, length of the header's extension.
    const HEADER_BYTES: usize = 19;
    let unreadable = || Error::internal("reading rows of COPY", "a row is not what was asked for");
    let mut pieces = connection.copy_out_raw(statement).await?;
    let mut header = true;
    // Postgres sends one message a row, which is what keeps this simple: a message is whole rows.
    while let Some(piece) = pieces.try_next().await? {
        let mut bytes: &[u8] = &piece;
        if std::mem::take(&mut header) {
            bytes = bytes.get(HEADER_BYTES..).ok_or_else(unreadable)?;
        }
        while !bytes.is_empty() {
            let (count, rest) = bytes.split_first_chunk::<2>().ok_or_else(unreadable)?;
            if i16::from_be_bytes(*count) < 0 {
                break;
            }
            let mut fields = Fields(rest);
            each(&mut fields).ok_or_else(unreadable)?;
            bytes = fields.0;
        }
    }
    Ok(())
}
