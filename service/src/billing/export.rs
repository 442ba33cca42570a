//! Every read of billing as CSV. Amounts are decimals of the currency's major unit.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::billing::{Currency, Group, Period, Totals};
use domain::ids::{BillingReportId, LeadId, PartnerId};

use super::rating::{self, LineFilter};
use super::{Figures, lines, overview, partners, reads, reports};
use crate::database::TenantTx;
use crate::error::Error;
use crate::sheet::Sheet;

/// Lead users of a download at most; a larger report has its lines.
const LEAD_USERS_MAX: usize = 200_000;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// By product: of a closed report, or of a partner's period as it stands. So are the next five.
    Products,
    /// By lead type.
    LeadTypes,
    /// By lead user, the highest gross first.
    LeadUsers,
    /// By day; adjustments of earlier periods have a row of their own.
    Days,
    /// What is not paid, by reason.
    Savings,
    /// What was repeated, the costliest first.
    Duplicates,
    /// All partners of a period.
    Partners,
    /// A partner's closed periods.
    Trend,
    /// The actions of a lead.
    Lead,
}

/// Every read.
pub const READS: [Read; 9] = [
    Read::Products,
    Read::LeadTypes,
    Read::LeadUsers,
    Read::Days,
    Read::Savings,
    Read::Duplicates,
    Read::Partners,
    Read::Trend,
    Read::Lead,
];

impl Read {
    /// Its name in addresses and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::LeadTypes => "lead-types",
            Self::LeadUsers => "lead-users",
            Self::Days => "days",
            Self::Savings => "savings",
            Self::Duplicates => "duplicates",
            Self::Partners => "partners",
            Self::Trend => "trend",
            Self::Lead => "lead",
        }
    }

    /// The read of that name.
    pub fn parse(name: &str) -> Option<Self> {
        READS.into_iter().find(|read| read.as_str() == name)
    }
}

/// Of what it is told; each read says which it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Of {
    /// A closed report.
    pub report: Option<BillingReportId>,
    /// A partner's slug.
    pub partner: Option<String>,
    /// A period.
    pub period: Option<Period>,
    /// A lead.
    pub lead: Option<LeadId>,
}

impl Of {
    async fn partner(&self, tx: &TenantTx) -> Result<PartnerId, Error> {
        let slug =
            self.partner.as_deref().ok_or_else(|| Error::invalid("partner", "`partner` is missing"))?;
        Ok(PartnerId(partners::partner_by_slug(tx, slug).await?.id))
    }

    fn period(&self) -> Result<Period, Error> {
        self.period.ok_or_else(|| Error::invalid("period", "`period` is missing"))
    }
}

/// The read as CSV.
pub async fn csv(tx: &TenantTx, read: Read, of: &Of, now: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    match read {
        Read::Partners => partners(tx, of.period()?, now).await,
        Read::Trend => trend(tx, of.partner(tx).await?).await,
        Read::Lead => {
            let lead = of.lead.ok_or_else(|| Error::invalid("lead", "`lead` is missing"))?;
            of_lead(tx, lead).await
        }
        _ => parted(tx, read, of).await,
    }
}

const TOTALS: [&str; 8] =
    ["actions", "gross", "duplicates", "over_cap", "not_billable", "billed", "savings", "currency"];

fn cells(currency: Currency, totals: &Totals) -> [String; 8] {
    let money = |amount| currency.show(amount);
    [
        totals.actions.to_string(),
        money(totals.gross),
        money(totals.duplicates),
        money(totals.over_cap),
        money(totals.not_billable),
        money(totals.billed),
        money(totals.savings()),
        currency.to_string(),
    ]
}

fn summed<'a>(
    names: &[&str],
    currency: Currency,
    rows: impl Iterator<Item = (Vec<String>, &'a Totals)>,
) -> Result<Vec<u8>, Error> {
    let mut sheet = Sheet::new(&[names, &TOTALS].concat())?;
    for (mut row, totals) in rows {
        row.extend(cells(currency, totals));
        sheet.row(row)?;
    }
    sheet.finish()
}

fn groups(name: &str, currency: Currency, groups: &[Group]) -> Result<Vec<u8>, Error> {
    summed(&[name], currency, groups.iter().map(|group| (vec![group.name.clone()], &group.totals)))
}

/// A report, or a period as it stands (its report, when it is closed), parted that way.
async fn parted(tx: &TenantTx, read: Read, of: &Of) -> Result<Vec<u8>, Error> {
    let (closed, open) = if let Some(id) = of.report {
        (Some(reports::by_id(tx, id).await?), None)
    } else {
        let (partner, period) = (of.partner(tx).await?, of.period()?);
        (reports::live(tx, partner, period).await?, Some((partner, period)))
    };
    let (currency, figures) = match (&closed, open) {
        (None, Some((partner, period))) => {
            let draft = rating::draft(tx, partner, period, None, LineFilter::default(), (0, 0)).await?;
            (draft.book.rules.currency(), draft.figures)
        }
        (None, None) => return Err(Error::invalid("report", "`report`, or `partner` and `period`")),
        (Some(report), _) => (reports::currency(report)?, reports::figures(report)?),
    };
    match read {
        Read::Products => {
            let rows = figures.products.iter();
            let rows = rows.map(|one| (vec![one.slug.clone(), one.name.clone()], &one.totals));
            summed(&["product", "name"], currency, rows)
        }
        Read::LeadTypes => groups("lead_type", currency, &figures.lead_types),
        Read::Days => days(currency, &figures),
        Read::Savings => savings(currency, &figures),
        Read::Duplicates => duplicates(currency, &figures),
        _ => {
            let users = match (closed, open) {
                (Some(report), _) => {
                    reads::lead_users(tx, BillingReportId(report.id), (0, LEAD_USERS_MAX + 1)).await?
                }
                (None, Some((partner, period))) => reads::draft_lead_users(tx, partner, period).await?,
                (None, None) => Vec::new(),
            };
            if users.len() > LEAD_USERS_MAX {
                let text = format!("more than {LEAD_USERS_MAX} lead users: take the report's own CSV");
                return Err(Error::Limit(text.into()));
            }
            groups("email", currency, &users)
        }
    }
}

fn days(currency: Currency, figures: &Figures) -> Result<Vec<u8>, Error> {
    let adjustments = Group { name: "earlier periods".to_owned(), totals: figures.adjustments };
    let mut rows = figures.days.clone();
    rows.extend((adjustments.totals.actions > 0).then_some(adjustments));
    groups("day", currency, &rows)
}

fn savings(currency: Currency, figures: &Figures) -> Result<Vec<u8>, Error> {
    let totals = figures.totals;
    let mut sheet = Sheet::new(&["reason", "actions", "amount", "currency"])?;
    let mut row = |reason: &str, actions: i64, amount: i64| {
        sheet.row(vec![reason.to_owned(), actions.to_string(), currency.show(amount), currency.to_string()])
    };
    row("duplicate", totals.duplicate_actions, totals.duplicates)?;
    row("over the cap", totals.capped_actions, totals.over_cap)?;
    for refusal in &figures.refusals {
        let reason = format!("not billable: {}", refusal.name);
        row(&reason, refusal.totals.unbilled_actions, refusal.totals.not_billable)?;
    }
    let actions = totals.duplicate_actions + totals.capped_actions + totals.unbilled_actions;
    row("all", actions, totals.savings())?;
    sheet.finish()
}

fn duplicates(currency: Currency, figures: &Figures) -> Result<Vec<u8>, Error> {
    let mut sheet =
        Sheet::new(&["product", "lead_type", "action_type", "level", "actions", "amount", "currency"])?;
    for one in &figures.repeats {
        sheet.row(vec![
            one.product.clone(),
            one.lead_type.clone(),
            one.action_type.clone(),
            one.level.clone(),
            one.actions.to_string(),
            currency.show(one.amount),
            currency.to_string(),
        ])?;
    }
    sheet.finish()
}

/// All partners' figures of a period: closed, or so far.
async fn partners(tx: &TenantTx, period: Period, now: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    let mut sheet =
        Sheet::new(&[&["partner", "name", "period", "version"][..], &TOTALS, &["problem"]].concat())?;
    for row in overview::partners(tx, period, now).await? {
        let version = row.report.as_ref().map(|report| report.version.to_string());
        let mut all =
            vec![row.partner.slug, row.partner.name, period.to_string(), version.unwrap_or_default()];
        all.extend(cells(row.currency, &row.totals));
        all.push(row.problem.unwrap_or_default());
        sheet.row(all)?;
    }
    sheet.finish()
}

/// The partner's closed periods that count, the oldest first.
async fn trend(tx: &TenantTx, partner: PartnerId) -> Result<Vec<u8>, Error> {
    let mut sheet = Sheet::new(&[&["period", "version", "closed_at"][..], &TOTALS].concat())?;
    for point in reads::trend(tx, partner, reads::TREND_PERIODS_MAX).await? {
        let closed_at = point.report.closed_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut row = vec![point.period.to_string(), point.report.version.to_string(), closed_at];
        row.extend(cells(reports::currency(&point.report)?, &point.figures.totals));
        sheet.row(row)?;
    }
    sheet.finish()
}

/// What reports that count say of one lead's actions.
async fn of_lead(tx: &TenantTx, lead: LeadId) -> Result<Vec<u8>, Error> {
    let mut sheet = Sheet::new(&[
        "report",
        "line",
        "occurred_at",
        "email",
        "product",
        "lead_type",
        "action_type",
        "level",
        "amount",
        "billed",
        "over_cap",
        "status",
        "reason",
        "currency",
    ])?;
    let mut known: Option<(BillingReportId, Currency)> = None;
    for (report, line) in lines::of_lead(tx, lead).await? {
        let currency = match known {
            Some((of, currency)) if of == report => currency,
            _ => reports::currency(&reports::by_id(tx, report).await?)?,
        };
        known = Some((report, currency));
        sheet.row(vec![
            report.to_string(),
            line.line.to_string(),
            line.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            line.email,
            line.product,
            line.lead_type,
            line.action_type,
            line.level,
            currency.show(line.price),
            currency.show(line.billed),
            currency.show(line.over_cap),
            line.fate,
            line.reason.unwrap_or_default(),
            currency.to_string(),
        ])?;
    }
    sheet.finish()
}
