//! Runs as they are read.

use domain::ids::{DestinationId, ReconciliationId};
use entity::Tenanted;
pub use entity::reconciliation_run::Model as RunRow;
use entity::reconciliation_run::{Column, Entity};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::leads::{Page, Rows, cut};

/// What a run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Our deliveries within the scope that we call delivered.
    pub ours: i32,
    /// Records of their list.
    pub theirs: i32,
    /// Rows of their list that are no record.
    pub skipped: i32,
    /// Both have it and say the same.
    pub matched: i32,
    /// Both have it and differ in a field.
    pub mismatched: i32,
    /// We handed it over and it is not there.
    pub missing: i32,
    /// Of these, another lead's record there has its phone, e-mail or id.
    pub merge_suspected: i32,
    /// It is there and our record does not call it delivered.
    pub unconfirmed: i32,
    /// Further records there of a lead that is there.
    pub duplicated: i32,
    /// There though refused or held back by us, or with our mark and unknown to us.
    pub unexpected: i32,
    /// Theirs alone.
    pub extra_known: i32,
    /// Matched, and there before we handed it over.
    pub pre_existing: i32,
    /// They know a field that we do not.
    pub enriched: i32,
    /// They say that the person wants no more contact.
    pub opted_out: i32,
}

impl Counts {
    /// What somebody has to look at.
    pub fn differences(&self) -> i32 {
        self.mismatched + self.missing + self.unconfirmed + self.duplicated + self.unexpected
    }
}

impl From<&RunRow> for Counts {
    fn from(run: &RunRow) -> Self {
        Self {
            ours: run.ours,
            theirs: run.theirs,
            skipped: run.skipped,
            matched: run.matched,
            mismatched: run.mismatched,
            missing: run.missing,
            merge_suspected: run.merge_suspected,
            unconfirmed: run.unconfirmed,
            duplicated: run.duplicated,
            unexpected: run.unexpected,
            extra_known: run.extra_known,
            pre_existing: run.pre_existing,
            enriched: run.enriched,
            opted_out: run.opted_out,
        }
    }
}

/// A page of runs, newest first.
pub async fn list(
    tx: &TenantTx,
    destination: Option<DestinationId>,
    page: Page,
) -> Result<Rows<RunRow>, Error> {
    let mut runs = Entity::of(tx.tenant()).limit(page.rows as u64 + 1);
    if let Some(destination) = destination {
        runs = runs.filter(Column::DestinationId.eq(destination.uuid()));
    }
    if let Some(after) = page.after {
        runs = runs.filter(Column::Id.lt(after));
    }
    if let Some(before) = page.before {
        runs = runs.filter(Column::Id.gt(before));
    }
    runs = if page.from_end { runs.order_by_asc(Column::Id) } else { runs.order_by_desc(Column::Id) };
    Ok(cut(runs.all(tx).await?, page))
}

/// The runs of those ids.
pub async fn by_ids(tx: &TenantTx, ids: &[Uuid]) -> Result<Vec<RunRow>, Error> {
    Ok(Entity::of(tx.tenant()).filter(Column::Id.is_in(ids.iter().copied())).all(tx).await?)
}

/// The run of that id.
pub async fn by_id(tx: &TenantTx, id: ReconciliationId) -> Result<RunRow, Error> {
    by_ids(tx, &[id.uuid()]).await?.pop().ok_or_else(|| Error::not_found("reconciliation", id))
}
