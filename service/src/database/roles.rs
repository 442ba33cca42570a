//! The two roles, and the proof that the restricted one cannot bypass row-level security.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Executor, PgPool};

/// The restricted role's name, unless its own URL says another.
pub const APP_ROLE: &str = "baton_app";

/// One number for all processes of Baton: who holds this advisory lock may change roles and rights.
const LOCK: i64 = 0x6261_746f_6e5f_7231;

/// What can be wrong with the restricted role.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The role could see other tenants' rows.
    #[error(
        "refusing to serve: role `{role}` could bypass row-level security, because {}. Connect as a login role that \
         owns nothing: remove BATON_DATABASE__APP_URL to let Baton make `baton_app`, or correct the role",
        .reasons.join(" and ")
    )]
    Bypasses {
        /// The role.
        role: String,
        /// What makes it too strong.
        reasons: Vec<String>,
    },
    /// The role or its rights cannot be made.
    #[error(
        "cannot make the role `{role}` or give it its rights. Let an administrator run: CREATE ROLE {role} LOGIN \
         PASSWORD '…' NOSUPERUSER NOBYPASSRLS; and set BATON_DATABASE__APP_PASSWORD; the owner of the tables must be \
         the user of DATABASE_URL"
    )]
    Ensure {
        /// The role.
        role: String,
        /// Why not.
        source: sqlx::Error,
    },
    /// The catalogue cannot be read.
    #[error("cannot read what the role may do")]
    Read(#[source] sqlx::Error),
    /// The generated password cannot be kept.
    #[error("cannot keep the restricted role's password in {path}")]
    Password {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// The restricted role: its name and, on a given server, its password.
#[derive(Debug, Clone)]
pub struct AppRole {
    name: String,
    password: Option<SecretString>,
}

impl AppRole {
    /// `baton_app` of the private cluster: who reaches the socket is who may connect.
    pub fn without_password() -> Self {
        Self::named(APP_ROLE)
    }

    /// The role of its own URL; its password is the administrator's affair.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), password: None }
    }

    /// `baton_app` of a given server: with the given password, else with one that was generated once and is kept,
    /// readable by its owner alone, in the data folder.
    pub fn of_data_dir(data_dir: &Path, given: Option<SecretString>) -> Result<Self, Error> {
        let password = match given {
            Some(password) => password,
            None => kept_password(&data_dir.join("baton_app.password"))?,
        };
        Ok(Self { name: APP_ROLE.to_owned(), password: Some(password) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its password, when Baton knows one.
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }
}

fn kept_password(path: &Path) -> Result<SecretString, Error> {
    let failed = |source| Error::Password { path: path.to_owned(), source };
    let read = || fs::read_to_string(path).map(|text| SecretString::from(text.trim().to_owned()));
    if path.exists() {
        return read().map_err(failed);
    }
    let mut random = [0_u8; 24];
    rand::rngs::SysRng.try_fill_bytes(&mut random).map_err(|error| failed(std::io::Error::other(error)))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // Written beside and linked into place: of two processes that start at once, the second uses the first's.
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let text = BASE64_URL_SAFE_NO_PAD.encode(random);
    let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => read().map_err(failed),
    }
}

/// Makes the restricted role if it is missing and gives it what it lacks: to connect, to make temporary tables, to
/// read and write the schema's tables and those that migrations will add, and to call the functions that look across
/// tenants, which nobody else may call.
///
/// Changes nothing when nothing is missing, so it may run at each start; processes that run it at once wait for each
/// other. An existing role's password is left alone: [`set_password`] changes it.
pub async fn ensure_roles(owner: &PgPool, app: &AppRole) -> Result<(), Error> {
    let failed = |source| Error::Ensure { role: app.name.clone(), source };
    let mut transaction = owner.begin().await.map_err(failed)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    tell(&mut transaction, app).await.map_err(failed)?;
    transaction.execute(include_str!("roles.sql")).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// Gives the restricted role the password that Baton was told.
pub async fn set_password(owner: &PgPool, app: &AppRole) -> Result<(), Error> {
    let failed = |source| Error::Ensure { role: app.name.clone(), source };
    let mut transaction = owner.begin().await.map_err(failed)?;
    tell(&mut transaction, app).await.map_err(failed)?;
    let change = "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', current_setting('baton.role'), \
                  current_setting('baton.password')); END $$";
    transaction.execute(change).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// The name and the password travel as bound values of a setting that ends with the transaction: as part of a
/// statement's text the password would stand in logs.
async fn tell(connection: &mut sqlx::PgConnection, app: &AppRole) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('baton.role', $1, true), set_config('baton.password', $2, true)")
        .bind(&app.name)
        .bind(app.password.as_ref().map_or("", |password| password.expose_secret()))
        .execute(connection)
        .await
        .map(|_| ())
}

/// Refuses a role for which row-level security is no fence: see [`bypasses`].
pub async fn refuse_if_bypassing(app: &PgPool) -> Result<(), Error> {
    let (role, reasons) = bypasses(app).await?;
    if reasons.is_empty() { Ok(()) } else { Err(Error::Bypasses { role, reasons }) }
}

/// The connected role and each reason why it could bypass row-level security: an attribute of its own or of a role
/// that it is a member of, or a table that one of them owns (an owner can switch the policies off).
pub async fn bypasses(app: &PgPool) -> Result<(String, Vec<String>), Error> {
    let role: String =
        sqlx::query_scalar("SELECT session_user::text").fetch_one(app).await.map_err(Error::Read)?;
    let reasons =
        sqlx::query_scalar(include_str!("bypasses.sql")).fetch_all(app).await.map_err(Error::Read)?;
    Ok((role, reasons))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_generated_password_is_kept_and_is_nobody_elses_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = AppRole::of_data_dir(folder.path(), None).expect("a role");
        let second = AppRole::of_data_dir(folder.path(), None).expect("a role");
        let text = |role: &AppRole| role.password().expect("a password").expose_secret().to_owned();
        assert_eq!(text(&first), text(&second));
        assert_eq!(text(&first).len(), 32);
        assert!(!format!("{first:?}").contains(&text(&first)));
        let file = folder.path().join("baton_app.password");
        assert_eq!(fs::metadata(file).expect("the file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }
}
