//! Seals every stored value anew after the key was changed, tenant by tenant: in the shared Postgres, and in the tenants'
//! own databases (providers' secrets, proofs of frames).
//!
//! Each tenant is one transaction, rows are locked while they are sealed, and values that are current already are left:
//! interrupted, it goes on where it was. [`SEALED_COLUMNS`] names every sealed column; a test compares it with the catalogue.

use domain::ids::TenantId;
use sqlx::AssertSqlSafe;

use crate::access::{embedding, list_tenants, oauth};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// A sealed column.
#[derive(Debug, Clone, Copy)]
pub struct SealedColumn {
    /// Its table.
    pub table: &'static str,
    /// The column whose value is part of what is authenticated.
    pub id: &'static str,
    /// The column itself.
    pub column: &'static str,
    /// What its values are sealed for.
    pub purpose: Purpose,
}

const fn of_destination(column: &'static str, purpose: Purpose) -> SealedColumn {
    SealedColumn { table: "destination", id: "id", column, purpose }
}

const fn of_channel(column: &'static str, purpose: Purpose) -> SealedColumn {
    SealedColumn { table: "alert_channel", id: "id", column, purpose }
}

const fn of_endpoint(column: &'static str) -> SealedColumn {
    SealedColumn { table: "inbound_endpoint", id: "destination_id", column, purpose: Purpose::Inbound }
}

/// Every sealed column.
pub const SEALED_COLUMNS: [SealedColumn; 9] = [
    of_destination("url_sealed", Purpose::Url),
    of_destination("signing_sealed", Purpose::Signing),
    of_destination("signing_old_sealed", Purpose::SigningOld),
    of_destination("credentials_sealed", Purpose::Credentials),
    SealedColumn {
        table: "reconciliation_plan",
        id: "destination_id",
        column: "api_token_sealed",
        purpose: Purpose::ApiToken,
    },
    of_channel("target_sealed", Purpose::AlertTarget),
    of_channel("signing_sealed", Purpose::AlertSigning),
    of_endpoint("secret_sealed"),
    of_endpoint("previous_sealed"),
];

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
        for column in SEALED_COLUMNS {
            done.values += reseal_column(app, TenantId(tenant.id), column).await?;
        }
        done.values += oauth::providers::reseal(app, TenantId(tenant.id)).await?;
        done.values += embedding::reseal(app, TenantId(tenant.id)).await?;
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
    // Keys of the configuration are taken out of it by whoever put them there.
    if app.secrets.are_configured() {
        return Ok(done);
    }
    app.secrets.forget_older().map_err(|error| Error::internal("forgetting older keys", error))?;
    Ok(done)
}

async fn reseal_column(
    app: &App,
    tenant: TenantId,
    SealedColumn { table, id, column, purpose }: SealedColumn,
) -> Result<u64, Error> {
    let unsealable = |error| Error::internal(format!("opening {table}.{column} of {tenant}"), error);
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let sql = format!(
        "SELECT {id}, {column} FROM {table} WHERE tenant_id = $1 AND {column} IS NOT NULL ORDER BY {id} FOR UPDATE"
    );
    let rows: Vec<(uuid::Uuid, Vec<u8>)> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.uuid()).fetch_all(tx.connection()).await?;
    let mut count = 0;
    for (row, sealed) in rows.into_iter().filter(|(_, sealed)| !app.secrets.is_current(sealed)) {
        let context = Context::of_row(tenant, row, purpose);
        let plain = app.secrets.open(context, &sealed).map_err(unsealable)?;
        let anew = app.secrets.seal(context, secrecy::ExposeSecret::expose_secret(&plain));
        let sql = format!("UPDATE {table} SET {column} = $3 WHERE tenant_id = $1 AND {id} = $2");
        sqlx::query(AssertSqlSafe(sql))
            .bind(tenant.uuid())
            .bind(row)
            .bind(anew)
            .execute(tx.connection())
            .await?;
        count += 1;
    }
    tx.commit().await?;
    Ok(count)
}
