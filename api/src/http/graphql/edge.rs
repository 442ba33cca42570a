//! One operation from its parameters to its answer, the same for every transport.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::{Request, Variables};
use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};

use super::Engine;
use super::answer::{Answer, Fault, RequestId, UNAVAILABLE};
use super::auth::{Authenticate, Caller};
use super::document::{Documents, InvalidSchema};
use super::limits::Limits;
use super::params::Params;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
    Subscription,
}

/// An operation that has passed every check and waits for its engine.
pub(super) struct Ready {
    pub(super) kind: Kind,
    /// Fields once the fragments are expanded.
    pub(super) fields: u64,
    request: Request,
}

/// The state behind the routes.
pub(super) struct Edge {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) auth: Arc<dyn Authenticate>,
    pub(super) limits: Limits,
    documents: Documents,
}

impl Edge {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        auth: Arc<dyn Authenticate>,
        limits: Limits,
    ) -> Result<Self, InvalidSchema> {
        let documents = Documents::new(&engine.sdl(), &limits)?;
        Ok(Self { engine, auth, limits, documents })
    }

    /// Checks an operation up to the point where the engine may execute it.
    pub(super) fn prepare(&self, mut params: Params) -> Result<Ready, Fault> {
        if params.query.is_empty() {
            params.query = self.trusted(&params)?;
        }
        let prepared = self.documents.prepare(&params.query, &self.limits)?;
        let operation = prepared.operation(params.operation_name.as_deref())?;
        self.documents.complete_variables(operation, &mut params.variables)?;
        let kind = if operation.is_mutation() {
            Kind::Mutation
        } else if operation.is_subscription() {
            Kind::Subscription
        } else {
            Kind::Query
        };
        let fields = prepared.fields(operation);
        let variables = Variables::from_json(serde_json::Value::Object(params.variables));
        let mut request = Request::new(params.query).variables(variables);
        request.operation_name = params.operation_name;
        request.extensions.extend(
            params
                .extensions
                .into_iter()
                .filter_map(|(name, value)| Some((name, async_graphql::Value::from_json(value).ok()?))),
        );
        request.set_parsed_query(prepared.document.clone());
        Ok(Ready { kind, fields, request })
    }

    /// The text of a document that came by its hash. The words of the refusal are the protocol's: clients look for them and send
    /// the text.
    fn trusted(&self, params: &Params) -> Result<String, Fault> {
        params.hash().and_then(|hash| self.engine.trusted_document(hash)).ok_or_else(|| {
            Fault::http(StatusCode::OK, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound".to_owned())
        })
    }

    /// Executes a query or a mutation. A panic becomes an answer, and so does the end of the time that it may take.
    pub(super) fn execute(
        &self,
        ready: Ready,
        caller: &Caller,
        id: &RequestId,
    ) -> BoxFuture<'static, Answer> {
        let request = equip(ready.request, caller, id);
        let (engine, id, time_max) = (Arc::clone(&self.engine), id.clone(), self.limits.execution_time_max);
        async move {
            let execution = AssertUnwindSafe(async move { engine.execute(request).await }).catch_unwind();
            match tokio::time::timeout(time_max, execution).await {
                Ok(Ok(response)) => Answer::finish(response, &id),
                Ok(Err(_panic)) => internal(&id).into(),
                Err(_elapsed) => {
                    let message = format!("the operation took more than {} seconds", time_max.as_secs());
                    Fault::http(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, message).into()
                }
            }
        }
        .boxed()
    }

    /// Executes any operation as a stream of answers: one for a query or a mutation, any number for a subscription. A panic ends
    /// the stream with an answer.
    pub(super) fn stream(&self, ready: Ready, caller: &Caller, id: &RequestId) -> BoxStream<'static, Answer> {
        if ready.kind != Kind::Subscription {
            return self.execute(ready, caller, id).into_stream().boxed();
        }
        let request = equip(ready.request, caller, id);
        let (engine, id) = (Arc::clone(&self.engine), id.clone());
        // The engine is called inside of the stream, so that a panic while the stream is made is caught as well.
        let responses = stream::once(async move { engine.subscribe(request) }).flatten();
        AssertUnwindSafe(responses)
            .catch_unwind()
            .map(move |response| match response {
                Ok(response) => Answer::finish(response, &id),
                Err(_panic) => internal(&id).into(),
            })
            .boxed()
    }
}

/// Puts what resolvers look for into the request's data.
fn equip(mut request: Request, caller: &Caller, id: &RequestId) -> Request {
    caller.attach(&mut request.data);
    request.data(id.clone())
}

/// Logs and answers a panic. Its text stays with the panic hook: it may hold anything.
pub(super) fn internal(id: &RequestId) -> Fault {
    tracing::error!(request.id = %id.0, "a resolver panicked");
    Fault::internal(id)
}
