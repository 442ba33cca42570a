//! Users of a tenant.

use chrono::{DateTime, Utc};
use domain::access::Role;
use domain::ids::{PartnerId, UserId};
use libsql::params;
use secrecy::SecretString;

use crate::database::{Row, Transaction, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::{Email, Error, NewPassword, Tenant};

/// The most users of one page.
const PAGE_MAX: u32 = 200;

/// A person or service that signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The address to sign in with, unique in the tenant.
    pub email: Email,
    /// The name that others see.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Of role partner: the company whose billing it sees.
    pub partner: Option<PartnerId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last signed in with its password.
    pub last_sign_in_at: Option<DateTime<Utc>>,
    /// Since when it may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// The address to sign in with; normalised here.
    pub email: String,
    /// The name that others see, 1 to 200 characters.
    pub name: String,
    /// What it may do; a program's role is no person's.
    pub role: Role,
    /// The company whose billing it sees: with the role partner, and with no other.
    pub partner: Option<PartnerId>,
    /// Its password.
    pub password: NewPassword,
}

/// A user that was made.
#[derive(Debug)]
pub struct CreatedUser {
    /// The user.
    pub user: User,
    /// The generated password, to be shown once.
    pub generated_password: Option<SecretString>,
}

/// The columns that [`read_user`] reads from the second on; the first is the id.
pub(crate) const USER_COLUMNS: &str = "user.id, user.email, user.name, user.role, user.created_at, user.last_sign_in_at, \
    user.disabled_at, user.partner_id";

impl Tenant {
    /// Makes a user. Fails with [`Error::EmailTaken`] when another has the address.
    pub async fn create_user(&self, new: NewUser, now: DateTime<Utc>) -> Result<CreatedUser, Error> {
        let email = Email::parse(&new.email)?;
        let name = checked_name(&new.name)?;
        check_role(new.role, new.partner)?;
        let password = self.passwords().prepare(new.password).await?;
        let id = UserId(self.new_id(now));
        let user = User {
            id,
            email,
            name,
            role: new.role,
            partner: new.partner,
            created_at: millisecond(now),
            last_sign_in_at: None,
            disabled_at: None,
        };
        let row = user.clone();
        let hash = password.hash;
        self.write("make a user", async move |transaction| insert(transaction, &row, hash).await).await?;
        Ok(CreatedUser { user, generated_password: password.generated })
    }

    /// The user of that id.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        let sql = format!("SELECT {USER_COLUMNS} FROM user WHERE id = ?1");
        self.read_first("read a user", &sql, [id.to_string()], read_user).await
    }

    /// The user of that address, in any spelling.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Error> {
        let sql = format!("SELECT {USER_COLUMNS} FROM user WHERE email = ?1");
        self.read_first("read a user", &sql, [crate::email::normalise(email)], read_user).await
    }

    /// A page of the users in the order of their making, after the given one; at most 200.
    pub async fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, Error> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let sql = format!("SELECT {USER_COLUMNS} FROM user WHERE id > ?1 ORDER BY id LIMIT ?2");
        self.read("list users", &sql, params![after, limit.min(PAGE_MAX)], read_user).await
    }

    /// Gives a user another role, and with the role partner a company; its sessions follow at once, its access tokens
    /// when they expire. The last owner stays one: [`Error::LastOwner`].
    pub async fn set_user_role(
        &self,
        id: UserId,
        role: Role,
        partner: Option<PartnerId>,
    ) -> Result<(), Error> {
        check_role(role, partner)?;
        self.write("change a user's role", async move |transaction| {
            let sql = "UPDATE user SET role = ?2, partner_id = ?3 WHERE id = ?1";
            let partner = partner.map(|partner| partner.to_string());
            let owned = has_owner(transaction).await?;
            found(id, transaction.execute(sql, params![id.to_string(), role.as_str(), partner]).await?)?;
            keep_an_owner(transaction, owned).await
        })
        .await
    }

    /// Gives a user another name, 1 to 200 characters.
    pub async fn set_user_name(&self, id: UserId, name: &str) -> Result<(), Error> {
        let name = checked_name(name)?;
        self.write("rename a user", async move |transaction| {
            let sql = "UPDATE user SET name = ?2 WHERE id = ?1";
            found(id, transaction.execute(sql, params![id.to_string(), name]).await?)
        })
        .await
    }

    /// Disables a user, which ends its sessions (its access tokens live on until they expire, at most 15 minutes), or
    /// enables it again. The last owner is not disabled: [`Error::LastOwner`].
    pub async fn set_user_disabled(
        &self,
        id: UserId,
        disabled: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.write("disable or enable a user", async move |transaction| {
            let sql =
                "UPDATE user SET disabled_at = CASE WHEN ?2 THEN coalesce(disabled_at, ?3) END WHERE id = ?1";
            let values = params![id.to_string(), disabled, now.timestamp_millis()];
            let owned = has_owner(transaction).await?;
            found(id, transaction.execute(sql, values).await?)?;
            keep_an_owner(transaction, owned).await?;
            if disabled { end_sessions(transaction, id, now).await } else { Ok(()) }
        })
        .await
    }

    /// Gives a user another password, ends its sessions, and forgets its failed sign-ins. Returns the password when it
    /// was generated.
    pub async fn set_password(
        &self,
        id: UserId,
        password: NewPassword,
        now: DateTime<Utc>,
    ) -> Result<Option<SecretString>, Error> {
        let password = self.passwords().prepare(password).await?;
        let hash = password.hash;
        self.write("change a password", async move |transaction| {
            let sql = "UPDATE user SET password_hash = ?2 WHERE id = ?1 RETURNING email";
            let email =
                select(transaction, sql, params![id.to_string(), hash], |row| Ok(row.get::<String>(0)?));
            let email = email.await?.pop().ok_or(Error::UserNotFound { user: id })?;
            crate::sign_in::forget_attempts(transaction, &email).await?;
            end_sessions(transaction, id, now).await
        })
        .await?;
        Ok(password.generated)
    }
}

/// A company belongs to the role partner: without one such a user would see nothing, with another role too much.
pub(crate) fn check_role(role: Role, partner: Option<PartnerId>) -> Result<(), Error> {
    if !role.is_for_people() {
        return Err(Error::InvalidField {
            field: "role",
            must: "must be a person's: service belongs to API keys",
        });
    }
    match (role, partner) {
        (Role::Partner, None) => {
            Err(Error::InvalidField { field: "partner", must: "must be given with the role partner" })
        }
        (Role::Partner, Some(_)) | (_, None) => Ok(()),
        (_, Some(_)) => {
            Err(Error::InvalidField { field: "partner", must: "goes with the role partner alone" })
        }
    }
}

async fn has_owner(transaction: &Transaction) -> Result<bool, Fault> {
    let sql = "SELECT count(*) FROM user WHERE role = 'owner' AND disabled_at IS NULL";
    let owners = select(transaction, sql, (), |row| Ok(row.get::<i64>(0)?)).await?;
    Ok(owners.first().is_some_and(|count| *count > 0))
}

/// A tenant that had an owner keeps one.
async fn keep_an_owner(transaction: &Transaction, owned: bool) -> Result<(), Fault> {
    if owned && !has_owner(transaction).await? { Err(Error::LastOwner.into()) } else { Ok(()) }
}

pub(crate) async fn insert(
    transaction: &Transaction,
    user: &User,
    hash: Option<String>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO user (id, email, name, role, password_hash, created_at, partner_id) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (email) DO NOTHING";
    let values = params![
        user.id.to_string(),
        user.email.as_str(),
        user.name.as_str(),
        user.role.as_str(),
        hash,
        user.created_at.timestamp_millis(),
        user.partner.map(|partner| partner.to_string()),
    ];
    if transaction.execute(sql, values).await? == 1 { Ok(()) } else { Err(Error::EmailTaken.into()) }
}

async fn end_sessions(transaction: &Transaction, user: UserId, now: DateTime<Utc>) -> Result<(), Fault> {
    let sql = "UPDATE session SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL";
    transaction.execute(sql, params![user.to_string(), now.timestamp_millis()]).await?;
    Ok(())
}

pub(crate) fn read_user(row: &Row) -> Result<User, Fault> {
    read_user_at(row, 0)
}

/// Reads [`USER_COLUMNS`] that begin at that column.
pub(crate) fn read_user_at(row: &Row, first: i32) -> Result<User, Fault> {
    let columns = Columns::of("user", row);
    let email = Email::parse(columns.text(first + 1, "email")?).map_err(|_| columns.corrupt("email"))?;
    Ok(User {
        id: columns.parsed(first, "id")?,
        email,
        name: columns.text(first + 2, "name")?.to_owned(),
        role: columns.parsed(first + 3, "role")?,
        partner: columns.parsed_if_any(first + 7, "partner_id")?,
        created_at: columns.time(first + 4, "created_at")?,
        last_sign_in_at: columns.time_if_any(first + 5, "last_sign_in_at")?,
        disabled_at: columns.time_if_any(first + 6, "disabled_at")?,
    })
}

/// The moment as the database keeps it, so that what is returned equals what is read later.
pub(crate) fn millisecond(moment: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(moment.timestamp_millis()).unwrap_or(moment)
}

/// A trimmed name of sensible length without control characters.
pub(crate) fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let length = name.chars().count();
    if (1..=200).contains(&length) && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(Error::InvalidField {
            field: "name",
            must: "must have 1 to 200 characters, none of them control characters",
        })
    }
}

fn found(user: UserId, changed: u64) -> Result<(), Fault> {
    if changed == 1 { Ok(()) } else { Err(Error::UserNotFound { user }.into()) }
}
