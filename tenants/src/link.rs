//! Resource links: pages of Baton inside a CRM's frame.
//!
//! A link names a page and authorises nothing; whoever opens it must be signed in ([`crate::frame`]). Revoking a link ends
//! the sessions that live under it.

use std::collections::BTreeMap;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::ids::{LinkId, TenantId, UserId};
use libsql::params;

use crate::credential::{parse_suffix, suffix};
use crate::database::{Row, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::user::{checked_name, millisecond};
use crate::{Error, Role, Tenant, random};

/// The most links of one tenant, revoked ones included.
pub const RESOURCE_LINKS_MAX: u32 = 1_000;

/// The part after `/r/`: which tenant, which link. Nobody is proven by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAddress {
    /// Whose link it is.
    pub tenant: TenantId,
    /// The text as a whole.
    pub token: String,
}

impl FromStr for LinkAddress {
    type Err = Error;

    /// Text that cannot be a link's is not found.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (tenant, random) = text.split_once('-').ok_or(Error::LinkNotFound)?;
        let tenant = TenantId(parse_suffix(tenant).ok_or(Error::LinkNotFound)?);
        // The random part may have a dash of its own, hence the first one parts them.
        if random.len() != 22 {
            return Err(Error::LinkNotFound);
        }
        Ok(Self { tenant, token: text.to_owned() })
    }
}

/// A link to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// For people, 1 to 200 characters.
    pub name: String,
    /// The page, as in `leads`; given meaning by the service.
    pub page: String,
    /// The page's filters.
    pub filters: BTreeMap<String, String>,
    /// Who may open it; empty: every role.
    pub roles: Vec<Role>,
    /// Who makes it, when a user does.
    pub created_by: Option<UserId>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceLink {
    /// Its id.
    pub id: LinkId,
    /// What stands after `/r/`.
    pub token: String,
    /// For people.
    pub name: String,
    /// The page.
    pub page: String,
    /// The page's filters.
    pub filters: BTreeMap<String, String>,
    /// Who may open it; empty: every role.
    pub roles: Vec<Role>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
    /// How often it was opened.
    pub openings: u64,
    /// When it was opened last.
    pub last_opened_at: Option<DateTime<Utc>>,
}

impl ResourceLink {
    /// Whether it opens at that time.
    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

const COLUMNS: &str = "id, token, name, page, filters, roles, created_by, created_at, expires_at, revoked_at, openings, last_opened_at";

impl Tenant {
    /// Makes a link.
    pub async fn create_link(&self, new: NewLink, now: DateTime<Utc>) -> Result<ResourceLink, Error> {
        let random = URL_SAFE_NO_PAD.encode(random::bytes::<16>()?);
        let link = ResourceLink {
            id: LinkId(self.new_id(now)),
            token: format!("{}-{random}", suffix(self.id().uuid())),
            name: checked_name(&new.name)?,
            page: new.page,
            filters: new.filters,
            roles: new.roles,
            created_by: new.created_by,
            created_at: millisecond(now),
            expires_at: new.expires_at.map(millisecond),
            revoked_at: None,
            openings: 0,
            last_opened_at: None,
        };
        let row = link.clone();
        let filters = serde_json::to_string(&row.filters)
            .map_err(|_| Error::InvalidField { field: "filters", must: "must be texts" })?;
        let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
        let roles = roles.join(" ");
        self.write("make a link", async move |transaction| {
            let sql = format!(
                "INSERT INTO resource_link (id, token, name, page, filters, roles, created_by, created_at, expires_at) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE (SELECT count(*) FROM resource_link) < {RESOURCE_LINKS_MAX}"
            );
            let values = params![
                row.id.to_string(),
                row.token,
                row.name,
                row.page,
                filters,
                roles,
                row.created_by.map(|user| user.to_string()),
                row.created_at.timestamp_millis(),
                row.expires_at.map(|end| end.timestamp_millis()),
            ];
            if transaction.execute(&sql, values).await? == 1 {
                Ok(())
            } else {
                Err(Error::InvalidField { field: "name", must: "cannot be used: there are 1000 links already" }.into())
            }
        })
        .await?;
        Ok(link)
    }

    /// All links, newest first, revoked ones among them.
    pub async fn links(&self) -> Result<Vec<ResourceLink>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM resource_link ORDER BY id DESC LIMIT {RESOURCE_LINKS_MAX}");
        self.read("list links", &sql, (), read_link).await
    }

    /// The link of an address, revoked or not.
    pub async fn link(&self, address: &LinkAddress) -> Result<ResourceLink, Error> {
        let sql = format!("SELECT {COLUMNS} FROM resource_link WHERE token = ?1");
        let found = self.read_first("read a link", &sql, [address.token.as_str()], read_link).await?;
        found.ok_or(Error::LinkNotFound)
    }

    /// Refuses a link from now on, and ends the sessions that began under it.
    pub async fn revoke_link(&self, id: LinkId, now: DateTime<Utc>) -> Result<ResourceLink, Error> {
        self.write("revoke a link", async move |transaction| {
            let sql = format!(
                "UPDATE resource_link SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1 RETURNING {COLUMNS}"
            );
            let values = || params![id.to_string(), now.timestamp_millis()];
            let link = select(transaction, &sql, values(), read_link).await?.pop();
            let link = link.ok_or(Error::LinkNotFound)?;
            let sql = "UPDATE session SET revoked_at = ?2 WHERE revoked_at IS NULL \
                       AND id IN (SELECT session_id FROM frame_session WHERE link_id = ?1)";
            transaction.execute(sql, values()).await?;
            transaction.execute("DELETE FROM frame_code WHERE link_id = ?1", [id.to_string()]).await?;
            Ok(link)
        })
        .await
    }

    /// Opens a link for somebody of that role, and counts it. Not for this role is not found.
    pub async fn open_link(
        &self,
        address: &LinkAddress,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<ResourceLink, Error> {
        let link = self.link(address).await?;
        if !link.lives(now) || !(link.roles.is_empty() || link.roles.contains(&role)) {
            return Err(Error::LinkNotFound);
        }
        let id = link.id;
        self.write("open a link", async move |transaction| {
            let sql = "UPDATE resource_link SET openings = openings + 1, last_opened_at = ?2 WHERE id = ?1";
            transaction.execute(sql, params![id.to_string(), now.timestamp_millis()]).await?;
            Ok(())
        })
        .await?;
        Ok(link)
    }
}

fn read_link(row: &Row) -> Result<ResourceLink, Fault> {
    let columns = Columns::of("resource_link", row);
    let filters = serde_json::from_str(columns.text(4, "filters")?);
    let roles = columns.text(5, "roles")?.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    Ok(ResourceLink {
        id: columns.parsed(0, "id")?,
        token: columns.text(1, "token")?.to_owned(),
        name: columns.text(2, "name")?.to_owned(),
        page: columns.text(3, "page")?.to_owned(),
        filters: filters.map_err(|_| columns.corrupt("filters"))?,
        roles: roles.map_err(|_| columns.corrupt("roles"))?,
        created_by: columns.parsed_if_any(6, "created_by")?,
        created_at: columns.time(7, "created_at")?,
        expires_at: columns.time_if_any(8, "expires_at")?,
        revoked_at: columns.time_if_any(9, "revoked_at")?,
        openings: row.get::<u64>(10).map_err(|_| columns.corrupt("openings"))?,
        last_opened_at: columns.time_if_any(11, "last_opened_at")?,
    })
}
