//! First contact, as a person or a program says it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{LeadId, TenantId, UserId};
use domain::journey::Step;
use domain::sla::Event;

use super::clocks::{self, Occurrence};
use super::steps::Steps;
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;

/// Somebody reached a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whom.
    pub lead: LeadId,
    /// When; now unless it is told later.
    pub at: Option<DateTime<Utc>>,
    /// Who did; the caller when absent.
    pub agent: Option<String>,
    /// Of which team.
    pub team: Option<String>,
    /// What came of it, without personal data.
    pub note: Option<String>,
}

/// A person of the tenant as figures name it: its name, and the first of its teams by name.
pub async fn person(
    app: &App,
    tenant: TenantId,
    user: UserId,
) -> Result<(Option<String>, Option<String>), Error> {
    let store = app.tenants.open(tenant).await?;
    let name = store.user(user).await?.map(|user| user.name);
    let team = store.teams().await?.into_iter().find(|team| team.members.contains(&user));
    Ok((name, team.map(|team| team.name)))
}

/// Records the first contact and stops the clocks that wait for it. Only the first one counts: a later one is answered with
/// false and changes nothing.
pub async fn record(app: &App, tenant: TenantId, contact: Contact, actor: &str) -> Result<bool, Error> {
    let now = app.clock.now();
    let at = contact.at.unwrap_or(now);
    if at > now + TimeDelta::minutes(5) {
        return Err(Error::invalid("at", "a contact cannot lie in the future"));
    }
    for (field, text, most) in
        [("agent", &contact.agent, 120), ("team", &contact.team, 120), ("note", &contact.note, 500)]
    {
        if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.chars().count() > most) {
            return Err(Error::invalid(field, format!("1 to {most} characters")));
        }
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    // Locks the lead, so that of two first contacts at once one is first.
    let received: Option<DateTime<Utc>> =
        sqlx::query_scalar("SELECT received_at FROM lead WHERE tenant_id = $1 AND id = $2 FOR UPDATE")
            .bind(tenant.uuid())
            .bind(contact.lead.uuid())
            .fetch_optional(tx.connection())
            .await?;
    let received = received.ok_or_else(|| Error::not_found("lead", contact.lead))?;
    if at < received {
        return Err(Error::invalid("at", "the lead was received later than that"));
    }
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM lead_event WHERE tenant_id = $1 AND lead_id = $2 AND kind = $3)",
    )
    .bind(tenant.uuid())
    .bind(contact.lead.uuid())
    .bind(Step::Contacted.as_str())
    .fetch_one(tx.connection())
    .await?;
    if known {
        return Ok(false);
    }
    let agent = contact.agent.unwrap_or_else(|| actor.to_owned());
    let mut steps = Steps::default();
    let data = serde_json::json!({ "agent": agent, "team": contact.team, "note": contact.note });
    let id = app.ids.next(now);
    steps.push_by(id, contact.lead.uuid(), Step::Contacted, at, Some(actor.to_owned()), data);
    steps.insert(tx.connection(), tenant).await?;
    let occurrence =
        Occurrence { agent: Some(agent), team: contact.team, ..Occurrence::of(contact.lead, at) };
    let event = Event::Step(Step::Contacted);
    clocks::occurred(tx.connection(), tenant, event, &[occurrence], now, &app.ids).await?;
    tx.commit().await?;
    app.wake.sla();
    Ok(true)
}
