//! Partners, products, rate plans.

use async_graphql::{ID, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use domain::ids::{PartnerId, ProductId, RatePlanId};
use entity::{partner, product, rate_plan};
use service::billing::plans::{self, PlanVersion};

use crate::graphql::error::ApiError;
use crate::graphql::operation::Reads;

/// A company that is billed for its leads' actions.
#[derive(Clone, Debug, SimpleObject)]
pub struct Partner {
    id: ID,
    slug: String,
    name: String,
    /// Where its reports are announced.
    email: String,
    /// ISO 4217.
    currency: String,
    /// Its billing periods begin at that zone's midnight.
    time_zone: String,
    rate_plan: ID,
    /// Whether a period is closed by itself once it is over.
    closes_itself: bool,
    created_at: DateTime<Utc>,
}

impl From<partner::Model> for Partner {
    fn from(row: partner::Model) -> Self {
        Self {
            id: ID(PartnerId(row.id).to_string()),
            slug: row.slug,
            name: row.name,
            email: row.email,
            currency: row.currency,
            time_zone: row.time_zone,
            rate_plan: ID(RatePlanId(row.plan_id).to_string()),
            closes_itself: row.closes_itself,
            created_at: row.created_at,
        }
    }
}

/// What lead users act on.
#[derive(Clone, Debug, SimpleObject)]
pub struct Product {
    id: ID,
    slug: String,
    name: String,
    description: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<product::Model> for Product {
    fn from(row: product::Model) -> Self {
        Self {
            id: ID(ProductId(row.id).to_string()),
            slug: row.slug,
            name: row.name,
            description: row.description,
            created_at: row.created_at,
        }
    }
}

/// What actions cost.
#[derive(Clone, Debug, SimpleObject)]
pub struct RatePlan {
    id: ID,
    slug: String,
    name: String,
    created_at: DateTime<Utc>,
    /// The newest first.
    versions: Vec<RatePlanVersion>,
}

/// A version of a rate plan; it is never changed.
#[derive(Clone, Debug, SimpleObject)]
pub struct RatePlanVersion {
    version: i32,
    /// It rates the periods that begin on this day or later, until a newer version does.
    effective_from: NaiveDate,
    /// Prices, overrides, cap, duplicates, recognition.
    spec: serde_json::Value,
    created_at: DateTime<Utc>,
    created_by: String,
}

impl From<PlanVersion> for RatePlanVersion {
    fn from(version: PlanVersion) -> Self {
        let row = version.row;
        Self {
            version: row.version,
            effective_from: row.effective_from,
            spec: row.spec,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }
}

impl RatePlan {
    /// The plan with its versions: plans are few.
    pub(super) async fn load(reads: &Reads, row: rate_plan::Model) -> Result<Self, ApiError> {
        let id = RatePlanId(row.id);
        let versions = plans::versions(reads, id).await?.into_iter().map(RatePlanVersion::from).collect();
        Ok(Self {
            id: ID(id.to_string()),
            slug: row.slug,
            name: row.name,
            created_at: row.created_at,
            versions,
        })
    }
}
