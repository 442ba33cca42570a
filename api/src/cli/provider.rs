//! `baton provider …`

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use domain::ids::ProviderId;
use secrecy::SecretString;
use serde::Serialize;
use service::access::oauth::{self, providers};
use service::access::{self, Actor, Viewer};
use service::database::Mode;
use tenants::{NewProvider, Provider, ProviderKind, Role};

use super::context::Context;
use super::{Done, Failure, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let people sign in with a provider. It is asked whether it is there; then register the address that is printed
    /// (`redirect_url`) with it.
    Add(Box<Wanted>),
    /// Show all providers.
    List,
    /// Remove a provider. Its people keep their accounts, and need another way to sign in.
    Remove {
        /// Its short name or id.
        provider: String,
    },
}

/// A provider to be made.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Short name in addresses: 1 to 40 of a-z, 0-9 and dashes.
    slug: String,
    /// On the button; the slug when absent.
    #[arg(long)]
    name: Option<String>,
    /// oidc: endpoints by discovery from the issuer. oauth2: endpoints set by hand, the person from user-info.
    #[arg(long, value_enum, default_value_t = Kind::Oidc)]
    kind: Kind,
    /// Exactly as the provider calls itself.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// What the provider calls Baton.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// What proves Baton to it; a public client has none. `BATON_CLIENT_SECRET` keeps it out of the shell's history.
    #[arg(long, value_name = "SECRET", env = "BATON_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<SecretString>,
    /// Of kind oauth2: where people sign in.
    #[arg(long, value_name = "URL", required_if_eq("kind", "oauth2"))]
    authorization_url: Option<String>,
    /// Of kind oauth2: where a code is exchanged.
    #[arg(long, value_name = "URL", required_if_eq("kind", "oauth2"))]
    token_url: Option<String>,
    /// Of kind oauth2: who the person is.
    #[arg(long, value_name = "URL", required_if_eq("kind", "oauth2"))]
    userinfo_url: Option<String>,
    /// Parted by blanks.
    #[arg(long, default_value = "openid email profile")]
    scopes: String,
    /// Take every address that it tells as verified, although it does not say so.
    #[arg(long)]
    email_trusted: bool,
    /// A domain whose people join without an invitation; may be given several times.
    #[arg(long, value_name = "DOMAIN")]
    join_domain: Vec<String>,
    /// The role that they get.
    #[arg(long, value_enum, default_value_t = JoinRole::Agent)]
    join_role: JoinRole,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    Oidc,
    Oauth2,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum JoinRole {
    Manager,
    Agent,
}

#[derive(Serialize)]
struct ProviderRow {
    id: String,
    slug: String,
    name: String,
    kind: String,
    issuer: String,
    client_id: String,
    enabled: bool,
    redirect_url: String,
    created_at: DateTime<Utc>,
}

impl Row for ProviderRow {
    const COLUMNS: &'static [&'static str] =
        &["slug", "name", "kind", "issuer", "client_id", "enabled", "redirect_url", "id"];
}

impl Wanted {
    fn read(self) -> (NewProvider, Option<SecretString>) {
        let new = NewProvider {
            name: self.name.unwrap_or_else(|| self.slug.clone()),
            slug: self.slug,
            kind: match self.kind {
                Kind::Oidc => ProviderKind::Oidc,
                Kind::Oauth2 => ProviderKind::OAuth2,
            },
            issuer: self.issuer,
            client_id: self.client_id,
            authorization_url: self.authorization_url,
            token_url: self.token_url,
            userinfo_url: self.userinfo_url,
            scopes: self.scopes,
            email_trusted: self.email_trusted,
            join_domains: self.join_domain,
            join_role: match self.join_role {
                JoinRole::Manager => Role::Manager,
                JoinRole::Agent => Role::Agent,
            },
        };
        (new, self.client_secret)
    }
}

impl ProviderRow {
    fn new(provider: Provider, redirect_url: String) -> Self {
        let settings = provider.settings;
        Self {
            id: provider.id.to_string(),
            slug: settings.slug,
            name: settings.name,
            kind: settings.kind.to_string(),
            issuer: settings.issuer,
            client_id: settings.client_id,
            enabled: provider.enabled,
            redirect_url,
            created_at: provider.created_at,
        }
    }
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Done, Failure> {
    context
        .with_tenant(async |app, tenant| {
            let operator = Viewer::new(tenant, Actor::Operator, Role::Owner);
            let tx = app.begin(tenant, Mode::ReadOnly).await?;
            let slug = access::own_tenant(&tx).await?.slug;
            tx.commit().await?;
            let shown = |provider: Provider| {
                let redirect_url = oauth::redirect_url(&app, &slug, &provider.settings.slug);
                ProviderRow::new(provider, redirect_url)
            };
            match command {
                Command::Add(wanted) => {
                    let (new, secret) = wanted.read();
                    let made = providers::create(&app, &operator, new, secret).await?;
                    context.output.one(&shown(made))?;
                }
                Command::List => {
                    let rows = providers::list(&app, tenant).await?;
                    context.output.list(&rows.into_iter().map(shown).collect::<Vec<_>>())?;
                }
                Command::Remove { provider } => {
                    let known = providers::list(&app, tenant).await?;
                    let id: Option<ProviderId> = known
                        .iter()
                        .find(|row| row.settings.slug == provider || row.id.to_string() == provider)
                        .map(|row| row.id);
                    let id = id.ok_or_else(|| service::Error::not_found("provider", &provider))?;
                    providers::delete(&app, &operator, id).await?;
                    Output::note(&format!("Nobody signs in with {provider} any more."));
                }
            }
            Ok(Done::Well)
        })
        .await
}
