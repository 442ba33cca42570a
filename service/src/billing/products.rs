//! Products: what lead users act on.

use domain::ids::TenantId;
use entity::{Tenanted, product};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;

use crate::access::{Actor, audit};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::display;

/// All products by slug, byte by byte, so that their order is the same in every report.
pub async fn products(tx: &TenantTx) -> Result<Vec<product::Model>, Error> {
    let mut rows = product::Entity::of(tx.tenant()).all(tx).await?;
    rows.sort_unstable_by(|a, b| a.slug.cmp(&b.slug));
    Ok(rows)
}

/// Makes a product.
pub async fn create_product(
    app: &App,
    tenant: TenantId,
    slug: String,
    display_name: Option<String>,
    description: Option<String>,
    actor: Actor,
) -> Result<product::Model, Error> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=63).contains(&slug.len())
        && slug.bytes().all(good)
        && slug.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !fits {
        return Err(Error::invalid(
            "slug",
            "a product's slug has 1 to 63 letters, digits, dots, dashes and underscores and begins with a letter or digit",
        ));
    }
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row = product::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(app.ids.next(now)),
        name: Set(display(display_name, &slug)?),
        slug: Set(slug.clone()),
        description: Set(description.filter(|text| !text.trim().is_empty())),
        created_at: Set(now),
    };
    let row = row.insert(&tx).await.map_err(|error| {
        if is_taken(&error, "product_tenant_id_slug_key") {
            Error::Conflict(format!("there is a product `{slug}` already").into())
        } else {
            error.into()
        }
    })?;
    tx.commit().await?;
    audit(app, tenant, actor, "product.created", &row.slug, json!({})).await?;
    Ok(row)
}
