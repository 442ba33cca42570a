//! `baton user …`

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::sync::mpsc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use domain::ids::PartnerId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::json;
use service::access::{self, Actor};
use tenants::{NewPassword, NewUser, PASSWORD_BYTES_MAX};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a user. A password that is piped in is taken; otherwise one is made and printed once.
    Create {
        /// The address to sign in with.
        email: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
        /// With the role partner: the company whose billing it sees (partner_…).
        #[arg(long, value_name = "ID", required_if_eq("role", "partner"))]
        partner: Option<PartnerId>,
        /// The name that others see; the address's first part when absent.
        #[arg(long)]
        name: Option<String>,
    },
    /// Show the tenant's users.
    List,
}

/// What a person is in the tenant.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// Answers for the tenant: everything.
    Owner,
    /// Runs it: users, sources, destinations, rate plans.
    Admin,
    /// Runs the work: leads, imports, campaigns, agreements.
    Manager,
    /// Works with leads.
    #[value(alias = "member")]
    Agent,
    /// A company that is billed: sees its own billing.
    Partner,
}

impl From<Role> for tenants::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Manager => Self::Manager,
            Role::Agent => Self::Agent,
            Role::Partner => Self::Partner,
        }
    }
}

#[derive(Serialize)]
struct UserRow {
    id: String,
    email: String,
    name: String,
    role: String,
    created_at: DateTime<Utc>,
    last_sign_in_at: Option<DateTime<Utc>>,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl Row for UserRow {
    const COLUMNS: &'static [&'static str] =
        &["email", "name", "role", "id", "created_at", "last_sign_in_at", "disabled"];
}

/// A user with the password that is shown once.
#[derive(Serialize)]
#[serde(transparent)]
struct Created(UserRow);

impl Row for Created {
    const COLUMNS: &'static [&'static str] = &["email", "name", "role", "id", "password"];
}

impl From<tenants::User> for UserRow {
    fn from(user: tenants::User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_str().to_owned(),
            name: user.name,
            role: user.role.to_string(),
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
            disabled: user.disabled_at.is_some(),
            password: None,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    // Read before anything is opened: nobody holds the database while somebody types.
    let password = match &command {
        Command::Create { .. } => piped_password()?,
        Command::List => None,
    };
    context
        .with_tenant(async |app, tenant| {
            let users = app.tenants.open(tenant).await?;
            match command {
                Command::Create { email, role, partner, name } => {
                    let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or(&email).to_owned());
                    let password = password.map_or(NewPassword::Generated, NewPassword::Chosen);
                    let new = NewUser { email, name, role: role.into(), partner, password };
                    let created = users.create_user(new, app.clock.now()).await?;
                    let (id, detail) = (created.user.id, json!({ "role": created.user.role }));
                    access::audit(&app, tenant, Actor::Operator, "user.created", id, detail).await?;
                    let mut row = UserRow::from(created.user);
                    row.password = created.generated_password.map(|text| text.expose_secret().to_owned());
                    if row.password.is_some() {
                        Output::note("The password is shown this once; it is stored nowhere.");
                        context.output.one(&Created(row))?;
                    } else {
                        context.output.one(&row)?;
                    }
                }
                Command::List => {
                    let mut rows = Vec::new();
                    let mut after = None;
                    loop {
                        let page = users.users(after, 200).await?;
                        let Some(last) = page.last() else { break };
                        after = Some(last.id);
                        rows.extend(page.into_iter().map(UserRow::from));
                    }
                    context.output.list(&rows)?;
                }
            }
            Ok(Done::Well)
        })
        .await
}

/// How long a password that is piped in may take to arrive: a password manager may ask its owner something first.
const PASSWORD_LIMIT: Duration = Duration::from_mins(1);

/// The first line of what is piped in. At a terminal, and where nothing is piped in, there is none.
fn piped_password() -> Result<Option<SecretString>, Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let most = u64::try_from(PASSWORD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let (sender, receiver) = mpsc::channel();
    // A thread of its own: a pipe that nobody writes to and nobody closes must not hold the command for ever.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().take(most).read_line(&mut line);
        // Nobody receives it any more when the limit has passed.
        let _ = sender.send(read.map(|_| line));
    });
    let read = receiver.recv_timeout(Duration::from_secs(1)).or_else(|_| {
        Output::note("Waiting for the password on standard input (< /dev/null to have one made) …");
        receiver.recv_timeout(PASSWORD_LIMIT)
    });
    let line = read
        .map_err(|_| Failure::failed("reading the password from standard input", "nothing came"))?
        .map_err(|error| Failure::failed("reading the password from standard input", error))?;
    let line = line.trim_end_matches(['\r', '\n']);
    Ok((!line.is_empty()).then(|| SecretString::from(line)))
}
