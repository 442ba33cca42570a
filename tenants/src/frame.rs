//! Sessions inside a CRM's frame.
//!
//! A browser keeps the cookies of a frame apart from those of its own window, so a sign-in in a window of its own is handed
//! into the frame by a code: the frame draws a verifier, the window gets a code for its hash, and only the frame that has
//! both gets a session. A code lives for a minute and is taken once, also by a wrong verifier. Such a session lives under
//! the links that were opened with it: it may do what their pages need, and ends when one of them is revoked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{LinkId, SessionId, UserId};
use libsql::params;
use secrecy::{ExposeSecret, SecretString};

use crate::credential::sha256;
use crate::database::{Row, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::{Error, Tenant, random};

/// How long a code for a frame is taken.
pub const FRAME_CODE_LIFETIME: Duration = Duration::from_mins(1);
/// The most origins that may show Baton in a frame.
const ANCESTORS_MAX: usize = 50;
/// Letters of a code: without those that look like a digit (Crockford). 10 of 32 are 50 bits, for one minute.
const CODE_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

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

impl Tenant {
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

    /// Puts a frame's new session under a link: it may do what that link's page needs from now on. A link that was revoked
    /// meanwhile is not found: its sessions have ended, and none comes after them.
    pub async fn bind_session(&self, session: SessionId, link: LinkId) -> Result<(), Error> {
        self.write("bind a session to a link", async move |transaction| {
            let sql = "INSERT INTO frame_session (session_id, link_id) \
                       SELECT ?1, id FROM resource_link WHERE id = ?2 AND revoked_at IS NULL";
            let values = params![session.to_string(), link.to_string()];
            if transaction.execute(sql, values).await? == 1 {
                Ok(())
            } else {
                Err(Error::LinkNotFound.into())
            }
        })
        .await
    }

    /// The same for a link that is opened with a session that lives in a frame already; any other session is left alone, and
    /// a link that was revoked meanwhile adds nothing.
    pub async fn widen_session(&self, session: SessionId, link: LinkId) -> Result<(), Error> {
        self.write("open another link with a session", async move |transaction| {
            let sql = "INSERT INTO frame_session (session_id, link_id) \
                       SELECT ?1, id FROM resource_link WHERE id = ?2 AND revoked_at IS NULL \
                       AND EXISTS (SELECT 1 FROM frame_session WHERE session_id = ?1) ON CONFLICT DO NOTHING";
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

    /// Takes a proof, once: whoever shows it again is refused until it would have expired anyway. One that does not expire is
    /// remembered until [`Self::forget_proofs`].
    pub async fn spend_proof(
        &self,
        kind: FrameProofKind,
        proof: &[u8],
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let hash = sha256(proof).to_vec();
        self.write("take a proof", async move |transaction| {
            let moment = now.timestamp_millis();
            transaction.execute("DELETE FROM spent_proof WHERE expires_at <= ?1", [moment]).await?;
            let sql =
                "INSERT INTO spent_proof (proof_hash, kind, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let values = params![hash, kind.as_str(), expires_at.map(|at| at.timestamp_millis())];
            if transaction.execute(sql, values).await? == 1 { Ok(()) } else { Err(Error::InvalidFlow.into()) }
        })
        .await
    }

    /// Forgets the spent proofs of a CRM whose secret has changed: another secret does not take them anyway.
    pub async fn forget_proofs(&self, kind: FrameProofKind) -> Result<(), Error> {
        self.write("forget spent proofs", async move |transaction| {
            transaction.execute("DELETE FROM spent_proof WHERE kind = ?1", [kind.as_str()]).await?;
            Ok(())
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
