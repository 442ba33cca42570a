//! A lead as it stands now.

use sea_orm::entity::prelude::*;

/// A lead as it stands now. Columns and their meaning: the first migration.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lead")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    /// Primary key within the tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Where it came from first.
    pub source_id: Uuid,
    /// The file that it came in; null when it came alone.
    pub import_id: Option<Uuid>,
    /// Number of the record in its import, from 1; of two records of one lead the later one wins, whichever commits first.
    pub record: Option<i32>,
    /// When its first record was stored.
    pub received_at: DateTimeUtc,
    /// 128-bit hash of source and external id, or of source and content when there is none: names the lead.
    pub identity: Uuid,
    /// 128-bit hash of all normalised content: the same record again changes nothing.
    pub fingerprint: Uuid,
    /// Within these the phone, the e-mail names one lead: the source, the tenant, or (no such rule) the lead itself.
    pub phone_scope: Option<Uuid>,
    /// The same for the e-mail.
    pub email_scope: Option<Uuid>,
    /// As the source calls it.
    #[sea_orm(column_type = "Text", nullable)]
    pub external_id: Option<String>,
    /// What the person wants, in the words of the source.
    #[sea_orm(column_type = "Text", nullable)]
    pub lead_type: Option<String>,
    /// How it came: `file`, `api` or `web`.
    #[sea_orm(column_type = "Text")]
    pub channel: String,
    /// Normalised.
    #[sea_orm(column_type = "Text", nullable)]
    pub first_name: Option<String>,
    /// Normalised, suffixes included.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_name: Option<String>,
    /// E.164.
    #[sea_orm(column_type = "Text", nullable)]
    pub phone: Option<String>,
    /// Digits after the number.
    #[sea_orm(column_type = "Text", nullable)]
    pub phone_ext: Option<String>,
    /// Further valid numbers, E.164, without repeats.
    pub alt_phones: Option<Vec<String>>,
    /// In lower case.
    #[sea_orm(column_type = "Text", nullable)]
    pub email: Option<String>,
    /// Further valid addresses, in lower case.
    pub alt_emails: Option<Vec<String>>,
    /// House number, street and unit.
    #[sea_orm(column_type = "Text", nullable)]
    pub address: Option<String>,
    /// Normalised.
    #[sea_orm(column_type = "Text", nullable)]
    pub city: Option<String>,
    /// Two letters: a state, a territory or a province.
    #[sea_orm(column_type = "Text", nullable)]
    pub state: Option<String>,
    /// Five digits.
    #[sea_orm(column_type = "Text", nullable)]
    pub zip: Option<String>,
    /// The four digits after them.
    #[sea_orm(column_type = "Text", nullable)]
    pub zip4: Option<String>,
    /// Further fields by name, typed: numbers are exact decimals, days are ISO 8601.
    #[sea_orm(column_type = "JsonBinary")]
    pub details: Json,
    /// Columns that the mapping does not name and raw text that could not be read.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub extra: Option<Json>,
    /// [{field, code, message, value}].
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub warnings: Option<Json>,
}

/// None: rows are read by their tenant and key, joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Tenanted for Entity {
    const TENANT: Column = Column::TenantId;
}
