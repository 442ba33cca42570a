//! Lead sources: where leads come from and how their records are read.

use domain::ids::{SourceId, TenantId};
use domain::intake::{MappingSpec, SourceKind};
use entity::{Tenanted, lead_source};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder};

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::naming::{check_name, check_slug, display, slug_taken};

/// What a source is made of.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// Short name in addresses and commands.
    pub slug: String,
    /// As people see it; the slug when absent.
    pub name: Option<String>,
    /// `experian`, `transunion`, `leadsource`, `npa`, `generic`.
    pub kind: String,
    /// Of kind generic: its mapping.
    pub mapping: Option<serde_json::Value>,
}

/// What may change of a source.
#[derive(Clone, Debug, Default)]
pub struct SourceChange {
    /// As people see it.
    pub name: Option<String>,
    /// Whether it takes leads.
    pub enabled: Option<bool>,
    /// Of kind generic: its mapping.
    pub mapping: Option<serde_json::Value>,
}

/// The mapping that a source's records are read with.
pub fn mapping_of(source: &lead_source::Model) -> Result<MappingSpec, Error> {
    match &source.mapping {
        Some(own) => MappingSpec::parse(&own.to_string())
            .map_err(|error| Error::internal(format!("reading lead_source.mapping of {}", source.id), error)),
        None => built_in(&source.kind).ok_or_else(|| {
            Error::internal(
                "finding a built-in mapping",
                format!("lead_source {} is of kind {}", source.id, source.kind),
            )
        }),
    }
}

fn built_in(kind: &str) -> Option<MappingSpec> {
    kind.parse::<SourceKind>().ok()?.mapping()
}

/// An error and its causes in one line: a mapping's author needs the cause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The mapping as data, as a person reads it.
pub fn mapping_json(source: &lead_source::Model) -> Result<serde_json::Value, Error> {
    serde_json::to_value(mapping_of(source)?).map_err(|error| Error::internal("writing a mapping", error))
}

/// All sources of the tenant, by slug.
pub async fn list(tx: &TenantTx) -> Result<Vec<lead_source::Model>, Error> {
    Ok(lead_source::Entity::of(tx.tenant()).order_by_asc(lead_source::Column::Slug).all(tx).await?)
}

/// The source of that id.
pub async fn by_id(tx: &TenantTx, id: SourceId) -> Result<lead_source::Model, Error> {
    lead_source::Entity::of(tx.tenant())
        .filter(lead_source::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("lead source", id))
}

/// The source of that slug.
pub async fn by_slug(tx: &TenantTx, slug: &str) -> Result<lead_source::Model, Error> {
    lead_source::Entity::of(tx.tenant())
        .filter(lead_source::Column::Slug.eq(slug))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("lead source", slug))
}

/// Makes a source.
pub async fn create(app: &App, tenant: TenantId, new: NewSource) -> Result<lead_source::Model, Error> {
    check_slug(&new.slug)?;
    let generic = new.kind == "generic";
    if !generic && built_in(&new.kind).is_none() {
        return Err(Error::invalid(
            "kind",
            "the kind must be experian, transunion, leadsource, npa or generic",
        ));
    }
    let mapping = match (generic, new.mapping) {
        (true, Some(mapping)) => Some(check_mapping(mapping)?),
        (true, None) => {
            return Err(Error::invalid(
                "mapping",
                "a source of kind generic needs a mapping; see docs/mappings.md",
            ));
        }
        (false, None) => None,
        (false, Some(_)) => {
            return Err(Error::invalid("mapping", "only a source of kind generic has a mapping of its own"));
        }
    };
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row = lead_source::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(app.ids.next(now)),
        name: Set(display(new.name, &new.slug)?),
        slug: Set(new.slug.clone()),
        kind: Set(new.kind),
        mapping: Set(mapping),
        enabled: Set(true),
        created_at: Set(now),
    };
    let taken = |error| slug_taken(error, "lead_source_tenant_id_slug_key", "lead source", &new.slug);
    let source = row.insert(&tx).await.map_err(taken)?;
    tx.commit().await?;
    Ok(source)
}

/// Changes a source.
pub async fn update(
    app: &App,
    tenant: TenantId,
    id: SourceId,
    change: SourceChange,
) -> Result<lead_source::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let source = by_id(&tx, id).await?;
    let generic = source.kind == "generic";
    let mut row: lead_source::ActiveModel = source.into();
    if let Some(name) = change.name {
        row.name = Set(check_name(&name)?);
    }
    if let Some(enabled) = change.enabled {
        row.enabled = Set(enabled);
    }
    if let Some(mapping) = change.mapping {
        if !generic {
            return Err(Error::invalid("mapping", "only a source of kind generic has a mapping of its own"));
        }
        row.mapping = Set(Some(check_mapping(mapping)?));
    }
    let source = row.update(&tx).await?;
    tx.commit().await?;
    Ok(source)
}

fn check_mapping(mapping: serde_json::Value) -> Result<serde_json::Value, Error> {
    MappingSpec::parse(&mapping.to_string()).map_err(|error| Error::invalid("mapping", chain(&error)))?;
    Ok(mapping)
}
