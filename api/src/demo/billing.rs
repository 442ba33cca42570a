//! Billing with something to see: a rate plan, products, two partners, and a month of actions, the agreed sample among them.

use std::fmt::Write as _;
use std::io::Cursor;
use std::sync::Arc;

use chrono::{Datelike as _, Months, NaiveDate};
use domain::billing::{Currency, Cycle, PlanSpec, SAMPLE_CSV};
use domain::ids::{PartnerId, RatePlanId, TenantId};
use service::App;
use service::access::Actor;
use service::billing::partners::{self, NewPartner};
use service::billing::{closing, ingest, plans, products};
use service::database::Mode;

use crate::cli::Failure;

const PLAN: &str = "standard";
const PRODUCTS: [&str; 11] = ["ABC", "DEF", "GHI", "JKL", "MNO", "PQR", "STU", "VWX", "YZA", "BCD", "EFG"];
/// The sample lies in this month; it is moved to the last one.
const SAMPLE_MONTH: &str = "2026-10-";

/// Makes everything once; a second start finds it.
pub(super) async fn ensure(app: &Arc<App>, tenant: TenantId) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let known = plans::plan_by_slug(&tx, PLAN).await;
    drop(tx);
    if known.is_ok() {
        return Ok(());
    }
    let today = app.clock.now().date_naive();
    let last = Cycle::Month.of(today).before();
    for product in PRODUCTS {
        products::create_product(app, tenant, product.to_owned(), None, None, Actor::Operator).await?;
    }
    let spec = PlanSpec::standard(Currency::USD);
    let from = NaiveDate::from_ymd_opt(last.start.year() - 1, 1, 1).unwrap_or(last.start - Months::new(12));
    let plan = plans::create_plan(
        app,
        tenant,
        PLAN.to_owned(),
        Some("Standard".to_owned()),
        from,
        &spec,
        Actor::Operator,
    );
    let plan = RatePlanId(plan.await?.id);
    let month = format!("{}-", &last.start.to_string()[..7]);
    // Of the sample's days every month has at least nineteen.
    let sample = SAMPLE_CSV.replace(SAMPLE_MONTH, &month);
    let northwind = partner(app, tenant, plan, "northwind", "Northwind Partners").await?;
    ingest::ingest(app, tenant, northwind, Cursor::new(sample)).await?;
    let contoso = partner(app, tenant, plan, "contoso", "Contoso Media").await?;
    ingest::ingest(app, tenant, contoso, Cursor::new(busy_month(&month))).await?;
    closing::close(app, tenant, northwind, last, Actor::Operator).await?;
    Ok(())
}

async fn partner(
    app: &App,
    tenant: TenantId,
    plan: RatePlanId,
    slug: &str,
    name: &str,
) -> Result<PartnerId, Failure> {
    let new = NewPartner {
        slug: slug.to_owned(),
        name: Some(name.to_owned()),
        email: format!("billing@{slug}.example"),
        plan,
        time_zone: Some("UTC".to_owned()),
        closes_itself: false,
    };
    Ok(PartnerId(partners::create_partner(app, tenant, new, Actor::Operator).await?.id))
}

/// Six hundred actions of forty people, the same each time.
fn busy_month(month: &str) -> String {
    let (types, actions) =
        (["Webinar", "Referral", "Event", "Email Campaign"], ["Click", "Signup", "Attendance"]);
    let levels = ["High", "Medium", "Medium", "Low"];
    let mut state = 11_u64;
    let mut pick = |many: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % many).unwrap_or(0)
    };
    let mut text = "key,email,product,lead_type,action_type,level,occurred_at\n".to_owned();
    for number in 0..600 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "demo-{number},person{:02}@example.com,{},{},{},{},{month}{:02}T{:02}:{:02}:00Z",
            pick(40),
            PRODUCTS[pick(11)],
            types[pick(4)],
            actions[pick(3)],
            levels[pick(4)],
            pick(28) + 1,
            pick(24),
            pick(60),
        );
    }
    text
}
