//! The shared Postgres: tables, row-level security, functions.
//!
//! A migration imports nothing of ours: an old one must not break when today's entity changes.
//! Each is a pair of SQL files, because SQL is what a reviewer and a database administrator read.
//! Expand first, contract in a later release.
//!
//! Invariants, which a test checks against the live catalogue:
//! * every primary key starts with `tenant_id`, every foreign key and unique constraint carries it;
//! * every table has row-level security enabled *and forced*, with a policy that compares
//!   `tenant_id` with the setting `app.tenant_id`; without that setting it shows no row.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// The migrations in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            sql(
                "m20261120_000001_leads",
                include_str!("sql/000001_leads.up.sql"),
                include_str!("sql/000001_leads.down.sql"),
            ),
            sql(
                "m20261121_000002_journey",
                include_str!("sql/000002_journey.up.sql"),
                include_str!("sql/000002_journey.down.sql"),
            ),
            sql(
                "m20261121_000003_delivery",
                include_str!("sql/000003_delivery.up.sql"),
                include_str!("sql/000003_delivery.down.sql"),
            ),
            sql(
                "m20261121_000004_tracking",
                include_str!("sql/000004_tracking.up.sql"),
                include_str!("sql/000004_tracking.down.sql"),
            ),
            sql(
                "m20261121_000005_reconciliation",
                include_str!("sql/000005_reconciliation.up.sql"),
                include_str!("sql/000005_reconciliation.down.sql"),
            ),
            sql(
                "m20261121_000006_sla",
                include_str!("sql/000006_sla.up.sql"),
                include_str!("sql/000006_sla.down.sql"),
            ),
            sql(
                "m20261121_000007_access",
                include_str!("sql/000007_access.up.sql"),
                include_str!("sql/000007_access.down.sql"),
            ),
            sql(
                "m20261121_000008_billing",
                include_str!("sql/000008_billing.up.sql"),
                include_str!("sql/000008_billing.down.sql"),
            ),
            sql(
                "m20261121_000010_flow",
                include_str!("sql/000010_flow.up.sql"),
                include_str!("sql/000010_flow.down.sql"),
            ),
            sql(
                "m20261121_000011_billing2",
                include_str!("sql/000011_billing2.up.sql"),
                include_str!("sql/000011_billing2.down.sql"),
            ),
            sql(
                "m20261121_000012_statistics",
                include_str!("sql/000012_statistics.up.sql"),
                include_str!("sql/000012_statistics.down.sql"),
            ),
            sql(
                "m20261121_000013_repair",
                include_str!("sql/000013_repair.up.sql"),
                include_str!("sql/000013_repair.down.sql"),
            ),
            sql(
                "m20261121_000014_report_amount",
                include_str!("sql/000014_report_amount.up.sql"),
                include_str!("sql/000014_report_amount.down.sql"),
            ),
            sql(
                "m20261121_000015_cases",
                include_str!("sql/000015_cases.up.sql"),
                include_str!("sql/000015_cases.down.sql"),
            ),
            sql(
                "m20261122_000016_destination_version",
                include_str!("sql/000016_destination_version.up.sql"),
                include_str!("sql/000016_destination_version.down.sql"),
            ),
            sql(
                "m20261122_000017_decided",
                include_str!("sql/000017_decided.up.sql"),
                include_str!("sql/000017_decided.down.sql"),
            ),
            sql(
                "m20261122_000018_import_failures",
                include_str!("sql/000018_import_failures.up.sql"),
                include_str!("sql/000018_import_failures.down.sql"),
            ),
        ]
    }
}

fn sql(name: &'static str, up: &'static str, down: &'static str) -> Box<dyn MigrationTrait> {
    Box::new(SqlMigration { name, up, down })
}

/// A migration that is two pieces of SQL.
struct SqlMigration {
    name: &'static str,
    up: &'static str,
    down: &'static str,
}

impl MigrationName for SqlMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SqlMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.up).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.down).await.map(|_| ())
    }
}
