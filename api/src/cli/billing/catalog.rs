//! Partners, products, rate plans.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Subcommand;
use domain::billing::{Currency, PlanSpec};
use domain::ids::{RatePlanId, TenantId};
use service::App;
use service::access::Actor;
use service::billing::partners::{self, NewPartner};
use service::billing::{plans, products};
use service::database::Mode;

use super::rows::{PartnerRow, PlanRow, ProductRow};
use crate::cli::{Failure, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum PartnerCommand {
    /// Add a partner.
    Add {
        /// Short name in addresses and commands.
        slug: String,
        /// Where its reports are announced.
        #[arg(long)]
        email: String,
        /// The rate plan.
        #[arg(long, value_name = "SLUG")]
        plan: String,
        /// As people see it.
        #[arg(long)]
        name: Option<String>,
        /// An IANA name; the tenant's own when absent.
        #[arg(long)]
        time_zone: Option<String>,
        /// Close each period by itself once it is over.
        #[arg(long)]
        closes_itself: bool,
    },
    /// Show all partners.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProductCommand {
    /// Add a product.
    Add {
        /// As actions name it.
        slug: String,
        /// As people see it.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show all products.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Print a rate plan to start from.
    Example {
        /// ISO 4217.
        #[arg(long, default_value = "USD")]
        currency: Currency,
    },
    /// Add a rate plan, or a version to one that is there.
    Add {
        /// Short name in commands.
        slug: String,
        /// The version's content, a JSON file; the example without one.
        #[arg(long, value_name = "FILE")]
        spec: Option<PathBuf>,
        /// It rates the periods that begin on this day or later.
        #[arg(long, value_name = "DAY")]
        effective_from: NaiveDate,
        /// As people see it.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show all rate plans with their versions.
    List,
}

pub(super) async fn partners(
    output: Output,
    app: &App,
    tenant: TenantId,
    command: PartnerCommand,
) -> Result<(), Failure> {
    match command {
        PartnerCommand::Add { slug, email, plan, name, time_zone, closes_itself } => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let plan = RatePlanId(plans::plan_by_slug(&tx, &plan).await?.id);
            drop(tx);
            let new = NewPartner { slug, name, email, plan, time_zone, closes_itself };
            output.one(&PartnerRow::from(partners::create_partner(app, tenant, new, Actor::Operator).await?))
        }
        PartnerCommand::List => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let rows = partners::partners(&tx).await?;
            output.list(&rows.into_iter().map(PartnerRow::from).collect::<Vec<_>>())
        }
    }
}

pub(super) async fn products(
    output: Output,
    app: &App,
    tenant: TenantId,
    command: ProductCommand,
) -> Result<(), Failure> {
    let row = |row: entity::product::Model| ProductRow {
        slug: row.slug,
        name: row.name,
        description: row.description,
    };
    match command {
        ProductCommand::Add { slug, name } => {
            output.one(&row(products::create_product(app, tenant, slug, name, None, Actor::Operator).await?))
        }
        ProductCommand::List => {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            output.list(&products::products(&tx).await?.into_iter().map(row).collect::<Vec<_>>())
        }
    }
}

pub(super) async fn plans(
    output: Output,
    app: &App,
    tenant: TenantId,
    command: PlanCommand,
) -> Result<(), Failure> {
    if let PlanCommand::Add { slug, spec, effective_from, name } = command {
        let spec = match spec {
            Some(file) => {
                let attempted = format!("reading the rate plan {}", file.display());
                let text = std::fs::read(file).map_err(|error| Failure::failed(attempted.clone(), error))?;
                let json =
                    serde_json::from_slice(&text).map_err(|error| Failure::failed(attempted, error))?;
                plans::read_spec(json)?
            }
            None => PlanSpec::standard(Currency::USD),
        };
        let tx = app.begin(tenant, Mode::ReadOnly).await?;
        let known = plans::plan_by_slug(&tx, &slug).await;
        drop(tx);
        match known {
            Ok(plan) => {
                plans::add_version(app, tenant, RatePlanId(plan.id), effective_from, &spec, Actor::Operator)
                    .await?;
            }
            Err(service::Error::NotFound { .. }) => {
                plans::create_plan(app, tenant, slug, name, effective_from, &spec, Actor::Operator).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let mut rows = Vec::new();
    for plan in plans::plans(&tx).await? {
        for version in plans::versions(&tx, RatePlanId(plan.id)).await? {
            rows.push(PlanRow {
                slug: plan.slug.clone(),
                name: plan.name.clone(),
                version: version.row.version,
                effective_from: version.row.effective_from,
                currency: version.spec.currency.to_string(),
                id: RatePlanId(plan.id).to_string(),
                spec: version.row.spec,
            });
        }
    }
    output.list(&rows)
}
