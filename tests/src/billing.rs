//! A partner with a rate plan, products, and the sample that the rules were agreed on.

use std::io::Cursor;
use std::sync::Arc;

use chrono::NaiveDate;
use domain::billing::{Currency, Period, PlanSpec, SAMPLE_CSV};
use domain::ids::{BillingReportId, PartnerId, RatePlanId, TenantId};
use entity::billing_report;
use service::App;
use service::access::Actor;
use service::billing::ingest::{self, Ingested};
use service::billing::partners::{self, NewPartner};
use service::billing::{closing, plans, products};

use crate::TestApp;

/// The products of the sample.
pub const PRODUCTS: [&str; 11] =
    ["ABC", "DEF", "GHI", "JKL", "MNO", "PQR", "STU", "VWX", "YZA", "BCD", "EFG"];

/// The first line of a file of actions.
pub const HEADER: &str = "key,email,product,lead_type,action_type,level,occurred_at\n";

/// What [`books`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Books {
    /// The tenant.
    pub tenant: TenantId,
    /// Its rate plan `standard`, in force since the beginning of 2026.
    pub plan: RatePlanId,
    /// Its partner `northwind`, in UTC.
    pub partner: PartnerId,
}

/// The period of the sample.
pub fn october() -> Period {
    "2026-10".parse().expect("a period")
}

/// A rate plan, the sample's products, and a partner.
pub async fn books(app: &App, tenant: TenantId) -> Books {
    let spec = PlanSpec::standard(Currency::USD);
    let from = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
    let plan =
        plans::create_plan(app, tenant, "standard".to_owned(), None, from, &spec, Actor::Operator).await;
    let plan = RatePlanId(plan.expect("a plan").id);
    for product in PRODUCTS {
        products::create_product(app, tenant, product.to_owned(), None, None, Actor::Operator)
            .await
            .expect("a product");
    }
    let partner = partner(app, tenant, plan, "northwind").await;
    Books { tenant, plan, partner }
}

/// A partner of that slug.
pub async fn partner(app: &App, tenant: TenantId, plan: RatePlanId, slug: &str) -> PartnerId {
    let new = NewPartner {
        slug: slug.to_owned(),
        name: None,
        email: format!("billing@{slug}.example"),
        plan,
        time_zone: Some("UTC".to_owned()),
        closes_itself: false,
    };
    PartnerId(partners::create_partner(app, tenant, new, Actor::Operator).await.expect("a partner").id)
}

/// Records a file of actions.
pub async fn ingest(app: &Arc<App>, books: Books, content: &str) -> Ingested {
    let input = Cursor::new(content.to_owned());
    ingest::ingest(app, books.tenant, books.partner, input).await.expect("it is recorded")
}

/// Records the sample.
pub async fn sample(app: &Arc<App>, books: Books) {
    let sum = ingest(app, books, SAMPLE_CSV).await;
    assert_eq!((sum.records, sum.accepted, sum.refused), (20, 20, 0), "{sum:?}");
}

/// A report's id.
pub fn id(report: &billing_report::Model) -> BillingReportId {
    BillingReportId(report.id)
}

/// Closes a period, as in `2026-10`.
pub async fn close(test: &TestApp, books: Books, period: &str) -> billing_report::Model {
    let period: Period = period.parse().expect("a period");
    closing::close(&test.app, books.tenant, books.partner, period, Actor::Operator).await.expect("it closes")
}
