//! A destination's breaker, its signing secret, and what would be sent there.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::TimeDelta;
use domain::ids::{DestinationId, LeadId};
use secrecy::ExposeSecret as _;
use service::delivery::Shown;
use service::delivery::dry_run::{DryRun, Verdict, dry_run};
use service::delivery::manage;

use super::destinations::{Destination, changed};
use super::error::{ApiError, UserError, expected, found};
use super::id::Id;
use super::operation::{Operation, operation};

/// Longest sentence for holding a destination, in characters.
const REASON_CHARS_MAX: usize = 300;

/// What would become of a lead at a destination.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
enum DryRunVerdict {
    /// It would be sent.
    Send,
    /// A rule of the client would stop it.
    Rejected,
    /// It could not be sent as it is.
    Held,
}

/// A request as it would leave, secrets masked.
#[derive(SimpleObject)]
struct ShownRequest {
    method: String,
    /// Host and the end of the path.
    url: String,
    headers: Vec<ShownHeader>,
    /// The body; of a lookup the query.
    body: String,
}

#[derive(SimpleObject)]
struct ShownHeader {
    name: String,
    value: String,
}

/// What would be sent for a lead. Nothing is sent.
#[derive(SimpleObject)]
struct DestinationDryRun {
    verdict: DryRunVerdict,
    /// The category of a rejection.
    code: Option<String>,
    reason: Option<String>,
    request: Option<ShownRequest>,
    /// What would be asked before it was sent a second time.
    lookups: Vec<ShownRequest>,
}

impl From<Shown> for ShownRequest {
    fn from(shown: Shown) -> Self {
        let headers = shown.headers.into_iter().map(|(name, value)| ShownHeader { name, value });
        Self { method: shown.method.to_owned(), url: shown.url, headers: headers.collect(), body: shown.body }
    }
}

impl From<DryRun> for DestinationDryRun {
    fn from(run: DryRun) -> Self {
        let (verdict, code, reason) = match run.verdict {
            Verdict::Send => (DryRunVerdict::Send, None, None),
            Verdict::Rejected { code, reason } => (DryRunVerdict::Rejected, Some(code), Some(reason)),
            Verdict::Held { reason } => (DryRunVerdict::Held, None, Some(reason)),
        };
        let lookups = run.lookups.into_iter().map(Into::into).collect();
        Self { verdict, code, reason, request: run.request.map(Into::into), lookups }
    }
}

#[derive(Default)]
pub(super) struct ControlQueries;

#[Object]
impl ControlQueries {
    /// The exact request for a lead, secrets masked; null when there is no such destination or lead. Nothing is sent.
    async fn destination_dry_run(
        &self,
        context: &Context<'_>,
        destination: Id<DestinationId>,
        lead: Id<LeadId>,
    ) -> Result<Option<DestinationDryRun>, ApiError> {
        let operation = operation(context)?;
        let reads = operation.read().await?;
        let run = dry_run(&operation.app, &reads, destination.0, lead.0).await;
        Ok(run.map_err(service::Error::from)?.map(Into::into))
    }
}

#[derive(SimpleObject)]
struct RotateSigningSecretPayload {
    destination: Option<Arc<Destination>>,
    /// Shown once.
    signing_secret: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct HoldDestinationPayload {
    destination: Option<Arc<Destination>>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct ResumeDestinationPayload {
    destination: Option<Arc<Destination>>,
    /// Deliveries that are tried now.
    released: u64,
    error: Option<UserError>,
}

#[derive(Default)]
pub(super) struct ControlMutations;

#[Object]
impl ControlMutations {
    /// A new signing secret for a webhook. The one before signs beside it for `overlapHours`, at most 720.
    async fn rotate_signing_secret(
        &self,
        context: &Context<'_>,
        id: Id<DestinationId>,
        #[graphql(default = 24)] overlap_hours: u32,
    ) -> Result<RotateSigningSecretPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let overlap = TimeDelta::hours(overlap_hours.into());
        let rotated =
            operation.change(manage::rotate_signing_secret(&operation.app, tenant, id.0, overlap)).await;
        Ok(match expected(rotated)? {
            Ok((row, secret)) => RotateSigningSecretPayload {
                destination: changed(context, row).await?,
                signing_secret: Some(secret.expose_secret().to_owned()),
                error: None,
            },
            Err(error) => {
                RotateSigningSecretPayload { destination: None, signing_secret: None, error: Some(error) }
            }
        })
    }

    /// Stops a destination: its leads wait until it is resumed.
    async fn hold_destination(
        &self,
        context: &Context<'_>,
        id: Id<DestinationId>,
        reason: Option<String>,
    ) -> Result<HoldDestinationPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let reason = reason.unwrap_or_else(|| "held by hand".to_owned());
        if reason.chars().count() > REASON_CHARS_MAX {
            return Err(ApiError::invalid(
                "reason",
                format!("a reason has at most {REASON_CHARS_MAX} characters"),
            ));
        }
        if let Err(error) = expected(known(operation, id.0).await)? {
            return Ok(HoldDestinationPayload { destination: None, error: Some(error) });
        }
        let retries = operation.app.retries();
        operation.change(async { Ok(retries.hold(viewer.tenant, id.0, &reason).await?) }).await?;
        Ok(HoldDestinationPayload { destination: now(context, operation, id.0).await?, error: None })
    }

    /// Lets a held or open destination go on: what waits is sent now, and what failed because of it is tried again.
    async fn resume_destination(
        &self,
        context: &Context<'_>,
        id: Id<DestinationId>,
    ) -> Result<ResumeDestinationPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        if let Err(error) = expected(known(operation, id.0).await)? {
            return Ok(ResumeDestinationPayload { destination: None, released: 0, error: Some(error) });
        }
        let (retries, actor) = (operation.app.retries(), viewer.actor.to_string());
        let resume = async { Ok(retries.resume(viewer.tenant, id.0, &actor).await?) };
        let released = operation.change(resume).await?;
        let destination = now(context, operation, id.0).await?;
        Ok(ResumeDestinationPayload { destination, released, error: None })
    }
}

/// Whether the tenant has such a destination.
async fn known(operation: &Operation, id: DestinationId) -> Result<(), service::Error> {
    let Some(viewer) = &operation.identity.viewer else {
        return Err(service::Error::Unauthenticated("sign in first".into()));
    };
    let tx = operation.app.begin(viewer.tenant, service::database::Mode::ReadOnly).await?;
    manage::by_id(&tx, id).await.map(|_| ())
}

async fn now(
    context: &Context<'_>,
    operation: &Operation,
    id: DestinationId,
) -> Result<Option<Arc<Destination>>, ApiError> {
    let row = found(manage::by_id(&*operation.read().await?, id).await)?;
    match row {
        Some(row) => changed(context, row).await,
        None => Ok(None),
    }
}
