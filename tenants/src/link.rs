//! Resource links: pages of Baton inside a CRM's frame.
//!
//! A link names a page and authorises nothing; whoever opens it must be signed in. A browser keeps the cookies of a frame
//! apart from those of its own window, so a sign-in in a window of its own is handed into the frame by a code: the frame
//! draws a verifier, the window gets a code for its hash, and only the frame that has both gets a session. A code lives
//! for a minute and is taken once, also by a wrong verifier. Revoking a link ends the sessions that began under it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{LinkId, SessionId, TenantId, UserId};
use libsql::{Row, params};
use secrecy::{ExposeSecret, SecretString};

use crate::credential::{parse_suffix, sha256, suffix};
use crate::error::Fault;
use crate::row::Columns;
use crate::tenant::select;
use crate::user::{checked_name, millisecond};
use crate::{Error, Role, Tenant, random};

/// How long a code for a frame is taken.
pub const FRAME_CODE_LIFETIME: Duration = Duration::from_mins(1);
/// The most links of one tenant, revoked ones included.
pub const RESOURCE_LINKS_MAX: u32 = 1_000;
/// The most origins that may show Baton in a frame.
const ANCESTORS_MAX: usize = 50;
/// Letters of a code: without those that look like a digit (Crockford). 10 of 32 are 50 bits, for one minute.
const CODE_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

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

/// A CRM that signs its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameProofKind {
    /// Request signature, version 3.
    HubSpot,
    /// Encrypted user context.
    HighLevel,
    /// Canvas' signed request.
    Salesforce,
    /// JSON Web Token of signed URLs.
    Zendesk,
}

impl FrameProofKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HubSpot, Self::HighLevel, Self::Salesforce, Self::Zendesk];

    /// Its text, as in `hubspot`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::HighLevel => "highlevel",
            Self::Salesforce => "salesforce",
            Self::Zendesk => "zendesk",
        }
    }
}

impl FromStr for FrameProofKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let must = "must be hubspot, highlevel, salesforce or zendesk";
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or(Error::InvalidField { field: "kind", must })
    }
}

/// How a CRM's signed frames are checked.
#[derive(Clone, PartialEq, Eq)]
pub struct FrameProof {
    /// Which CRM.
    pub kind: FrameProofKind,
    /// The shared secret or public key, sealed.
    pub secret_sealed: Vec<u8>,
    /// For whom it signs, where it says so.
    pub audience: Option<String>,
}

impl fmt::Debug for FrameProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameProof").field("kind", &self.kind).finish_non_exhaustive()
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

    /// A code that carries this user's sign-in into the frame whose verifier has that SHA-256.
    pub async fn issue_frame_code(
        &self,
        link: LinkId,
        user: UserId,
        challenge: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<SecretString, Error> {
        let code: String = random::bytes::<10>()?
            .iter()
            .map(|byte| char::from(CODE_LETTERS[usize::from(byte & 31)]))
            .collect();
        let hash = sha256(&code).to_vec();
        self.write("make a code for a frame", async move |transaction| {
            let moment = now.timestamp_millis();
            transaction.execute("DELETE FROM frame_code WHERE created_at <= ?1", [oldest_code(now)]).await?;
            // One sign-in, one code: a newer one ends the older.
            let sql = "DELETE FROM frame_code WHERE user_id = ?1 AND link_id = ?2";
            transaction.execute(sql, params![user.to_string(), link.to_string()]).await?;
            let sql = "INSERT INTO frame_code (code_hash, challenge, link_id, user_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![hash, challenge.to_vec(), link.to_string(), user.to_string(), moment];
            transaction.execute(sql, values).await?;
            Ok(())
        })
        .await?;
        Ok(code.into())
    }

    /// Takes a code, once, with the verifier of its frame; says whose it is.
    pub async fn redeem_frame_code(
        &self,
        link: LinkId,
        code: &SecretString,
        verifier: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<UserId, Error> {
        let hash = sha256(written(code.expose_secret())).to_vec();
        let challenge = sha256(verifier.expose_secret()).to_vec();
        self.write("take a code of a frame", async move |transaction| {
            let sql = "DELETE FROM frame_code WHERE code_hash = ?1 RETURNING user_id, challenge, link_id, created_at";
            let taken = select(transaction, sql, [hash], read_code).await?.pop();
            Ok(taken.filter(|code| {
                code.challenge == challenge && code.link == link && code.created_at > oldest_code(now)
            }))
        })
        .await?
        .map(|code| code.user)
        .ok_or(Error::InvalidFlow)
    }

    /// Notes that a session began in a frame of that link.
    pub async fn bind_session(&self, session: SessionId, link: LinkId) -> Result<(), Error> {
        self.write("bind a session to its link", async move |transaction| {
            let sql = "INSERT INTO frame_session (session_id, link_id) VALUES (?1, ?2)";
            transaction.execute(sql, params![session.to_string(), link.to_string()]).await?;
            Ok(())
        })
        .await
    }

    /// The origins that may show Baton in a frame.
    pub async fn frame_ancestors(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT origin FROM frame_ancestor ORDER BY origin";
        self.read("list frame ancestors", sql, (), |row| Ok(row.get::<String>(0)?)).await
    }

    /// Sets the origins that may show Baton in a frame. Their form is the service's to check.
    pub async fn set_frame_ancestors(&self, origins: Vec<String>, now: DateTime<Utc>) -> Result<(), Error> {
        if origins.len() > ANCESTORS_MAX {
            return Err(Error::InvalidField { field: "ancestors", must: "must be at most 50" });
        }
        self.write("set frame ancestors", async move |transaction| {
            transaction.execute("DELETE FROM frame_ancestor", ()).await?;
            for origin in origins {
                let sql =
                    "INSERT INTO frame_ancestor (origin, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                transaction.execute(sql, params![origin, now.timestamp_millis()]).await?;
            }
            Ok(())
        })
        .await
    }

    /// The CRMs whose signed frames are taken.
    pub async fn frame_proofs(&self) -> Result<Vec<FrameProof>, Error> {
        let sql = "SELECT kind, secret_sealed, audience FROM frame_proof ORDER BY kind";
        self.read("list frame proofs", sql, (), read_proof).await
    }

    /// Takes the signed frames of a CRM from now on, or, without a secret, no more.
    pub async fn set_frame_proof(
        &self,
        kind: FrameProofKind,
        proof: Option<FrameProof>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.write("set a frame proof", async move |transaction| {
            transaction.execute("DELETE FROM frame_proof WHERE kind = ?1", [kind.as_str()]).await?;
            if let Some(proof) = proof {
                let sql =
                    "INSERT INTO frame_proof (kind, secret_sealed, audience, created_at) VALUES (?1, ?2, ?3, ?4)";
                let values =
                    params![kind.as_str(), proof.secret_sealed, proof.audience, now.timestamp_millis()];
                transaction.execute(sql, values).await?;
            }
            Ok(())
        })
        .await
    }

    /// Takes a proof, once: whoever shows it again is refused until it would have expired anyway.
    pub async fn spend_proof(
        &self,
        proof: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let hash = sha256(proof).to_vec();
        self.write("take a proof", async move |transaction| {
            let moment = now.timestamp_millis();
            transaction.execute("DELETE FROM spent_proof WHERE expires_at <= ?1", [moment]).await?;
            let sql =
                "INSERT INTO spent_proof (proof_hash, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let values = params![hash, expires_at.timestamp_millis()];
            if transaction.execute(sql, values).await? == 1 { Ok(()) } else { Err(Error::InvalidFlow.into()) }
        })
        .await
    }
}

struct FrameCode {
    user: UserId,
    challenge: Vec<u8>,
    link: LinkId,
    created_at: i64,
}

/// As people type it: in any case, with a dash, with letters that look like digits.
fn written(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

fn oldest_code(now: DateTime<Utc>) -> i64 {
    (now - TimeDelta::from_std(FRAME_CODE_LIFETIME).unwrap_or(TimeDelta::MAX)).timestamp_millis()
}

fn read_code(row: &Row) -> Result<FrameCode, Fault> {
    let columns = Columns::of("frame_code", row);
    let created_at = columns.time(3, "created_at")?.timestamp_millis();
    Ok(FrameCode {
        user: columns.parsed(0, "user_id")?,
        challenge: columns.bytes(1, "challenge")?,
        link: columns.parsed(2, "link_id")?,
        created_at,
    })
}

fn read_proof(row: &Row) -> Result<FrameProof, Fault> {
    let columns = Columns::of("frame_proof", row);
    Ok(FrameProof {
        kind: columns.parsed(0, "kind")?,
        secret_sealed: columns.bytes(1, "secret_sealed")?,
        audience: columns.parsed_if_any(2, "audience")?,
    })
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
