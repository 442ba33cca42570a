//! A period is closed, its report issued again or taken back. Rating, storing and the order to tell the partner are one
//! transaction; files and mail come after it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::Period;
use domain::ids::{BillingReportId, PartnerId, TenantId};
use entity::billing_report;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;

use super::book::Book;
use super::facts;
use super::stage::{Staged, stage};
use super::{announce, reports};
use crate::access::{Actor, audit, own_tenant};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// Characters of a reason at most.
const REASON_CHARS_MAX: usize = 500;

/// Closes a partner's period. Its report is durable before its files are made.
pub async fn close(
    app: &Arc<App>,
    tenant: TenantId,
    partner: PartnerId,
    period: Period,
    actor: Actor,
) -> Result<billing_report::Model, Error> {
    issue(app, tenant, partner, period, actor, None).await
}

/// Issues a report again with what is known now: a new version that takes the place of the former one.
pub async fn reissue(
    app: &Arc<App>,
    tenant: TenantId,
    id: BillingReportId,
    reason: &str,
    actor: Actor,
) -> Result<billing_report::Model, Error> {
    let reason = checked_reason(reason)?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let former = reports::by_id(&tx, id).await?;
    drop(tx);
    let (partner, period) = (PartnerId(former.partner_id), reports::period(&former));
    issue(app, tenant, partner, period, actor, Some((id, reason))).await
}

/// Takes a report back: its period can be closed anew.
pub async fn void(
    app: &App,
    tenant: TenantId,
    id: BillingReportId,
    reason: &str,
    actor: Actor,
) -> Result<billing_report::Model, Error> {
    let reason = checked_reason(reason)?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let former = reports::by_id(&tx, id).await?;
    super::lock_for_closing(tx.connection(), PartnerId(former.partner_id)).await?;
    let voided = sqlx::query(
        "UPDATE billing_report SET state = 'void', voided_at = $3, voided_by = $4, void_reason = $5
         WHERE tenant_id = $1 AND id = $2 AND state = 'closed'",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(app.clock.now())
    .bind(actor.to_string())
    .bind(&reason)
    .execute(tx.connection())
    .await?;
    if voided.rows_affected() == 0 {
        return Err(no_longer_counts());
    }
    let report = reports::by_id(&tx, id).await?;
    tx.commit().await?;
    audit(app, tenant, actor, "billing_report.voided", id, json!({ "reason": reason })).await?;
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

/// Closes the period, or issues its report again in place of the one that is named, with the reason for it.
async fn issue(
    app: &Arc<App>,
    tenant: TenantId,
    partner: PartnerId,
    period: Period,
    actor: Actor,
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
    let former = reports::live(&tx, partner, period).await?;
    match (&former, &replacing) {
        (Some(_), None) => {
            return Err(Error::Conflict(
                format!("{period} is closed already: reissue its report, or void it first").into(),
            ));
        }
        (Some(former), Some((id, _))) if former.id == id.uuid() => {}
        (_, Some(_)) => return Err(no_longer_counts()),
        (None, None) => refuse_overlap(&tx, partner, period).await?,
    }
    let former_id = former.map(|former| BillingReportId(former.id));
    let facts = facts::load(&tx, &book, former_id).await?;
    let stored = stage(&mut tx, book, facts).await?;
    let action = if replacing.is_some() { "billing_report.reissued" } else { "billing_report.closed" };
    if let Some(former) = former_id {
        sqlx::query("UPDATE billing_report SET state = 'superseded' WHERE tenant_id = $1 AND id = $2")
            .bind(tenant.uuid())
            .bind(former.uuid())
            .execute(tx.connection())
            .await?;
    }
    let report =
        insert(app, &mut tx, &stored, actor, (former_id, replacing.map(|(_, reason)| reason)), now).await?;
    let id = BillingReportId(report.id);
    announce::queue(app, &mut tx, id, &stored.book.partner.email).await?;
    tx.commit().await?;
    let detail = json!({ "partner": partner, "period": period.to_string(), "version": report.version });
    audit(app, tenant, actor, action, id, detail).await?;
    tracing::info!(report.id = %id, lines = report.line_count, "a billing period was closed");
    super::files::make_all(app, tenant, id).await;
    Ok(report)
}

/// A plan that bills by another cycle since makes periods that share days with closed ones: what happened on these is billed.
async fn refuse_overlap(tx: &TenantTx, partner: PartnerId, period: Period) -> Result<(), Error> {
    let found: Option<(NaiveDate, NaiveDate)> = sqlx::query_as(
        "SELECT period_start, period_end FROM billing_report
         WHERE tenant_id = $1 AND partner_id = $2 AND state = 'closed' AND period_start < $4 AND period_end > $3
         ORDER BY period_start LIMIT 1",
    )
    .bind(tx.tenant().uuid())
    .bind(partner.uuid())
    .bind(period.start)
    .bind(period.end)
    .fetch_optional(&mut *tx.lock().await)
    .await?;
    let Some((start, end)) = found else { return Ok(()) };
    let closed = Period { start, end };
    Err(Error::Conflict(
        format!("{closed} is closed already and shares days with {period}: void its report first").into(),
    ))
}

async fn insert(
    app: &App,
    tx: &mut TenantTx,
    staged: &Staged,
    actor: Actor,
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
    let own = own_tenant(tx).await?;
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
        closed_by: Set(actor.to_string()),
        reason: Set(reason),
        voided_at: Set(None),
        voided_by: Set(None),
        void_reason: Set(None),
        partner_name: Set(Some(book.partner.name.clone())),
        tenant_name: Set(Some(own.name)),
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
