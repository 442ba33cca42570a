//! What reports add up to, as the schema has it. Amounts are exact decimals of the currency's major unit.

use async_graphql::{Enum, ID, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::billing::{Currency, Group, Period, Totals};
use rust_decimal::Decimal;
use service::billing::files::Format;
use service::billing::rating::{Line, LineFilter, LinePage};
use service::billing::{Figures, Named, Repeated};

use crate::graphql::error::ApiError;

/// Minor units as an exact decimal.
pub(super) fn money(currency: Currency, minor_units: i64) -> Decimal {
    Decimal::new(minor_units, currency.digits())
}

/// A billing period by its name.
pub(super) fn period(text: &str) -> Result<Period, ApiError> {
    text.parse()
        .map_err(|error: domain::billing::InvalidPeriod| ApiError::invalid("period", error.to_string()))
}

/// Counts and amounts. gross = billed + duplicates + overCap + notBillable.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillingTotals {
    actions: i64,
    duplicate_actions: i64,
    capped_actions: i64,
    unbilled_actions: i64,
    gross: Decimal,
    billed: Decimal,
    /// What is not paid: gross less billed.
    savings: Decimal,
    duplicates: Decimal,
    over_cap: Decimal,
    not_billable: Decimal,
}

impl BillingTotals {
    pub(super) fn of(currency: Currency, totals: &Totals) -> Self {
        let money = |amount| money(currency, amount);
        Self {
            actions: totals.actions,
            duplicate_actions: totals.duplicate_actions,
            capped_actions: totals.capped_actions,
            unbilled_actions: totals.unbilled_actions,
            gross: money(totals.gross),
            billed: money(totals.billed),
            savings: money(totals.savings()),
            duplicates: money(totals.duplicates),
            over_cap: money(totals.over_cap),
            not_billable: money(totals.not_billable),
        }
    }
}

/// What the actions of one lead type, lead user, day or reason add up to.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillingGroup {
    name: String,
    totals: BillingTotals,
}

impl BillingGroup {
    pub(super) fn of(currency: Currency, group: &Group) -> Self {
        Self { name: group.name.clone(), totals: BillingTotals::of(currency, &group.totals) }
    }

    fn all(currency: Currency, groups: &[Group]) -> Vec<Self> {
        groups.iter().map(|group| Self::of(currency, group)).collect()
    }
}

/// What the actions on one product add up to.
#[derive(Clone, Debug, SimpleObject)]
pub struct ProductTotals {
    slug: String,
    name: String,
    totals: BillingTotals,
}

/// What repeats of one kind add up to.
#[derive(Clone, Debug, SimpleObject)]
pub struct RepeatedActions {
    product: String,
    lead_type: String,
    action_type: String,
    level: String,
    actions: i64,
    amount: Decimal,
}

/// What a report adds up to.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillingFigures {
    /// ISO 4217.
    currency: String,
    /// Digits after the decimal point of its amounts.
    minor_digits: i32,
    totals: BillingTotals,
    /// Of these, actions of earlier periods that were closed before they came in.
    adjustments: BillingTotals,
    lead_users: i64,
    products: Vec<ProductTotals>,
    lead_types: Vec<BillingGroup>,
    /// Every day of the period.
    days: Vec<BillingGroup>,
    /// The lead users with the highest gross, at most 20.
    largest: Vec<BillingGroup>,
    /// Not billable, by reason.
    refusals: Vec<BillingGroup>,
    /// What was repeated, the costliest first, at most 20.
    repeats: Vec<RepeatedActions>,
}

impl BillingFigures {
    pub(super) fn of(currency: Currency, figures: &Figures) -> Self {
        let product = |one: &Named| ProductTotals {
            slug: one.slug.clone(),
            name: one.name.clone(),
            totals: BillingTotals::of(currency, &one.totals),
        };
        let repeated = |one: &Repeated| RepeatedActions {
            product: one.product.clone(),
            lead_type: one.lead_type.clone(),
            action_type: one.action_type.clone(),
            level: one.level.clone(),
            actions: one.actions,
            amount: money(currency, one.amount),
        };
        Self {
            currency: currency.to_string(),
            minor_digits: i32::try_from(currency.digits()).unwrap_or(2),
            totals: BillingTotals::of(currency, &figures.totals),
            adjustments: BillingTotals::of(currency, &figures.adjustments),
            lead_users: figures.lead_users,
            products: figures.products.iter().map(product).collect(),
            lead_types: BillingGroup::all(currency, &figures.lead_types),
            days: BillingGroup::all(currency, &figures.days),
            largest: BillingGroup::all(currency, &figures.largest),
            refusals: BillingGroup::all(currency, &figures.refusals),
            repeats: figures.repeats.iter().map(repeated).collect(),
        }
    }
}

/// What became of an action.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum BillLineFate {
    Billed,
    /// It repeats an earlier one and is not charged.
    Duplicate,
    /// The cap takes a part of its price, or all of it.
    OverCap,
    NotBillable,
}

const FATES: [(BillLineFate, &str); 4] = [
    (BillLineFate::Billed, "billed"),
    (BillLineFate::Duplicate, "duplicate"),
    (BillLineFate::OverCap, "over_cap"),
    (BillLineFate::NotBillable, "not_billable"),
];

impl BillLineFate {
    pub(super) fn of(word: &str) -> Option<Self> {
        FATES.iter().find(|(_, known)| *known == word).map(|(fate, _)| *fate)
    }

    fn word(self) -> &'static str {
        FATES.iter().find(|(fate, _)| *fate == self).map_or("", |(_, word)| word)
    }
}

/// An action as a report's line.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillLine {
    line: i64,
    email: String,
    product: String,
    lead_type: String,
    action_type: String,
    level: String,
    occurred_at: DateTime<Utc>,
    /// Before duplicates and cap.
    amount: Decimal,
    billed: Decimal,
    over_cap: Decimal,
    fate: BillLineFate,
    /// Why it is not billable.
    reason: Option<String>,
    /// The action that it repeats.
    duplicate_of: Option<ID>,
    /// Of an adjustment: its own period.
    own_period: Option<String>,
    action: ID,
}

impl BillLine {
    pub(super) fn of(currency: Currency, line: Line) -> Result<Self, ApiError> {
        let Some(fate) = BillLineFate::of(&line.fate) else {
            return Err(ApiError::internal(
                "reading a line",
                format!("bill_line.fate of {} is unknown", line.action),
            ));
        };
        Ok(Self {
            line: line.line,
            email: line.email,
            product: line.product,
            lead_type: line.lead_type,
            action_type: line.action_type,
            level: line.level,
            occurred_at: line.occurred_at,
            amount: money(currency, line.price),
            billed: money(currency, line.billed),
            over_cap: money(currency, line.over_cap),
            fate,
            reason: line.reason,
            duplicate_of: line.duplicate_of.map(|action| ID(action.to_string())),
            own_period: line.own_period,
            action: ID(line.action.to_string()),
        })
    }
}

/// A page of lines.
#[derive(Clone, Debug, SimpleObject)]
pub struct BillLinePage {
    lines: Vec<BillLine>,
    /// How many the filter finds.
    total: i64,
}

impl BillLinePage {
    pub(super) fn of(currency: Currency, page: LinePage) -> Result<Self, ApiError> {
        let lines =
            page.lines.into_iter().map(|line| BillLine::of(currency, line)).collect::<Result<_, _>>()?;
        Ok(Self { lines, total: page.total })
    }
}

/// Which lines.
#[derive(Clone, Debug, Default, InputObject)]
pub struct BillLineFilter {
    fate: Option<BillLineFate>,
    /// The slug of a product.
    product: Option<String>,
    /// Of lead users whose address contains it.
    email: Option<String>,
}

impl From<BillLineFilter> for LineFilter {
    fn from(filter: BillLineFilter) -> Self {
        let text =
            |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Self {
            fate: filter.fate.map(|fate| fate.word().to_owned()),
            product: text(filter.product),
            email: text(filter.email),
        }
    }
}

/// A place in a list and how many from there.
pub(super) fn window(offset: i32, first: i32) -> Result<(usize, usize), ApiError> {
    const MAX: usize = service::billing::rating::PAGE_LINES_MAX;
    let offset =
        usize::try_from(offset).map_err(|_| ApiError::invalid("offset", "`offset` must not be negative"))?;
    match usize::try_from(first) {
        Ok(first) if first <= MAX => Ok((offset, first)),
        Ok(_) => Err(ApiError::limit(format!("`first` is {first}; a page has at most {MAX} lines"))),
        Err(_) => Err(ApiError::invalid("first", "`first` must not be negative")),
    }
}

/// A report's file.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(rename_items = "UPPERCASE")]
pub enum ReportFormat {
    Csv,
    Json,
    Xlsx,
    Pdf,
}

impl From<ReportFormat> for Format {
    fn from(format: ReportFormat) -> Self {
        match format {
            ReportFormat::Csv => Self::Csv,
            ReportFormat::Json => Self::Json,
            ReportFormat::Xlsx => Self::Xlsx,
            ReportFormat::Pdf => Self::Pdf,
        }
    }
}

impl From<Format> for ReportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Json => Self::Json,
            Format::Xlsx => Self::Xlsx,
            Format::Pdf => Self::Pdf,
        }
    }
}
