//! `baton failed …`: deliveries that failed, are held or of which nobody knows whether they arrived.

use clap::Subcommand;
use domain::ids::{DeliveryId, DestinationId, TenantId};
use serde::Serialize;
use service::App;
use service::access::Actor;
use service::database::Mode;
use service::delivery::{manage, reads};

use super::context::Context;
use super::deliveries::{self, AttemptShown, DeliveryShown, Filter, slugs_of_destinations};
use super::{Done, Failure, Output, Row, Style};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show them, newest first, with the reason.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Only those that failed, are held, or of which nobody knows.
        #[arg(long, value_parser = ["failed", "held", "unknown"])]
        state: Option<String>,
    },
    /// Show one with every attempt and its answer.
    Show {
        /// Its id, delivery_….
        id: DeliveryId,
    },
    /// Give one a second chance: it is due at once, with all its attempts.
    Retry {
        /// Its id, delivery_….
        id: DeliveryId,
    },
    /// Say that one of unknown outcome has arrived.
    Confirm {
        /// Its id, delivery_….
        id: DeliveryId,
        /// The destination's own id of it.
        #[arg(long, value_name = "ID")]
        remote_id: Option<String>,
    },
    /// Give all that failed or are held a second chance; unknown ones are decided one by one.
    RetryAll {
        /// Only those to this destination.
        #[arg(long, value_name = "SLUG")]
        destination: Option<String>,
    },
}

#[derive(Serialize)]
struct Retried {
    retried: u64,
}

impl Row for Retried {
    const COLUMNS: &'static [&'static str] = &["retried"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    let actor = Actor::Operator.to_string();
    context
        .with_tenant(async |app, tenant| match command {
            Command::List { filter, state } => {
                let all = || ["failed", "held", "unknown"].map(str::to_owned).to_vec();
                let states = state.map_or_else(all, |one| vec![one]);
                deliveries::list(context, &app, tenant, filter, states).await
            }
            Command::Show { id } => show(context, &app, tenant, id).await,
            Command::Retry { id } => {
                app.retries().retry(tenant, id, &actor).await.map_err(service::Error::from)?;
                retried(context, 1)
            }
            Command::Confirm { id, remote_id } => {
                let confirmed = app.retries().confirm(tenant, id, remote_id.as_deref(), &actor).await;
                confirmed.map_err(service::Error::from)?;
                show(context, &app, tenant, id).await
            }
            Command::RetryAll { destination } => {
                let tx = app.begin(tenant, Mode::ReadOnly).await?;
                let destination = match destination {
                    Some(slug) => Some(DestinationId(manage::by_slug(&tx, &slug).await?.id)),
                    None => None,
                };
                drop(tx);
                let count = app.retries().retry_all_failed(tenant, destination, &actor).await;
                retried(context, count.map_err(service::Error::from)?)
            }
        })
        .await
}

fn retried(context: &Context, count: u64) -> Result<Done, Failure> {
    context.output.one(&Retried { retried: count })?;
    if count > 0 {
        Output::note("A running server or worker sends them now; without one: baton worker");
    }
    Ok(Done::Well)
}

pub(crate) async fn show(
    context: &Context,
    app: &App,
    tenant: TenantId,
    id: DeliveryId,
) -> Result<Done, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let row = reads::by_id(&tx, id).await?;
    let attempts = reads::attempts_of(&tx, &[id]).await?;
    let destinations = slugs_of_destinations(&tx).await?;
    drop(tx);
    let attempts = attempts.into_iter().map(AttemptShown::from).collect();
    let delivery = DeliveryShown::new(row, &destinations, app.clock.now()).with_attempts(attempts);
    context.output.one(&delivery)?;
    if context.output.style() == Style::Table {
        Output::text("\nAttempts\n")?;
        context.output.list(&delivery.attempts)?;
    }
    Ok(Done::Well)
}
