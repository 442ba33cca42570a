//! The demo's admin, with a password that is the same at each start.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use domain::ids::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use service::App;
use tenants::{NewPassword, NewUser, Role};

use crate::cli::Failure;

/// Who signs in.
const EMAIL: &str = "admin@example.com";
/// The file that remembers the password.
const FILE: &str = "demo-password";

/// How a person signs in to the demo.
pub(super) struct SignIn {
    pub(super) email: &'static str,
    /// Printed on purpose: it opens synthetic data on this machine.
    pub(super) password: String,
}

impl SignIn {
    /// Makes the admin, or finds it.
    pub(super) async fn ensure(app: &App, tenant: TenantId, folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let users = app.tenants.open(tenant).await?;
        let now = app.clock.now();
        let known = users.user_by_email(EMAIL).await?;
        let remembered = fs::read_to_string(&path).ok().map(|text| text.trim().to_owned());
        if let (Some(_), Some(password)) = (&known, remembered.filter(|text| !text.is_empty())) {
            return Ok(Self { email: EMAIL, password });
        }
        let generated: Option<SecretString> = if let Some(user) = known {
            // The file was lost, or the first start was cut off before it was written.
            users.set_password(user.id, NewPassword::Generated, now).await?
        } else {
            let new = NewUser {
                email: EMAIL.to_owned(),
                name: "Alex Admin".to_owned(),
                role: Role::Owner,
                partner: None,
                password: NewPassword::Generated,
            };
            users.create_user(new, now).await?.generated_password
        };
        let password = generated.map(|text| text.expose_secret().to_owned()).unwrap_or_default();
        remember(&path, &password)
            .map_err(|error| Failure::failed(format!("writing {}", path.display()), error))?;
        Ok(Self { email: EMAIL, password })
    }
}

/// Readable by its owner alone.
fn remember(path: &Path, password: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{password}")?;
    file.sync_all()
}
