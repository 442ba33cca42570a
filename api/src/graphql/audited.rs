//! What of a mutation goes into the tenant's audit log: one table, one place that writes.
//!
//! The guard of the root fields ([`super::permit`]) writes the line, after the change is durable: it knows the field, who
//! asks, and what was given; that something was changed it knows from [`super::operation::Operation::change`]. A line
//! names what was changed and which fields were given, never their values: some are secrets, some are a lead's.
//!
//! Where a line should say more, or where a command does the same, the service writes it: such a field is `ByService`.

use async_graphql::{Context, Value};
use serde_json::json;
use service::access;

use super::error::ApiError;
use super::operation::Operation;

/// Who writes what a mutation leaves in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audited {
    /// The guard, by that name.
    As(&'static str),
    /// The service or the resolver, with more detail.
    ByService,
    /// Nobody: it is work on leads, which have a history of their own, or changes nothing.
    Not,
}

use Audited::{As, ByService, Not};

/// Every mutation. A test compares it with the schema.
pub const AUDITED: &[(&str, Audited)] = &[
    ("signIn", Not),
    ("signOut", Not),
    ("inviteUser", ByService),
    ("revokeInvitation", ByService),
    ("acceptInvitation", ByService),
    ("updateUser", ByService),
    ("resetPassword", ByService),
    ("createTeam", ByService),
    ("updateTeam", ByService),
    ("removeTeam", ByService),
    ("updateAccessSettings", ByService),
    ("createApiKey", ByService),
    ("revokeApiKey", ByService),
    ("rotateSigningKey", ByService),
    ("endSessions", ByService),
    ("changePassword", ByService),
    ("createSource", As("source.created")),
    ("updateSource", As("source.updated")),
    ("createSourceToken", As("source.token_created")),
    ("createDestination", As("destination.created")),
    ("updateDestination", As("destination.updated")),
    ("rotateSigningSecret", As("destination.secret_rotated")),
    ("holdDestination", As("destination.held")),
    ("resumeDestination", As("destination.resumed")),
    ("submitLead", Not),
    ("correctFailedRecord", Not),
    ("dismissFailedRecord", As("failed_record.dismissed")),
    ("cancelImport", As("import.cancelled")),
    ("retryDelivery", As("delivery.retried")),
    ("retryDeliveries", As("delivery.retried")),
    ("confirmDelivery", As("delivery.confirmed")),
    ("retryAllFailed", As("delivery.retried_all")),
    ("retryFailedLeads", As("delivery.retried")),
    ("retryAllFailedLeads", As("delivery.retried_all")),
    ("createIdentityProvider", ByService),
    ("updateIdentityProvider", ByService),
    ("deleteIdentityProvider", ByService),
    ("createResourceLink", ByService),
    ("revokeResourceLink", ByService),
    ("openResourceLink", ByService),
    ("issueFrameCode", Not),
    ("redeemFrameCode", Not),
    ("proveFrame", ByService),
    ("setFrameAncestors", ByService),
    ("setFrameProof", ByService),
    ("createSlaCalendar", As("sla.calendar_created")),
    ("updateSlaCalendar", As("sla.calendar_updated")),
    ("createSlaPolicy", As("sla.policy_created")),
    ("updateSlaPolicy", As("sla.policy_updated")),
    ("recordContact", Not),
    ("setSourceCost", ByService),
    ("pauseSlaClock", As("sla.clock_paused")),
    ("setSlaThreshold", As("sla.threshold_set")),
    ("removeSlaThreshold", As("sla.threshold_removed")),
    ("closeSlaCase", As("sla.case_closed")),
    ("addSlaSlot", As("sla.slot_added")),
    ("bookSlaHelp", As("sla.help_booked")),
    ("moveSlaBooking", As("sla.booking_moved")),
    ("createPartner", ByService),
    ("updatePartner", ByService),
    ("createProduct", ByService),
    ("createRatePlan", ByService),
    ("addRatePlanVersion", ByService),
    ("recordActions", Not),
    ("closeBillingPeriod", ByService),
    ("reissueBillingReport", ByService),
    ("voidBillingReport", ByService),
    ("announceBillingReport", ByService),
    ("createReportLink", ByService),
    ("revokeReportLink", ByService),
    ("startReconciliation", As("reconciliation.started")),
    ("resendDifferences", As("reconciliation.resent")),
    ("proveDifferences", As("reconciliation.proven")),
    ("decideDifference", As("reconciliation.decided")),
    ("changeReconciliationPlan", As("reconciliation.plan_changed")),
    ("createAlertChannel", As("alert.channel_created")),
    ("updateAlertChannel", As("alert.channel_updated")),
    ("deleteAlertChannel", As("alert.channel_removed")),
    ("testAlertChannel", As("alert.channel_tested")),
    ("createAlertRule", As("alert.rule_created")),
    ("updateAlertRule", As("alert.rule_updated")),
    ("deleteAlertRule", As("alert.rule_removed")),
    ("setAlertSummaryHour", As("alert.summary_hour_set")),
    ("openInboundEndpoint", As("inbound.opened")),
    ("closeInboundEndpoint", As("inbound.closed")),
    ("setInboundWords", As("inbound.words_set")),
    ("processReports", As("inbound.processed")),
    ("syncCrm", As("crm.synced")),
    ("suppress", As("suppression.added")),
    ("unsuppress", As("suppression.removed")),
];

/// Who writes what that field leaves; none when it is no mutation.
pub fn audited(field: &str) -> Option<Audited> {
    AUDITED.iter().find(|(name, _)| *name == field).map(|(_, audited)| *audited)
}

/// Arguments that say what a mutation is about, the most telling first. Names that the tenant gives to what is its own;
/// never a field that may hold somebody's data.
const SUBJECTS: [&str; 16] = [
    "id",
    "ids",
    "destination",
    "destinationId",
    "source",
    "partner",
    "report",
    "lead",
    "case",
    "policy",
    "calendar",
    "slug",
    "name",
    "kind",
    "state",
    "clock",
];
/// Longer lists are counted: a line says what was done, it is no copy of it.
const IDS_MAX: usize = 20;
/// The longest name in a line, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// Writes the line of a root field whose change is durable.
pub(super) async fn record(context: &Context<'_>, operation: &Operation) -> Result<(), ApiError> {
    let Some(As(action)) = audited(context.item.node.name.node.as_str()) else { return Ok(()) };
    if !operation.take_changed() {
        return Ok(());
    }
    let viewer = operation.viewer()?;
    let given = given(context);
    let subject = SUBJECTS
        .iter()
        .find_map(|wanted| given.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| text(value)));
    let subject = subject.unwrap_or_else(|| viewer.tenant.to_string());
    let names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
    let mut detail = json!({ "given": names });
    if let Some((_, Value::List(ids))) = given.iter().find(|(name, _)| name == "ids") {
        let shown: Vec<String> = ids.iter().take(IDS_MAX).filter_map(text).collect();
        detail["ids"] = json!(shown);
        detail["count"] = json!(ids.len());
    }
    access::audit(&operation.app, viewer.tenant, viewer.actor, action, subject, detail).await?;
    Ok(())
}

/// The arguments that were given, those of an `input` object beside the field's own.
fn given(context: &Context<'_>) -> Vec<(String, Value)> {
    let arguments = context.field().arguments().unwrap_or_default();
    let flat = arguments.into_iter().flat_map(|(name, value)| match value {
        Value::Object(fields) if name == "input" => {
            fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
        }
        value => vec![(name.to_string(), value)],
    });
    flat.filter(|(_, value)| *value != Value::Null).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.chars().take(TEXT_CHARS_MAX).collect()),
        Value::Enum(name) => Some(name.to_string()),
        Value::List(ids) => ids.first().and_then(text),
        _ => None,
    }
}
