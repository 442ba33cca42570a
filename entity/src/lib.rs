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
pub mod bill_line;
pub mod billing_announcement;
pub mod billing_report;
pub mod billing_report_file;
pub mod crm_change;
pub mod crm_link;
pub mod crm_record;
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
pub mod lead_action;
pub mod lead_event;
pub mod lead_source;
pub mod lead_user;
pub mod partner;
pub mod product;
pub mod rate_plan;
pub mod rate_plan_version;
pub mod reconciliation_difference;
pub mod reconciliation_exception;
pub mod reconciliation_plan;
pub mod reconciliation_proof;
pub mod reconciliation_run;
pub mod reconciliation_step;
pub mod report_download;
pub mod report_link;
pub mod sla_booking;
pub mod sla_booking_event;
pub mod sla_calendar;
pub mod sla_case;
pub mod sla_clock;
pub mod sla_policy;
pub mod sla_policy_version;
pub mod sla_setting;
pub mod sla_slot;
pub mod source_cost;
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
