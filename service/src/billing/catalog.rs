//! Partners, products, rate plans and their versions.

use chrono::NaiveDate;
use chrono_tz::Tz;
use domain::billing::{Currency, Period, PlanSpec, Rules};
use domain::ids::{PartnerId, RatePlanId, TenantId};
use entity::{Tenanted, partner, product, rate_plan, rate_plan_version};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};

use crate::access::own_tenant;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::check_slug;

/// Characters of a name at most.
const NAME_CHARS_MAX: usize = 200;

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
pub async fn create_partner(app: &App, tenant: TenantId, new: NewPartner) -> Result<partner::Model, Error> {
    check_slug(&new.slug)?;
    let name = name(new.name, &new.slug)?;
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
) -> Result<partner::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let former = partner(&tx, id).await?;
    let (slug, currency) = (former.slug.clone(), former.currency.clone());
    let mut row: partner::ActiveModel = former.into();
    let mut address = String::new();
    if let Some(text) = change.name {
        row.name = Set(name(Some(text), &slug)?);
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
    Ok(row)
}

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
        name: Set(name(display_name, &slug)?),
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
    Ok(row)
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
    in_force(versions(tx, plan).await?, period.start).ok_or_else(|| {
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
pub fn in_force(versions: Vec<PlanVersion>, day: NaiveDate) -> Option<PlanVersion> {
    versions
        .into_iter()
        .filter(|one| one.row.effective_from <= day)
        .max_by_key(|one| (one.row.effective_from, one.row.version))
}

async fn currency_of(tx: &TenantTx, plan_id: RatePlanId) -> Result<Currency, Error> {
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
    by: &str,
) -> Result<rate_plan::Model, Error> {
    check_slug(&slug)?;
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    check_spec(&tx, spec).await?;
    let id = app.ids.next(now);
    let row = rate_plan::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id),
        name: Set(name(display_name, &slug)?),
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
    insert_version(&tx, id, (1, effective_from), spec, by, now).await?;
    tx.commit().await?;
    Ok(plan)
}

/// Adds a version. Closed reports keep theirs; what a draft would change by it, the draft shows.
pub async fn add_version(
    app: &App,
    tenant: TenantId,
    id: RatePlanId,
    effective_from: NaiveDate,
    spec: &PlanSpec,
    by: &str,
) -> Result<PlanVersion, Error> {
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    plan(&tx, id).await?;
    check_spec(&tx, spec).await?;
    let newest = versions(&tx, id).await?.into_iter().next();
    if let Some(newest) = &newest
        && newest.spec.currency != spec.currency
    {
        return Err(Error::invalid(
            "spec.currency",
            format!("the plan is in {}; another currency is another plan", newest.spec.currency),
        ));
    }
    let number = newest.map_or(1, |newest| newest.row.version + 1);
    let row = insert_version(&tx, id.uuid(), (number, effective_from), spec, by, now).await?;
    tx.commit().await?;
    Ok(PlanVersion { row, spec: spec.clone() })
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

fn name(name: Option<String>, fallback: &str) -> Result<String, Error> {
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| fallback.to_owned());
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", format!("a name has 1 to {NAME_CHARS_MAX} printable characters")));
    }
    Ok(name)
}

/// An e-mail address as it is stored and compared.
pub(super) fn email(text: &str) -> Result<String, Error> {
    domain::intake::rules::email::normalise(text)
        .map(|address| address.to_string())
        .map_err(|_| Error::invalid("email", "the e-mail must be of the form name@domain.tld"))
}
