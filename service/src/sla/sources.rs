//! What each source is worth: received, refused, delivered, contacted, sold; what it costs and brings.
//!
//! Counted of leads, so a filter means the leads that fit it. A refused record never became a lead: nobody knows of what state,
//! campaign or team it would have been. So with such a filter what was refused, and with it what was received, is not known,
//! rather than that of all. Costs are told of each new lead and revenues of each lead's actions: they follow the leads.

use domain::billing::Currency;
use domain::sla::Period;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use super::filter::{ClockFilter, destination_ids, push_leads, push_sources, source_ids};
use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::leads::first_id_of;

/// A source in a period.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Effectiveness {
    /// The source.
    pub source_id: Uuid,
    /// Records that were leads or were refused; none when the filter asks for what only leads have.
    pub received: Option<i64>,
    /// New leads.
    pub accepted: i64,
    /// Refused records; none as of `received`.
    pub refused: Option<i64>,
    /// Leads that some destination has, or one of those that the filter names.
    pub delivered: i64,
    /// Leads that somebody has reached.
    pub contacted: i64,
    /// Leads that became customers.
    pub sold: i64,
}

/// Amounts of a source in a currency. Minor units.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Worth {
    /// The source.
    pub source_id: Uuid,
    /// ISO 4217.
    pub currency: String,
    /// What its new leads cost; none when no cost was said of it.
    pub cost: Option<i64>,
    /// What partners were billed for what they did, by reports that count; none when nothing was.
    pub revenue: Option<i64>,
}

impl Worth {
    /// The currency of the amounts.
    pub fn currency(&self) -> Result<Currency, Error> {
        self.currency.parse().map_err(|error| Error::internal("reading source_cost.currency", error))
    }
}

/// Of the leads that were received in the period and fit: what each source's cost (by the cost in force on the day of their
/// receipt, in the tenant's zone), and what partners were billed for them. A source of which neither is known has no row.
pub async fn worth(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Vec<Worth>, Error> {
    let tenant = tx.tenant().uuid();
    let mut query = QueryBuilder::new(
        "WITH came AS MATERIALIZED (
             SELECT l.id, l.source_id, (l.received_at AT TIME ZONE (SELECT time_zone FROM tenant WHERE id = ",
    );
    query.push_bind(tenant).push("))::date AS day");
    push_leads(&mut query, tenant, filter, period);
    query.push(
        "), days AS (
             SELECT source_id, day, count(*) AS leads FROM came GROUP BY 1, 2
         ), costs AS (
             SELECT d.source_id, c.currency, sum(d.leads * c.per_lead)::bigint AS cost
             FROM days d CROSS JOIN LATERAL (
                 SELECT currency, per_lead FROM source_cost
                 WHERE source_id = d.source_id AND effective_from <= d.day AND tenant_id = ",
    );
    query.push_bind(tenant);
    query.push(
        " ORDER BY effective_from DESC LIMIT 1) c
             GROUP BY 1, 2
         ), revenues AS (
             SELECT c.source_id, r.currency, sum(l.billed)::bigint AS revenue
             FROM came c
             JOIN lead_action a ON a.lead_id = c.id
             JOIN billing_report r ON r.tenant_id = a.tenant_id AND r.partner_id = a.partner_id AND r.state = 'closed'
             JOIN bill_line l ON l.tenant_id = a.tenant_id AND l.report_id = r.id AND l.action_id = a.id
             WHERE a.tenant_id = ",
    );
    query.push_bind(tenant);
    query.push(
        " GROUP BY 1, 2
         )
         SELECT source_id, currency, cost, revenue FROM costs FULL JOIN revenues USING (source_id, currency)
         ORDER BY source_id, currency",
    );
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// Refused records of a source by reason; a record with several reasons counts for each.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Refusal {
    /// The source.
    pub source_id: Uuid,
    /// The stable code, as in `MISSING_CONTACT`.
    pub code: String,
    /// Records.
    pub count: i64,
}

/// What each source of the filter brought: of the leads that were received in the period and fit. Every source has a row.
pub async fn effectiveness(
    tx: &TenantTx,
    filter: &ClockFilter,
    period: Period,
) -> Result<Vec<Effectiveness>, Error> {
    let tenant = tx.tenant().uuid();
    let mut query = QueryBuilder::new("WITH came AS MATERIALIZED (SELECT l.id, l.source_id");
    push_leads(&mut query, tenant, filter, period);
    query.push(
        "), leads AS (
             SELECT source_id, count(*) AS accepted FROM came GROUP BY 1
         ), refusals AS (
             SELECT source_id, count(*) AS refused FROM failed_record WHERE tenant_id = ",
    );
    query.push_bind(tenant).push(" AND id >= ").push_bind(first_id_of(period.from));
    query.push(" AND id < ").push_bind(first_id_of(period.until));
    // Nothing is read of what is not told.
    query.push(" AND ").push_bind(!filter.asks_of_leads());
    query.push(
        " GROUP BY 1), deliveries AS (
             SELECT c.source_id, count(DISTINCT c.id) AS delivered FROM came c JOIN delivery d ON d.lead_id = c.id
             WHERE d.state = 'delivered' AND d.tenant_id = ",
    );
    query.push_bind(tenant);
    if !filter.destinations.is_empty() {
        query.push(" AND d.destination_id = ANY(").push_bind(destination_ids(filter)).push(")");
    }
    query.push(
        " GROUP BY 1), steps AS (
             SELECT c.source_id, count(DISTINCT c.id) FILTER (WHERE e.kind = 'contacted') AS contacted,
                    count(DISTINCT c.id) FILTER (WHERE e.kind = 'sold') AS sold
             FROM came c JOIN lead_event e ON e.lead_id = c.id
             WHERE e.kind IN ('contacted', 'sold') AND e.tenant_id = ",
    );
    let refused = if filter.asks_of_leads() { "NULL::bigint" } else { "coalesce(refused, 0)" };
    query.push_bind(tenant).push(" GROUP BY 1) ");
    query.push(format!(
        "SELECT s.id AS source_id, coalesce(accepted, 0) + {refused} AS received, coalesce(accepted, 0) AS accepted,
                {refused} AS refused, coalesce(delivered, 0) AS delivered, coalesce(contacted, 0) AS contacted,
                coalesce(sold, 0) AS sold
         FROM lead_source s
         LEFT JOIN leads ON leads.source_id = s.id
         LEFT JOIN refusals ON refusals.source_id = s.id
         LEFT JOIN deliveries ON deliveries.source_id = s.id
         LEFT JOIN steps ON steps.source_id = s.id
         WHERE s.tenant_id = "
    ));
    query.push_bind(tenant);
    if !filter.sources.is_empty() {
        query.push(" AND s.id = ANY(").push_bind(source_ids(filter)).push(")");
    }
    query.push(" ORDER BY 2 DESC, 3 DESC, s.id");
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}

/// Refused records of the period by source and reason, the most frequent first; none when the filter asks for what only leads
/// have.
pub async fn refusals(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Result<Vec<Refusal>, Error> {
    if filter.asks_of_leads() {
        return Ok(Vec::new());
    }
    let mut connection = tx.lock().await;
    Ok(sqlx::query_as(
        "SELECT source_id, code, count(DISTINCT id) AS count
         FROM (SELECT f.id, f.source_id, reason ->> 'code' AS code FROM failed_record f, jsonb_array_elements(f.reasons) reason
               WHERE f.tenant_id = $1 AND f.id >= $2 AND f.id < $3
                 AND (cardinality($4::uuid[]) = 0 OR f.source_id = ANY($4))) refused
         WHERE code IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 2 LIMIT 1000",
    )
    .bind(tx.tenant().uuid())
    .bind(first_id_of(period.from))
    .bind(first_id_of(period.until))
    .bind(source_ids(filter))
    .fetch_all(&mut *connection)
    .await?)
}

/// Somebody's work in a period.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Sold {
    /// The agent or the team; none for leads that nobody has.
    pub key: Option<String>,
    /// Leads that became customers.
    pub sold: i64,
}

/// Sold leads whose clock started in the period, by whose the clock is.
pub async fn sold_by(
    tx: &TenantTx,
    filter: &ClockFilter,
    team: bool,
    period: Period,
) -> Result<Vec<Sold>, Error> {
    let column = if team { "c.team" } else { "c.agent" };
    let mut query = QueryBuilder::new(format!(
        "SELECT {column} AS key, count(DISTINCT c.lead_id) AS sold
         FROM lead_source s
         JOIN sla_clock c ON c.tenant_id = s.tenant_id AND c.source_id = s.id
         JOIN lead_event e ON e.tenant_id = c.tenant_id AND e.lead_id = c.lead_id AND e.kind = 'sold'
         WHERE s.tenant_id = "
    ));
    query.push_bind(tx.tenant().uuid()).push(" AND c.started_at >= ").push_bind(period.from);
    query.push(" AND c.started_at < ").push_bind(period.until);
    push_sources(&mut query, filter);
    query.push(" GROUP BY 1");
    let mut connection = tx.lock().await;
    Ok(query.build_query_as().fetch_all(&mut *connection).await?)
}
