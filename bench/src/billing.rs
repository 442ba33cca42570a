//! Rating from stored facts to report totals beside the best single SQL statement (window functions) in the same database; closing a
//! report with its files; the rule alone.
//!
//! 1,000,000 actions of 50,000 lead users and 40 partners, about one in eight a repeat and one in fourteen over the cap. Rating and
//! closing run in processes of their own, whose peak memory is read when they are done.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use chrono::TimeDelta;
use domain::billing::{Action, Charged, Currency, Cycle, Period, PlanSpec, Rules, Totals, rate};
use domain::ids::{PartnerId, RatePlanId, TenantId};
use serde::{Deserialize, Serialize};
use service::access;
use service::access::Actor;
use service::billing::partners::{self, NewPartner};
use service::billing::{closing, overview, plans, products, reports};
use service::database::Mode;
use sqlx::Row as _;
use uuid::Uuid;

use crate::report::{Aim, Line};
use crate::world::{self, World};
use crate::{Outcome, Size, process};

const MANY: &str = "many";
const ONE: &str = "one";
const PRODUCTS: u32 = 5;
const PARTNERS: u32 = 40;

/// What a process that rates or closes says at its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    seconds: f64,
    peak_memory_mb: f64,
    totals: Totals,
}

/// Last month, which is over.
fn period() -> Period {
    Cycle::Month.of(service::runtime::Clock::system().now().date_naive()).before()
}

/// Rates every partner of a tenant as the overview does, and prints [`Done`].
pub async fn rate_part(data_dir: &Path) -> Outcome<()> {
    let app = world::open(data_dir).await?;
    let tenant = access::tenant(&app, MANY).await?;
    let started = Instant::now();
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let all = overview::partners(&tx, period(), app.clock.now()).await?;
    drop(tx);
    let seconds = started.elapsed().as_secs_f64();
    let mut totals = Totals::default();
    for one in all {
        totals += one.totals;
    }
    print_done(seconds, totals)?;
    app.database.clone().close().await?;
    Ok(())
}

/// Closes the one large report with its files, and prints [`Done`].
pub async fn close_part(data_dir: &Path) -> Outcome<()> {
    let app = world::open(data_dir).await?;
    let tenant = access::tenant(&app, ONE).await?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let partner = partners::partners(&tx).await?.pop().ok_or("no partner")?;
    drop(tx);
    let started = Instant::now();
    let report = closing::close(&app, tenant, PartnerId(partner.id), period(), Actor::Operator).await?;
    print_done(started.elapsed().as_secs_f64(), reports::figures(&report)?.totals)?;
    app.database.clone().close().await?;
    Ok(())
}

fn print_done(seconds: f64, totals: Totals) -> Outcome<()> {
    let done = Done { seconds, peak_memory_mb: process::peak_memory_mb()?, totals };
    println!("{}", serde_json::to_string(&done)?);
    Ok(())
}

/// All figures.
pub async fn measure(size: Size) -> Outcome<Vec<Line>> {
    let actions = size.of(1_000_000);
    let mut lines = vec![rule_alone(actions)];
    let world = World::new().await?;
    eprintln!("billing: storing actions");
    let many = books(&world, MANY, PARTNERS).await?;
    fill(&world, many, actions).await?;
    let one = books(&world, ONE, 1).await?;
    fill(&world, one, actions).await?;
    world.psql("VACUUM ANALYZE")?;

    let (sql_totals, first) = by_statement(&world, many).await?;
    let rated = part(&world, "rate-billing")?;
    let (_, second) = by_statement(&world, many).await?;
    let again = part(&world, "rate-billing")?;
    if rated.totals.gross != sql_totals.0
        || rated.totals.billed != sql_totals.1
        || rated.totals.duplicates != sql_totals.2
    {
        return Err(format!("the statement says {sql_totals:?} and rating {:?}", rated.totals).into());
    }
    let (best, sql) = (rated.seconds.min(again.seconds), first.min(second));
    let totals = rated.totals;
    lines.push(Line::new("rating from stored facts to totals", "s", best).beside(sql).aim(Aim::RatioAtMost(0.5)).note(format!(
        "{} actions, {} repeats, {} over the cap, {PARTNERS} partners; the yardstick is one statement of window functions; the sums agree",
        totals.actions, totals.duplicate_actions, totals.capped_actions
    )));
    lines.push(
        Line::new("rating: peak memory", "MB", rated.peak_memory_mb.max(again.peak_memory_mb))
            .aim(Aim::AtMost(150.0)),
    );
    let closed = part(&world, "close-billing")?;
    let note = format!("{} lines in one report, with CSV, JSON, XLSX and PDF", closed.totals.actions);
    lines.push(Line::new("closing a report with its files", "s", closed.seconds).note(note));
    lines.push(Line::new("closing: peak memory", "MB", closed.peak_memory_mb).aim(Aim::AtMost(250.0)));
    world.close().await?;
    Ok(lines)
}

fn part(world: &World, name: &str) -> Outcome<Done> {
    let mut command = process::part(name)?;
    command.arg(world.folder());
    Ok(serde_json::from_str(&process::run(command)?)?)
}

/// The plan has level prices and a cap; overrides would only lengthen the statement that it is compared with.
async fn books(world: &World, slug: &str, partners: u32) -> Outcome<TenantId> {
    let app = &world.app;
    let tenant = world.tenant(slug).await?;
    let spec = PlanSpec { overrides: Vec::new(), ..PlanSpec::standard(Currency::USD) };
    let from = period().start - TimeDelta::days(400);
    let plan = plans::create_plan(app, tenant, "plan".to_owned(), None, from, &spec, Actor::Operator).await?;
    for product in 0..PRODUCTS {
        products::create_product(app, tenant, format!("P{product}"), None, None, Actor::Operator).await?;
    }
    for partner in 0..partners {
        let new = NewPartner {
            slug: format!("partner-{partner}"),
            name: None,
            email: format!("billing@partner-{partner}.example"),
            plan: RatePlanId(plan.id),
            time_zone: Some("UTC".to_owned()),
            closes_itself: false,
        };
        partners::create_partner(app, tenant, new, Actor::Operator).await?;
    }
    Ok(tenant)
}

/// Actions as a month of recording would have left them, made in the database.
async fn fill(world: &World, tenant: TenantId, actions: u32) -> Outcome<()> {
    let owner = world.owner()?;
    let users = actions / 20;
    let (from, _) = period().bounds(chrono_tz::Tz::UTC);
    sqlx::query(
        "INSERT INTO lead_user (tenant_id, id, partner_id, email, created_at)
         SELECT $1, gen_random_uuid(), p.id[1 + n % cardinality(p.id)], 'user' || n || '@example.com', $2
         FROM generate_series(0, $3 - 1) n, (SELECT array_agg(id ORDER BY slug) AS id FROM partner WHERE tenant_id = $1) p",
    )
    .bind(tenant.uuid())
    .bind(from)
    .bind(i32::try_from(users)?)
    .execute(owner)
    .await?;
    sqlx::query(
        "INSERT INTO lead_action (tenant_id, id, partner_id, lead_user_id, product_id, lead_type, action_type, level, occurred_at,
             received_at, late)
         SELECT $1, gen_random_uuid(), u.partner_id[k], u.id[k], p.id[1 + floor(random() * cardinality(p.id))::int], 'Event',
                (ARRAY['Click', 'Like', 'Share', 'Visit', 'Signup'])[1 + floor(random() * 5)::int],
                (ARRAY['High', 'Medium', 'Low'])[1 + floor(random() * 3)::int],
                $2 + random() * interval '27 days', $2, false
         FROM (SELECT 1 + floor(random() * $3)::int AS k FROM generate_series(1, $4)) n,
              (SELECT array_agg(id ORDER BY id) AS id, array_agg(partner_id ORDER BY id) AS partner_id
               FROM lead_user WHERE tenant_id = $1) u,
              (SELECT array_agg(id) AS id FROM product WHERE tenant_id = $1) p",
    )
    .bind(tenant.uuid())
    .bind(from)
    .bind(i32::try_from(users)?)
    .bind(i32::try_from(actions)?)
    .execute(owner)
    .await?;
    Ok(())
}

/// Gross, billed and duplicates by one statement, and how long it took.
async fn by_statement(world: &World, tenant: TenantId) -> Outcome<((i64, i64, i64), f64)> {
    let (from, to) = period().bounds(chrono_tz::Tz::UTC);
    let started = Instant::now();
    let rows = sqlx::query(
        "WITH priced AS (
             SELECT partner_id, lead_user_id, occurred_at, id,
                    CASE level WHEN 'High' THEN 1000 WHEN 'Medium' THEN 500 ELSE 200 END AS price,
                    row_number() OVER (PARTITION BY partner_id, lead_user_id, product_id, action_type, level
                                       ORDER BY occurred_at, id) AS nth
             FROM lead_action WHERE tenant_id = $1 AND occurred_at >= $2 AND occurred_at < $3
         ), running AS (
             SELECT partner_id, price, nth, sum(CASE WHEN nth = 1 THEN price ELSE 0 END)
                        OVER (PARTITION BY partner_id, lead_user_id ORDER BY occurred_at, id) AS run
             FROM priced
         )
         SELECT partner_id, sum(price)::bigint AS gross, coalesce(sum(price) FILTER (WHERE nth > 1), 0)::bigint AS duplicates,
                coalesce(sum(greatest(0, least(price, 10000 - (run - price)))) FILTER (WHERE nth = 1), 0)::bigint AS billed
         FROM running GROUP BY partner_id",
    )
    .bind(tenant.uuid())
    .bind(from)
    .bind(to)
    .fetch_all(world.owner()?)
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let sum = |column: &str| rows.iter().map(|row| row.get::<i64, _>(column)).sum::<i64>();
    Ok(((sum("gross"), sum("billed"), sum("duplicates")), seconds))
}

/// Actions a second on one core, sorting included; the best of ten passes over actions in the order of their arrival.
fn rule_alone(count: u32) -> Line {
    let slugs: Vec<String> = (0..PRODUCTS).map(|number| format!("P{number}")).collect();
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let spec = PlanSpec::standard(Currency::USD);
    let rules = Rules::new(&spec, &slugs, chrono_tz::Tz::UTC).expect("the standard plan is valid");
    let mut state = 1_u64;
    let mut pick = |bound: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % u64::from(bound)).unwrap_or(0)
    };
    let small = |number: u32| u16::try_from(number).unwrap_or(0);
    let actions: Vec<Action> = (0..count)
        .map(|number| Action {
            id: Uuid::from_u128(u128::from(number) << 64 | u128::from(pick(u32::MAX))),
            at: i64::from(pick(27 * 86_400)) * 1_000_000,
            user: pick((count / 20).max(1)),
            product: pick(PRODUCTS),
            lead_type: small(pick(11)),
            action_type: small(pick(5)),
            level: small(pick(3)),
            before: false,
        })
        .collect();
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let mut copy = actions.clone();
        let mut totals = Totals::default();
        let started = Instant::now();
        rate(&rules, &mut copy, &Charged::default(), |_, rated| totals.add(&rated));
        best = best.min(started.elapsed().as_secs_f64());
        black_box(totals);
    }
    Line::new("rating alone", "actions/s", f64::from(count) / best)
        .aim(Aim::AtLeast(5_000_000.0))
        .note("sorting, repeats, cap and totals, one core; best of 10 passes")
}
