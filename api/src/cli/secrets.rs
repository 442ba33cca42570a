//! `baton secrets …`

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use service::Error;
use service::access::life;
use service::resealing::{self, Resealed};

use super::context::Context;
use super::{Done, Failure, Row};

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new key that seals destinations' addresses and signing secrets, and seal everything anew with it. Servers
    /// that run meanwhile follow by themselves; older keys stay until they are forgotten. Keys that stand in the
    /// configuration are changed there first (`secrets.key`, with the old one in `secrets.older_keys`): then this seals
    /// everything anew with the configured one.
    Rotate,
    /// Forget all keys but the newest, once nothing is sealed with them any more. Of configured keys it only says that
    /// `secrets.older_keys` may go.
    Forget,
}

#[derive(Serialize)]
struct Outcome {
    resealed: u64,
    tenants: u64,
    keys: usize,
}

impl Row for Outcome {
    const COLUMNS: &'static [&'static str] = &["resealed", "tenants", "keys"];
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    let unusable = |error| Error::internal("changing the key that seals secrets", error);
    context
        .with_app(async |app| {
            let Resealed { values, tenants } = match command {
                Command::Rotate => {
                    if !app.secrets.are_configured() {
                        app.secrets.rotate().map_err(unusable)?;
                    }
                    resealing::reseal(&app).await?
                }
                Command::Forget => resealing::forget_older_keys(&app).await?,
            };
            let action = match command {
                Command::Rotate => "secrets.rotated",
                Command::Forget => "secrets.older_forgotten",
            };
            life::operator_audit(&app, action, None, &json!({ "resealed": values })).await?;
            context.output.one(&Outcome { resealed: values, tenants, keys: app.secrets.key_count() })?;
            Ok(Done::Well)
        })
        .await
}
