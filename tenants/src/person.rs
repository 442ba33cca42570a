//! From who somebody is at a provider to a user of the tenant.

use chrono::{DateTime, Utc};
use domain::ids::{ProviderId, UserId};
use libsql::params;

use crate::database::{Transaction, select};
use crate::error::Fault;
use crate::provider::Provider;
use crate::user::{USER_COLUMNS, checked_name, insert, millisecond, read_user};
use crate::{Email, Error, Tenant, User};

/// Who somebody is, in the words of a provider that has proven it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider's own id of the person, which never changes.
    pub subject: String,
    /// The address, when the provider tells one.
    pub email: Option<Email>,
    /// Whether the provider vouches for the address.
    pub email_verified: bool,
    /// The person's name.
    pub name: Option<String>,
}

impl Tenant {
    /// The user that a provider's person is: the one who came from there before, else the one with that verified address,
    /// else a new one when the address's domain may join. The user's sign-in is recorded.
    pub async fn admit(
        &self,
        provider: &Provider,
        person: Person,
        now: DateTime<Utc>,
    ) -> Result<User, Error> {
        let now = millisecond(now);
        let fresh = UserId(self.new_id(now));
        let provider = provider.clone();
        self.write("admit a person", async move |transaction| {
            let known = known(transaction, provider.id, &person.subject).await?;
            let user = match known {
                Some(user) => user,
                None => match by_address(transaction, &person).await? {
                    Some(user) => user,
                    None => join(transaction, &provider, &person, fresh, now).await?,
                },
            };
            if user.disabled_at.is_some() {
                return Err(Error::UserDisabled { user: user.id }.into());
            }
            remember(transaction, provider.id, &person.subject, user.id, now).await?;
            Ok(user)
        })
        .await
    }

    /// The user of a verified address, whose sign-in is recorded; for whoever was proven otherwise than by a provider.
    pub async fn admit_by_email(&self, email: &Email, now: DateTime<Utc>) -> Result<User, Error> {
        let email = email.as_str().to_owned();
        self.write("admit a person", async move |transaction| {
            let sql = format!(
                "UPDATE user SET last_sign_in_at = ?2 WHERE email = ?1 AND disabled_at IS NULL RETURNING {USER_COLUMNS}"
            );
            let values = params![email, now.timestamp_millis()];
            select(transaction, &sql, values, read_user).await?.pop().ok_or_else(|| Error::NotInvited.into())
        })
        .await
    }
}

async fn known(
    transaction: &Transaction,
    provider: ProviderId,
    subject: &str,
) -> Result<Option<User>, Fault> {
    let sql = format!(
        "SELECT {USER_COLUMNS} FROM oauth_identity JOIN user ON user.id = oauth_identity.user_id \
         WHERE provider_id = ?1 AND subject = ?2"
    );
    Ok(select(transaction, &sql, params![provider.to_string(), subject], read_user).await?.pop())
}

/// An address that the provider does not vouch for could be anybody's.
async fn by_address(transaction: &Transaction, person: &Person) -> Result<Option<User>, Fault> {
    let email = verified(person)?;
    let sql = format!("SELECT {USER_COLUMNS} FROM user WHERE email = ?1");
    Ok(select(transaction, &sql, [email.as_str()], read_user).await?.pop())
}

async fn join(
    transaction: &Transaction,
    provider: &Provider,
    person: &Person,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<User, Fault> {
    let email = verified(person)?;
    let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
    if !provider.settings.join_domains.iter().any(|allowed| allowed == domain) {
        return Err(Error::NotInvited.into());
    }
    let name = person.name.as_deref().and_then(|name| checked_name(name).ok());
    let user = User {
        id,
        name: name.unwrap_or_else(|| email.as_str().to_owned()),
        email: email.clone(),
        role: provider.settings.join_role,
        partner: None,
        created_at: now,
        last_sign_in_at: None,
        disabled_at: None,
    };
    insert(transaction, &user, None).await?;
    Ok(user)
}

fn verified(person: &Person) -> Result<&Email, Fault> {
    match &person.email {
        Some(email) if person.email_verified => Ok(email),
        _ => Err(Error::EmailNotVerified.into()),
    }
}

async fn remember(
    transaction: &Transaction,
    provider: ProviderId,
    subject: &str,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO oauth_identity (provider_id, subject, user_id, created_at, last_sign_in_at) \
               VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (provider_id, subject) DO UPDATE SET last_sign_in_at = ?4";
    let values = params![provider.to_string(), subject, user.to_string(), now.timestamp_millis()];
    transaction.execute(sql, values).await?;
    let sql = "UPDATE user SET last_sign_in_at = ?2 WHERE id = ?1";
    transaction.execute(sql, params![user.to_string(), now.timestamp_millis()]).await?;
    Ok(())
}
