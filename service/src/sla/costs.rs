//! What the leads of a source cost: an amount for each new lead, from a day on.

use chrono::NaiveDate;
use domain::billing::Currency;
use domain::ids::{SourceId, TenantId};
use entity::{Tenanted, source_cost};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

use crate::access::{Actor, audit};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::intake::sources;

/// Rows of the list at most.
const LIST_MAX: u64 = 500;

/// Says what each new lead of a source costs from that day on, as in `2.50`. The same day again replaces it.
pub async fn set(
    app: &App,
    tenant: TenantId,
    source: SourceId,
    effective_from: NaiveDate,
    (currency, per_lead): (Currency, &str),
    actor: Actor,
) -> Result<source_cost::Model, Error> {
    let amount = currency.read(per_lead).map_err(|error| Error::invalid("per_lead", error.to_string()))?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sources::by_id(&tx, source).await?;
    sqlx::query(
        "INSERT INTO source_cost (tenant_id, source_id, effective_from, currency, per_lead, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, source_id, effective_from)
         DO UPDATE SET currency = excluded.currency, per_lead = excluded.per_lead, created_at = excluded.created_at,
                       created_by = excluded.created_by",
    )
    .bind(tenant.uuid())
    .bind(source.uuid())
    .bind(effective_from)
    .bind(currency.code())
    .bind(amount)
    .bind(app.clock.now())
    .bind(actor.to_string())
    .execute(tx.connection())
    .await?;
    let stored = list(&tx, Some(source)).await?.into_iter().find(|row| row.effective_from == effective_from);
    tx.commit().await?;
    let detail =
        json!({ "effective_from": effective_from, "currency": currency.code(), "per_lead": per_lead });
    audit(app, tenant, actor, "source.cost_set", source, detail).await?;
    stored.ok_or_else(|| Error::internal("storing a source's cost", "its row is not there"))
}

/// Costs of a source, or of all, the latest day first.
pub async fn list(tx: &TenantTx, source: Option<SourceId>) -> Result<Vec<source_cost::Model>, Error> {
    use source_cost::Column;
    let mut query = source_cost::Entity::of(tx.tenant());
    if let Some(source) = source {
        query = query.filter(Column::SourceId.eq(source.uuid()));
    }
    let ordered = query.order_by_asc(Column::SourceId).order_by_desc(Column::EffectiveFrom);
    Ok(ordered.limit(LIST_MAX).all(tx).await?)
}
