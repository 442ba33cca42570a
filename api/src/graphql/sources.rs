//! Lead sources.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use domain::ids::SourceId;
use entity::lead_source;
use secrecy::ExposeSecret;
use service::access::{self, Actor};
use service::intake::sources::{self, NewSource, SourceChange};
use service::intake::{leads, listing};

use super::at_hand::{AtHand, Below, Getter};
use super::big_int::BigInt;
use super::error::{ApiError, UserError, expected, found, stored};
use super::id::Id;
use super::operation::{Operation, Reads, operation};
use super::wants::{Selected, SourceWants, Wants};

/// How a source's records look.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::intake::SourceKind", rename_items = "UPPERCASE")]
pub enum SourceKind {
    Experian,
    TransUnion,
    LeadSource,
    Npa,
    Generic,
}

/// Where leads come from.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) row: lead_source::Model,
    kind: SourceKind,
    lead_count: Option<i64>,
}

#[Object]
impl Source {
    async fn id(&self) -> ID {
        ID(SourceId(self.row.id).to_string())
    }

    async fn slug(&self) -> &str {
        &self.row.slug
    }

    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn kind(&self) -> SourceKind {
        self.kind
    }

    async fn enabled(&self) -> bool {
        self.row.enabled
    }

    /// Only a generic source has one of its own; the built-in kinds show theirs.
    async fn mapping(&self) -> Result<serde_json::Value, ApiError> {
        Ok(sources::mapping_json(&self.row)?)
    }

    async fn created_at(&self) -> chrono::DateTime<chrono::Utc> {
        self.row.created_at
    }

    async fn lead_count(&self) -> Result<BigInt, ApiError> {
        self.lead_count.map(Into::into).ok_or_else(|| not_loaded("Source.leadCount"))
    }
}

impl AtHand for Source {
    fn getter(field: &str, _: &Below<'_>) -> Option<Getter<Self>> {
        Some(Getter::Leaf(match field {
            "id" => |source, out| out.id(SourceId(source.row.id)),
            "slug" => |source, out| out.string(&source.row.slug),
            "name" => |source, out| out.string(&source.row.name),
            "kind" => |source, out| out.enumerated(source.kind),
            "enabled" => |source, out| out.boolean(source.row.enabled),
            _ => return None,
        }))
    }
}

/// A field was resolved that its list had not loaded: a fault of the program, never of a request.
pub(super) fn not_loaded(field: &'static str) -> ApiError {
    ApiError::internal("resolving a relation", format!("{field} was not loaded with its list"))
}

/// The sources of those rows, with what is wanted of them.
pub(super) async fn load(
    reads: &Reads,
    rows: Vec<lead_source::Model>,
    wants: SourceWants,
) -> Result<Vec<Arc<Source>>, ApiError> {
    let counts: Option<HashMap<SourceId, i64>> = if wants.lead_count && !rows.is_empty() {
        Some(leads::count_by_source(reads).await?.into_iter().collect())
    } else {
        None
    };
    let source = |row: lead_source::Model| {
        let kind = row.kind.parse::<domain::intake::SourceKind>().ok();
        let kind = stored("lead_source.kind", row.id, &row.kind, kind)?.into();
        let count = |counts: &HashMap<SourceId, i64>| counts.get(&SourceId(row.id)).copied().unwrap_or(0);
        let lead_count = counts.as_ref().map(count);
        Ok(Arc::new(Source { row, kind, lead_count }))
    };
    rows.into_iter().map(source).collect()
}

/// The sources of those ids by id.
pub(super) async fn by_ids(
    reads: &Reads,
    ids: impl IntoIterator<Item = uuid::Uuid>,
    wants: SourceWants,
) -> Result<HashMap<uuid::Uuid, Arc<Source>>, ApiError> {
    let ids: Vec<SourceId> = distinct(ids).map(SourceId).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = listing::sources_by_ids(reads, &ids).await?;
    Ok(load(reads, rows, wants).await?.into_iter().map(|source| (source.row.id, source)).collect())
}

/// Each id once.
pub(super) fn distinct(ids: impl IntoIterator<Item = uuid::Uuid>) -> impl Iterator<Item = uuid::Uuid> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter()
}

/// A source after a change, as the payload's reads see it.
async fn changed(
    operation: &Operation,
    row: lead_source::Model,
    wants: SourceWants,
) -> Result<Arc<Source>, ApiError> {
    let reads = operation.read().await?;
    load(&reads, vec![row], wants).await?.pop().ok_or_else(|| not_loaded("source"))
}

#[derive(Default)]
pub(super) struct SourceQueries;

#[Object]
impl SourceQueries {
    async fn sources(&self, context: &Context<'_>) -> Result<Vec<Arc<Source>>, ApiError> {
        let reads = operation(context)?.read().await?;
        load(&reads, sources::list(&reads).await?, SourceWants::read(&Selected::here(context))).await
    }

    async fn source(&self, context: &Context<'_>, id: Id<SourceId>) -> Result<Option<Arc<Source>>, ApiError> {
        let reads = operation(context)?.read().await?;
        let row = found(sources::by_id(&reads, id.0).await)?;
        Ok(load(&reads, row.into_iter().collect(), SourceWants::read(&Selected::here(context))).await?.pop())
    }
}

#[derive(InputObject)]
struct CreateSourceInput {
    slug: String,
    name: Option<String>,
    kind: SourceKind,
    mapping: Option<serde_json::Value>,
}

#[derive(InputObject)]
struct UpdateSourceInput {
    id: Id<SourceId>,
    name: Option<String>,
    enabled: Option<bool>,
    mapping: Option<serde_json::Value>,
}

#[derive(Default, SimpleObject)]
struct CreateSourcePayload {
    source: Option<Arc<Source>>,
    /// Shown once.
    token: Option<String>,
    error: Option<UserError>,
}

#[derive(Default, SimpleObject)]
struct UpdateSourcePayload {
    source: Option<Arc<Source>>,
    error: Option<UserError>,
}

#[derive(Default, SimpleObject)]
struct CreateSourceTokenPayload {
    token: Option<String>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct SourceMutations;

#[Object]
impl SourceMutations {
    async fn create_source(
        &self,
        context: &Context<'_>,
        input: CreateSourceInput,
    ) -> Result<CreateSourcePayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let new = NewSource {
            slug: input.slug,
            name: input.name,
            kind: domain::intake::SourceKind::from(input.kind).to_string(),
            mapping: input.mapping,
        };
        let created = operation.change(sources::create(&operation.app, viewer.tenant, new)).await;
        let row = match expected(created)? {
            Ok(row) => row,
            Err(error) => return Ok(CreateSourcePayload { error: Some(error), ..Default::default() }),
        };
        let token = new_token(operation, SourceId(row.id), "first").await?;
        let wants = SourceWants::read(&Selected::here(context).field("source"));
        let source = Some(changed(operation, row, wants).await?);
        Ok(CreateSourcePayload { source, token: Some(token), error: None })
    }

    async fn update_source(
        &self,
        context: &Context<'_>,
        input: UpdateSourceInput,
    ) -> Result<UpdateSourcePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let change = SourceChange { name: input.name, enabled: input.enabled, mapping: input.mapping };
        let updated = operation.change(sources::update(&operation.app, tenant, input.id.0, change)).await;
        Ok(match expected(updated)? {
            Ok(row) => {
                let wants = SourceWants::read(&Selected::here(context).field("source"));
                UpdateSourcePayload { source: Some(changed(operation, row, wants).await?), error: None }
            }
            Err(error) => UpdateSourcePayload { source: None, error: Some(error) },
        })
    }

    /// A new token for POST /ingest/{source}; the former ones stay valid until revoked.
    async fn create_source_token(
        &self,
        context: &Context<'_>,
        source: Id<SourceId>,
        name: Option<String>,
    ) -> Result<CreateSourceTokenPayload, ApiError> {
        let operation = operation(context)?;
        let reads = operation.read().await?;
        let known = sources::by_id(&reads, source.0).await;
        drop(reads);
        if let Err(error) = expected(known)? {
            return Ok(CreateSourceTokenPayload { token: None, error: Some(error) });
        }
        let name = name.unwrap_or_else(|| "token".to_owned());
        match expected(issue_token(operation, source.0, &name).await)? {
            Ok(token) => Ok(CreateSourceTokenPayload { token: Some(token), error: None }),
            Err(error) => Ok(CreateSourceTokenPayload { token: None, error: Some(error) }),
        }
    }
}

async fn new_token(operation: &Operation, source: SourceId, name: &str) -> Result<String, ApiError> {
    Ok(issue_token(operation, source, name).await?)
}

async fn issue_token(operation: &Operation, source: SourceId, name: &str) -> Result<String, service::Error> {
    let Some(viewer) = &operation.identity.viewer else {
        return Err(service::Error::Unauthenticated("sign in first".into()));
    };
    let created_by = match viewer.actor {
        Actor::User(user) => Some(user),
        Actor::Key(_) | Actor::Operator | Actor::Schedule => None,
    };
    let made = access::create_source_token(&operation.app, viewer.tenant, source, name, created_by);
    let token = operation.change(made).await?;
    Ok(token.expose_secret().to_owned())
}
