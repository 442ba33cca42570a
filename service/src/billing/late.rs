//! What came in after its period was closed, and what such actions meet there.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::billing::{Action, Charged, Period, Reason, Rules, Settled, Window};
use domain::ids::RatePlanId;
use uuid::Uuid;

use super::book::{Book, Names, Numbers, Reading};
use super::copy::copy_out;
use super::plans;
use crate::database::TenantTx;
use crate::error::Error;

/// Late actions of one closed period, and what is settled there, by the numbers of the plan that the period was closed with.
pub struct LateGroup {
    /// Their own period.
    pub period: Period,
    /// The plan's version that it was closed with.
    pub rules: Rules,
    /// What is settled of their lead users there, and what they may repeat beside it.
    pub settled: Vec<Settled>,
    /// The late actions.
    pub actions: Vec<Action>,
    /// The same by the numbers of [`Names`], by id.
    pub named: HashMap<Uuid, Action>,
}

impl LateGroup {
    /// The action by the numbers of [`Names`].
    pub fn named<'a>(&'a self, action: &'a Action) -> &'a Action {
        self.named.get(&action.id).unwrap_or(action)
    }

    /// A reason by the numbers of [`Names`].
    pub fn reason(&self, reason: Reason, action: &Action) -> Reason {
        match reason {
            Reason::LeadType(_) => Reason::LeadType(self.named(action).lead_type),
            Reason::NoPrice => Reason::NoPrice,
        }
    }
}

/// From the numbers of [`Names`] to those of other rules: the same name may stand elsewhere in another version of the plan.
struct Renumbering {
    lead_types: Vec<u16>,
    action_types: Vec<u16>,
    levels: Vec<u16>,
}

impl Renumbering {
    fn between(names: &Names, rules: &Rules) -> Self {
        Self {
            lead_types: names.lead_types.names().map(|name| rules.lead_type(name)).collect(),
            action_types: names.action_types.names().map(|name| rules.action_type(name)).collect(),
            levels: names.levels.names().map(|name| rules.level(name)).collect(),
        }
    }

    fn of(&self, action: &Action) -> Action {
        let number = |numbers: &[u16], number: u16| {
            numbers.get(usize::from(number)).copied().unwrap_or(domain::billing::UNKNOWN)
        };
        Action {
            lead_type: number(&self.lead_types, action.lead_type),
            action_type: number(&self.action_types, action.action_type),
            level: number(&self.levels, action.level),
            ..*action
        }
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

/// A subselect: the lines that account for the late action `a` in a report that counts, other than `replaced`. UUIDs alone
/// are written into it.
pub(super) fn accounted(tenant: Uuid, replaced: Uuid) -> String {
    format!(
        "SELECT FROM bill_line l JOIN billing_report r ON r.tenant_id = l.tenant_id AND r.id = l.report_id
         WHERE l.tenant_id = '{tenant}' AND l.action_id = a.id AND l.late AND r.state = 'closed' AND r.id <> '{replaced}'"
    )
}

/// A condition: the action `a` is accounted for as one that is not charged. Nothing repeats such a one: it is itself the
/// repeat of another, which must not become the repeat of this one when its own report is issued again.
pub(super) fn accounted_as_nothing(tenant: Uuid, replaced: Uuid) -> String {
    format!(
        "(a.late AND EXISTS ({} AND l.fate IN ('duplicate', 'not_billable')))",
        accounted(tenant, replaced)
    )
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
pub(super) async fn charged_elsewhere(
    tx: &TenantTx,
    book: &Book,
    replaced: Uuid,
    numbers: &Numbers,
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
        if let Some(user) = numbers.users.get(&user) {
            *charged.entry((*user, book.rules.cap_span(at.timestamp_micros()))).or_default() += billed;
        }
    }
    Ok(charged)
}

/// Loads what came in late of closed periods before the book's, and is in no report that counts.
pub(super) async fn load(
    tx: &TenantTx,
    book: &Book,
    replaced: Uuid,
    numbers: &Numbers,
    reading: &mut Reading<'_>,
) -> Result<Vec<LateGroup>, Error> {
    let tenant = tx.tenant().uuid();
    let mut found = Vec::new();
    let statement = format!(
        "COPY (SELECT lead_user_id, id, product_id, lead_type, action_type, level, occurred_at, false
               FROM lead_action a
               WHERE tenant_id = '{tenant}' AND partner_id = '{}' AND late AND occurred_at < '{}'
                 AND NOT EXISTS ({})) TO STDOUT (FORMAT binary)",
        book.partner.id,
        book.bounds.0.to_rfc3339(),
        accounted(tenant, replaced),
    );
    copy_out(&mut *tx.lock().await, &statement, |row| {
        let user = *numbers.users.get(&row.uuid()?)?;
        found.push(reading.action(user, row)?);
        Some(())
    })
    .await?;
    let mut groups = Vec::new();
    if found.is_empty() {
        return Ok(groups);
    }
    for report in live_reports(tx, book, replaced).await? {
        if report.period.end > book.period.start {
            continue;
        }
        let (from, to) = (report.bounds.0.timestamp_micros(), report.bounds.1.timestamp_micros());
        let actions: Vec<Action> = found.iter().filter(|one| (from..to).contains(&one.at)).copied().collect();
        if !actions.is_empty() {
            let meets = Meets { tx, book, report: &report, replaced, numbers };
            groups.push(meets.group(actions, reading.names).await?);
        }
    }
    Ok(groups)
}

type SettledRow = (Uuid, Uuid, Uuid, String, String, String, DateTime<Utc>, i64);

/// What the late actions of some lead users meet in a closed period.
struct Meets<'a> {
    tx: &'a TenantTx,
    book: &'a Book,
    report: &'a Live,
    replaced: Uuid,
    numbers: &'a Numbers,
}

impl Meets<'_> {
    async fn group(&self, actions: Vec<Action>, names: &mut Names) -> Result<LateGroup, Error> {
        let (plan, number) = self.report.plan;
        let version = plans::version(self.tx, RatePlanId(plan), number).await?;
        let rules = version.rules(&self.book.products, self.book.zone)?;
        let wanted: Vec<Uuid> = actions.iter().map(|one| self.book.users[one.user as usize].0).collect();
        let late: Vec<Uuid> = actions.iter().map(|one| one.id).collect();
        let mut settled = self.settled(&wanted, &late, names).await?;
        settled.extend(self.beside(&wanted, &rules, names).await?);
        let renumbering = Renumbering::between(names, &rules);
        for one in &mut settled {
            one.action = renumbering.of(&one.action);
        }
        Ok(LateGroup {
            period: self.report.period,
            settled,
            named: actions.iter().map(|action| (action.id, *action)).collect(),
            actions: actions.iter().map(|action| renumbering.of(action)).collect(),
            rules,
        })
    }

    /// What is settled of those lead users there: the period's own lines, and adjustments of later reports. A line that
    /// repeats one of the late actions is none that they could repeat.
    async fn settled(
        &self,
        wanted: &[Uuid],
        late: &[Uuid],
        names: &mut Names,
    ) -> Result<Vec<Settled>, Error> {
        let rows: Vec<SettledRow> = sqlx::query_as(
            "SELECT l.action_id, l.lead_user_id, l.product_id, l.lead_type, l.action_type, l.level, l.occurred_at, l.billed
             FROM billing_report r JOIN bill_line l ON l.tenant_id = r.tenant_id AND l.report_id = r.id
             WHERE r.tenant_id = $1 AND r.partner_id = $2 AND r.state = 'closed' AND r.id <> $6 AND l.lead_user_id = ANY($3)
               AND ((r.id = $4 AND l.own_period IS NULL) OR l.own_period = $5)
               AND NOT coalesce(l.duplicate_of = ANY($7), false)",
        )
        .bind(self.tx.tenant().uuid())
        .bind(self.book.partner.id)
        .bind(wanted)
        .bind(self.report.id)
        .bind(self.report.period.to_string())
        .bind(self.replaced)
        .bind(late)
        .fetch_all(&mut *self.tx.lock().await)
        .await?;
        Ok(rows.into_iter().filter_map(|row| self.one(row, names)).collect())
    }

    /// Where the duplicate window reaches beyond the period: what those lead users did before it, and what was charged after
    /// it. It counts under no cap of the period's.
    async fn beside(&self, wanted: &[Uuid], rules: &Rules, names: &mut Names) -> Result<Vec<Settled>, Error> {
        let (from, to) = self.report.bounds;
        let (since, until) = match rules.window() {
            Window::Period => return Ok(Vec::new()),
            Window::Days(days) => (from - TimeDelta::days(days.into()), to + TimeDelta::days(days.into())),
            Window::Forever => {
                (DateTime::UNIX_EPOCH, DateTime::from_timestamp(4_102_444_800, 0).unwrap_or(to))
            }
        };
        let tenant = self.tx.tenant().uuid();
        let sql = format!(
            "SELECT a.id, a.lead_user_id, a.product_id, a.lead_type, a.action_type, a.level, a.occurred_at, 0::bigint
             FROM lead_action a
             WHERE a.tenant_id = $1 AND a.partner_id = $2 AND a.lead_user_id = ANY($3) AND a.occurred_at >= $4
               AND a.occurred_at < $5 AND NOT {}
             UNION ALL
             SELECT l.action_id, l.lead_user_id, l.product_id, l.lead_type, l.action_type, l.level, l.occurred_at, 0::bigint
             FROM billing_report r JOIN bill_line l ON l.tenant_id = r.tenant_id AND l.report_id = r.id
             WHERE r.tenant_id = $1 AND r.partner_id = $2 AND r.state = 'closed' AND r.id <> $8 AND l.lead_user_id = ANY($3)
               AND l.occurred_at >= $6 AND l.occurred_at < $7 AND l.fate IN ('billed', 'over_cap')",
            accounted_as_nothing(tenant, self.replaced),
        );
        let rows: Vec<SettledRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(tenant)
            .bind(self.book.partner.id)
            .bind(wanted)
            .bind(since)
            .bind(from)
            .bind(to)
            .bind(until)
            .bind(self.replaced)
            .fetch_all(&mut *self.tx.lock().await)
            .await?;
        Ok(rows.into_iter().filter_map(|row| self.one(row, names)).collect())
    }

    fn one(
        &self,
        (id, user, product, lead_type, action_type, level, at, billed): SettledRow,
        names: &mut Names,
    ) -> Option<Settled> {
        let action = Action {
            id,
            at: at.timestamp_micros(),
            user: *self.numbers.users.get(&user)?,
            product: *self.numbers.products.get(&product)?,
            lead_type: names.lead_types.number(lead_type.as_bytes()),
            action_type: names.action_types.number(action_type.as_bytes()),
            level: names.levels.number(level.as_bytes()),
            before: false,
        };
        Some(Settled { action, billed })
    }
}
