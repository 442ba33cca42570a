//! Seals every stored value anew after the key was rotated, tenant by tenant.
//!
//! Each tenant is one transaction, rows are locked while they are sealed, and values that are current already are left:
//! interrupted, it goes on where it was. [`SEALED_COLUMNS`] names every sealed column; a test compares it with the catalogue.

use domain::ids::{DestinationId, TenantId};
use sqlx::AssertSqlSafe;

use crate::access::list_tenants;
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// Table, column, and what its values are sealed for. The id of the row is part of what is authenticated.
pub const SEALED_COLUMNS: [(&str, &str, Purpose); 2] =
    [("destination", "url_sealed", Purpose::Url), ("destination", "signing_sealed", Purpose::Signing)];

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed anew.
    pub values: u64,
    /// Tenants that were looked at.
    pub tenants: u64,
}

/// Seals anew whatever another key than the present one has sealed, in all tenants.
pub async fn reseal(app: &App) -> Result<Resealed, Error> {
    let mut done = Resealed::default();
    for tenant in list_tenants(app).await? {
        done.tenants += 1;
        for (table, column, purpose) in SEALED_COLUMNS {
            done.values += reseal_column(app, TenantId(tenant.id), table, column, purpose).await?;
        }
    }
    Ok(done)
}

/// Forgets the older keys. Refused as long as one of them has sealed anything that is stored, wherever it is.
pub async fn forget_older_keys(app: &App) -> Result<Resealed, Error> {
    let done = reseal(app).await?;
    let mut left = 0;
    for tenant in list_tenants(app).await? {
        let store = app.tenants.open(TenantId(tenant.id)).await?;
        left += store.sealed_with_another_key(app.secrets.current_key()).await?;
    }
    if left > 0 {
        let text =
            format!("{left} values of tenants' databases are sealed with an older key: set them anew first");
        return Err(Error::Conflict(text.into()));
    }
    app.secrets.forget_older().map_err(|error| Error::internal("forgetting older keys", error))?;
    Ok(done)
}

async fn reseal_column(
    app: &App,
    tenant: TenantId,
    table: &str,
    column: &str,
    purpose: Purpose,
) -> Result<u64, Error> {
    let unsealable = |error| Error::internal(format!("opening {table}.{column} of {tenant}"), error);
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let sql = format!(
        "SELECT id, {column} FROM {table} WHERE tenant_id = $1 AND {column} IS NOT NULL ORDER BY id FOR UPDATE"
    );
    let rows: Vec<(uuid::Uuid, Vec<u8>)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.uuid()).fetch_all(tx.connection()).await?;
    let mut count = 0;
    for (id, sealed) in rows.into_iter().filter(|(_, sealed)| !app.secrets.is_current(sealed)) {
        let context = Context { tenant, destination: DestinationId(id), purpose };
        let plain = app.secrets.open(context, &sealed).map_err(unsealable)?;
        let anew = app.secrets.seal(context, secrecy::ExposeSecret::expose_secret(&plain));
        let sql = format!("UPDATE {table} SET {column} = $3 WHERE tenant_id = $1 AND id = $2");
        sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.uuid())
            .bind(id)
            .bind(anew)
            .execute(tx.connection())
            .await?;
        count += 1;
    }
    tx.commit().await?;
    Ok(count)
}
