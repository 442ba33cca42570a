//! Invitations: how a person joins a tenant.
//!
//! An invitation is a link that its owner opens once. Whoever signs in with a provider under the invited address accepts
//! it without the link: the provider has proven the address.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::access::Role;
use domain::ids::{InvitationId, PartnerId, UserId};
use libsql::params;
use secrecy::SecretString;

use crate::credential::{Credential, CredentialKind};
use crate::database::{Row, Transaction, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::user::{self, check_role, checked_name, millisecond};
use crate::{Email, Error, NewPassword, Store, Tenant, User};

/// How long an invitation can be accepted.
pub const INVITATION_LIFETIME: Duration = Duration::from_hours(7 * 24);
/// The most invitations of one page.
const PAGE_MAX: u32 = 200;

/// A person to be asked.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The address; normalised here.
    pub email: String,
    /// What it will be.
    pub role: Role,
    /// With the role partner: its company.
    pub partner: Option<PartnerId>,
    /// Who asks, when a user does.
    pub invited_by: Option<UserId>,
}

/// A person who was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The address.
    pub email: Email,
    /// What it will be.
    pub role: Role,
    /// With the role partner: its company.
    pub partner: Option<PartnerId>,
    /// Who asked, when a user did.
    pub invited_by: Option<UserId>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// From when on it cannot be accepted.
    pub expires_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, email, role, partner_id, invited_by, created_at, expires_at";
const OPEN: &str = "accepted_at IS NULL AND revoked_at IS NULL";

impl Tenant {
    /// Asks a person to join; a former invitation of that address ends. The text is shown once or mailed.
    pub async fn invite(
        &self,
        new: NewInvitation,
        now: DateTime<Utc>,
    ) -> Result<(Invitation, SecretString), Error> {
        let email = Email::parse(&new.email)?;
        check_role(new.role, new.partner)?;
        let created_at = millisecond(now);
        let id = InvitationId(self.new_id(now));
        let credential = Credential::generate(CredentialKind::Invitation, self.id(), id.uuid())?;
        let NewInvitation { role, partner, invited_by, .. } = new;
        let expires_at = created_at + INVITATION_LIFETIME;
        let invitation = Invitation { id, email, role, partner, invited_by, created_at, expires_at };
        let (row, hash) = (invitation.clone(), credential.hash().to_vec());
        self.write("invite a person", async move |transaction| {
            let email = row.email.as_str();
            let sql = "SELECT count(*) FROM user WHERE email = ?1";
            let known = select(transaction, sql, [email], |row| Ok(row.get::<i64>(0)?)).await?;
            if known.first().is_some_and(|count| *count > 0) {
                return Err(Error::EmailTaken.into());
            }
            let sql = format!("UPDATE invitation SET revoked_at = ?2 WHERE email = ?1 AND {OPEN}");
            transaction.execute(&sql, params![email, row.created_at.timestamp_millis()]).await?;
            let sql = "INSERT INTO invitation (id, email, role, partner_id, invited_by, created_at, expires_at, \
                       secret_hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let values = params![
                row.id.to_string(),
                email,
                row.role.as_str(),
                row.partner.map(|partner| partner.to_string()),
                row.invited_by.map(|user| user.to_string()),
                row.created_at.timestamp_millis(),
                row.expires_at.timestamp_millis(),
                hash,
            ];
            transaction.execute(sql, values).await?;
            Ok(())
        })
        .await?;
        Ok((invitation, credential.text()))
    }

    /// The invitations that can still be accepted, newest first; at most 200.
    pub async fn open_invitations(&self, now: DateTime<Utc>) -> Result<Vec<Invitation>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM invitation WHERE {OPEN} AND expires_at > ?1 ORDER BY id DESC LIMIT ?2"
        );
        self.read("list invitations", &sql, params![now.timestamp_millis(), PAGE_MAX], read_invitation).await
    }

    /// Takes an invitation back. A second time changes nothing.
    pub async fn revoke_invitation(&self, id: InvitationId, now: DateTime<Utc>) -> Result<(), Error> {
        self.write("revoke an invitation", async move |transaction| {
            let sql = "UPDATE invitation SET revoked_at = coalesce(revoked_at, ?2) \
                       WHERE id = ?1 AND accepted_at IS NULL";
            let changed = transaction.execute(sql, params![id.to_string(), now.timestamp_millis()]).await?;
            if changed == 1 { Ok(()) } else { Err(Error::InvitationNotFound { invitation: id }.into()) }
        })
        .await
    }

    /// Makes the user of whoever has proven that address otherwise (a provider's verified e-mail) and was invited; none
    /// when nobody invited it.
    pub async fn accept_invitation_of(
        &self,
        email: &str,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<User>, Error> {
        let email = Email::parse(email)?;
        let name = checked_name(name)?;
        let user = UserId(self.new_id(now));
        self.write("accept an invitation", async move |transaction| {
            let sql =
                format!("SELECT {COLUMNS} FROM invitation WHERE email = ?1 AND {OPEN} AND expires_at > ?2");
            let values = params![email.as_str(), now.timestamp_millis()];
            let found = select(transaction, &sql, values, read_invitation).await?.into_iter().next();
            let Some(invitation) = found else { return Ok(None) };
            accept(transaction, invitation, user, name, None, now).await.map(Some)
        })
        .await
    }
}

impl Store {
    /// Makes the user of whoever holds an invitation's text, with a password of its own.
    pub async fn accept_invitation(
        &self,
        text: &str,
        name: &str,
        password: SecretString,
        now: DateTime<Utc>,
    ) -> Result<(Tenant, User), Error> {
        let credential = Credential::parse(text).ok_or(Error::InvalidInvitation)?;
        if credential.kind != CredentialKind::Invitation {
            return Err(Error::InvalidInvitation);
        }
        let tenant = self.open(credential.tenant).await.map_err(|error| match error {
            Error::DatabaseMissing { .. } => Error::InvalidInvitation,
            other => other,
        })?;
        let sql = format!(
            "SELECT {COLUMNS}, secret_hash FROM invitation WHERE id = ?1 AND {OPEN} AND expires_at > ?2"
        );
        let id = InvitationId(credential.id);
        let values = move || params![id.to_string(), now.timestamp_millis()];
        // A password costs much to hash: nobody makes us do that with made-up invitations.
        let found = tenant.read_first("read an invitation", &sql, values(), read_with_secret).await?;
        proven(found, &credential)?;
        let name = checked_name(name)?;
        let password = tenant.passwords().prepare(NewPassword::Chosen(password)).await?;
        let user = UserId(tenant.new_id(now));
        let made = tenant
            .write("accept an invitation", async move |transaction| {
                // Asked again: somebody else may have accepted it, or taken it back, meanwhile.
                let found = select(transaction, &sql, values(), read_with_secret).await?.into_iter().next();
                let invitation = proven(found, &credential)?;
                accept(transaction, invitation, user, name, password.hash, now).await
            })
            .await?;
        Ok((tenant, made))
    }
}

/// The invitation that the credential proves.
fn proven(found: Option<(Invitation, [u8; 32])>, credential: &Credential) -> Result<Invitation, Error> {
    let (invitation, hash) = found.ok_or(Error::InvalidInvitation)?;
    if credential.matches(&hash) { Ok(invitation) } else { Err(Error::InvalidInvitation) }
}

fn read_with_secret(row: &Row) -> Result<(Invitation, [u8; 32]), Fault> {
    Ok((read_invitation(row)?, Columns::of("invitation", row).hash(7, "secret_hash")?))
}

async fn accept(
    transaction: &Transaction,
    invitation: Invitation,
    id: UserId,
    name: String,
    hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<User, Fault> {
    let user = User {
        id,
        email: invitation.email,
        name,
        role: invitation.role,
        partner: invitation.partner,
        created_at: millisecond(now),
        last_sign_in_at: None,
        disabled_at: None,
    };
    user::insert(transaction, &user, hash).await?;
    let sql = "UPDATE invitation SET accepted_at = ?2 WHERE id = ?1";
    transaction.execute(sql, params![invitation.id.to_string(), now.timestamp_millis()]).await?;
    Ok(user)
}

fn read_invitation(row: &Row) -> Result<Invitation, Fault> {
    let columns = Columns::of("invitation", row);
    Ok(Invitation {
        id: columns.parsed(0, "id")?,
        email: Email::parse(columns.text(1, "email")?).map_err(|_| columns.corrupt("email"))?,
        role: columns.parsed(2, "role")?,
        partner: columns.parsed_if_any(3, "partner_id")?,
        invited_by: columns.parsed_if_any(4, "invited_by")?,
        created_at: columns.time(5, "created_at")?,
        expires_at: columns.time(6, "expires_at")?,
    })
}
