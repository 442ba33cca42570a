//! The sample files, inside the binary: synthetic people, with dirt of every kind that real files have.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use domain::ids::{SourceId, TenantId};
use entity::lead_source;
use service::App;
use service::database::{Mode, TenantTx};
use service::intake::leads::Page;
use service::intake::listing::{self, ImportFilter};
use service::intake::sources::{self, NewSource};
use service::intake::{imports, run};
use tokio_util::sync::CancellationToken;

use crate::cli::{Failure, examine};

/// A source and its file.
struct Sample {
    slug: &'static str,
    name: &'static str,
    file: &'static str,
    content: &'static [u8],
}

/// The sources by their slugs, which are their kinds too.
const SAMPLES: [Sample; 3] = [
    Sample {
        slug: "experian",
        name: "Experian prescreen",
        file: "experian.csv",
        content: include_bytes!("../../../samples/experian.csv"),
    },
    Sample {
        slug: "transunion",
        name: "TransUnion triggers",
        file: "transunion.csv",
        content: include_bytes!("../../../samples/transunion.csv"),
    },
    Sample {
        slug: "leadsource",
        name: "LeadSource web forms",
        file: "leadsource.json",
        content: include_bytes!("../../../samples/leadsource.json"),
    },
];

/// Imports each sample that was not imported to its end before. Answers how many.
pub(super) async fn import(
    app: &Arc<App>,
    tenant: TenantId,
    data_dir: &Path,
    stop: &CancellationToken,
) -> Result<usize, Failure> {
    let folder = data_dir.join("samples");
    let failed = |error| Failure::failed(format!("writing the samples to {}", folder.display()), error);
    fs::create_dir_all(&folder).map_err(failed)?;
    let mut imported = 0;
    for sample in &SAMPLES {
        let source = source(app, tenant, sample).await?;
        let path = folder.join(sample.file);
        fs::write(&path, sample.content).map_err(failed)?;
        imported += usize::from(import_one(app, tenant, &source, &path, stop).await?);
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(imported)
}

async fn source(app: &App, tenant: TenantId, sample: &Sample) -> Result<lead_source::Model, Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let known = sources::by_slug(&tx, sample.slug).await;
    drop(tx);
    match known {
        Err(service::Error::NotFound { .. }) => {
            let new = NewSource {
                slug: sample.slug.to_owned(),
                name: Some(sample.name.to_owned()),
                kind: sample.slug.to_owned(),
                mapping: None,
            };
            Ok(sources::create(app, tenant, new).await?)
        }
        other => Ok(other?),
    }
}

async fn import_one(
    app: &Arc<App>,
    tenant: TenantId,
    source: &lead_source::Model,
    path: &Path,
    stop: &CancellationToken,
) -> Result<bool, Failure> {
    let file = examine(path, app.settings.file_bytes_max).await?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let before = imported_before(&tx, source, &file.hash).await?;
    drop(tx);
    if before {
        return Ok(false);
    }
    let id = imports::receive(app, tenant, source, file, None).await?.import;
    // A demo that was killed holds its lease for a while.
    let leased = loop {
        if let Some(leased) = imports::lease(app, tenant, id, Some(path.to_owned())).await? {
            break leased;
        }
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
            () = stop.cancelled() => return Ok(false),
        }
    };
    tokio::select! {
        ended = run::run(app, &leased) => match ended? {
            run::Ended::Failed(why) => Err(Failure::failed(format!("importing {}", path.display()), why)),
            run::Ended::Done(_) | run::Ended::Stopped(_) => Ok(true),
        },
        () = stop.cancelled() => {
            run::release(app, &leased).await;
            Ok(true)
        }
    }
}

async fn imported_before(
    tx: &TenantTx,
    source: &lead_source::Model,
    hash: &[u8; 32],
) -> Result<bool, Failure> {
    let filter = ImportFilter { sources: vec![SourceId(source.id)], states: vec!["done".to_owned()] };
    let page = Page { rows: 100, after: None, before: None, from_end: true };
    // From the oldest on: the demo's own import is the first of its source.
    let known = listing::imports(tx, &filter, page).await?;
    Ok(known.rows.iter().any(|import| import.file_hash == hash))
}
