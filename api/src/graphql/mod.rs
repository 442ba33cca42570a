//! The GraphQL schema: types and resolvers over `service`, one file a capability.
//!
//! One operation, one transaction: an operation's reads share a `REPEATABLE READ READ ONLY` transaction that the first of
//! them begins ([`operation`]); a mutation's change has the service's own, and its payload is read after it.
//!
//! One operation from end to end: the transport (`http::graphql`) has parsed, validated and bounded the document and
//! recognised the caller ([`Identity`]) → the guard looks the root field up in its table ([`permit`]) → the resolver of a
//! list reads what is asked of each type ([`wants`]), makes one statement a relation, and answers a tree in which nothing
//! is left to load → errors are ours ([`error`]) and are logged here, once, with the request's id.
//!
//! Deliberately absent: data loaders. They wait for more to load; the operation already says what it wants.

mod access;
mod alerts;
mod analytics;
mod at_hand;
mod audited;
mod big_int;
mod billing;
mod credentials;
mod crm;
mod deliveries;
mod delivery;
mod destination_control;
mod destinations;
mod error;
mod failed_records;
mod id;
mod imports;
mod inbound;
mod journey;
mod lead;
mod leads;
mod links;
mod operation;
mod page;
mod people;
mod permit;
mod progress;
mod providers;
mod reconciliation;
mod reconciling;
mod roles;
pub mod session;
mod sla;
mod sources;
mod statistics;
mod submitting;
mod tracking;
mod variables;
mod wants;
mod written;

use std::any::TypeId;
use std::sync::Arc;

use async_graphql::{
    MergedObject, Pos, Request, Response, SDLExportOptions, Schema, SchemaBuilder, ValidationMode,
};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use service::App;

pub use audited::{AUDITED, Audited};
pub use error::{ApiError, UserError};
pub use permit::{Needs, PERMITS, needs, roles_document};
pub use session::{CookieSlot, Identity, SessionCookies, SetCookies};

use crate::http::graphql::{Engine, RequestId};
use operation::Operation;
use permit::Guarded;
use progress::Subscriptions;

/// Levels of fields: `leads → edges → node → deliveries → lead → source` is six, introspection takes fifteen.
const DEPTH_MAX: usize = 16;
/// Fields that an operation may come to, a page counted as often as it has rows. A hundred leads with everything that
/// the schema has of them come to some 15,000.
const COMPLEXITY_MAX: usize = 30_000;

#[derive(Default, MergedObject)]
struct Query(
    access::AccessQueries,
    people::PeopleQueries,
    credentials::CredentialQueries,
    leads::LeadQueries,
    sources::SourceQueries,
    imports::ImportQueries,
    failed_records::FailedRecordQueries,
    destinations::DestinationQueries,
    destination_control::ControlQueries,
    deliveries::DeliveryQueries,
    statistics::StatisticsQueries,
    providers::ProviderQueries,
    links::LinkQueries,
    roles::RoleQueries,
    sla::SlaQueries,
    sla::ClockQueries,
    sla::WorthQueries,
    sla::PromiseQueries,
    sla::EscalationQueries,
    billing::BillingQueries,
    reconciliation::ReconciliationQueries,
    tracking::TrackingQueries,
    alerts::AlertQueries,
    inbound::InboundQueries,
    crm::CrmQueries,
    analytics::AnalyticsQueries,
);

#[derive(Default, MergedObject)]
struct Mutation(
    access::AccessMutations,
    people::PeopleMutations,
    credentials::CredentialMutations,
    sources::SourceMutations,
    destinations::DestinationMutations,
    destination_control::ControlMutations,
    submitting::SubmitMutations,
    failed_records::FailedRecordMutations,
    imports::ImportMutations,
    deliveries::DeliveryMutations,
    providers::ProviderMutations,
    links::LinkMutations,
    sla::PromiseMutations,
    sla::WorthMutations,
    sla::EscalationMutations,
    billing::BillingMutations,
    reconciling::ReconciliationMutations,
    tracking::TrackingMutations,
    alerts::AlertMutations,
    inbound::InboundMutations,
    crm::CrmMutations,
);

type Roots = Schema<Guarded<Query>, Guarded<Mutation>, Guarded<Subscriptions>>;

fn build() -> Roots {
    let builder: SchemaBuilder<_, _, _> =
        Schema::build(Guarded(Query::default()), Guarded(Mutation::default()), Guarded(Subscriptions));
    builder
        .disable_suggestions()
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        // The transport has validated the document, by a stricter implementation.
        .validation_mode(ValidationMode::Fast)
        .finish()
}

/// The schema in the schema definition language: `schema.graphql`.
pub fn sdl() -> String {
    export(&build())
}

fn export(schema: &Roots) -> String {
    schema.sdl_with_options(SDLExportOptions::new().use_space_ident().prefer_single_line_descriptions())
}

/// The schema over an open [`App`].
pub fn schema(app: Arc<App>) -> impl Engine {
    Graph { schema: build(), app }
}

struct Graph {
    schema: Roots,
    app: Arc<App>,
}

impl Graph {
    /// Gives the operation its shared state.
    fn equip(&self, mut request: Request) -> (Request, Arc<Operation>, Option<RequestId>) {
        variables::complete(&mut request);
        let identity = of_request::<Identity>(&request).unwrap_or_default();
        let id = of_request::<RequestId>(&request);
        if identity.viewer.is_none() {
            // Then introspection is a field like any other, and the guard refuses it.
            request = request.disable_introspection();
        }
        let operation = Arc::new(Operation::new(Arc::clone(&self.app), identity));
        (request.data(Arc::clone(&operation)), operation, id)
    }
}

fn of_request<T: Clone + 'static>(request: &Request) -> Option<T> {
    request.data.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
}

/// Logs what went wrong, once an error, at the boundary.
fn reported(mut response: Response, id: Option<&RequestId>) -> Response {
    for error in &mut response.errors {
        error::report(error, id);
    }
    response
}

impl Engine for Graph {
    fn sdl(&self) -> String {
        export(&self.schema)
    }

    fn trusted_document(&self, hash: &str) -> Option<String> {
        crate::http::dashboard::trusted_document(hash)
    }

    fn execute(&self, request: Request) -> BoxFuture<'_, Response> {
        async move {
            let (request, operation, id) = self.equip(request);
            let response = self.schema.execute(request).await;
            operation.finish_reads().await;
            reported(response, id.as_ref())
        }
        .boxed()
    }

    fn subscribe(&self, request: Request) -> BoxStream<'static, Response> {
        let (request, operation, id) = self.equip(request);
        self.schema
            .execute_stream(request)
            .then(move |response| {
                // What the event's own fields have read must not stay open until the next event.
                let (operation, id) = (Arc::clone(&operation), id.clone());
                async move {
                    operation.finish_reads().await;
                    // It may go on for hours: whoever has lost the right to come in hears no more.
                    match operation.require_still().await {
                        Ok(()) => (reported(response, id.as_ref()), false),
                        Err(error) => {
                            let error = async_graphql::Error::from(error).into_server_error(Pos::default());
                            (reported(Response::from_errors(vec![error]), id.as_ref()), true)
                        }
                    }
                }
            })
            .scan(false, |over, (response, refused)| {
                let next = (!*over).then_some(response);
                *over |= refused;
                std::future::ready(next)
            })
            .boxed()
    }
}
