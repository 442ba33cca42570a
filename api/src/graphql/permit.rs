//! Who may ask for what: one table, one guard in front of every root field.
//!
//! A field that the table does not name is refused to everybody, so a new one cannot be forgotten. What lies below a
//! root field is of the viewer's own tenant and needs nothing more. `docs/roles.md` shows the same table for people and is
//! compared with it by a test.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::pin::Pin;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{ContainerType, resolve_container};
use async_graphql::{
    Context, ContextSelectionSet, ObjectType, OutputType, Positioned, Response, ServerError, ServerResult,
    SubscriptionType, Value,
};
use domain::access::{RIGHTS, ROLES, Right};
use futures_util::stream::{self, Stream, StreamExt};

use super::audited;
use super::error::ApiError;
use super::operation::operation;

/// What a caller needs for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the field is there to get in.
    Nobody,
    /// That right, by role and by scope. Which role has it: [`domain::access::RIGHTS`].
    Right(Right),
}

/// Every root field and what it needs.
pub const PERMITS: &[(&str, Needs)] = &[
    ("signIn", Needs::Nobody),
    ("acceptInvitation", Needs::Nobody),
    ("__schema", Needs::Right(Right::Own)),
    ("__type", Needs::Right(Right::Own)),
    ("viewer", Needs::Right(Right::Own)),
    ("leads", Needs::Right(Right::LeadsRead)),
    ("lead", Needs::Right(Right::LeadsRead)),
    ("sources", Needs::Right(Right::SourcesRead)),
    ("source", Needs::Right(Right::SourcesRead)),
    ("imports", Needs::Right(Right::ImportsRead)),
    ("import", Needs::Right(Right::ImportsRead)),
    ("failedRecords", Needs::Right(Right::LeadsRead)),
    ("failedRecord", Needs::Right(Right::LeadsRead)),
    ("destinations", Needs::Right(Right::DestinationsRead)),
    ("destination", Needs::Right(Right::DestinationsRead)),
    ("deliveries", Needs::Right(Right::DeliveriesRead)),
    ("delivery", Needs::Right(Right::DeliveriesRead)),
    ("deliveryStatistics", Needs::Right(Right::DeliveriesRead)),
    ("signOut", Needs::Right(Right::Own)),
    ("submitLead", Needs::Right(Right::LeadsWrite)),
    ("correctFailedRecord", Needs::Right(Right::LeadsWrite)),
    ("dismissFailedRecord", Needs::Right(Right::LeadsWrite)),
    ("retryDelivery", Needs::Right(Right::DeliveriesRetry)),
    ("createSource", Needs::Right(Right::SourcesWrite)),
    ("updateSource", Needs::Right(Right::SourcesWrite)),
    ("createSourceToken", Needs::Right(Right::SourcesWrite)),
    ("createDestination", Needs::Right(Right::DestinationsWrite)),
    ("updateDestination", Needs::Right(Right::DestinationsWrite)),
    ("cancelImport", Needs::Right(Right::ImportsWrite)),
    ("retryAllFailed", Needs::Right(Right::DeliveriesWrite)),
    ("importProgress", Needs::Right(Right::ImportsRead)),
    ("users", Needs::Right(Right::UsersRead)),
    ("invitations", Needs::Right(Right::UsersRead)),
    ("teams", Needs::Right(Right::TeamsRead)),
    ("accessSettings", Needs::Right(Right::SettingsRead)),
    ("apiKeys", Needs::Right(Right::KeysRead)),
    ("sessions", Needs::Right(Right::Own)),
    ("auditLog", Needs::Right(Right::AuditRead)),
    ("inviteUser", Needs::Right(Right::UsersWrite)),
    ("revokeInvitation", Needs::Right(Right::UsersWrite)),
    ("updateUser", Needs::Right(Right::UsersWrite)),
    ("resetPassword", Needs::Right(Right::UsersWrite)),
    ("createTeam", Needs::Right(Right::TeamsWrite)),
    ("updateTeam", Needs::Right(Right::TeamsWrite)),
    ("removeTeam", Needs::Right(Right::TeamsWrite)),
    ("updateAccessSettings", Needs::Right(Right::SettingsWrite)),
    ("createApiKey", Needs::Right(Right::KeysWrite)),
    ("revokeApiKey", Needs::Right(Right::KeysWrite)),
    ("rotateSigningKey", Needs::Right(Right::KeysWrite)),
    ("endSessions", Needs::Right(Right::Own)),
    ("changePassword", Needs::Right(Right::Own)),
    ("rights", Needs::Right(Right::Own)),
    ("signInOptions", Needs::Nobody),
    ("linkDoor", Needs::Nobody),
    ("redeemFrameCode", Needs::Nobody),
    ("proveFrame", Needs::Nobody),
    ("openResourceLink", Needs::Right(Right::Own)),
    ("issueFrameCode", Needs::Right(Right::Own)),
    ("identityProviders", Needs::Right(Right::SignInRead)),
    ("createIdentityProvider", Needs::Right(Right::SignInWrite)),
    ("updateIdentityProvider", Needs::Right(Right::SignInWrite)),
    ("deleteIdentityProvider", Needs::Right(Right::SignInWrite)),
    ("resourceLinks", Needs::Right(Right::LinksRead)),
    ("createResourceLink", Needs::Right(Right::LinksWrite)),
    ("revokeResourceLink", Needs::Right(Right::LinksWrite)),
    ("embedding", Needs::Right(Right::SignInRead)),
    ("setFrameAncestors", Needs::Right(Right::SignInWrite)),
    ("setFrameProof", Needs::Right(Right::SignInWrite)),
    ("destinationDryRun", Needs::Right(Right::LeadsRead)),
    ("retryDeliveries", Needs::Right(Right::DeliveriesRetry)),
    ("confirmDelivery", Needs::Right(Right::DeliveriesRetry)),
    ("rotateSigningSecret", Needs::Right(Right::DestinationsWrite)),
    ("holdDestination", Needs::Right(Right::DestinationsWrite)),
    ("resumeDestination", Needs::Right(Right::DestinationsWrite)),
    ("slaAdherence", Needs::Right(Right::SlaRead)),
    ("slaOpenClocks", Needs::Right(Right::SlaRead)),
    ("slaBreaches", Needs::Right(Right::SlaRead)),
    ("slaClocks", Needs::Right(Right::SlaRead)),
    ("slaHeatMap", Needs::Right(Right::SlaRead)),
    ("slaSources", Needs::Right(Right::SlaRead)),
    ("slaPerformance", Needs::Right(Right::SlaRead)),
    ("slaChoices", Needs::Right(Right::SlaRead)),
    ("slaProblems", Needs::Right(Right::SlaRead)),
    ("sourceCosts", Needs::Right(Right::SlaRead)),
    ("setSourceCost", Needs::Right(Right::SlaWrite)),
    ("slaPolicies", Needs::Right(Right::SlaRead)),
    ("slaPolicy", Needs::Right(Right::SlaRead)),
    ("slaCalendars", Needs::Right(Right::SlaRead)),
    ("slaPreview", Needs::Right(Right::SlaRead)),
    ("slaWhatIf", Needs::Right(Right::SlaRead)),
    ("slaNow", Needs::Right(Right::SlaRead)),
    ("slaCases", Needs::Right(Right::SlaRead)),
    ("slaThresholds", Needs::Right(Right::SlaRead)),
    ("slaSlots", Needs::Right(Right::SlaRead)),
    ("slaChanges", Needs::Right(Right::SlaRead)),
    ("recordContact", Needs::Right(Right::LeadsWrite)),
    ("pauseSlaClock", Needs::Right(Right::LeadsWrite)),
    ("bookSlaHelp", Needs::Right(Right::SlaWrite)),
    ("createSlaCalendar", Needs::Right(Right::SlaWrite)),
    ("updateSlaCalendar", Needs::Right(Right::SlaWrite)),
    ("createSlaPolicy", Needs::Right(Right::SlaWrite)),
    ("updateSlaPolicy", Needs::Right(Right::SlaWrite)),
    ("setSlaThreshold", Needs::Right(Right::SlaWrite)),
    ("removeSlaThreshold", Needs::Right(Right::SlaWrite)),
    ("closeSlaCase", Needs::Right(Right::SlaWrite)),
    ("addSlaSlot", Needs::Right(Right::SlaWrite)),
    ("moveSlaBooking", Needs::Right(Right::SlaWrite)),
    ("partners", Needs::Right(Right::BillingRead)),
    ("partner", Needs::Right(Right::BillingRead)),
    ("products", Needs::Right(Right::BillingRead)),
    ("ratePlans", Needs::Right(Right::BillingRead)),
    ("ratePlan", Needs::Right(Right::BillingRead)),
    ("billingOverview", Needs::Right(Right::BillingRead)),
    ("billingDraft", Needs::Right(Right::BillingRead)),
    ("billingWhatIf", Needs::Right(Right::BillingRead)),
    ("billingReports", Needs::Right(Right::BillingRead)),
    ("billingReport", Needs::Right(Right::BillingRead)),
    ("billingTrend", Needs::Right(Right::BillingRead)),
    ("billingDifference", Needs::Right(Right::BillingRead)),
    ("leadBilling", Needs::Right(Right::LeadsRead)),
    ("recordActions", Needs::Right(Right::BillingRecord)),
    ("createPartner", Needs::Right(Right::BillingWrite)),
    ("updatePartner", Needs::Right(Right::BillingWrite)),
    ("createProduct", Needs::Right(Right::BillingWrite)),
    ("createRatePlan", Needs::Right(Right::BillingWrite)),
    ("addRatePlanVersion", Needs::Right(Right::BillingWrite)),
    ("closeBillingPeriod", Needs::Right(Right::BillingWrite)),
    ("reissueBillingReport", Needs::Right(Right::BillingWrite)),
    ("voidBillingReport", Needs::Right(Right::BillingWrite)),
    ("announceBillingReport", Needs::Right(Right::BillingWrite)),
    ("createReportLink", Needs::Right(Right::BillingWrite)),
    ("revokeReportLink", Needs::Right(Right::BillingWrite)),
    ("reconciliations", Needs::Right(Right::ReconciliationRead)),
    ("reconciliation", Needs::Right(Right::ReconciliationRead)),
    ("differences", Needs::Right(Right::ReconciliationRead)),
    ("differenceHistory", Needs::Right(Right::ReconciliationRead)),
    ("differenceStanding", Needs::Right(Right::ReconciliationRead)),
    ("reconciliationPlan", Needs::Right(Right::ReconciliationRead)),
    ("decideDifference", Needs::Right(Right::ReconciliationWrite)),
    ("startReconciliation", Needs::Right(Right::ReconciliationWrite)),
    ("resendDifferences", Needs::Right(Right::ReconciliationWrite)),
    ("proveDifferences", Needs::Right(Right::ReconciliationWrite)),
    ("changeReconciliationPlan", Needs::Right(Right::ReconciliationWrite)),
    ("succeededLeads", Needs::Right(Right::TrackingRead)),
    ("failedLeads", Needs::Right(Right::TrackingRead)),
    ("submissionsByPhone", Needs::Right(Right::TrackingRead)),
    ("conversationSessions", Needs::Right(Right::TrackingRead)),
    ("submissionRates", Needs::Right(Right::TrackingRead)),
    ("submissionsByDay", Needs::Right(Right::TrackingRead)),
    ("retryFailedLeads", Needs::Right(Right::DeliveriesRetry)),
    ("retryAllFailedLeads", Needs::Right(Right::DeliveriesWrite)),
    ("alerts", Needs::Right(Right::AlertsRead)),
    ("alertChannels", Needs::Right(Right::AlertsWrite)),
    ("alertRules", Needs::Right(Right::AlertsRead)),
    ("alertSettings", Needs::Right(Right::AlertsRead)),
    ("createAlertChannel", Needs::Right(Right::AlertsWrite)),
    ("updateAlertChannel", Needs::Right(Right::AlertsWrite)),
    ("deleteAlertChannel", Needs::Right(Right::AlertsWrite)),
    ("testAlertChannel", Needs::Right(Right::AlertsWrite)),
    ("createAlertRule", Needs::Right(Right::AlertsWrite)),
    ("updateAlertRule", Needs::Right(Right::AlertsWrite)),
    ("deleteAlertRule", Needs::Right(Right::AlertsWrite)),
    ("setAlertSummaryHour", Needs::Right(Right::AlertsWrite)),
    ("inboundEndpoint", Needs::Right(Right::DestinationsRead)),
    ("inboundHooks", Needs::Right(Right::TrackingRead)),
    ("inboundHook", Needs::Right(Right::TrackingRead)),
    ("processReports", Needs::Right(Right::TrackingWrite)),
    ("setInboundWords", Needs::Right(Right::DestinationsWrite)),
    ("crmRecords", Needs::Right(Right::LeadsRead)),
    ("crmChanges", Needs::Right(Right::ReconciliationRead)),
    ("leadCrmLinks", Needs::Right(Right::LeadsRead)),
    ("syncCrm", Needs::Right(Right::ReconciliationWrite)),
    ("responseAnalytics", Needs::Right(Right::DeliveriesRead)),
    ("openInboundEndpoint", Needs::Right(Right::DestinationsWrite)),
    ("closeInboundEndpoint", Needs::Right(Right::DestinationsWrite)),
    ("suppressions", Needs::Right(Right::TrackingRead)),
    ("suppress", Needs::Right(Right::LeadsWrite)),
    ("unsuppress", Needs::Right(Right::TrackingWrite)),
];

/// What that root field needs; none when it is not in the table.
pub fn needs(field: &str) -> Option<Needs> {
    PERMITS.iter().find(|(name, _)| *name == field).map(|(_, needs)| *needs)
}

/// Roles, rights and fields as a document for people: `docs/roles.md`, written by `baton schema --roles`.
pub fn roles_document() -> String {
    let mut text = String::from(ROLES_HEAD);
    let heads: Vec<&str> = ROLES.iter().map(|role| role.as_str()).collect();
    let _ = writeln!(text, "| right | {} | what it allows |", heads.join(" | "));
    let _ = writeln!(text, "| --- |{} --- |", " :-: |".repeat(heads.len()));
    for (right, roles) in RIGHTS {
        let marks: Vec<&str> = ROLES.iter().map(|role| if roles.contains(role) { "●" } else { "" }).collect();
        let _ = writeln!(text, "| `{right}` | {} | {} |", marks.join(" | "), right.about());
    }
    text.push_str("\n## Fields\n\n| field | needs |\n| --- | --- |\n");
    for (field, needs) in PERMITS {
        let _ = match needs {
            Needs::Nobody => writeln!(text, "| `{field}` | nothing: it is there to get in |"),
            Needs::Right(right) => writeln!(text, "| `{field}` | `{right}` |"),
        };
    }
    text
}

const ROLES_HEAD: &str = "# Roles\n\nWritten by `baton schema --roles > docs/roles.md` from the tables in \
    `domain/src/access/right.rs` and `api/src/graphql/permit.rs`;\na test compares. A *role* is a set of *rights*; the \
    *scope* of an API key or token narrows it (`leads:read leads:write`, or `*` for all).\nA partner reads the billing of \
    its own company only, and an agent, where the tenant says so, the leads of its teams' sources\nonly: both are enforced \
    by row-level security, not by the field.\n\n";

fn permit(context: &Context<'_>) -> Result<(), ApiError> {
    let field = context.item.node.name.node.as_str();
    let needs = needs(field).ok_or_else(|| {
        ApiError::internal("looking up who may ask", format!("the root field `{field}` is not in the table"))
    })?;
    match needs {
        Needs::Nobody => Ok(()),
        Needs::Right(right) => Ok(operation(context)?.viewer()?.require(right)?),
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
        if let Some(error) = refusal(context) {
            return Err(error);
        }
        let resolved = self.0.resolve_field(context).await?;
        audit(context).await?;
        Ok(resolved)
    }
}

/// Tells the audit log what a mutation has changed. One that cannot be written down is not answered as done.
async fn audit(context: &Context<'_>) -> ServerResult<()> {
    let Ok(operation) = operation(context) else { return Ok(()) };
    let told = audited::record(context, operation).await;
    told.map_err(|error| {
        context.set_error_path(async_graphql::Error::from(error).into_server_error(context.item.pos))
    })
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
