//! Who may ask for what: one table, one guard in front of every root field.
//!
//! A field that the table does not name is refused to everybody, so a new one cannot be forgotten. What lies below a
//! root field is of the viewer's own tenant and needs nothing more.

use std::borrow::Cow;
use std::pin::Pin;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{ContainerType, resolve_container};
use async_graphql::{
    Context, ContextSelectionSet, ObjectType, OutputType, Positioned, Response, ServerError, ServerResult,
    SubscriptionType, Value,
};
use futures_util::stream::{self, Stream, StreamExt};
use service::Error;
use tenants::Role;

use super::error::ApiError;
use super::operation::operation;

/// What a caller needs for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the field is there to get in.
    Nobody,
    /// To be signed in, as a member or an admin.
    Member,
    /// The role admin.
    Admin,
}

/// Every root field and what it needs. Members read everything of their tenant and work with its leads; what changes how
/// leads come in or go out, or touches many at once, is an admin's.
pub const PERMITS: &[(&str, Needs)] = &[
    ("signIn", Needs::Nobody),
    ("__schema", Needs::Member),
    ("__type", Needs::Member),
    ("viewer", Needs::Member),
    ("leads", Needs::Member),
    ("lead", Needs::Member),
    ("sources", Needs::Member),
    ("source", Needs::Member),
    ("imports", Needs::Member),
    ("import", Needs::Member),
    ("failedRecords", Needs::Member),
    ("failedRecord", Needs::Member),
    ("destinations", Needs::Member),
    ("destination", Needs::Member),
    ("deliveries", Needs::Member),
    ("delivery", Needs::Member),
    ("deliveryStatistics", Needs::Member),
    ("succeededLeads", Needs::Member),
    ("failedLeads", Needs::Member),
    ("submissionsByPhone", Needs::Member),
    ("conversationSessions", Needs::Member),
    ("submissionRates", Needs::Member),
    ("submissionsByDay", Needs::Member),
    ("retryFailedLeads", Needs::Member),
    ("alerts", Needs::Member),
    ("alertChannels", Needs::Admin),
    ("alertRules", Needs::Member),
    ("alertSettings", Needs::Member),
    ("createAlertChannel", Needs::Admin),
    ("updateAlertChannel", Needs::Admin),
    ("deleteAlertChannel", Needs::Admin),
    ("testAlertChannel", Needs::Admin),
    ("createAlertRule", Needs::Admin),
    ("updateAlertRule", Needs::Admin),
    ("deleteAlertRule", Needs::Admin),
    ("setAlertSummaryHour", Needs::Admin),
    ("inboundEndpoint", Needs::Member),
    ("inboundHooks", Needs::Member),
    ("openInboundEndpoint", Needs::Admin),
    ("closeInboundEndpoint", Needs::Admin),
    ("suppressions", Needs::Member),
    ("suppress", Needs::Member),
    ("unsuppress", Needs::Admin),
    ("signOut", Needs::Member),
    ("submitLead", Needs::Member),
    ("correctFailedRecord", Needs::Member),
    ("dismissFailedRecord", Needs::Member),
    ("retryDelivery", Needs::Member),
    ("createSource", Needs::Admin),
    ("updateSource", Needs::Admin),
    ("createSourceToken", Needs::Admin),
    ("createDestination", Needs::Admin),
    ("updateDestination", Needs::Admin),
    ("cancelImport", Needs::Admin),
    ("retryAllFailed", Needs::Admin),
    ("importProgress", Needs::Member),
];

/// What that root field needs; none when it is not in the table.
pub fn needs(field: &str) -> Option<Needs> {
    PERMITS.iter().find(|(name, _)| *name == field).map(|(_, needs)| *needs)
}

fn permit(context: &Context<'_>) -> Result<(), ApiError> {
    let field = context.item.node.name.node.as_str();
    let needs = needs(field).ok_or_else(|| {
        ApiError::internal("looking up who may ask", format!("the root field `{field}` is not in the table"))
    })?;
    let viewer = operation(context)?.identity.viewer.as_ref();
    match (needs, viewer.map(|viewer| viewer.role)) {
        (Needs::Nobody, _) | (Needs::Member, Some(Role::Member)) | (_, Some(Role::Admin)) => Ok(()),
        (_, None) => Err(ApiError::unauthenticated()),
        (_, Some(_)) => Err(Error::Forbidden("this needs the role admin".into()).into()),
    }
}

fn refusal(context: &Context<'_>) -> Option<ServerError> {
    let error = permit(context).err()?;
    Some(context.set_error_path(async_graphql::Error::from(error).into_server_error(context.item.pos)))
}

/// A root object with the guard in front of each of its fields.
pub(super) struct Guarded<T>(pub(super) T);

impl<T: ObjectType> OutputType for Guarded<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        resolve_container(context, self).await
    }
}

impl<T: ObjectType> ContainerType for Guarded<T> {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Value>> {
        match refusal(context) {
            Some(error) => Err(error),
            None => self.0.resolve_field(context).await,
        }
    }
}

impl<T: ObjectType> ObjectType for Guarded<T> {}

impl<T: SubscriptionType> SubscriptionType for Guarded<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn create_field_stream<'a>(
        &'a self,
        context: &'a Context<'_>,
    ) -> Option<Pin<Box<dyn Stream<Item = Response> + Send + 'a>>> {
        match refusal(context) {
            Some(error) => Some(stream::iter([Response::from_errors(vec![error])]).boxed()),
            None => self.0.create_field_stream(context),
        }
    }
}
