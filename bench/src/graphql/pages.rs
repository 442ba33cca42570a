//! The pages that are asked for, each once: what the answers hold, and which statements the server sent for them.

use std::path::PathBuf;
use std::time::Duration;

use domain::ids::{DeliveryId, LeadId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{PAGES_PER_TENANT, Tenant, at};
use crate::Outcome;
use crate::process::Listening;
use crate::world::World;

/// 13 fields of a lead, 5 of a delivery, 5 of an attempt; two filters.
const QUERY: &str = "query Page($states: [String!], $sources: [ID!], $after: String) {
  leads(first: 50, after: $after, filter: { states: $states, sourceIds: $sources }) {
    nodes {
      id externalId leadType channel firstName lastName phone email address city state zip receivedAt
      deliveries {
        id state attemptCount finishedAt remoteId
        attempts { number startedAt durationMs outcome httpStatus }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}";

/// Half of the six states that the leads are from.
pub const STATES: [&str; 3] = ["CO", "NY", "CA"];

/// A page, how to ask for it, and what is on it.
pub struct Page {
    /// Index of its tenant.
    pub tenant: usize,
    /// The request's body.
    pub body: String,
    /// The last lead of the page before.
    pub after: Option<Uuid>,
    /// Its leads.
    pub leads: Vec<Uuid>,
    /// Their deliveries.
    pub deliveries: Vec<Uuid>,
}

/// The statements behind a page, as the log of Postgres shows them, with `$1` and so on.
pub struct Statements {
    /// How many a request sends, BEGIN and COMMIT included.
    pub count: usize,
    /// For the leads of a first page.
    pub first_page: String,
    /// For the leads of a page further down.
    pub next_page: String,
    /// For their deliveries.
    pub deliveries: String,
    /// For the attempts.
    pub attempts: String,
}

/// Asks for every page once.
pub async fn gather(
    world: &World,
    server: &Listening,
    tenants: &[Tenant],
) -> Outcome<(Vec<Page>, Statements)> {
    let client = reqwest::Client::new();
    let address = format!("http://127.0.0.1:{}/graphql", server.port);
    let mut pages: Vec<Page> = Vec::new();
    for (index, tenant) in tenants.iter().enumerate() {
        let mut cursor = Value::Null;
        let mut after = None;
        for _ in 0..PAGES_PER_TENANT {
            let body = json!({ "query": QUERY, "variables": {
                "states": STATES, "sources": [tenant.source.to_string()], "after": cursor,
            }});
            let (mut page, end) = ask(&client, &address, tenant, body.to_string()).await?;
            page.tenant = index;
            page.after = after;
            after = page.leads.last().copied();
            cursor = end;
            pages.push(page);
        }
    }
    let statements = watch(world, &client, &address, (&tenants[0], &pages[0], &pages[1])).await?;
    Ok((pages, statements))
}

async fn ask(
    client: &reqwest::Client,
    address: &str,
    tenant: &Tenant,
    body: String,
) -> Outcome<(Page, Value)> {
    let request = client.post(address).bearer_auth(&tenant.token).header("content-type", "application/json");
    let text = request.header("accept", "application/json").body(body.clone()).send().await?.text().await?;
    let answer: Value = serde_json::from_str(&text)?;
    if answer.get("errors").is_some() {
        return Err(format!("the server refused a page: {text:.500}").into());
    }
    let nodes = at(&answer, "/data/leads/nodes")?.as_array().ok_or("nodes is no list")?;
    if nodes.len() != 50 {
        return Err(format!("a page has {} leads: the scale is too small", nodes.len()).into());
    }
    let id = |node: &Value| node["id"].as_str().unwrap_or_default().to_owned();
    let (mut leads, mut deliveries) = (Vec::new(), Vec::new());
    for node in nodes {
        leads.push(id(node).parse::<LeadId>()?.uuid());
        for delivery in at(node, "/deliveries")?.as_array().into_iter().flatten() {
            deliveries.push(id(delivery).parse::<DeliveryId>()?.uuid());
            if at(delivery, "/attempts")?.as_array().is_none_or(Vec::is_empty) {
                return Err("a delivery without attempts".into());
            }
        }
    }
    let end = at(&answer, "/data/leads/pageInfo/endCursor")?.clone();
    Ok((Page { tenant: 0, body, after: None, leads, deliveries }, end))
}

/// Has Postgres log every statement while two pages are asked for.
async fn watch(
    world: &World,
    client: &reqwest::Client,
    address: &str,
    (tenant, first, next): (&Tenant, &Page, &Page),
) -> Outcome<Statements> {
    let first = logged(world, client, address, tenant, first).await?;
    let next = logged(world, client, address, tenant, next).await?;
    let find = |of: &[String], table: &str| -> Outcome<String> {
        let start = format!(" FROM {table} ");
        let found = of.iter().find(|text| text.starts_with("SELECT") && text.contains(&start));
        Ok(found.cloned().ok_or_else(|| format!("no statement reads {table}: {of:?}"))?)
    };
    Ok(Statements {
        count: next.len(),
        first_page: find(&first, "lead")?,
        next_page: find(&next, "lead")?,
        deliveries: find(&next, "delivery")?,
        attempts: find(&next, "delivery_attempt")?,
    })
}

/// The statements of one request.
async fn logged(
    world: &World,
    client: &reqwest::Client,
    address: &str,
    tenant: &Tenant,
    page: &Page,
) -> Outcome<Vec<String>> {
    let log: PathBuf = world.app.database.cluster().ok_or("no private cluster")?.folder().join("server.log");
    let owner = world.owner()?;
    let set = async |value: &str| -> Outcome<()> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("ALTER SYSTEM SET log_statement = '{value}'")))
            .execute(owner)
            .await?;
        sqlx::raw_sql("SELECT pg_reload_conf()").execute(owner).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(())
    };
    set("all").await?;
    let before = std::fs::metadata(&log)?.len();
    ask(client, address, tenant, page.body.clone()).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let text = std::fs::read(&log)?.split_off(usize::try_from(before)?);
    set("none").await?;
    Ok(statements(&String::from_utf8_lossy(&text)))
}

/// The restricted role's statements in a piece of log. A statement of several lines goes on with lines that begin with a tab.
fn statements(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut ours = false;
    for line in log.lines() {
        if let Some(rest) = line.strip_prefix('\t') {
            if ours && let Some(last) = found.last_mut() {
                last.push(' ');
                last.push_str(rest.trim());
            }
            continue;
        }
        let text = line.split_once("LOG:  ").map(|(head, text)| (head.contains("baton_app@"), text));
        let statement = text.and_then(|(app, text)| {
            let (kind, statement) = text.split_once(": ")?;
            (app && (kind == "statement" || kind.starts_with("execute "))).then_some(statement)
        });
        ours = statement.is_some();
        found.extend(statement.map(str::to_owned));
    }
    found
}
