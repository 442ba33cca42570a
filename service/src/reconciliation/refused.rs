//! The keys of records that we refused, out of their raw text: their list may have them all the same.

use std::collections::HashMap;

use domain::intake::rules::{email, phone};
use domain::intake::{MappingSpec, Plan, Settings};
use domain::reconciliation::list::external_key;
use entity::{Tenanted, failed_record, import};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::copy::CopyRows;
use crate::intake::raw::{self, Columns};
use crate::intake::sources;

/// Records that are read at once.
const BATCH: u64 = 1_000;

/// How the records of one source and file are read.
struct Known {
    mapping: MappingSpec,
    columns: Option<Columns>,
    plan: Plan,
}

/// Copies the keys of every refused record that nobody corrected.
pub(super) async fn stage(tx: &mut TenantTx, settings: &Settings, rows: &mut CopyRows) -> Result<(), Error> {
    let mut known: HashMap<(Uuid, Option<Uuid>), Option<Known>> = HashMap::new();
    let mut after = Uuid::nil();
    loop {
        let records = failed_record::Entity::of(tx.tenant())
            .filter(failed_record::Column::State.ne("corrected"))
            .filter(failed_record::Column::Id.gt(after))
            .order_by_asc(failed_record::Column::Id)
            .limit(BATCH)
            .all(tx)
            .await?;
        let Some(last) = records.last() else { return Ok(()) };
        after = last.id;
        rows.begin();
        for record in &records {
            let place = (record.source_id, record.import_id);
            if let std::collections::hash_map::Entry::Vacant(e) = known.entry(place) {
                let found = find(tx, place, settings).await?;
                e.insert(found);
            }
            let Some(Some(known)) = known.get(&place) else { continue };
            let Some(values) = raw::values(&record.raw, known.columns.as_ref(), &known.plan) else {
                continue;
            };
            let keys = keys(known, &values, settings);
            if keys.iter().any(Option::is_some) {
                rows.row(3);
                for key in &keys {
                    rows.optional_text(key.as_deref());
                }
            }
        }
        let mut copy =
            tx.connection().copy_in_raw("COPY pg_temp.recon_refused FROM STDIN WITH (FORMAT binary)").await?;
        copy.send(rows.finish()).await?;
        copy.finish().await?;
    }
}

/// None when its mapping does not fit its file any more: then its keys cannot be told.
async fn find(
    tx: &TenantTx,
    (source, file): (Uuid, Option<Uuid>),
    settings: &Settings,
) -> Result<Option<Known>, Error> {
    let source = sources::by_id(tx, source.into()).await?;
    let columns = match file {
        Some(file) => import::Entity::of(tx.tenant())
            .filter(import::Column::Id.eq(file))
            .one(tx)
            .await?
            .and_then(Columns::of),
        None => None,
    };
    let mapping = sources::mapping_of(&source)?;
    Ok(raw::plan(&source, columns.as_ref(), settings).ok().map(|plan| Known { mapping, columns, plan }))
}

/// External id, phone, e-mail.
fn keys(known: &Known, values: &[(String, String)], settings: &Settings) -> [Option<String>; 3] {
    let texts = |field: &str| -> Vec<&str> {
        let Some(spec) = known.mapping.fields.get(field) else { return Vec::new() };
        let wanted = |name: &str| {
            spec.from
                .iter()
                .chain(&spec.fallback)
                .any(|column| column.column.trim().eq_ignore_ascii_case(name))
        };
        let found = values.iter().filter(|(name, value)| wanted(name.trim()) && !value.trim().is_empty());
        found.map(|(_, value)| value.as_str()).collect()
    };
    let external = texts("external_id").first().map(|id| external_key(id));
    let phone = texts("phone")
        .into_iter()
        .flat_map(phone::split)
        .find_map(|text| phone::normalise(text, &settings.phone_regions).ok())
        .map(|phone| phone.number.into());
    let email =
        texts("email").into_iter().flat_map(email::split).find_map(|text| email::normalise(text).ok());
    [external, phone, email.map(Into::into)]
}
