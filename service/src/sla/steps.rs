//! Steps of journeys that service levels add.

use chrono::{DateTime, Utc};
use domain::ids::TenantId;
use domain::journey::Step;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::runtime::Ids;

/// Steps to append, as columns for one statement.
#[derive(Default)]
pub(super) struct Steps {
    ids: Vec<Uuid>,
    leads: Vec<Uuid>,
    kinds: Vec<&'static str>,
    ats: Vec<DateTime<Utc>>,
    actors: Vec<Option<String>>,
    data: Vec<Value>,
}

impl Steps {
    /// Adds one. Its id is of now, its time is when it was.
    pub(super) fn push(&mut self, id: Uuid, lead: Uuid, step: Step, at: DateTime<Utc>, data: Value) {
        self.push_by(id, lead, step, at, None, data);
    }

    /// Adds one that somebody did.
    pub(super) fn push_by(
        &mut self,
        id: Uuid,
        lead: Uuid,
        step: Step,
        at: DateTime<Utc>,
        actor: Option<String>,
        data: Value,
    ) {
        self.ids.push(id);
        self.leads.push(lead);
        self.kinds.push(step.as_str());
        self.ats.push(at);
        self.actors.push(actor);
        self.data.push(data);
    }

    /// Adds what a clock that ran out has to tell: at risk, unless that was told before, and breached.
    pub(super) fn ran_out(&mut self, ids: &Ids, now: DateTime<Utc>, clock: &Deadline<'_>, warned: bool) {
        if !warned {
            self.push(ids.next(now), clock.lead, Step::AtRisk, clock.at_risk_at, clock.data("is at risk"));
        }
        self.push(ids.next(now), clock.lead, Step::Breached, clock.due_at, clock.data("ran out"));
    }

    /// Writes them.
    pub(super) async fn insert(self, connection: &mut PgConnection, tenant: TenantId) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO lead_event (tenant_id, id, lead_id, kind, at, actor, data)
             SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::jsonb[])",
        )
        .bind(tenant.uuid())
        .bind(self.ids)
        .bind(self.leads)
        .bind(self.kinds)
        .bind(self.ats)
        .bind(self.actors)
        .bind(self.data)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// A clock's deadlines, as its journey tells of them.
pub(super) struct Deadline<'a> {
    pub(super) lead: Uuid,
    pub(super) clock: &'a str,
    pub(super) at_risk_at: DateTime<Utc>,
    pub(super) due_at: DateTime<Utc>,
}

impl Deadline<'_> {
    pub(super) fn data(&self, what: &str) -> Value {
        let name = self.clock.replace('_', " ");
        serde_json::json!({
            "clock": self.clock,
            "due_at": self.due_at,
            "summary": format!("The {name} clock {what}"),
        })
    }
}
