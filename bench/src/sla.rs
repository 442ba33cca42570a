//! Service levels: adherence of 30 days by source and day over GraphQL beside the best hand-written SQL, the list of what is due
//! next among a million open clocks, and ten thousand clocks that run out at once.
//!
//! The yardstick is one range scan of the index for each source and day (`LATERAL`) in pgbench, one client, prepared, as a
//! role that no policy holds back. The plain `GROUP BY` stands beside it, so that nobody takes it for the best.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use domain::ids::TenantId;
use domain::sla::Conditions;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::database::cluster::OWNER;
use service::sla::due;
use service::sla::policies::{self, Draft, NewPolicy};
use tenants::{NewPassword, NewUser, Role};
use uuid::Uuid;

use crate::process::{self, Listening};
use crate::report::{Aim, Line};
use crate::world::World;
use crate::{Outcome, Size};

const SOURCES: usize = 3;
const DAYS: u32 = 30;

struct Tenant {
    id: TenantId,
    sources: Vec<Uuid>,
    policy: Uuid,
    token: String,
}

async fn tenant(world: &World, slug: &str) -> Outcome<Tenant> {
    let id = world.tenant(slug).await?;
    let mut sources = Vec::new();
    for number in 0..SOURCES {
        sources.push(world.source(id, &format!("source-{number}"), "leadsource").await?.id);
    }
    let draft = Draft {
        conditions: Conditions::default(),
        target_s: 3600,
        at_risk_percent: 80,
        calendar: None,
        pause_reasons: Vec::new(),
    };
    let new = NewPolicy {
        name: "Within the hour".to_owned(),
        clock: "response".to_owned(),
        starts_with: None,
        stops_with: None,
        place: 1,
        draft,
    };
    let policy = policies::create(&world.app, id, new, "bench").await?.id;
    let now = world.app.clock.now();
    let store = world.app.tenants.open(id).await?;
    let user = NewUser {
        email: "kara@example.com".to_owned(),
        name: "Kara Test".to_owned(),
        role: Role::Manager,
        partner: None,
        password: NewPassword::Generated,
    };
    let user = store.create_user(user, now).await?.user;
    let token = world.app.tokens.issue(&store, &user, now).await?.text.expose_secret().to_owned();
    Ok(Tenant { id, sources, policy, token })
}

async fn fill(world: &World, tenant: &Tenant, clocks: u32, open: u32) -> Outcome<()> {
    sqlx::query("SELECT bench_clocks($1, $2, $3, $4, $5, $6)")
        .bind(tenant.id.uuid())
        .bind(&tenant.sources)
        .bind(tenant.policy)
        .bind(i64::from(clocks))
        .bind(i64::from(open))
        .bind(i32::try_from(DAYS)?)
        .execute(world.owner()?)
        .await?;
    Ok(())
}

const BY_SOURCE_AND_DAY: &str = "query By($since: DateTime!) {
  slaAdherence(since: $since, bucket: DAY, dimension: SOURCE) { rows { since key figures { total share p50Seconds p95Seconds } } }
}";

const DUE_NEXT: &str = "{ slaOpenClocks(first: 50) { leadId dueAt atRiskAt standing source { id name } } }";

struct Client {
    http: reqwest::Client,
    address: String,
}

impl Client {
    async fn ask(&self, token: &str, body: &str) -> Outcome<(Duration, Value)> {
        let started = Instant::now();
        let request =
            self.http.post(&self.address).bearer_auth(token).header("content-type", "application/json");
        let text =
            request.header("accept", "application/json").body(body.to_owned()).send().await?.text().await?;
        let took = started.elapsed();
        let answer: Value = serde_json::from_str(&text)?;
        if answer.get("errors").is_some() {
            return Err(format!("the server refused: {text:.500}").into());
        }
        Ok((took, answer))
    }

    /// Asks one after the other for that long; the times, sorted.
    async fn repeat(&self, token: &str, body: &str, seconds: u32) -> Outcome<Vec<Duration>> {
        let end = Instant::now() + Duration::from_secs(seconds.into());
        let mut times = Vec::new();
        while times.len() < 5 || Instant::now() < end {
            times.push(self.ask(token, body).await?.0);
        }
        times.sort_unstable();
        Ok(times)
    }
}

fn share(times: &[Duration], percent: usize) -> f64 {
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3
}

/// What the statement takes in pgbench, milliseconds.
async fn pgbench(world: &World, sql: &str, seconds: u32) -> Outcome<f64> {
    let path = world.folder().join("sla.sql");
    std::fs::write(&path, sql)?;
    let mut command = world.client("pgbench", OWNER)?;
    command.args(["-n", "-M", "prepared", "-c", "1", "-T", &seconds.to_string(), "-f"]).arg(&path);
    let text = tokio::task::spawn_blocking(move || process::run(command)).await??;
    let line = text.lines().find_map(|line| line.strip_prefix("latency average = "));
    let first = line.and_then(|line| line.split_whitespace().next());
    Ok(first.ok_or_else(|| format!("pgbench said: {text}"))?.parse()?)
}

fn lateral(tenant: &Tenant, since: &str) -> String {
    let mut sources = String::new();
    for id in &tenant.sources {
        let _ = write!(sources, "{}'{id}'", if sources.is_empty() { "" } else { "," });
    }
    format!(
        "SELECT d.at, s.id, a.* FROM generate_series('{since}'::timestamptz, '{since}'::timestamptz + interval '{} days', interval '1 day') d(at)
         CROSS JOIN unnest(ARRAY[{sources}]::uuid[]) s(id)
         CROSS JOIN LATERAL (
             SELECT count(*), avg(c.in_target::int), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY c.elapsed_us)
             FROM sla_clock c WHERE c.tenant_id = '{}' AND c.clock = 'response' AND c.source_id = s.id
               AND c.started_at >= d.at AND c.started_at < d.at + interval '1 day') a
         ORDER BY 1, 2;\n",
        DAYS - 1,
        tenant.id.uuid()
    )
}

fn group_by(tenant: &Tenant, since: &str) -> String {
    format!(
        "SELECT date_trunc('day', c.started_at), c.source_id, count(*), avg(c.in_target::int),
                percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY c.elapsed_us)
         FROM sla_clock c WHERE c.tenant_id = '{}' AND c.clock = 'response' AND c.started_at >= '{since}'
         GROUP BY 1, 2 ORDER BY 1, 2;\n",
        tenant.id.uuid()
    )
}

/// The three measures.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let world = World::new().await?;
    sqlx::raw_sql(include_str!("sla.sql")).execute(world.owner()?).await?;
    let of = (size.of(300_000), size.of(700_000), size.of(1_000_000));
    eprintln!("sla: filling {} clocks, and {} open ones", of.0 + of.1, of.2);
    let (own, other, busy) =
        (tenant(&world, "own").await?, tenant(&world, "other").await?, tenant(&world, "busy").await?);
    fill(&world, &own, of.0, 0).await?;
    fill(&world, &other, of.1, 0).await?;
    fill(&world, &busy, of.2, of.2).await?;
    sqlx::raw_sql("VACUUM (ANALYZE)").execute(world.owner()?).await?;

    let mut command = process::part("serve")?;
    command.arg(world.folder());
    let server = Listening::start(command)?;
    let client =
        Client { http: reqwest::Client::new(), address: format!("http://127.0.0.1:{}/graphql", server.port) };
    let since = (world.app.clock.now() - chrono::TimeDelta::days(DAYS.into())).to_rfc3339();
    let body = json!({ "query": BY_SOURCE_AND_DAY, "variables": { "since": since } }).to_string();
    let (_, answer) = client.ask(&own.token, &body).await?;
    let rows = answer["data"]["slaAdherence"]["rows"].as_array().map_or(0, Vec::len);
    if rows < SOURCES * DAYS as usize {
        return Err(format!("the answer has {rows} rows").into());
    }
    // Warm, then each in turn, twice.
    pgbench(&world, &lateral(&own, &since), 2).await?;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..2 {
        ours.push(share(&client.repeat(&own.token, &body, size.seconds / 2).await?, 50));
        theirs.push(pgbench(&world, &lateral(&own, &since), size.seconds.div_ceil(2)).await?);
    }
    let grouped = pgbench(&world, &group_by(&own, &since), 3).await?;
    let crowd = futures(&client, &own.token, &body, size.seconds).await?;
    let next = json!({ "query": DUE_NEXT }).to_string();
    let (_, answer) = client.ask(&busy.token, &next).await?;
    let listed = answer["data"]["slaOpenClocks"].as_array().map_or(0, Vec::len);
    let next = client.repeat(&busy.token, &next, 3).await?;
    drop(server);

    let due_at_once = size.of(10_000);
    let late = tenant(&world, "late").await?;
    fill(&world, &late, due_at_once, due_at_once).await?;
    // All of the busy tenant's clocks out of the way, all of the late one's due.
    sqlx::raw_sql("UPDATE sla_clock SET next_at = NULL WHERE next_at IS NOT NULL")
        .execute(world.owner()?)
        .await?;
    sqlx::query(
        "UPDATE sla_clock SET at_risk_at = now() - interval '2 minutes', due_at = now() - interval '1 minute',
                next_at = now() - interval '2 minutes' WHERE tenant_id = $1",
    )
    .bind(late.id.uuid())
    .execute(world.owner()?)
    .await?;
    // The journeys of leads that were never made.
    sqlx::raw_sql("ALTER TABLE lead_event DROP CONSTRAINT lead_event_tenant_id_lead_id_fkey")
        .execute(world.owner()?)
        .await?;
    let before = process::peak_memory_mb()?;
    let started = Instant::now();
    let recorded = due::run_due(&world.app).await?;
    let took = started.elapsed().as_secs_f64();
    let memory = process::peak_memory_mb()? - before;
    world.close().await?;
    if recorded.breached != u64::from(due_at_once) {
        return Err(format!("{} of {due_at_once} were recorded", recorded.breached).into());
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 2.0;
    Ok(vec![
        Line::new("service levels, 30 days by source and day", "ms", mean(&ours))
            .beside(mean(&theirs))
            .aim(Aim::RatioAtMost(1.2))
            .note(format!("{rows} rows of {} clocks; the plain GROUP BY takes {grouped:.0} ms", of.0)),
        Line::new("service levels, the same under 16 clients", "ms p95", share(&crowd, 95))
            .note(format!("p50 {:.0} ms", share(&crowd, 50))),
        Line::new("service levels, 50 due next among the open ones", "ms", share(&next, 50))
            .aim(Aim::AtMost(9.9))
            .note(format!("{listed} of {} open clocks; p95 {:.1} ms", of.2, share(&next, 95))),
        Line::new("service levels, clocks that run out at once", "s", took)
            .note(format!("{due_at_once} recorded with two steps each; memory +{memory:.0} MB")),
    ])
}

/// The times of sixteen clients that ask one after the other, sorted.
async fn futures(client: &Client, token: &str, body: &str, seconds: u32) -> Outcome<Vec<Duration>> {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (token, body) = (token.to_owned(), body.to_owned());
        let client = Client { http: client.http.clone(), address: client.address.clone() };
        clients.spawn(async move { client.repeat(&token, &body, seconds).await });
    }
    let mut all = Vec::new();
    while let Some(times) = clients.join_next().await {
        all.extend(times??);
    }
    all.sort_unstable();
    Ok(all)
}
