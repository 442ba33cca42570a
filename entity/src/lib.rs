//! Rows of the shared Postgres, one table a file.
//!
//! The tenant is the constructor: a query starts from [`Tenanted::of`], never from
//! `Entity::find`, which clippy refuses elsewhere. Row-level security would show no other
//! tenant's row anyhow; the explicit filter lets the planner choose the index and is the second of
//! three fences. A test compares every entity with the live catalogue: types, nullability, keys.

use domain::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

pub mod alert;
pub mod alert_channel;
pub mod alert_notice;
pub mod alert_rule;
pub mod alert_setting;
pub mod delivery;
pub mod delivery_attempt;
pub mod destination;
pub mod failed_record;
pub mod idempotency;
pub mod import;
pub mod import_batch;
pub mod inbound_endpoint;
pub mod inbound_hook;
pub mod lead;
pub mod lead_event;
pub mod lead_source;
pub mod suppression;
pub mod tenant;

/// An entity whose rows belong to a tenant.
pub trait Tenanted: EntityTrait {
    /// The column that names the tenant.
    const TENANT: Self::Column;

    /// The rows of one tenant: where every query starts.
    #[expect(clippy::disallowed_methods, reason = "the one constructor")]
    fn of(tenant: TenantId) -> Select<Self> {
        Self::find().filter(Self::TENANT.eq(tenant.uuid()))
    }
}
