//! What a report adds up to, with names: as it is stored, shown and written into files.

use std::cmp::Reverse;

use domain::billing::{Group, Summary, Totals};
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::facts::Facts;

/// Rows of a list that shows the largest.
const LARGEST: usize = 20;

/// What a report adds up to. Amounts are minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Everything.
    pub totals: Totals,
    /// Of these, actions of earlier periods that were closed before they came in.
    pub adjustments: Totals,
    /// Lead users with any action.
    pub lead_users: i64,
    /// By product, in the order of slugs; those without actions are left out.
    pub products: Vec<Named>,
    /// By lead type, in the plan's order.
    pub lead_types: Vec<Group>,
    /// By day, as in 2026-10-01, every day of the period.
    pub days: Vec<Group>,
    /// The lead users with the highest gross.
    pub largest: Vec<Group>,
    /// Not billable, by reason.
    pub refusals: Vec<Group>,
    /// What was repeated, the costliest first.
    pub repeats: Vec<Repeated>,
}

/// What the actions on one product add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The slug.
    pub slug: String,
    /// The name.
    pub name: String,
    /// What they add up to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// What repeats of one kind add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// The product's slug.
    pub product: String,
    /// The lead type.
    pub lead_type: String,
    /// The action type.
    pub action_type: String,
    /// The level.
    pub level: String,
    /// How many.
    pub actions: i64,
    /// What they would have cost, minor units.
    pub amount: i64,
}

impl Figures {
    /// The sums with their names.
    pub(super) fn of(book: &Book, facts: &Facts, summary: &Summary) -> Self {
        let used = |totals: &&Totals| totals.actions > 0;
        let product = |(product, totals): (&entity::product::Model, &Totals)| Named {
            slug: product.slug.clone(),
            name: product.name.clone(),
            totals: *totals,
        };
        let mut lead_types: Vec<Group> = book
            .rules
            .lead_types()
            .chain(["(others)"])
            .zip(&summary.lead_types)
            .map(|(name, totals)| Group { name: name.to_owned(), totals: *totals })
            .collect();
        lead_types.retain(|group| group.totals.actions > 0);
        let days = book
            .period
            .start
            .iter_days()
            .zip(&summary.days)
            .map(|(day, totals)| Group { name: day.to_string(), totals: *totals })
            .collect();
        Self {
            totals: summary.totals,
            adjustments: summary.adjustments,
            lead_users: i64::try_from(summary.users.iter().filter(used).count()).unwrap_or(i64::MAX),
            products: book
                .products
                .iter()
                .zip(&summary.products)
                .filter(|(_, totals)| totals.actions > 0)
                .map(product)
                .collect(),
            lead_types,
            days,
            largest: largest(book, summary),
            refusals: refusals(book, summary),
            repeats: repeats(book, facts, summary),
        }
    }
}

fn largest(book: &Book, summary: &Summary) -> Vec<Group> {
    let mut numbers: Vec<usize> =
        (0..summary.users.len()).filter(|number| summary.users[*number].actions > 0).collect();
    numbers.sort_by_key(|number| (Reverse(summary.users[*number].gross), *number));
    numbers.truncate(LARGEST);
    let group = |number: usize| Group {
        name: book.users.get(number).map_or_else(String::new, |(_, email)| email.clone()),
        totals: summary.users[number],
    };
    numbers.into_iter().map(group).collect()
}

fn refusals(book: &Book, summary: &Summary) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (reason, totals) in &summary.refusals {
        let name = book.rules.explain(*reason);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.totals += *totals,
            None => groups.push(Group { name: name.to_owned(), totals: *totals }),
        }
    }
    groups.sort_by(|a, b| (Reverse(a.totals.gross), &a.name).cmp(&(Reverse(b.totals.gross), &b.name)));
    groups
}

fn repeats(book: &Book, facts: &Facts, summary: &Summary) -> Vec<Repeated> {
    let mut all: Vec<_> = summary.repeats.iter().collect();
    all.sort_by_key(|(repeats, totals)| (Reverse(totals.gross), Reverse(totals.actions), **repeats));
    all.truncate(LARGEST);
    let named = |(repeats, totals): (&domain::billing::Repeats, &Totals)| Repeated {
        product: book.products.get(repeats.product as usize).map_or_else(String::new, |one| one.slug.clone()),
        lead_type: facts.names.lead_types.name(repeats.lead_type).to_owned(),
        action_type: facts.names.action_types.name(repeats.action_type).to_owned(),
        level: facts.names.levels.name(repeats.level).to_owned(),
        actions: totals.actions,
        amount: totals.gross,
    };
    all.into_iter().map(named).collect()
}
