//! Partners: the companies that are billed.

use chrono_tz::Tz;
use domain::ids::{PartnerId, RatePlanId, TenantId};
use entity::{Tenanted, partner};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};
use serde_json::json;

use super::plans::currency_of;
use crate::access::{Actor, audit, own_tenant};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::{check_slug, display};

/// What a partner is made of.
#[derive(Clone, Debug)]
pub struct NewPartner {
    /// Short name in addresses and commands.
    pub slug: String,
    /// As people see it; the slug when absent.
    pub name: Option<String>,
    /// Where its reports are announced; unique in the tenant.
    pub email: String,
    /// The rate plan, whose currency it is billed in.
    pub plan: RatePlanId,
    /// An IANA name; the tenant's own when absent.
    pub time_zone: Option<String>,
    /// Whether a period is closed by itself once it is over.
    pub closes_itself: bool,
}

/// What may change of a partner.
#[derive(Clone, Debug, Default)]
pub struct PartnerChange {
    /// As people see it.
    pub name: Option<String>,
    /// Where its reports are announced.
    pub email: Option<String>,
    /// The rate plan of the periods that are not closed yet; of the same currency.
    pub plan: Option<RatePlanId>,
    /// Whether a period is closed by itself once it is over.
    pub closes_itself: Option<bool>,
}

/// All partners by slug.
pub async fn partners(tx: &TenantTx) -> Result<Vec<partner::Model>, Error> {
    Ok(partner::Entity::of(tx.tenant()).order_by_asc(partner::Column::Slug).all(tx).await?)
}

/// The partner of that id.
pub async fn partner(tx: &TenantTx, id: PartnerId) -> Result<partner::Model, Error> {
    let query = partner::Entity::of(tx.tenant()).filter(partner::Column::Id.eq(id.uuid()));
    query.one(tx).await?.ok_or_else(|| Error::not_found("partner", id))
}

/// The partner of that slug.
pub async fn partner_by_slug(tx: &TenantTx, slug: &str) -> Result<partner::Model, Error> {
    let query = partner::Entity::of(tx.tenant()).filter(partner::Column::Slug.eq(slug));
    query.one(tx).await?.ok_or_else(|| Error::not_found("partner", slug))
}

/// A partner's zone.
pub fn zone(partner: &partner::Model) -> Result<Tz, Error> {
    partner
        .time_zone
        .parse()
        .map_err(|error| Error::internal(format!("reading partner.time_zone of {}", partner.id), error))
}

/// Makes a partner.
pub async fn create_partner(
    app: &App,
    tenant: TenantId,
    new: NewPartner,
    actor: Actor,
) -> Result<partner::Model, Error> {
    check_slug(&new.slug)?;
    let name = display(new.name, &new.slug)?;
    let email = email(&new.email)?;
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let time_zone = match new.time_zone {
        Some(zone) => zone,
        None => own_tenant(&tx).await?.time_zone,
    };
    if time_zone.parse::<Tz>().is_err() {
        return Err(Error::invalid("time_zone", "the time zone must be an IANA name such as America/Denver"));
    }
    let currency = currency_of(&tx, new.plan).await?;
    let row = partner::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(app.ids.next(now)),
        slug: Set(new.slug.clone()),
        name: Set(name),
        email: Set(email.clone()),
        currency: Set(currency.code().to_owned()),
        time_zone: Set(time_zone),
        plan_id: Set(new.plan.uuid()),
        closes_itself: Set(new.closes_itself),
        created_at: Set(now),
    };
    let row = row.insert(&tx).await.map_err(|error| taken_partner(error, &new.slug, &email))?;
    tx.commit().await?;
    audit(app, tenant, actor, "partner.created", PartnerId(row.id), json!({})).await?;
    Ok(row)
}

fn taken_partner(error: sea_orm::DbErr, slug: &str, email: &str) -> Error {
    if is_taken(&error, "partner_tenant_id_slug_key") {
        Error::Conflict(format!("there is a partner `{slug}` already").into())
    } else if is_taken(&error, "partner_tenant_id_email_key") {
        Error::Conflict(format!("another partner has the e-mail {email}; each has its own").into())
    } else {
        error.into()
    }
}

/// Changes a partner.
pub async fn update_partner(
    app: &App,
    tenant: TenantId,
    id: PartnerId,
    change: PartnerChange,
    actor: Actor,
) -> Result<partner::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let former = partner(&tx, id).await?;
    let (slug, currency) = (former.slug.clone(), former.currency.clone());
    let mut row: partner::ActiveModel = former.into();
    let mut address = String::new();
    if let Some(text) = change.name {
        row.name = Set(display(Some(text), &slug)?);
    }
    if let Some(text) = change.email {
        address = email(&text)?;
        row.email = Set(address.clone());
    }
    if let Some(plan) = change.plan {
        let other = currency_of(&tx, plan).await?;
        if other.code() != currency {
            return Err(Error::invalid(
                "plan",
                format!("the partner is billed in {currency} and this rate plan is in {other}"),
            ));
        }
        row.plan_id = Set(plan.uuid());
    }
    if let Some(closes_itself) = change.closes_itself {
        row.closes_itself = Set(closes_itself);
    }
    let row = row.update(&tx).await.map_err(|error| taken_partner(error, &slug, &address))?;
    tx.commit().await?;
    audit(app, tenant, actor, "partner.updated", id, json!({})).await?;
    Ok(row)
}

/// An e-mail address as it is stored and compared.
pub(super) fn email(text: &str) -> Result<String, Error> {
    domain::intake::rules::email::normalise(text)
        .map(|address| address.to_string())
        .map_err(|_| Error::invalid("email", "the e-mail must be of the form name@domain.tld"))
}
