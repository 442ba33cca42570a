//! Closed reports: close, reissue, void, and what differs between two.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::billing::{Currency, Period};
use domain::ids::{BillingReportId, LeadActionId, PartnerId, RatePlanId, TenantId};
use entity::{Tenanted, billing_report};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::facts::{self, Book, Facts};
use super::figures::Figures;
use super::files::csv::LineCsv;
use super::rating::{self, Labels, Passing};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::intake::copy::CopyRows;

/// Characters of a reason at most.
const REASON_CHARS_MAX: usize = 500;
/// Reports of a list at most.
const LIST_MAX: u64 = 500;
/// Lines of a difference that are told one by one.
pub const DIFFERENCES_MAX: i64 = 1_000;

/// What a closed report adds up to.
pub fn figures(report: &billing_report::Model) -> Result<Figures, Error> {
    serde_json::from_value(report.summary.clone())
        .map_err(|error| Error::internal(format!("reading billing_report.summary of {}", report.id), error))
}

/// A closed report's period.
pub fn period(report: &billing_report::Model) -> Period {
    Period { start: report.period_start, end: report.period_end }
}

/// A closed report's currency.
pub fn currency(report: &billing_report::Model) -> Result<Currency, Error> {
    report
        .currency
        .parse()
        .map_err(|error| Error::internal(format!("reading billing_report.currency of {}", report.id), error))
}

/// The report of that id.
pub async fn by_id(tx: &TenantTx, id: BillingReportId) -> Result<billing_report::Model, Error> {
    let query = billing_report::Entity::of(tx.tenant()).filter(billing_report::Column::Id.eq(id.uuid()));
    query.one(tx).await?.ok_or_else(|| Error::not_found("billing report", id))
}

/// Closed reports, the latest period first: of one partner, of one period, or all of them.
pub async fn list(
    tx: &TenantTx,
    partner: Option<PartnerId>,
    period: Option<Period>,
) -> Result<Vec<billing_report::Model>, Error> {
    use billing_report::Column;
    let mut query = billing_report::Entity::of(tx.tenant());
    if let Some(partner) = partner {
        query = query.filter(Column::PartnerId.eq(partner.uuid()));
    }
    if let Some(period) = period {
        query = query.filter(Column::PeriodStart.eq(period.start)).filter(Column::PeriodEnd.eq(period.end));
    }
    let ordered = query
        .order_by_desc(Column::PeriodStart)
        .order_by_desc(Column::PeriodEnd)
        .order_by_asc(Column::PartnerId)
        .order_by_desc(Column::Version);
    Ok(ordered.limit(LIST_MAX).all(tx).await?)
}

/// The report of a partner's period that counts.
pub async fn live(
    tx: &TenantTx,
    partner: PartnerId,
    period: Period,
) -> Result<Option<billing_report::Model>, Error> {
    Ok(list(tx, Some(partner), Some(period)).await?.into_iter().find(|report| report.state == "closed"))
}

/// Closes a partner's period. Its report is durable before its files are made.
pub async fn close(
    app: &Arc<App>,
    tenant: TenantId,
    partner: PartnerId,
    period: Period,
    by: &str,
) -> Result<billing_report::Model, Error> {
    issue(app, tenant, partner, period, by, None).await
}

/// Issues a report again with what is known now: a new version that takes the place of the former one.
pub async fn reissue(
    app: &Arc<App>,
    tenant: TenantId,
    id: BillingReportId,
    reason: &str,
    by: &str,
) -> Result<billing_report::Model, Error> {
    let reason = checked_reason(reason)?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let former = by_id(&tx, id).await?;
    drop(tx);
    let (partner, period) = (PartnerId(former.partner_id), period(&former));
    issue(app, tenant, partner, period, by, Some((id, reason))).await
}

/// Takes a report back: its period can be closed anew.
pub async fn void(
    app: &App,
    tenant: TenantId,
    id: BillingReportId,
    reason: &str,
    by: &str,
) -> Result<billing_report::Model, Error> {
    let reason = checked_reason(reason)?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let former = by_id(&tx, id).await?;
    super::lock_for_closing(tx.connection(), PartnerId(former.partner_id)).await?;
    let voided = sqlx::query(
        "UPDATE billing_report SET state = 'void', voided_at = $3, voided_by = $4, void_reason = $5
         WHERE tenant_id = $1 AND id = $2 AND state = 'closed'",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(app.clock.now())
    .bind(by)
    .bind(&reason)
    .execute(tx.connection())
    .await?;
    if voided.rows_affected() == 0 {
        return Err(no_longer_counts());
    }
    let report = by_id(&tx, id).await?;
    tx.commit().await?;
    tracing::info!(report.id = %id, "a billing report was voided");
    Ok(report)
}

fn no_longer_counts() -> Error {
    Error::Conflict("this report is void or another one has taken its place".into())
}

fn checked_reason(reason: &str) -> Result<String, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(Error::invalid(
            "reason",
            format!("a reason of 1 to {REASON_CHARS_MAX} characters is needed"),
        ));
    }
    Ok(reason.to_owned())
}

async fn issue(
    app: &Arc<App>,
    tenant: TenantId,
    partner: PartnerId,
    period: Period,
    by: &str,
    replacing: Option<(BillingReportId, String)>,
) -> Result<billing_report::Model, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    super::lock_for_closing(tx.connection(), partner).await?;
    let now = app.clock.now();
    let book = Book::open(&tx, partner, period, None).await?;
    if book.bounds.1 > now {
        return Err(Error::Conflict(
            format!("{period} is not over yet: it ends on {} in {}", period.end, book.zone).into(),
        ));
    }
    let former = live(&tx, partner, period).await?;
    match (&former, &replacing) {
        (Some(_), None) => {
            return Err(Error::Conflict(
                format!("{period} is closed already: reissue its report, or void it first").into(),
            ));
        }
        (Some(former), Some((id, _))) if former.id == id.uuid() => {}
        (_, Some(_)) => return Err(no_longer_counts()),
        (None, None) => {}
    }
    let former_id = former.map(|former| BillingReportId(former.id));
    let facts = facts::load(&tx, &book, former_id).await?;
    let stored = stage(&mut tx, book, facts).await?;
    if let Some(former) = former_id {
        sqlx::query("UPDATE billing_report SET state = 'superseded' WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.uuid())
            .bind(former.uuid())
            .execute(tx.connection())
            .await?;
    }
    let report =
        insert(app, &mut tx, &stored, by, (former_id, replacing.map(|(_, reason)| reason)), now).await?;
    tx.commit().await?;
    let id = BillingReportId(report.id);
    tracing::info!(report.id = %id, lines = report.line_count, "a billing period was closed");
    super::files::make_all(app, tenant, id).await;
    Ok(report)
}

/// A rated period whose lines wait in the stage.
struct Staged {
    book: Book,
    figures: Figures,
    lines: i64,
    input_hash: [u8; 32],
    line_hash: [u8; 32],
}

const STAGE: &str = "CREATE TEMP TABLE bill_line_stage (line integer, action_id uuid, lead_user_id uuid, product_id uuid,
    lead_type text, action_type text, level text, occurred_at timestamptz, price bigint, billed bigint, over_cap bigint,
    fate text, duplicate_of uuid, reason text, late boolean, own_period text) ON COMMIT DROP";
const STAGE_COLUMNS: i16 = 16;
/// Bytes of one message to the database.
const PIECE_BYTES: usize = 1 << 18;

/// Rates the period and copies its lines to the stage, both at once; only the actions and the sums are held.
async fn stage(tx: &mut TenantTx, book: Book, mut facts: Facts) -> Result<Staged, Error> {
    sqlx::query(STAGE).execute(tx.connection()).await?;
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(4);
    let rating = tokio::task::spawn_blocking(move || -> Result<Staged, Error> {
        let mut pen = Pen::begin(&book, sender)?;
        let summary = rating::run(&book, &mut facts, |labels, passing| pen.write(labels, passing));
        let figures = Figures::of(&book, &facts, &summary);
        let (lines, input_hash, line_hash) = pen.finish()?;
        Ok(Staged { book, figures, lines, input_hash, line_hash })
    });
    let mut copy =
        tx.connection().copy_in_raw("COPY pg_temp.bill_line_stage FROM STDIN WITH (FORMAT binary)").await?;
    while let Some(piece) = receiver.recv().await {
        copy.send(piece).await?;
    }
    let staged =
        rating.await.map_err(|error| Error::internal("rating a period", error)).and_then(|rated| rated);
    match staged {
        Ok(staged) => {
            copy.finish().await?;
            Ok(staged)
        }
        Err(error) => {
            copy.abort("the period could not be rated").await?;
            Err(error)
        }
    }
}

/// Writes lines as rows of the stage, and hashes them as the CSV has them.
struct Pen {
    rows: CopyRows,
    sender: mpsc::Sender<Vec<u8>>,
    csv: LineCsv<HashWriter>,
    inputs: Sha256,
    lines: i64,
    users: Vec<uuid::Uuid>,
    products: Vec<uuid::Uuid>,
    fault: Option<Error>,
}

impl Pen {
    fn begin(book: &Book, sender: mpsc::Sender<Vec<u8>>) -> Result<Self, Error> {
        let mut rows = CopyRows::default();
        rows.begin();
        let mut inputs = Sha256::new();
        let spec =
            serde_json::to_vec(&book.plan.spec).map_err(|error| Error::internal("hashing a plan", error))?;
        inputs.update(spec);
        inputs.update(format!("\n{}\n{}\n", book.period, book.zone));
        let csv = LineCsv::begin(HashWriter(Sha256::new()), book.rules.currency())
            .map_err(|error| Error::internal("writing lines", error))?;
        let users = book.users.iter().map(|(id, _)| *id).collect();
        let products = book.products.iter().map(|product| product.id).collect();
        Ok(Self { rows, sender, csv, inputs, lines: 0, users, products, fault: None })
    }

    fn write(&mut self, labels: &Labels<'_>, passing: &Passing<'_>) {
        let line = labels.line(passing);
        if let Err(error) = self.csv.write(&line) {
            self.fault.get_or_insert(Error::internal("writing lines", error));
        }
        self.lines = passing.line;
        let action = passing.action;
        let (user, product) = (self.users[action.user as usize], self.products[action.product as usize]);
        self.hash(passing, &line, user, product);
        let rows = &mut self.rows;
        rows.row(STAGE_COLUMNS);
        rows.integer(i32::try_from(passing.line).unwrap_or(i32::MAX));
        rows.uuid(action.id);
        rows.uuid(user);
        rows.uuid(product);
        rows.text(&line.lead_type);
        rows.text(&line.action_type);
        rows.text(&line.level);
        rows.moment(action.at);
        rows.bigint(passing.rated.price);
        rows.bigint(passing.rated.billed);
        rows.bigint(passing.rated.over_cap);
        rows.text(&line.fate);
        rows.optional_uuid(passing.duplicate_of());
        rows.optional_text(passing.reason());
        rows.boolean(passing.late);
        rows.optional_text(line.own_period.as_deref());
        if rows.waiting_bytes() >= PIECE_BYTES {
            // When the other end has gone, it has met an error and tells of it.
            let _ = self.sender.blocking_send(rows.take());
        }
    }

    fn hash(&mut self, passing: &Passing<'_>, line: &rating::Line, user: uuid::Uuid, product: uuid::Uuid) {
        for id in [passing.action.id, user, product] {
            self.inputs.update(id.as_bytes());
        }
        self.inputs.update(passing.action.at.to_be_bytes());
        for name in [&line.lead_type, &line.action_type, &line.level] {
            self.inputs.update(name.as_bytes());
            self.inputs.update(b"\0");
        }
    }

    fn finish(mut self) -> Result<(i64, [u8; 32], [u8; 32]), Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let last = self.rows.finish().to_vec();
        let _ = self.sender.blocking_send(last);
        let hash = self.csv.finish().map_err(|error| Error::internal("writing lines", error))?;
        Ok((self.lines, self.inputs.finalize().into(), hash.0.finalize().into()))
    }
}

/// Takes bytes for their hash alone.
struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn insert(
    app: &App,
    tx: &mut TenantTx,
    staged: &Staged,
    by: &str,
    (former, reason): (Option<BillingReportId>, Option<String>),
    now: DateTime<Utc>,
) -> Result<billing_report::Model, Error> {
    let Staged { book, figures, lines, input_hash, line_hash } = staged;
    let tenant = tx.tenant().uuid();
    let version: i32 = sqlx::query_scalar(
        "SELECT coalesce(max(version), 0) + 1 FROM billing_report
         WHERE tenant_id = $1 AND partner_id = $2 AND period_start = $3 AND period_end = $4",
    )
    .bind(tenant)
    .bind(book.partner.id)
    .bind(book.period.start)
    .bind(book.period.end)
    .fetch_one(tx.connection())
    .await?;
    let id = app.ids.next(now);
    let totals = figures.totals;
    let row = billing_report::ActiveModel {
        tenant_id: Set(tenant),
        id: Set(id),
        partner_id: Set(book.partner.id),
        period_start: Set(book.period.start),
        period_end: Set(book.period.end),
        time_zone: Set(book.partner.time_zone.clone()),
        version: Set(version),
        state: Set("closed".to_owned()),
        replaces: Set(former.map(BillingReportId::uuid)),
        plan_id: Set(book.plan.row.plan_id),
        plan_version: Set(book.plan.row.version),
        currency: Set(book.rules.currency().code().to_owned()),
        line_count: Set(*lines),
        gross: Set(totals.gross),
        billed: Set(totals.billed),
        duplicates: Set(totals.duplicates),
        over_cap: Set(totals.over_cap),
        not_billable: Set(totals.not_billable),
        adjusted: Set(figures.adjustments.billed),
        summary: Set(
            serde_json::to_value(figures).map_err(|error| Error::internal("writing a report", error))?
        ),
        input_hash: Set(input_hash.to_vec()),
        line_hash: Set(line_hash.to_vec()),
        closed_at: Set(now),
        closed_by: Set(by.to_owned()),
        reason: Set(reason),
        voided_at: Set(None),
        voided_by: Set(None),
        void_reason: Set(None),
    };
    let report = row.insert(&*tx).await?;
    sqlx::query(
        "INSERT INTO bill_line (tenant_id, report_id, line, action_id, lead_user_id, product_id, lead_type, action_type, level,
             occurred_at, price, billed, over_cap, fate, duplicate_of, reason, late, own_period)
         SELECT $1, $2, line, action_id, lead_user_id, product_id, lead_type, action_type, level,
             occurred_at, price, billed, over_cap, fate, duplicate_of, reason, late, own_period
         FROM pg_temp.bill_line_stage ORDER BY line",
    )
    .bind(tenant)
    .bind(id)
    .execute(tx.connection())
    .await?;
    Ok(report)
}

/// A line that is not the same in two reports. Amounts are minor units; none where a report does not have the action.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct ChangedLine {
    /// The action.
    #[sqlx(try_from = "uuid::Uuid")]
    pub action: LeadActionId,
    /// The lead user.
    pub email: String,
    /// The product's slug.
    pub product: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What the former report charged.
    pub billed_before: Option<i64>,
    /// What the later one charges.
    pub billed_after: Option<i64>,
    /// Its fate in the former one.
    pub fate_before: Option<String>,
    /// Its fate in the later one.
    pub fate_after: Option<String>,
}

/// What differs between two reports of a partner. Amounts are minor units.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The former one.
    pub before: billing_report::Model,
    /// The later one.
    pub after: billing_report::Model,
    /// Lines that are not the same in both.
    pub changed: i64,
    /// The first [`DIFFERENCES_MAX`] of them, by lead user and time.
    pub lines: Vec<ChangedLine>,
}

impl Difference {
    /// What the partner owes more (a debit note), or less (a credit note, negative).
    pub fn amount(&self) -> i64 {
        self.after.billed - self.before.billed
    }

    /// `debit`, `credit`, or `none`.
    pub fn note(&self) -> &'static str {
        match self.amount() {
            0 => "none",
            1.. => "debit",
            _ => "credit",
        }
    }
}

const CHANGED: &str = "FROM (SELECT * FROM bill_line WHERE tenant_id = $1 AND report_id = $2) a
    FULL JOIN (SELECT * FROM bill_line WHERE tenant_id = $1 AND report_id = $3) b ON b.action_id = a.action_id
    WHERE (a.billed, a.fate, a.price) IS DISTINCT FROM (b.billed, b.fate, b.price)";

/// Compares two reports of one partner line by line.
pub async fn difference(
    tx: &TenantTx,
    before: BillingReportId,
    after: BillingReportId,
) -> Result<Difference, Error> {
    let (before, after) = (by_id(tx, before).await?, by_id(tx, after).await?);
    if before.partner_id != after.partner_id {
        return Err(Error::invalid("after", "the two reports are of different partners"));
    }
    let mut connection = tx.lock().await;
    let changed = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) {CHANGED}")))
        .bind(tx.tenant().uuid())
        .bind(before.id)
        .bind(after.id)
        .fetch_one(&mut *connection)
        .await?;
    let lines = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT c.action, u.email, p.slug AS product, c.occurred_at, c.billed_before, c.billed_after, c.fate_before, c.fate_after
         FROM (SELECT coalesce(a.action_id, b.action_id) AS action, coalesce(a.lead_user_id, b.lead_user_id) AS lead_user_id,
                   coalesce(a.product_id, b.product_id) AS product_id, coalesce(a.occurred_at, b.occurred_at) AS occurred_at,
                   a.billed AS billed_before, b.billed AS billed_after, a.fate AS fate_before, b.fate AS fate_after {CHANGED}) c
         JOIN lead_user u ON u.tenant_id = $1 AND u.id = c.lead_user_id
         JOIN product p ON p.tenant_id = $1 AND p.id = c.product_id
         ORDER BY u.email COLLATE \"C\", c.occurred_at, c.action LIMIT {DIFFERENCES_MAX}"
    )))
    .bind(tx.tenant().uuid())
    .bind(before.id)
    .bind(after.id)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    Ok(Difference { before, after, changed, lines })
}

/// The plan that a report was closed with.
pub fn plan(report: &billing_report::Model) -> (RatePlanId, i32) {
    (RatePlanId(report.plan_id), report.plan_version)
}
