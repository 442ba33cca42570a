//! Rate plans and their versions.

use std::cmp::Reverse;

use chrono::NaiveDate;
use chrono_tz::Tz;
use domain::billing::{Currency, Cycle, Period, PlanSpec, Rules};
use domain::ids::{RatePlanId, TenantId};
use entity::{Tenanted, product, rate_plan, rate_plan_version};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};
use serde_json::json;

use super::products::products;
use crate::access::{Actor, audit};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::{check_slug, display};

/// A rate plan with a version of it.
#[derive(Clone, Debug)]
pub struct PlanVersion {
    /// The version's row.
    pub row: rate_plan_version::Model,
    /// Its content.
    pub spec: PlanSpec,
}

impl PlanVersion {
    fn of(row: rate_plan_version::Model) -> Result<Self, Error> {
        let spec = serde_json::from_value(row.spec.clone()).map_err(|error| {
            Error::internal(
                format!("reading rate_plan_version.spec of {} version {}", row.plan_id, row.version),
                error,
            )
        })?;
        Ok(Self { row, spec })
    }

    /// The version, ready to rate with.
    pub fn rules(&self, products: &[product::Model], zone: Tz) -> Result<Rules, Error> {
        let slugs: Vec<&str> = products.iter().map(|product| product.slug.as_str()).collect();
        Rules::new(&self.spec, &slugs, zone)
            .map_err(|error| Error::internal(format!("using rate plan {}", self.row.plan_id), error))
    }
}

/// All rate plans by slug.
pub async fn plans(tx: &TenantTx) -> Result<Vec<rate_plan::Model>, Error> {
    Ok(rate_plan::Entity::of(tx.tenant()).order_by_asc(rate_plan::Column::Slug).all(tx).await?)
}

/// The rate plan of that id.
pub async fn plan(tx: &TenantTx, id: RatePlanId) -> Result<rate_plan::Model, Error> {
    let query = rate_plan::Entity::of(tx.tenant()).filter(rate_plan::Column::Id.eq(id.uuid()));
    query.one(tx).await?.ok_or_else(|| Error::not_found("rate plan", id))
}

/// The rate plan of that slug.
pub async fn plan_by_slug(tx: &TenantTx, slug: &str) -> Result<rate_plan::Model, Error> {
    let query = rate_plan::Entity::of(tx.tenant()).filter(rate_plan::Column::Slug.eq(slug));
    query.one(tx).await?.ok_or_else(|| Error::not_found("rate plan", slug))
}

/// A plan's versions, the newest first.
pub async fn versions(tx: &TenantTx, plan: RatePlanId) -> Result<Vec<PlanVersion>, Error> {
    use rate_plan_version::Column;
    let query = rate_plan_version::Entity::of(tx.tenant()).filter(Column::PlanId.eq(plan.uuid()));
    query.order_by_desc(Column::Version).all(tx).await?.into_iter().map(PlanVersion::of).collect()
}

/// The version of that number.
pub async fn version(tx: &TenantTx, plan: RatePlanId, number: i32) -> Result<PlanVersion, Error> {
    let found = versions(tx, plan).await?.into_iter().find(|one| one.row.version == number);
    found.ok_or_else(|| Error::not_found("version of the rate plan", number))
}

/// The version in force on a period's first day: the newest of those that are effective by then.
pub async fn version_for(tx: &TenantTx, plan: RatePlanId, period: Period) -> Result<PlanVersion, Error> {
    in_force(&versions(tx, plan).await?, period.start).cloned().ok_or_else(|| {
        Error::Conflict(
            format!(
                "the rate plan has no version in force on {}: add one that is effective by then",
                period.start
            )
            .into(),
        )
    })
}

/// Of versions, the one in force on that day.
pub fn in_force(versions: &[PlanVersion], day: NaiveDate) -> Option<&PlanVersion> {
    versions
        .iter()
        .filter(|one| one.row.effective_from <= day)
        .max_by_key(|one| (one.row.effective_from, one.row.version))
}

/// The currency that a plan bills in.
pub(super) async fn currency_of(tx: &TenantTx, plan_id: RatePlanId) -> Result<Currency, Error> {
    plan(tx, plan_id).await?;
    let newest = versions(tx, plan_id).await?.into_iter().next();
    newest
        .map(|one| one.spec.currency)
        .ok_or_else(|| Error::internal("reading a rate plan", format!("{plan_id} has no version")))
}

/// Makes a rate plan with its first version.
pub async fn create_plan(
    app: &App,
    tenant: TenantId,
    slug: String,
    display_name: Option<String>,
    effective_from: NaiveDate,
    spec: &PlanSpec,
    actor: Actor,
) -> Result<rate_plan::Model, Error> {
    check_slug(&slug)?;
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    check_spec(&tx, spec).await?;
    let id = app.ids.next(now);
    let row = rate_plan::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id),
        name: Set(display(display_name, &slug)?),
        slug: Set(slug.clone()),
        created_at: Set(now),
    };
    let plan = row.insert(&tx).await.map_err(|error| {
        if is_taken(&error, "rate_plan_tenant_id_slug_key") {
            Error::Conflict(format!("there is a rate plan `{slug}` already").into())
        } else {
            error.into()
        }
    })?;
    insert_version(&tx, id, (1, effective_from), spec, &actor.to_string(), now).await?;
    tx.commit().await?;
    audit(app, tenant, actor, "rate_plan.created", RatePlanId(plan.id), json!({})).await?;
    Ok(plan)
}

/// Adds a version. Closed reports keep theirs; what a draft would change by it, the draft shows.
pub async fn add_version(
    app: &App,
    tenant: TenantId,
    id: RatePlanId,
    effective_from: NaiveDate,
    spec: &PlanSpec,
    actor: Actor,
) -> Result<PlanVersion, Error> {
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    plan(&tx, id).await?;
    check_spec(&tx, spec).await?;
    let known = versions(&tx, id).await?;
    let newest = known.first();
    if let Some(newest) = newest
        && newest.spec.currency != spec.currency
    {
        return Err(Error::invalid(
            "spec.currency",
            format!("the plan is in {}; another currency is another plan", newest.spec.currency),
        ));
    }
    check_cycle(&known, effective_from, spec.cycle)?;
    let number = newest.map_or(1, |newest| newest.row.version + 1);
    let row = insert_version(&tx, id.uuid(), (number, effective_from), spec, &actor.to_string(), now).await?;
    tx.commit().await?;
    audit(app, tenant, actor, "rate_plan.version_added", id, json!({ "version": number })).await?;
    Ok(PlanVersion { row, spec: spec.clone() })
}

/// Refuses a cycle that follows another, or is followed by another, inside a period: no period would bill the days around that.
fn check_cycle(known: &[PlanVersion], effective_from: NaiveDate, cycle: Cycle) -> Result<(), Error> {
    let before = known.iter().filter(|one| one.row.effective_from < effective_from);
    if let Some(before) = before.max_by_key(|one| (one.row.effective_from, one.row.version)) {
        let former = before.spec.cycle;
        if former != cycle && !(former.begins_on(effective_from) && cycle.begins_on(effective_from)) {
            let days = cycle.begins_with(former, effective_from, 2);
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            let message = format!(
                "a {cycle} can follow a {former} on a day that begins both, next on {}",
                days.join(" or ")
            );
            return Err(Error::invalid("effective_from", message));
        }
    }
    let after = known.iter().filter(|one| one.row.effective_from > effective_from);
    if let Some(after) = after.min_by_key(|one| (one.row.effective_from, Reverse(one.row.version))) {
        let (later, day) = (after.spec.cycle, after.row.effective_from);
        if later != cycle && !(later.begins_on(day) && cycle.begins_on(day)) {
            return Err(Error::invalid(
                "spec.cycle",
                format!("version {} bills by the {later} from {day} on, inside a {cycle}", after.row.version),
            ));
        }
    }
    Ok(())
}

async fn insert_version(
    tx: &TenantTx,
    plan: uuid::Uuid,
    (version, effective_from): (i32, NaiveDate),
    spec: &PlanSpec,
    by: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<rate_plan_version::Model, Error> {
    let spec = serde_json::to_value(spec).map_err(|error| Error::internal("writing a rate plan", error))?;
    let row = rate_plan_version::ActiveModel {
        tenant_id: Set(tx.tenant().uuid()),
        plan_id: Set(plan),
        version: Set(version),
        effective_from: Set(effective_from),
        spec: Set(spec),
        created_at: Set(now),
        created_by: Set(by.to_owned()),
    };
    row.insert(tx).await.map_err(|error| {
        if is_taken(&error, "rate_plan_version_pkey") {
            Error::Conflict("somebody has just added a version: look at it first".into())
        } else {
            error.into()
        }
    })
}

/// Reads a plan that a person wrote. The error names the field.
pub fn read_spec(json: serde_json::Value) -> Result<PlanSpec, Error> {
    serde_json::from_value(json)
        .map_err(|error| Error::invalid("spec", format!("the rate plan cannot be read: {error}")))
}

/// Refuses a plan that makes no sense, or names a product that is not there.
pub async fn check_spec(tx: &TenantTx, spec: &PlanSpec) -> Result<(), Error> {
    let products = products(tx).await?;
    let slugs: Vec<&str> = products.iter().map(|product| product.slug.as_str()).collect();
    for (at, one) in spec.overrides.iter().enumerate() {
        if let Some(product) = &one.product
            && !slugs.contains(&product.as_str())
        {
            return Err(plan_fault(
                &format!("overrides.{at}.product"),
                format!("there is no product `{product}`"),
            ));
        }
    }
    Rules::new(spec, &slugs, Tz::UTC).map(|_| ()).map_err(|error| plan_fault(&error.field, error.message))
}

fn plan_fault(field: &str, message: String) -> Error {
    Error::Invalid { field: Some(format!("spec.{field}").into()), code: "BAD_USER_INPUT".into(), message }
}
