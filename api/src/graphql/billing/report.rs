//! Closed reports, drafts, differences.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::Currency;
use domain::ids::{BillingReportId, PartnerId, RatePlanId, ReportLinkId};
use entity::{billing_announcement, billing_report, report_download, report_link};
use rust_decimal::Decimal;
use service::billing::files::{self, Format};
use service::billing::{announce, lines, links, reads, reports};

use super::catalog::Partner;
use super::types::{
    BillLineFilter, BillLinePage, BillingFigures, BillingGroup, BillingTotals, ReportFormat, window,
};
use crate::graphql::error::{ApiError, stored};
use crate::graphql::operation::operation;

/// Where a closed report stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum BillingReportState {
    /// It counts.
    Closed,
    /// A newer version has taken its place.
    Superseded,
    /// It was taken back.
    Void,
}

/// A closed report: what it says is never changed.
#[derive(Clone, Debug)]
pub struct BillingReport {
    row: billing_report::Model,
    partner: Partner,
    currency: Currency,
    state: BillingReportState,
}

impl BillingReport {
    pub(super) fn of(row: billing_report::Model, partner: Partner) -> Result<Self, ApiError> {
        let state = match row.state.as_str() {
            "closed" => Some(BillingReportState::Closed),
            "superseded" => Some(BillingReportState::Superseded),
            "void" => Some(BillingReportState::Void),
            _ => None,
        };
        let state = stored("billing_report.state", row.id, &row.state, state)?;
        Ok(Self { currency: reports::currency(&row)?, row, partner, state })
    }

    fn report_id(&self) -> BillingReportId {
        BillingReportId(self.row.id)
    }
}

#[Object]
impl BillingReport {
    async fn id(&self) -> ID {
        ID(self.report_id().to_string())
    }

    async fn partner(&self) -> &Partner {
        &self.partner
    }

    /// As in 2026-10.
    async fn period(&self) -> String {
        reports::period(&self.row).to_string()
    }

    async fn period_start(&self) -> NaiveDate {
        self.row.period_start
    }

    /// The first day after it.
    async fn period_end(&self) -> NaiveDate {
        self.row.period_end
    }

    async fn time_zone(&self) -> &str {
        &self.row.time_zone
    }

    async fn version(&self) -> i32 {
        self.row.version
    }

    async fn state(&self) -> BillingReportState {
        self.state
    }

    /// The report that this one replaces.
    async fn replaces(&self) -> Option<ID> {
        self.row.replaces.map(|id| ID(BillingReportId(id).to_string()))
    }

    async fn rate_plan(&self) -> ID {
        ID(RatePlanId(self.row.plan_id).to_string())
    }

    async fn rate_plan_version(&self) -> i32 {
        self.row.plan_version
    }

    async fn currency(&self) -> String {
        self.currency.to_string()
    }

    async fn line_count(&self) -> i64 {
        self.row.line_count
    }

    async fn totals(&self) -> Result<BillingTotals, ApiError> {
        Ok(BillingTotals::of(self.currency, &reports::figures(&self.row)?.totals))
    }

    async fn figures(&self) -> Result<BillingFigures, ApiError> {
        Ok(BillingFigures::of(self.currency, &reports::figures(&self.row)?))
    }

    /// SHA-256 of the plan and the actions that it was rated from.
    async fn input_hash(&self) -> String {
        files::hex(&self.row.input_hash)
    }

    /// SHA-256 of its CSV.
    async fn line_hash(&self) -> String {
        files::hex(&self.row.line_hash)
    }

    async fn closed_at(&self) -> DateTime<Utc> {
        self.row.closed_at
    }

    async fn closed_by(&self) -> &str {
        &self.row.closed_by
    }

    /// Why it was issued again.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }

    async fn voided_at(&self) -> Option<DateTime<Utc>> {
        self.row.voided_at
    }

    async fn void_reason(&self) -> Option<&str> {
        self.row.void_reason.as_deref()
    }

    #[graphql(complexity = "50 + child_complexity")]
    async fn lines(
        &self,
        context: &Context<'_>,
        filter: Option<BillLineFilter>,
        #[graphql(default = 0)] offset: i32,
        #[graphql(default = 50)] first: i32,
    ) -> Result<BillLinePage, ApiError> {
        let reads = operation(context)?.read().await?;
        let filter = filter.unwrap_or_default().into();
        let page = lines::page(&reads, self.report_id(), &filter, window(offset, first)?).await?;
        BillLinePage::of(self.currency, page)
    }

    /// What each lead user adds up to, the highest gross first.
    #[graphql(complexity = "50 + child_complexity")]
    async fn lead_users(
        &self,
        context: &Context<'_>,
        #[graphql(default = 0)] offset: i32,
        #[graphql(default = 50)] first: i32,
    ) -> Result<Vec<BillingGroup>, ApiError> {
        let reads = operation(context)?.read().await?;
        let groups = reads::lead_users(&reads, self.report_id(), window(offset, first)?).await?;
        Ok(groups.iter().map(|group| BillingGroup::of(self.currency, group)).collect())
    }

    /// Its files. One that has no size yet is made when somebody fetches it.
    #[graphql(complexity = "10 + child_complexity")]
    async fn files(&self, context: &Context<'_>) -> Result<Vec<ReportFile>, ApiError> {
        let reads = operation(context)?.read().await?;
        let made = files::of_report(&reads, self.report_id()).await?;
        let file = |format: Format| {
            let row = made.iter().find(|row| row.format == format.as_str());
            ReportFile {
                format: format.into(),
                url: format!("/reports/{}/report.{}", self.report_id(), format.as_str()),
                bytes: row.map(|row| row.bytes),
                sha256: row.map(|row| files::hex(&row.sha256)),
            }
        };
        Ok(files::FORMATS.into_iter().map(file).collect())
    }

    /// Whether its partner was told of it by mail; null for a report from before that was done.
    #[graphql(complexity = "10 + child_complexity")]
    async fn announcement(&self, context: &Context<'_>) -> Result<Option<ReportAnnouncement>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = announce::of_report(&reads, self.report_id()).await?;
        row.map(ReportAnnouncement::of).transpose()
    }

    /// Links to its files, the newest first.
    #[graphql(complexity = "10 + child_complexity")]
    async fn links(&self, context: &Context<'_>) -> Result<Vec<ReportLink>, ApiError> {
        let reads = operation(context)?.read().await?;
        let rows = links::of_report(&reads, self.report_id()).await?;
        rows.into_iter().map(ReportLink::of).collect()
    }

    /// Who fetched its files, the latest first.
    #[graphql(complexity = "10 + child_complexity")]
    async fn downloads(&self, context: &Context<'_>) -> Result<Vec<ReportDownload>, ApiError> {
        let reads = operation(context)?.read().await?;
        let rows = links::downloads(&reads, self.report_id()).await?;
        rows.into_iter().map(ReportDownload::of).collect()
    }
}

/// How far telling the partner has come.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum AnnouncementState {
    /// It is sent soon, or tried again.
    Pending,
    /// The mail server took it.
    Sent,
    /// It will not be sent unless somebody asks for it.
    Failed,
}

/// A mail that tells the partner of a report.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportAnnouncement {
    email: String,
    state: AnnouncementState,
    /// Why it was not sent.
    error: Option<String>,
    sent_at: Option<DateTime<Utc>>,
}

impl ReportAnnouncement {
    fn of(row: billing_announcement::Model) -> Result<Self, ApiError> {
        let state = match row.state.as_str() {
            "pending" => Some(AnnouncementState::Pending),
            "sent" => Some(AnnouncementState::Sent),
            "failed" => Some(AnnouncementState::Failed),
            _ => None,
        };
        Ok(Self {
            state: stored("billing_announcement.state", row.report_id, &row.state, state)?,
            email: row.email,
            error: row.error,
            sent_at: row.sent_at,
        })
    }
}

fn format_of(text: &str) -> Result<ReportFormat, ApiError> {
    Ok(text.parse::<Format>()?.into())
}

/// A file of a report.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportFile {
    format: ReportFormat,
    /// Its address on this server.
    url: String,
    bytes: Option<i64>,
    sha256: Option<String>,
}

/// A link to one file, for whoever has it, until it expires.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportLink {
    id: ID,
    format: ReportFormat,
    created_at: DateTime<Utc>,
    created_by: String,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

impl ReportLink {
    pub(super) fn of(row: report_link::Model) -> Result<Self, ApiError> {
        Ok(Self {
            id: ID(ReportLinkId(row.id).to_string()),
            format: format_of(&row.format)?,
            created_at: row.created_at,
            created_by: row.created_by,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// A file was fetched.
#[derive(Clone, Debug, SimpleObject)]
pub struct ReportDownload {
    at: DateTime<Utc>,
    format: ReportFormat,
    /// A person, a key, or the link.
    actor: String,
}

impl ReportDownload {
    fn of(row: report_download::Model) -> Result<Self, ApiError> {
        Ok(Self { at: row.at, format: format_of(&row.format)?, actor: row.actor })
    }
}

/// What a report would say now. Nothing of it is stored.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillingDraft {
    pub(super) partner: Partner,
    pub(super) period: String,
    pub(super) period_start: NaiveDate,
    /// The first day after it.
    pub(super) period_end: NaiveDate,
    /// Whether it can be closed.
    pub(super) over: bool,
    pub(super) rate_plan_version: i32,
    /// The report that counts, when the period is closed.
    pub(super) report: Option<BillingReport>,
    pub(super) figures: BillingFigures,
    pub(super) lines: BillLinePage,
}

/// A draft by the plan in force, and by another.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillingWhatIf {
    pub(super) now: BillingFigures,
    pub(super) then: BillingFigures,
    /// What would be billed more, or less when it is negative.
    pub(super) difference: Decimal,
}

/// A partner's period.
#[derive(Clone, Debug, SimpleObject)]
pub struct PartnerPeriod {
    pub(super) partner: Partner,
    pub(super) currency: String,
    /// The report that counts, when the period is closed.
    pub(super) report: Option<BillingReport>,
    /// Closed, or so far.
    pub(super) totals: BillingTotals,
    /// Whether it can be closed.
    pub(super) over: bool,
    /// Why it cannot be rated.
    pub(super) problem: Option<String>,
}

/// The partner of a report.
pub(super) fn partner_of(report: &billing_report::Model) -> PartnerId {
    PartnerId(report.partner_id)
}
