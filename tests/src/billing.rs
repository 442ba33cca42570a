//! A partner with a rate plan, products, and the sample that the rules were agreed on.

use std::io::Cursor;
use std::sync::Arc;

use chrono::NaiveDate;
use domain::billing::{Currency, Period, PlanSpec, SAMPLE_CSV};
use domain::ids::{PartnerId, RatePlanId, TenantId};
use service::App;
use service::billing::catalog::{self, NewPartner};
use service::billing::ingest::{self, Ingested};

/// The products of the sample.
pub const PRODUCTS: [&str; 11] =
    ["ABC", "DEF", "GHI", "JKL", "MNO", "PQR", "STU", "VWX", "YZA", "BCD", "EFG"];

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
    let plan = catalog::create_plan(app, tenant, "standard".to_owned(), None, from, &spec, "test").await;
    let plan = RatePlanId(plan.expect("a plan").id);
    for product in PRODUCTS {
        catalog::create_product(app, tenant, product.to_owned(), None, None).await.expect("a product");
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
    PartnerId(catalog::create_partner(app, tenant, new).await.expect("a partner").id)
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
