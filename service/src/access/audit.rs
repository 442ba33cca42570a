//! What was done, for whoever has to answer for it.

use std::fmt::Display;

use domain::ids::{AuditId, TenantId};
use serde_json::Value;
use tenants::NewAuditEntry;

use super::Actor;
use crate::app::App;
use crate::error::Error;

/// Appends a line to the tenant's audit log: who did what to what. Call it after what it tells of is durable.
///
/// `action` is a capability's word and what was done, as in `destination.updated`; `subject` a `TypeID` or a name;
/// `detail` tells more as JSON (at most 16 KiB), never a secret and nothing of a lead.
pub async fn audit(
    app: &App,
    tenant: TenantId,
    actor: Actor,
    action: &'static str,
    subject: impl Display,
    detail: Value,
) -> Result<AuditId, Error> {
    audit_from(app, tenant, actor, action, subject, detail, None).await
}

/// The same for what came from a network address.
pub async fn audit_from(
    app: &App,
    tenant: TenantId,
    actor: Actor,
    action: &'static str,
    subject: impl Display,
    detail: Value,
    address: Option<String>,
) -> Result<AuditId, Error> {
    let new = NewAuditEntry {
        actor: actor.to_string(),
        action: action.to_owned(),
        subject: subject.to_string(),
        address,
        detail,
    };
    Ok(app.tenants.open(tenant).await?.append_audit(new, app.clock.now()).await?)
}
