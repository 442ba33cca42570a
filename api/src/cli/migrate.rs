//! `baton migrate …`

use clap::{Args, Subcommand};
use migration::{Migrator, MigratorTrait as _};
use serde::Serialize;
use service::database::Database;

use super::context::{Context, close_database};
use super::{Done, Failure, Row};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply what is pending; the same as without a word.
    Up,
    /// Undo the newest migrations, with the data that they hold.
    Down {
        /// How many.
        #[arg(long, default_value_t = 1)]
        steps: u32,
        /// Yes, the data may go.
        #[arg(long)]
        yes: bool,
    },
    /// Show every migration and whether it is applied.
    Status,
}

#[derive(Serialize)]
struct MigrationRow {
    name: String,
    state: String,
}

impl Row for MigrationRow {
    const COLUMNS: &'static [&'static str] = &["name", "state"];
}

pub(crate) async fn run(context: &Context, arguments: Arguments) -> Result<Done, Failure> {
    let command = arguments.command.unwrap_or(Command::Up);
    if let Command::Down { yes: false, .. } = command {
        return Err(Failure::Usage(
            "undoing a migration deletes the data of its tables: say --yes if you mean it".to_owned(),
        ));
    }
    let database = Database::open(&context.config.database_settings()).await?;
    let done = migrate(context, &database, command).await;
    close_database(database).await?;
    done
}

async fn migrate(context: &Context, database: &Database, command: Command) -> Result<Done, Failure> {
    let owner = database.owner_connection()?;
    match command {
        Command::Up => service::app::migrate(database).await?,
        Command::Down { steps, .. } => Migrator::down(&owner, Some(steps)).await?,
        Command::Status => {}
    }
    let mut rows = Vec::new();
    for migration in Migrator::get_migration_with_status(&owner).await? {
        let state = migration.status().to_string().to_lowercase();
        rows.push(MigrationRow { name: migration.name().to_owned(), state });
    }
    context.output.list(&rows)?;
    Ok(Done::Well)
}
