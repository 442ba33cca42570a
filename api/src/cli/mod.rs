//! The command line: every operation that a person does at a terminal.
//!
//! Results go to standard output as a table, JSON or CSV; logs, progress and explanations to standard error, so that
//! `baton … --output json | jq` always works. Commands need no running server: each opens what it needs, and processes
//! on one machine share the private Postgres.
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage, a configuration that cannot be used included; 3 done, with failures to look
//! at (an import that refused records).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};
use crate::telemetry::{self, Verbosity};
use crate::{edge, serve};

mod acts;
mod alerts;
mod audit;
mod billing;
mod context;
mod crm;
mod deliveries;
mod demo;
mod destination;
mod doctor;
mod export;
mod failed;
mod failure;
mod hooks;
mod import;
mod key;
mod leads;
mod migrate;
mod output;
mod progress;
mod provider;
mod reconcile;
mod records;
mod secrets;
mod sla;
mod source;
mod suppression;
mod tenant;
mod tracking;
mod user;

/// Of the threads that work on requests.
const STACK_BYTES: usize = 8 << 20;

pub(crate) use context::{close, open, open_on};
pub use failure::Failure;
pub(crate) use import::examine;
pub(crate) use output::{Output, Row, Style, Written, table};

/// Hands sales leads over and accounts for them.
#[derive(Debug, Parser)]
#[command(name = "baton", version, propagate_version = true, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// A file of settings; `baton config` prints all of them with their defaults.
    #[arg(long, global = true, env = "BATON_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Everything that Baton keeps on disk [default: ./data].
    #[arg(long, global = true, env = "BATON_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The tenant that the command is about.
    #[arg(long, global = true, env = "BATON_TENANT", value_name = "SLUG")]
    tenant: Option<String>,
    /// How the result is written.
    #[arg(long, short, global = true, env = "BATON_OUTPUT", value_enum, default_value_t = Written::Table)]
    output: Written,
    /// Log what happens meanwhile, as the configuration's log.level says.
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server, and the worker unless told otherwise.
    Serve(serve::Arguments),
    /// Run the worker alone: imports, deliveries and jobs.
    Worker,
    /// Bring the database's schema up to date, back, or say where it stands.
    Migrate(migrate::Arguments),
    /// API keys, OAuth clients and signing keys.
    #[command(subcommand)]
    Key(key::Command),
    /// The tenant's audit log.
    #[command(subcommand)]
    Audit(audit::Command),
    /// The key that seals destinations' addresses and signing secrets.
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Print the GraphQL schema.
    Schema {
        /// Print what each role may do instead: docs/roles.md.
        #[arg(long)]
        roles: bool,
    },
    /// Print every setting with its default, as a file to start from.
    Config,
    /// Show everything at work on sample files and a demo CRM, in a data folder of its own.
    Demo(demo::Arguments),
    /// Say what is wrong with this installation, and what to do about it.
    Doctor,
    /// Tenants: the clients whose leads Baton runs.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// People who sign in.
    #[command(subcommand)]
    User(user::Command),
    /// Providers that people sign in with.
    #[command(subcommand)]
    Provider(provider::Command),
    /// Where leads come from.
    #[command(subcommand)]
    Source(source::Command),
    /// Where leads go.
    #[command(subcommand)]
    Destination(destination::Command),
    /// Import files of leads.
    Import(import::Arguments),
    /// Leads.
    #[command(subcommand)]
    Leads(leads::Command),
    /// Refused records: see why, export, correct.
    #[command(subcommand)]
    Records(records::Command),
    /// Deliveries that failed or are held, and their second chance.
    #[command(subcommand)]
    Failed(failed::Command),
    /// Deliveries of every state.
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// A tenant's figures as files for other tools.
    #[command(subcommand)]
    Export(export::Command),
    /// Service levels: what was met and missed, what is due, cases.
    #[command(subcommand)]
    Sla(sla::Command),
    /// What partners pay for their leads' actions, and the reports that say so.
    #[command(subcommand)]
    Billing(billing::Command),
    /// Compare what a destination has with what was handed over to it, and put it right.
    Reconcile(reconcile::Arguments),
    /// Alerts: whom they reach, what is watched, what holds.
    #[command(subcommand)]
    Alert(alerts::Command),
    /// Reports of destinations about their leads.
    #[command(subcommand)]
    Hook(hooks::Command),
    /// Who wants no more contact.
    #[command(subcommand)]
    Suppression(suppression::Command),
    /// Users and campaigns of a destination's service.
    #[command(subcommand)]
    Crm(crm::Command),
}

impl Command {
    /// Whether its result may be a file.
    fn writes_files(&self) -> bool {
        matches!(self, Self::Billing(billing::Command::Report { .. }))
    }
}

/// How a command ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Exit code 0.
    Well,
    /// Exit code 1: it could be done, and its result is bad news that was printed.
    Badly,
    /// Exit code 3: done, with failures to look at.
    WithFailures,
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = cli.global.clone();
    match run(cli) {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Badly) => ExitCode::from(1),
        Ok(Done::WithFailures) => ExitCode::from(3),
        Err(failure) => {
            failure.print(global.output.style());
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<Done, Failure> {
    let Cli { global, command } = cli;
    let output = Output::new(global.output);
    if output.file().is_some() && !command.writes_files() {
        let told = "--output: xlsx and pdf are of `baton billing report`; here it is table, json or csv";
        return Err(Failure::Usage(told.to_owned()));
    }
    match &command {
        Command::Schema { roles } => {
            let text = if *roles { edge::roles() } else { edge::schema() };
            return Output::text(&text).map(|()| Done::Well);
        }
        Command::Config => return Output::text(config::DEFAULT_TOML).map(|()| Done::Well),
        _ => {}
    }
    let config = Config::load(global.config.as_deref(), global.data_dir.as_deref());
    let log = config.as_ref().map_or_else(|_| Config::defaults().log, |config| config.log.clone());
    let long_lived = matches!(command, Command::Serve(_) | Command::Worker);
    let verbosity = if long_lived || global.verbose { Verbosity::Configured } else { Verbosity::Quiet };
    telemetry::begin(&log, verbosity);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // An operation is polled through every object of the schema: the frames of a debug build need more than the usual 2 MiB.
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("starting the runtime", error))?;
    let done = runtime.block_on(dispatch(command, global, output, config));
    // A read of the terminal or of a slow file must not hold the process back once the result is known.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done
}

async fn dispatch(
    command: Command,
    global: Global,
    output: Output,
    config: Result<Config, config::Error>,
) -> Result<Done, Failure> {
    // The doctor's first finding is the configuration itself.
    if let Command::Doctor = command {
        return doctor::run(config, &output).await;
    }
    let own_folder = global.data_dir.is_some();
    let act = acts::act_of(&command);
    let context = context::Context { config: config?, output, tenant: global.tenant, act };
    match command {
        Command::Serve(arguments) => serve::run(context.config, arguments).await,
        Command::Worker => serve::work(context.config).await,
        Command::Migrate(arguments) => migrate::run(&context, arguments).await,
        Command::Demo(arguments) => demo::run(context, arguments, own_folder).await,
        Command::Key(command) => key::run(&context, command).await,
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Secrets(command) => secrets::run(&context, command).await,
        Command::Tenant(command) => tenant::run(&context, command).await,
        Command::User(command) => user::run(&context, command).await,
        Command::Provider(command) => provider::run(&context, command).await,
        Command::Source(command) => source::run(&context, command).await,
        Command::Destination(command) => destination::run(&context, command).await,
        Command::Import(arguments) => import::run(&context, arguments).await,
        Command::Leads(command) => leads::run(&context, command).await,
        Command::Records(command) => records::run(&context, command).await,
        Command::Failed(command) => failed::run(&context, command).await,
        Command::Deliveries(command) => deliveries::run(&context, command).await,
        Command::Alert(command) => alerts::run(&context, command).await,
        Command::Hook(command) => hooks::run(&context, command).await,
        Command::Suppression(command) => suppression::run(&context, command).await,
        Command::Crm(command) => crm::run(&context, command).await,
        Command::Reconcile(arguments) => reconcile::run(&context, arguments).await,
        Command::Billing(command) => billing::run(&context, command).await,
        Command::Export(command) => export::run(&context, command).await,
        Command::Sla(command) => sla::run(&context, command).await,
        Command::Schema { .. } | Command::Config | Command::Doctor => Ok(Done::Well),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        super::Cli::command().debug_assert();
    }

    /// An argument that comes by the environment is no key of the configuration, which refuses what it does not know.
    #[test]
    fn arguments_of_the_environment_are_no_keys() {
        fn named(command: &clap::Command, found: &mut Vec<String>) {
            let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
            found.extend(own.filter_map(|name| Some(name.strip_prefix("BATON_")?.to_lowercase())));
            command.get_subcommands().for_each(|below| named(below, found));
        }
        let mut found = Vec::new();
        named(&super::Cli::command(), &mut found);
        assert!(found.iter().any(|name| name == "api_token"), "{found:?}");
        for name in found {
            assert!(crate::config::ARGUMENTS.contains(&name.as_str()), "BATON_{}", name.to_uppercase());
        }
    }
}
