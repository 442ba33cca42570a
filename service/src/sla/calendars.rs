//! Calendars of business time, as people manage them.

use domain::ids::{CalendarId, TenantId};
use domain::sla::{Calendar, CalendarSpec};
use entity::{Tenanted, sla_calendar};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};

use super::policies;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::{Error, is_taken};
use crate::naming::check_name;

/// The most calendars of a tenant.
const CALENDARS_MAX: usize = 100;

/// All calendars of the tenant, by name.
pub async fn list(tx: &TenantTx) -> Result<Vec<sla_calendar::Model>, Error> {
    Ok(sla_calendar::Entity::of(tx.tenant()).order_by_asc(sla_calendar::Column::Name).all(tx).await?)
}

/// The calendar of that id.
pub async fn by_id(tx: &TenantTx, id: CalendarId) -> Result<sla_calendar::Model, Error> {
    sla_calendar::Entity::of(tx.tenant())
        .filter(sla_calendar::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("calendar", id))
}

/// A stored calendar's text.
pub fn spec_of(row: &sla_calendar::Model) -> Result<CalendarSpec, Error> {
    serde_json::from_value(row.spec.clone())
        .map_err(|error| Error::internal(format!("reading sla_calendar.spec of {}", row.id), error))
}

/// The calendar, ready to reckon with, or what is wrong with its text.
pub fn read(spec: &CalendarSpec) -> Result<Calendar, Error> {
    Calendar::new(spec).map_err(|error| Error::Invalid {
        field: Some(error.field.into()),
        code: "BAD_CALENDAR".into(),
        message: error.message,
    })
}

fn json(spec: &CalendarSpec) -> Result<serde_json::Value, Error> {
    serde_json::to_value(spec).map_err(|error| Error::internal("writing a calendar", error))
}

fn taken(error: sea_orm::DbErr, name: &str) -> Error {
    if is_taken(&error, "sla_calendar_tenant_id_name_key") {
        Error::Conflict(format!("there is a calendar `{name}` already").into())
    } else {
        error.into()
    }
}

/// Makes a calendar.
pub async fn create(
    app: &App,
    tenant: TenantId,
    name: &str,
    spec: &CalendarSpec,
) -> Result<sla_calendar::Model, Error> {
    let name = check_name(name)?;
    read(spec)?;
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    if list(&tx).await?.len() >= CALENDARS_MAX {
        return Err(Error::Limit(format!("a tenant has at most {CALENDARS_MAX} calendars").into()));
    }
    let row = sla_calendar::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(app.ids.next(now)),
        name: Set(name.clone()),
        spec: Set(json(spec)?),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let row = row.insert(&tx).await.map_err(|error| taken(error, &name))?;
    tx.commit().await?;
    Ok(row)
}

/// Changes a calendar. Every policy that uses it gets a new version, so that clocks that run keep what they were promised.
pub async fn update(
    app: &App,
    tenant: TenantId,
    id: CalendarId,
    name: Option<&str>,
    spec: Option<&CalendarSpec>,
    actor: &str,
) -> Result<sla_calendar::Model, Error> {
    let now = app.clock.now();
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let before = by_id(&tx, id).await?;
    let old = spec_of(&before)?;
    let mut row: sla_calendar::ActiveModel = before.into();
    let mut shown = String::new();
    if let Some(name) = name {
        shown = check_name(name)?;
        row.name = Set(shown.clone());
    }
    if let Some(spec) = spec {
        read(spec)?;
        row.spec = Set(json(spec)?);
    }
    row.updated_at = Set(now);
    let row = row.update(&tx).await.map_err(|error| taken(error, &shown))?;
    if spec.is_some_and(|spec| *spec != old) {
        policies::recalendared(tx.connection(), tenant, id, &row.spec, now, actor).await?;
    }
    tx.commit().await?;
    Ok(row)
}
