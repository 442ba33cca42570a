//! A period rated: every action becomes a line, in the order of lead user, time and id, adjustments last.

use chrono::{DateTime, Utc};
use domain::billing::{Action, Fate, Period, PlanSpec, Rated, Rules, Sizes, Summary, rate, rate_late};
use domain::ids::{BillingReportId, LeadActionId, PartnerId};
use serde::Serialize;
use uuid::Uuid;

use super::book::{Book, Names};
use super::facts::{self, Facts};
use super::figures::Figures;
use super::plans::{self, PlanVersion};
use super::{partners, reports};
use crate::database::TenantTx;
use crate::error::Error;

/// Lines of a page at most.
pub const PAGE_LINES_MAX: usize = 500;

/// A line of a report, draft or closed. Amounts are minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// From 1.
    pub line: i64,
    /// The lead user.
    pub email: String,
    /// The product's slug.
    pub product: String,
    /// The lead type.
    pub lead_type: String,
    /// The action type.
    pub action_type: String,
    /// The level.
    pub level: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What it costs before duplicates and cap.
    pub price: i64,
    /// What is charged.
    pub billed: i64,
    /// What the cap takes away.
    pub over_cap: i64,
    /// `billed`, `duplicate`, `over_cap`, `not_billable`.
    pub fate: String,
    /// Why it is not billable.
    pub reason: Option<String>,
    /// Of a duplicate: the action that it repeats.
    pub duplicate_of: Option<LeadActionId>,
    /// Of an adjustment: its own period.
    pub own_period: Option<String>,
    /// The action.
    pub action: LeadActionId,
}

/// As it is stored and written.
pub(super) fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Billed => "billed",
        Fate::Duplicate(_) => "duplicate",
        Fate::OverCap => "over_cap",
        Fate::NotBillable(_) => "not_billable",
    }
}

/// A rated action on its way, with what names it.
pub(super) struct Passing<'a> {
    pub(super) line: i64,
    pub(super) action: &'a Action,
    pub(super) rated: Rated,
    /// The plan that rated it: of an adjustment the one of its own period.
    pub(super) rules: &'a Rules,
    pub(super) own_period: Option<Period>,
    pub(super) late: bool,
}

impl Passing<'_> {
    pub(super) fn duplicate_of(&self) -> Option<Uuid> {
        match self.rated.fate {
            Fate::Duplicate(original) => Some(original),
            _ => None,
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self.rated.fate {
            Fate::NotBillable(reason) => Some(self.rules.explain(reason)),
            _ => None,
        }
    }

    pub(super) fn occurred_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.action.at).unwrap_or_default()
    }
}

/// What names the numbers of passing lines.
pub(super) struct Labels<'a> {
    pub(super) book: &'a Book,
    pub(super) names: &'a Names,
}

impl Labels<'_> {
    pub(super) fn email(&self, action: &Action) -> &str {
        self.book.users.get(action.user as usize).map_or("", |(_, email)| email)
    }

    pub(super) fn product(&self, action: &Action) -> &str {
        self.book.products.get(action.product as usize).map_or("", |product| &product.slug)
    }

    pub(super) fn line(&self, passing: &Passing<'_>) -> Line {
        let action = passing.action;
        Line {
            line: passing.line,
            email: self.email(action).to_owned(),
            product: self.product(action).to_owned(),
            lead_type: self.names.lead_types.name(action.lead_type).to_owned(),
            action_type: self.names.action_types.name(action.action_type).to_owned(),
            level: self.names.levels.name(action.level).to_owned(),
            occurred_at: passing.occurred_at(),
            price: passing.rated.price,
            billed: passing.rated.billed,
            over_cap: passing.rated.over_cap,
            fate: word(passing.rated.fate).to_owned(),
            reason: passing.reason().map(str::to_owned),
            duplicate_of: passing.duplicate_of().map(LeadActionId),
            own_period: passing.own_period.map(|period| period.to_string()),
            action: LeadActionId(action.id),
        }
    }
}

/// Rates everything; `each` gets the lines in their order. Computes for as long as there are actions: for many, off the async
/// threads.
pub(super) fn run(
    book: &Book,
    facts: &mut Facts,
    mut each: impl FnMut(&Labels<'_>, &Passing<'_>),
) -> Summary {
    let Facts { actions, charged, late, late_ids, names } = facts;
    let labels = Labels { book, names };
    let sizes = Sizes {
        products: book.products.len(),
        lead_types: book.rules.lead_types().count(),
        users: book.users.len(),
        days: usize::try_from((book.period.end - book.period.start).num_days()).unwrap_or(0),
    };
    let mut summary = Summary::new(sizes);
    let midnights: Vec<i64> = book
        .period
        .start
        .iter_days()
        .take(sizes.days)
        .map(|start| Period { start, end: start.succ_opt().unwrap_or(start) })
        .map(|day| day.bounds(book.zone).0.timestamp_micros())
        .collect();
    let mut line = 0;
    rate(&book.rules, actions, charged, |action, rated| {
        line += 1;
        let day = midnights.partition_point(|midnight| *midnight <= action.at).saturating_sub(1);
        summary.add(action, &rated, Some(day));
        let late = late_ids.binary_search(&action.id).is_ok();
        each(&labels, &Passing { line, action, rated, rules: &book.rules, own_period: None, late });
    });
    for group in late {
        let mut actions = std::mem::take(&mut group.actions);
        rate_late(&group.rules, &group.settled, &mut actions, |action, rated| {
            line += 1;
            // Rated by the numbers of the plan that its period was closed with; summed and named by those of this one.
            let named = group.named(action);
            let fate = match rated.fate {
                Fate::NotBillable(reason) => Fate::NotBillable(group.reason(reason, action)),
                other => other,
            };
            summary.add(named, &Rated { fate, ..rated }, None);
            let own_period = Some(group.period);
            each(
                &labels,
                &Passing { line, action: named, rated, rules: &group.rules, own_period, late: true },
            );
        });
    }
    summary
}

/// Which lines of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFilter {
    /// With that fate, as lines have it.
    pub fate: Option<String>,
    /// Of that product's slug.
    pub product: Option<String>,
    /// Of lead users whose address contains that.
    pub email: Option<String>,
}

/// A page of lines.
#[derive(Clone, Debug, Default)]
pub struct LinePage {
    /// The lines.
    pub lines: Vec<Line>,
    /// How many the filter finds.
    pub total: i64,
}

/// A draft: what the report would say now.
pub struct Draft {
    /// What it is rated with.
    pub book: Book,
    /// What it adds up to.
    pub figures: Figures,
    /// The lines that were asked for.
    pub page: LinePage,
}

/// Rates a partner's period as it stands. `spec` stands in for the plan in force: what it would change.
pub async fn draft(
    tx: &TenantTx,
    partner: PartnerId,
    period: Period,
    spec: Option<PlanSpec>,
    filter: LineFilter,
    (offset, limit): (usize, usize),
) -> Result<Draft, Error> {
    let plan = match spec {
        None => None,
        Some(spec) => {
            plans::check_spec(tx, &spec).await?;
            let partner = partners::partner(tx, partner).await?;
            let in_force = plans::version_for(tx, domain::ids::RatePlanId(partner.plan_id), period).await?;
            if spec.currency != in_force.spec.currency {
                return Err(Error::invalid("spec.currency", "the plan in force is in another currency"));
            }
            Some(PlanVersion { row: in_force.row, spec })
        }
    };
    let book = Book::open(tx, partner, period, plan).await?;
    // Of a closed period, what it would say were it issued again: with what its own report has of late actions.
    let closed = reports::live(tx, partner, period).await?.map(|report| BillingReportId(report.id));
    let mut facts = facts::load(tx, &book, closed).await?;
    let rated = tokio::task::spawn_blocking(move || {
        let mut page = LinePage::default();
        let summary = run(&book, &mut facts, |labels, passing| {
            if !wanted(&filter, labels, passing) {
                return;
            }
            let at = usize::try_from(page.total).unwrap_or(usize::MAX);
            page.total += 1;
            if at >= offset && page.lines.len() < limit.min(PAGE_LINES_MAX) {
                page.lines.push(labels.line(passing));
            }
        });
        let figures = Figures::of(&book, &facts, &summary);
        Draft { book, figures, page }
    });
    rated.await.map_err(|error| Error::internal("rating a period", error))
}

/// Rates a partner's period as it stands, for what it adds up to alone.
pub async fn summed<T: Send + 'static>(
    tx: &TenantTx,
    partner: PartnerId,
    period: Period,
    of: impl FnOnce(&Book, &Summary) -> T + Send + 'static,
) -> Result<T, Error> {
    let book = Book::open(tx, partner, period, None).await?;
    let mut facts = facts::load(tx, &book, None).await?;
    let rating = tokio::task::spawn_blocking(move || {
        let summary = run(&book, &mut facts, |_, _| {});
        of(&book, &summary)
    });
    rating.await.map_err(|error| Error::internal("rating a period", error))
}

fn wanted(filter: &LineFilter, labels: &Labels<'_>, passing: &Passing<'_>) -> bool {
    let fits = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
    fits(&filter.fate, word(passing.rated.fate))
        && fits(&filter.product, labels.product(passing.action))
        && filter
            .email
            .as_deref()
            .is_none_or(|part| labels.email(passing.action).contains(&part.to_lowercase()))
}
