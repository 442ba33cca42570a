//! One lead on its way to one destination.

use sea_orm::entity::prelude::*;

/// One lead on its way to one destination. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The lead that is handed over.
    pub lead_id: Uuid,
    /// Where it goes.
    pub destination_id: Uuid,
    /// `pending`, `delivered`, `failed` or `held`.
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Requests begun so far.
    pub attempts: i16,
    /// Attempts that do not count: those before a person last retried it, and those that only showed that the destination was away.
    pub budget_from: i16,
    /// Not before this; while a worker has it, the end of that worker's lease.
    pub due_at: DateTimeUtc,
    /// The worker that has it now; null when none has.
    pub lease: Option<Uuid>,
    /// Why it is held or failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    /// The id that the destination gave it.
    #[sea_orm(column_type = "Text", nullable)]
    pub remote_id: Option<String>,
    /// When it was delivered, failed or was held; null while pending.
    pub finished_at: Option<DateTimeUtc>,
    /// What kind of end that is, in one word.
    #[sea_orm(column_type = "Text", nullable)]
    pub code: Option<String>,
    /// The last request may have arrived.
    pub unsure: bool,
    /// It is to be sent although it may have arrived; good for one sending.
    pub decided: bool,
    /// It came to an end that needed a person, whatever became of it since.
    pub failed_once: bool,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
