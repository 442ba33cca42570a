//! `baton alert …`: who is told what.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::alerts::Kind;
use domain::ids::{AlertChannelId, AlertId, AlertRuleId, DestinationId, SourceId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use service::alerts::manage::{self, NewChannel, NewRule};
use service::alerts::{evaluate, reads, send};
use service::database::Mode;
use service::intake::sources;

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show alerts, newest first.
    List {
        /// Those that have cleared, too.
        #[arg(long)]
        all: bool,
    },
    /// Measure every rule of the tenant now; a worker does it each minute.
    Check,
    /// Whom alerts reach.
    #[command(subcommand)]
    Channel(Channel),
    /// What is watched.
    #[command(subcommand)]
    Rule(Rule),
    /// Set the hour of the tenant's day at which the summary of the day before is sent.
    SummaryHour {
        /// 0 to 23.
        hour: i32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Channel {
    /// Add a channel.
    Add {
        /// As people call it.
        name: String,
        /// How it is reached.
        #[arg(long, value_parser = ["email", "webhook"])]
        kind: String,
        /// The mail address, or the URL, which is kept sealed.
        #[arg(long, env = "BATON_ALERT_TARGET", hide_env_values = true)]
        target: SecretString,
        /// It gets the summary of each day.
        #[arg(long)]
        daily_summary: bool,
    },
    /// Show all channels.
    List,
    /// Tell it now that this is a test.
    Test {
        /// Its id, channel_….
        id: AlertChannelId,
    },
    /// Remove a channel.
    Remove {
        /// Its id, channel_….
        id: AlertChannelId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// Add a rule.
    Add {
        /// As people call it.
        name: String,
        /// What it watches.
        #[arg(long, value_parser = ["failed_leads", "success_rate", "destination_held", "reconciliation", "silent_source"])]
        kind: String,
        /// From where on it is an alert: a count, a percentage or hours, as the kind says.
        #[arg(long, default_value_t = 0)]
        threshold: i32,
        /// Of a success rate: the leads first sent within so many minutes.
        #[arg(long)]
        window_minutes: Option<i32>,
        /// Of this destination alone.
        #[arg(long, value_name = "SLUG")]
        destination: Option<String>,
        /// The source that must not be silent.
        #[arg(long, value_name = "SLUG")]
        source: Option<String>,
        /// Only these channels hear of it.
        #[arg(long, value_name = "ID")]
        channel: Vec<AlertChannelId>,
    },
    /// Show all rules.
    List,
    /// Remove a rule.
    Remove {
        /// Its id, rule_….
        id: AlertRuleId,
    },
}

#[derive(Serialize)]
struct AlertShown {
    id: String,
    kind: String,
    title: String,
    detail: String,
    raised_at: DateTime<Utc>,
    cleared_at: Option<DateTime<Utc>>,
    told: Vec<String>,
}

impl Row for AlertShown {
    const COLUMNS: &'static [&'static str] = &["raised_at", "cleared_at", "kind", "title", "told"];
}

#[derive(Serialize)]
struct ChannelShown {
    id: String,
    name: String,
    kind: String,
    target: String,
    daily_summary: bool,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

impl Row for ChannelShown {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "target", "daily_summary", "enabled", "id"];
}

/// A channel with the signing secret that is shown once.
#[derive(Serialize)]
#[serde(transparent)]
struct Created(ChannelShown);

impl Row for Created {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "target", "id", "signing_secret"];
}

impl From<entity::alert_channel::Model> for ChannelShown {
    fn from(row: entity::alert_channel::Model) -> Self {
        Self {
            id: AlertChannelId(row.id).to_string(),
            name: row.name,
            kind: row.kind,
            target: row.target_shown,
            daily_summary: row.daily_summary,
            enabled: row.enabled,
            signing_secret: None,
        }
    }
}

#[derive(Serialize)]
struct RuleShown {
    id: String,
    name: String,
    kind: String,
    threshold: i32,
    window_minutes: Option<i32>,
    destination: Option<String>,
    source: Option<String>,
    enabled: bool,
}

impl Row for RuleShown {
    const COLUMNS: &'static [&'static str] =
        &["name", "kind", "threshold", "window_minutes", "destination", "source", "enabled", "id"];
}

impl From<entity::alert_rule::Model> for RuleShown {
    fn from(row: entity::alert_rule::Model) -> Self {
        Self {
            id: AlertRuleId(row.id).to_string(),
            name: row.name,
            kind: row.kind,
            threshold: row.threshold,
            window_minutes: row.window_minutes,
            destination: row.destination_id.map(|id| DestinationId(id).to_string()),
            source: row.source_id.map(|id| SourceId(id).to_string()),
            enabled: row.enabled,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    match command {
        Command::List { all } => list(context, all).await,
        Command::Check => {
            context
                .with_tenant(async |app, tenant| {
                    evaluate::tenant(&app, tenant).await?;
                    Output::note("Measured. A running server or worker sends what is to be told; without one: baton worker");
                    Ok(Done::Well)
                })
                .await
        }
        Command::Channel(command) => channel(context, command).await,
        Command::Rule(command) => rule(context, command).await,
        Command::SummaryHour { hour } => {
            context
                .with_tenant(async |app, tenant| {
                    manage::set_summary_hour(&app, tenant, hour).await?;
                    Ok(Done::Well)
                })
                .await
        }
    }
}

async fn list(context: &Context, all: bool) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let rows = reads::alerts(&tx, !all, reads::ROWS_MAX).await?;
            let ids: Vec<AlertId> = rows.iter().map(|row| AlertId(row.id)).collect();
            let notices = reads::notices_of(&tx, &ids).await?;
            drop(tx);
            let told = |id| {
                let of = notices.iter().filter(|notice| notice.alert_id == Some(id));
                of.map(|notice| format!("{}: {}", notice.channel, notice.state)).collect()
            };
            let shown: Vec<AlertShown> = rows
                .into_iter()
                .map(|row| AlertShown {
                    id: AlertId(row.id).to_string(),
                    told: told(row.id),
                    kind: row.kind,
                    title: row.title,
                    detail: row.detail,
                    raised_at: row.raised_at,
                    cleared_at: row.cleared_at,
                })
                .collect();
            context.output.list(&shown)?;
            Ok(Done::Well)
        })
        .await
}

async fn channel(context: &Context, command: Channel) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Channel::Add { name, kind, target, daily_summary } => {
                    let new = NewChannel { name, kind, target, daily_summary };
                    let (row, secret) = manage::create_channel(&app, tenant, new).await?;
                    let mut shown = ChannelShown::from(row);
                    if shown.kind == "email" && !app.mailer.is_set_up() {
                        Output::note(
                            "Mail is not set up: set mail.host in the configuration, or nothing is sent.",
                        );
                    }
                    shown.signing_secret = secret.map(|text| text.expose_secret().to_owned());
                    if shown.signing_secret.is_some() {
                        Output::note("The signing secret is shown this once; give it to the receiver.");
                        context.output.one(&Created(shown))?;
                    } else {
                        context.output.one(&shown)?;
                    }
                }
                Channel::List => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let rows = manage::channels(&tx).await?;
                    drop(tx);
                    context.output.list(&rows.into_iter().map(ChannelShown::from).collect::<Vec<_>>())?;
                }
                Channel::Test { id } => {
                    send::test(&app, tenant, id).await?;
                    Output::note("Told.");
                }
                Channel::Remove { id } => manage::delete_channel(&app, tenant, id).await?,
            }
            Ok(Done::Well)
        })
        .await
}

async fn rule(context: &Context, command: Rule) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            match command {
                Rule::Add { name, kind, threshold, window_minutes, destination, source, channel } => {
                    let kind = Kind::parse(&kind)
                        .ok_or_else(|| Failure::Usage(format!("there is no kind of rule `{kind}`")))?;
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let destination = match destination {
                        Some(slug) => {
                            Some(DestinationId(service::delivery::manage::by_slug(&tx, &slug).await?.id))
                        }
                        None => None,
                    };
                    let source = match source {
                        Some(slug) => Some(SourceId(sources::by_slug(&tx, &slug).await?.id)),
                        None => None,
                    };
                    drop(tx);
                    let channels = (!channel.is_empty()).then_some(channel);
                    let new =
                        NewRule { name, kind, destination, source, threshold, window_minutes, channels };
                    let row = manage::create_rule(&app, tenant, new).await?;
                    context.output.one(&RuleShown::from(row))?;
                }
                Rule::List => {
                    let tx = app.begin(tenant, Mode::ReadOnly).await?;
                    let rows = manage::rules(&tx).await?;
                    drop(tx);
                    context.output.list(&rows.into_iter().map(RuleShown::from).collect::<Vec<_>>())?;
                }
                Rule::Remove { id } => manage::delete_rule(&app, tenant, id).await?,
            }
            Ok(Done::Well)
        })
        .await
}
