//! Whose a lead is before anybody has reached it, as its destination says: who is asked about a clock that runs out.

use domain::ids::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;

/// Writes whose the leads are into their open clocks, an agent for each lead. A clock that has stopped keeps who stopped it.
pub(crate) async fn assigned(
    connection: &mut PgConnection,
    tenant: TenantId,
    leads: &[Uuid],
    agents: &[String],
) -> Result<(), Error> {
    // Locked in the order in which clocks are stopped, so that neither waits for the other in a circle.
    sqlx::query(
        "WITH theirs AS (
             SELECT c.lead_id, c.clock, t.agent FROM sla_clock c
             JOIN unnest($2::uuid[], $3::text[]) AS t(lead_id, agent) ON t.lead_id = c.lead_id
             WHERE c.tenant_id = $1 AND c.stopped_at IS NULL AND c.agent IS DISTINCT FROM t.agent
             ORDER BY c.lead_id, c.clock FOR UPDATE OF c
         )
         UPDATE sla_clock c SET agent = theirs.agent FROM theirs
         WHERE c.tenant_id = $1 AND c.lead_id = theirs.lead_id AND c.clock = theirs.clock",
    )
    .bind(tenant.uuid())
    .bind(leads)
    .bind(agents)
    .execute(connection)
    .await?;
    Ok(())
}
