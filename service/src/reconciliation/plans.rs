//! How destinations are reconciled: the mapping of their list, their API, the hour of the night.

use domain::ids::{DestinationId, TenantId};
use domain::reconciliation::Mapping;
use entity::{Tenanted, reconciliation_plan};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret as _, SecretString};

use super::api::Api;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::delivery::{address, manage};
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// What may change of a plan; what is absent stays.
#[derive(Debug, Default)]
pub struct PlanChange {
    /// How their list is read.
    pub mapping: Option<serde_json::Value>,
    /// Sets or (inner none) clears their API's base.
    pub api_url: Option<Option<String>>,
    /// The bearer token of their API.
    pub api_token: Option<SecretString>,
    /// Sets or clears the hour of the tenant's day, 0 to 23.
    pub nightly_hour: Option<Option<i16>>,
    /// How many missing leads a run sends again by itself.
    pub auto_resend_max: Option<i32>,
}

/// The destination's plan; the usual one when nobody has made any.
pub async fn of(tx: &TenantTx, destination: DestinationId) -> Result<reconciliation_plan::Model, Error> {
    let row = reconciliation_plan::Entity::of(tx.tenant())
        .filter(reconciliation_plan::Column::DestinationId.eq(destination.uuid()))
        .one(tx)
        .await?;
    Ok(row.unwrap_or_else(|| reconciliation_plan::Model {
        tenant_id: tx.tenant().uuid(),
        destination_id: destination.uuid(),
        mapping: serde_json::json!({}),
        api_url: None,
        api_token_sealed: None,
        nightly_hour: None,
        auto_resend_max: 0,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }))
}

/// The mapping of a plan.
pub fn mapping(plan: &reconciliation_plan::Model) -> Result<Mapping, Error> {
    serde_json::from_value(plan.mapping.clone()).map_err(|error| {
        Error::internal(format!("reading reconciliation_plan.mapping of {}", plan.destination_id), error)
    })
}

/// The API of a destination's service; none when it has none.
pub async fn api(app: &App, tx: &TenantTx, destination: DestinationId) -> Result<Option<Api>, Error> {
    let row = manage::by_id(tx, destination).await?;
    Api::of(app, &row, &of(tx, destination).await?)
}

/// Whether a destination's service has an API that can be asked; one whose token cannot be opened cannot.
pub async fn has_api(app: &App, tx: &TenantTx, destination: DestinationId) -> Result<bool, Error> {
    match api(app, tx, destination).await {
        Ok(api) => Ok(api.is_some()),
        Err(Error::Conflict(_) | Error::Invalid { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Changes a destination's plan.
pub async fn change(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    change: PlanChange,
) -> Result<reconciliation_plan::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row = manage::by_id(&tx, destination).await?;
    let mut plan = of(&tx, destination).await?;
    if let Some(mapping) = change.mapping {
        serde_json::from_value::<Mapping>(mapping.clone())
            .map_err(|error| Error::invalid("mapping", format!("the mapping cannot be used: {error}")))?;
        plan.mapping = mapping;
    }
    if let Some(url) = change.api_url {
        if let Some(url) = &url {
            address::read_url(url, app.settings.allow_private_addresses)
                .map_err(|error| Error::invalid("apiUrl", error.to_string()))?;
        }
        plan.api_url = url;
    }
    if let Some(token) = change.api_token {
        let context = Context::of_row(tenant, destination.uuid(), Purpose::ApiToken);
        plan.api_token_sealed = Some(app.secrets.seal(context, token.expose_secret()));
    }
    if let Some(hour) = change.nightly_hour {
        if hour.is_some_and(|hour| !(0..24).contains(&hour)) {
            return Err(Error::invalid("nightlyHour", "the hour is from 0 to 23"));
        }
        plan.nightly_hour = hour;
    }
    if let Some(most) = change.auto_resend_max {
        if most < 0 {
            return Err(Error::invalid("autoResendMax", "it must not be negative"));
        }
        plan.auto_resend_max = most;
    }
    if plan.nightly_hour.is_some() && Api::of(app, &row, &plan)?.is_none() {
        let message = "a run by itself needs the CRM's API: set its address and token first";
        return Err(Error::invalid("nightlyHour", message));
    }
    plan.updated_at = app.clock.now();
    save(&tx, plan.clone()).await?;
    tx.commit().await?;
    Ok(plan)
}

async fn save(tx: &TenantTx, plan: reconciliation_plan::Model) -> Result<(), Error> {
    use reconciliation_plan::Column::{
        ApiTokenSealed, ApiUrl, AutoResendMax, DestinationId, Mapping, NightlyHour, TenantId, UpdatedAt,
    };
    let row = reconciliation_plan::ActiveModel {
        tenant_id: Set(plan.tenant_id),
        destination_id: Set(plan.destination_id),
        mapping: Set(plan.mapping),
        api_url: Set(plan.api_url),
        api_token_sealed: Set(plan.api_token_sealed),
        nightly_hour: Set(plan.nightly_hour),
        auto_resend_max: Set(plan.auto_resend_max),
        updated_at: Set(plan.updated_at),
    };
    let columns = [Mapping, ApiUrl, ApiTokenSealed, NightlyHour, AutoResendMax, UpdatedAt];
    reconciliation_plan::Entity::insert(row)
        .on_conflict(OnConflict::columns([TenantId, DestinationId]).update_columns(columns).to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
