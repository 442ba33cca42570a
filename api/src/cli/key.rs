//! `baton key …`

use chrono::{DateTime, Utc};
use clap::Subcommand;
use domain::access::{Role, Scope};
use domain::ids::ApiKeyId;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use service::access::keys::{self, NewApiKey};
use service::access::{Actor, Viewer};
use tenants::AccessKey;

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an API key; it is printed once.
    Create {
        /// A name for people.
        name: String,
        /// What it may do: rights with spaces between them, as in "leads:read leads:write", or `*` for all of its role's.
        #[arg(long, default_value = "*")]
        scope: Scope,
        /// Whose rights it has at most.
        #[arg(long, default_value = "service")]
        role: Role,
        /// Make an OAuth client, which exchanges its secret for access tokens at /t/TENANT/oauth/token.
        #[arg(long)]
        oauth_client: bool,
        /// From when on it is refused, as in 2027-01-31T00:00:00Z; in a year when absent.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<DateTime<Utc>>,
    },
    /// Show the tenant's keys, OAuth clients and source tokens; never a secret.
    List,
    /// Refuse a key from now on.
    Revoke {
        /// The key (key_…).
        id: ApiKeyId,
    },
    /// Sign access tokens with a new key; the old one verifies until its last token has expired.
    RotateSigning,
}

#[derive(Serialize)]
struct KeyRow {
    id: String,
    kind: String,
    name: String,
    role: String,
    scope: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Row for KeyRow {
    const COLUMNS: &'static [&'static str] =
        &["name", "kind", "role", "scope", "id", "expires_at", "last_used_at", "revoked_at"];
}

/// A key with its secret, which is shown once.
#[derive(Serialize)]
#[serde(transparent)]
struct Created(KeyRow);

impl Row for Created {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "role", "scope", "id", "secret"];
}

impl From<AccessKey> for KeyRow {
    fn from(key: AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            kind: key.kind.to_string(),
            name: key.name,
            role: key.role.to_string(),
            scope: key.scope,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
            secret: None,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            let operator = Viewer::new(tenant, Actor::Operator, Role::Owner);
            match command {
                Command::Create { name, scope, role, oauth_client, expires_at } => {
                    let new = NewApiKey { name, role, scope, oauth_client, expires_at };
                    let (key, secret) = keys::create_key(&app, &operator, new).await?;
                    Output::note("The secret is shown this once; it is stored nowhere.");
                    let secret = Some(secret.expose_secret().to_owned());
                    context.output.one(&Created(KeyRow { secret, ..KeyRow::from(key) }))?;
                }
                Command::List => {
                    let store = app.tenants.open(tenant).await?;
                    let mut rows: Vec<AccessKey> = Vec::new();
                    loop {
                        let page = store.keys(rows.last().map(|key| key.id), 200).await?;
                        if page.is_empty() {
                            break;
                        }
                        rows.extend(page);
                    }
                    context.output.list(&rows.into_iter().map(KeyRow::from).collect::<Vec<_>>())?;
                }
                Command::Revoke { id } => {
                    keys::revoke_key(&app, &operator, id).await?;
                    Output::note(&format!("{id} is refused from now on."));
                }
                Command::RotateSigning => {
                    let key = keys::rotate_signing_key(&app, &operator).await?;
                    Output::note(&format!("{} signs from now on.", key.kid));
                }
            }
            Ok(Done::Well)
        })
        .await
}
