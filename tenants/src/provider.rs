//! Providers that a tenant's people sign in with.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::ids::ProviderId;
use libsql::params;

use crate::database::Row;
use crate::error::Fault;
use crate::row::Columns;
use crate::user::{checked_name, millisecond};
use crate::{Error, Role, Tenant};

/// The most providers of one tenant.
const PROVIDERS_MAX: u32 = 50;
/// The longest URL, id or list of scopes.
const TEXT_BYTES_MAX: usize = 1000;

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// `OpenID` Connect: endpoints by discovery, the person from a signed id token.
    Oidc,
    /// Plain OAuth 2.0: endpoints set by hand, the person from the user-info endpoint.
    OAuth2,
}

impl ProviderKind {
    /// Its text, as in `oidc`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::OAuth2 => "oauth2",
        }
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProviderKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "oidc" => Ok(Self::Oidc),
            "oauth2" => Ok(Self::OAuth2),
            _ => Err(Error::InvalidField { field: "kind", must: "must be oidc or oauth2" }),
        }
    }
}

/// A provider to be made. Whether its URLs may be reached is for the service to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProvider {
    /// Short name in addresses: 1 to 40 of a-z, 0-9 and dashes.
    pub slug: String,
    /// As people see it on the button.
    pub name: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// Who it says it is (`iss`); compared byte by byte.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// Of a plain OAuth 2.0 provider: where people sign in.
    pub authorization_url: Option<String>,
    /// Of a plain OAuth 2.0 provider: where a code is exchanged.
    pub token_url: Option<String>,
    /// Of a plain OAuth 2.0 provider: who the person is.
    pub userinfo_url: Option<String>,
    /// Parted by spaces.
    pub scopes: String,
    /// Every address that it tells is verified, although it does not say so.
    pub email_trusted: bool,
    /// Domains whose people may join without an invitation.
    pub join_domains: Vec<String>,
    /// The role that they get.
    pub join_role: Role,
}

/// A provider that people sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// What was set.
    pub settings: NewProvider,
    /// The client's secret, sealed; none for a public client.
    pub client_secret_sealed: Option<Vec<u8>>,
    /// Whether people may sign in with it.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What changes of a provider; none: it stays.
#[derive(Debug, Clone, Default)]
pub struct ProviderChange {
    /// As people see it on the button.
    pub name: Option<String>,
    /// What it calls us.
    pub client_id: Option<String>,
    /// The client's secret, sealed.
    pub client_secret_sealed: Option<Vec<u8>>,
    /// Domains whose people may join without an invitation.
    pub join_domains: Option<Vec<String>>,
    /// The role that they get.
    pub join_role: Option<Role>,
    /// Whether people may sign in with it.
    pub enabled: Option<bool>,
}

const COLUMNS: &str = "id, slug, name, kind, issuer, client_id, authorization_url, token_url, userinfo_url, scopes, \
     email_trusted, join_domains, join_role, client_secret_sealed, enabled, created_at";

impl Tenant {
    /// The id of a provider to be made: its secret is sealed for it before it is stored.
    pub fn next_provider(&self, now: DateTime<Utc>) -> ProviderId {
        ProviderId(self.new_id(now))
    }

    /// Makes a provider.
    pub async fn create_provider(
        &self,
        id: ProviderId,
        new: NewProvider,
        client_secret_sealed: Option<Vec<u8>>,
        now: DateTime<Utc>,
    ) -> Result<Provider, Error> {
        let settings = checked(new)?;
        let provider =
            Provider { id, settings, client_secret_sealed, enabled: true, created_at: millisecond(now) };
        let row = provider.clone();
        self.write("make a provider", async move |transaction| {
            let new = row.settings;
            let sql = format!(
                "INSERT INTO oauth_provider ({COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1, ?15 \
                 WHERE (SELECT count(*) FROM oauth_provider) < {PROVIDERS_MAX} ON CONFLICT (slug) DO NOTHING"
            );
            let values = params![
                row.id.to_string(),
                new.slug,
                new.name,
                new.kind.as_str(),
                new.issuer,
                new.client_id,
                new.authorization_url,
                new.token_url,
                new.userinfo_url,
                new.scopes,
                new.email_trusted,
                new.join_domains.join(" "),
                new.join_role.as_str(),
                row.client_secret_sealed,
                row.created_at.timestamp_millis(),
            ];
            if transaction.execute(&sql, values).await? == 1 { Ok(()) } else { Err(Error::ProviderTaken.into()) }
        })
        .await?;
        Ok(provider)
    }

    /// All providers by name.
    pub async fn providers(&self) -> Result<Vec<Provider>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM oauth_provider ORDER BY name, id");
        self.read("list providers", &sql, (), read_provider).await
    }

    /// The provider of that short name.
    pub async fn provider_by_slug(&self, slug: &str) -> Result<Option<Provider>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM oauth_provider WHERE slug = ?1");
        self.read_first("read a provider", &sql, [slug], read_provider).await
    }

    /// The provider of that id.
    pub async fn provider(&self, id: ProviderId) -> Result<Provider, Error> {
        let sql = format!("SELECT {COLUMNS} FROM oauth_provider WHERE id = ?1");
        let found = self.read_first("read a provider", &sql, [id.to_string()], read_provider).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Changes a provider.
    pub async fn update_provider(&self, id: ProviderId, change: ProviderChange) -> Result<Provider, Error> {
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let domains = change.join_domains.map(checked_domains).transpose()?;
        let client_id = change.client_id.map(|text| checked_text("client_id", &text)).transpose()?;
        self.write("change a provider", async move |transaction| {
            let sql = "UPDATE oauth_provider SET name = coalesce(?2, name), client_id = coalesce(?3, client_id), \
                       client_secret_sealed = coalesce(?4, client_secret_sealed), join_domains = coalesce(?5, join_domains), \
                       join_role = coalesce(?6, join_role), enabled = coalesce(?7, enabled) WHERE id = ?1";
            let values = params![
                id.to_string(),
                name,
                client_id,
                change.client_secret_sealed,
                domains.map(|domains| domains.join(" ")),
                change.join_role.map(|role| role.as_str().to_owned()),
                change.enabled,
            ];
            if transaction.execute(sql, values).await? == 1 { Ok(()) } else { Err(not_found(id).into()) }
        })
        .await?;
        self.provider(id).await
    }

    /// Removes a provider, and with it who its people are there. The users stay.
    pub async fn delete_provider(&self, id: ProviderId) -> Result<(), Error> {
        self.write("remove a provider", async move |transaction| {
            let sql = "DELETE FROM oauth_provider WHERE id = ?1";
            if transaction.execute(sql, [id.to_string()]).await? == 1 {
                Ok(())
            } else {
                Err(not_found(id).into())
            }
        })
        .await
    }
}

fn not_found(id: ProviderId) -> Error {
    Error::ProviderNotFound { provider: id.to_string() }
}

fn checked(new: NewProvider) -> Result<NewProvider, Error> {
    let slug_fits = (1..=40).contains(&new.slug.len())
        && new.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !slug_fits {
        return Err(Error::InvalidField { field: "slug", must: "must have 1 to 40 of a-z, 0-9 and dashes" });
    }
    let url = |field, text: Option<String>| text.map(|text| checked_text(field, &text)).transpose();
    Ok(NewProvider {
        name: checked_name(&new.name)?,
        issuer: checked_text("issuer", &new.issuer)?,
        client_id: checked_text("client_id", &new.client_id)?,
        authorization_url: url("authorization_url", new.authorization_url)?,
        token_url: url("token_url", new.token_url)?,
        userinfo_url: url("userinfo_url", new.userinfo_url)?,
        scopes: checked_text("scopes", &new.scopes)?,
        join_domains: checked_domains(new.join_domains)?,
        ..new
    })
}

fn checked_text(field: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if (1..=TEXT_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        Ok(text.to_owned())
    } else {
        Err(Error::InvalidField { field, must: "must have 1 to 1000 printable ASCII characters" })
    }
}

/// Domains in lower case, as in `example.com`.
fn checked_domains(domains: Vec<String>) -> Result<Vec<String>, Error> {
    let must = "must be up to 50 domains such as example.com";
    let wrong = || Error::InvalidField { field: "join_domains", must };
    if domains.len() > 50 {
        return Err(wrong());
    }
    let domains = domains.into_iter().map(|domain| {
        let domain = domain.trim().trim_start_matches('@').to_lowercase();
        let fits = domain.contains('.')
            && domain.len() <= 253
            && domain.split('.').all(|label| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        if fits { Ok(domain) } else { Err(wrong()) }
    });
    domains.collect()
}

fn read_provider(row: &Row) -> Result<Provider, Fault> {
    let columns = Columns::of("oauth_provider", row);
    let text_if_any = |index, column| columns.parsed_if_any::<String>(index, column);
    Ok(Provider {
        id: columns.parsed(0, "id")?,
        settings: NewProvider {
            slug: columns.text(1, "slug")?.to_owned(),
            name: columns.text(2, "name")?.to_owned(),
            kind: columns.parsed(3, "kind")?,
            issuer: columns.text(4, "issuer")?.to_owned(),
            client_id: columns.text(5, "client_id")?.to_owned(),
            authorization_url: text_if_any(6, "authorization_url")?,
            token_url: text_if_any(7, "token_url")?,
            userinfo_url: text_if_any(8, "userinfo_url")?,
            scopes: columns.text(9, "scopes")?.to_owned(),
            email_trusted: columns.flag(10, "email_trusted")?,
            join_domains: columns.text(11, "join_domains")?.split_whitespace().map(str::to_owned).collect(),
            join_role: columns.parsed(12, "join_role")?,
        },
        client_secret_sealed: columns.bytes_if_any(13, "client_secret_sealed")?,
        enabled: columns.flag(14, "enabled")?,
        created_at: columns.time(15, "created_at")?,
    })
}
