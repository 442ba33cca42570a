//! The partner is told by mail that a report was closed: what it adds up to, where it is, and a link to its PDF.
//!
//! The order to tell is stored with the report, in its transaction, and carried out by a job: at least once, and never of a
//! report that does not count any more. What came of it stands on the report's page, where it can be told again.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Days, Utc};
use domain::ids::{BillingReportId, PartnerId, ReportLinkId, TenantId};
use entity::{Tenanted, billing_announcement, billing_report};
use sea_orm::{ColumnTrait, QueryFilter};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::files::{self, Format};
use super::{difference, links, partners, reports};
use crate::access::{Actor, audit};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::jobs::{self, How, Job};
use crate::mail::{self, Letter};

/// How long the link of a mail holds.
const LINK_DAYS: i64 = 14;

/// Stores the order to tell that address of the report, in the transaction that stores the report.
pub(super) async fn queue(
    app: &App,
    tx: &mut TenantTx,
    report: BillingReportId,
    email: &str,
) -> Result<(), Error> {
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO billing_announcement (tenant_id, report_id, email, state, created_at) VALUES ($1, $2, $3, 'pending', $4)
         ON CONFLICT (tenant_id, report_id)
         DO UPDATE SET email = excluded.email, state = 'pending', error = NULL, sent_at = NULL, created_at = excluded.created_at",
    )
    .bind(tenant.uuid())
    .bind(report.uuid())
    .bind(email)
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    let how = How::keyed(format!("{} {tenant} {report}", Announce::NAME));
    jobs::enqueue(tx.connection(), &Announce { tenant, report }, how).await
}

/// Tells the partner of a report once more, at the address that it has now.
pub async fn again(
    app: &App,
    tenant: TenantId,
    report: BillingReportId,
    actor: Actor,
) -> Result<billing_announcement::Model, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row = reports::by_id(&tx, report).await?;
    if row.state != "closed" {
        return Err(Error::Conflict(NO_LONGER.into()));
    }
    let partner = partners::partner(&tx, PartnerId(row.partner_id)).await?;
    queue(app, &mut tx, report, &partner.email).await?;
    let told = of_report(&tx, report).await?;
    tx.commit().await?;
    audit(app, tenant, actor, "billing_report.announced", report, json!({})).await?;
    told.ok_or_else(|| Error::internal("announcing a report", "its row is not there"))
}

/// What came of telling the partner of a report; none for a report from before that was done.
pub async fn of_report(
    tx: &TenantTx,
    report: BillingReportId,
) -> Result<Option<billing_announcement::Model>, Error> {
    use billing_announcement::Column;
    let query = billing_announcement::Entity::of(tx.tenant()).filter(Column::ReportId.eq(report.uuid()));
    Ok(query.one(tx).await?)
}

const NO_LONGER: &str = "the report does not count any more: only a report that counts is announced";

/// Sends one mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct Announce {
    tenant: TenantId,
    report: BillingReportId,
}

impl Job for Announce {
    const NAME: &'static str = "billing_announcement";

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let tx = app.begin(self.tenant, Mode::ReadOnly).await?;
        // Told already, or the tenant is gone.
        let Some(order) = of_report(&tx, self.report).await?.filter(|order| order.state == "pending") else {
            return Ok(());
        };
        let row = reports::by_id(&tx, self.report).await?;
        if row.state != "closed" {
            drop(tx);
            return self.note(&app, "failed", Some(NO_LONGER)).await;
        }
        let letter = Draft::of(&tx, row).await?;
        drop(tx);
        let minutes = LINK_DAYS * 24 * 60;
        let link =
            links::create(&app, self.tenant, self.report, Format::Pdf, minutes, Actor::Schedule).await?;
        let address = format!(
            "{}/reports/{}/report.pdf?link={}",
            app.settings.issuer,
            self.report,
            link.secret.expose_secret()
        );
        match app.mailer.send(letter.written(&app, order.email, &address, link.row.expires_at)).await {
            Ok(()) => self.note(&app, "sent", None).await,
            Err(error) => {
                links::revoke(&app, self.tenant, ReportLinkId(link.row.id), Actor::Schedule).await?;
                let state = if error.is_passing() { "pending" } else { "failed" };
                self.note(&app, state, Some(&error.to_string())).await?;
                if let mail::Error::Passing(_) = error { Err(error.into()) } else { Ok(()) }
            }
        }
    }
}

impl Announce {
    async fn note(&self, app: &App, state: &str, error: Option<&str>) -> Result<(), Error> {
        let mut tx = app.begin(self.tenant, Mode::ReadWrite).await?;
        sqlx::query(
            "UPDATE billing_announcement SET state = $3, error = $4, sent_at = CASE WHEN $3 = 'sent' THEN $5 END
             WHERE tenant_id = $1 AND report_id = $2",
        )
        .bind(self.tenant.uuid())
        .bind(self.report.uuid())
        .bind(state)
        .bind(error)
        .bind(app.clock.now())
        .execute(tx.connection())
        .await?;
        Ok(tx.commit().await?)
    }
}

/// What a mail says, before it has a link.
struct Draft {
    report: billing_report::Model,
    id: BillingReportId,
    partner: String,
    tenant: String,
    /// What the version before it says differently.
    note: Option<String>,
}

impl Draft {
    async fn of(tx: &TenantTx, report: billing_report::Model) -> Result<Self, Error> {
        let id = BillingReportId(report.id);
        let partner = partners::partner(tx, PartnerId(report.partner_id)).await?;
        let tenant = crate::access::own_tenant(tx).await?;
        let note = match report.replaces {
            None => None,
            Some(former) => {
                let former = reports::by_id(tx, BillingReportId(former)).await?;
                let difference = difference::amount(&former, &report);
                let currency = reports::currency(&report)?;
                let what = match difference {
                    0 => "the amount stays the same".to_owned(),
                    1.. => format!("a debit note of {} {currency}", currency.show(difference)),
                    _ => format!("a credit note of {} {currency}", currency.show(-difference)),
                };
                Some(format!("It takes the place of version {}: {what}.", former.version))
            }
        };
        Ok(Self { id, partner: partner.name, tenant: tenant.name, note, report })
    }

    fn written(&self, app: &App, to: String, pdf: &str, until: DateTime<Utc>) -> Letter {
        let Self { report, id, partner, tenant, .. } = self;
        let period = reports::period(report);
        let last_day = period.end - Days::new(1);
        let version =
            if report.version > 1 { format!(", version {}", report.version) } else { String::new() };
        let money = |amount| reports::currency(report).map_or_else(|_| String::new(), |one| one.show(amount));
        let mut text = format!(
            "{tenant} has closed the billing report of {partner} for {period} ({} to {last_day}, {}){version}.\n",
            period.start, report.time_zone
        );
        let why = report.reason.as_deref().map(|reason| format!("Why: {reason}"));
        for sentence in [why, self.note.clone()].into_iter().flatten() {
            text.push_str(&sentence);
            text.push('\n');
        }
        let saved = report.gross - report.billed;
        let rows = [
            ("To be paid", report.billed),
            ("Gross", report.gross),
            ("Saved", saved),
            ("  repeats of an earlier action", report.duplicates),
            ("  over the cap of a lead user", report.over_cap),
            ("  not billable", report.not_billable),
        ];
        text.push('\n');
        for (name, amount) in rows {
            let _ = writeln!(text, "{name:<32}{:>16} {}", money(amount), report.currency);
        }
        let _ = writeln!(text, "{:<32}{:>16}", "Actions", report.line_count);
        let _ = write!(
            text,
            "\nThe report as PDF, until {}:\n{pdf}\n\nEvery line, and CSV, JSON and XLSX, with a sign-in:\n{}/billing/reports/{id}\n\n\
             SHA-256 of the CSV: {}\n\n-- \nBaton, {tenant}\n",
            until.format("%Y-%m-%d %H:%M UTC"),
            app.settings.issuer,
            files::hex(&report.line_hash),
        );
        Letter { to, subject: format!("[{tenant}] Billing report {period}{version}"), text, html: None }
    }
}
