//! Whose each lead is at the service, from the service's own list of its records: reports tell of one lead at a time, and of none that was
//! assigned while nobody listened.

use std::collections::HashMap;
use std::path::Path;

use domain::ids::{DestinationId, TenantId};
use domain::inbound::{Named, owner};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::links::{self, Owned};
use crate::app::App;
use crate::database::Mode;
use crate::error::Error;
use crate::sla::agents;

/// Records of a transaction.
const BATCH: usize = 500;

/// Users by how the service names them, with id and name; none: it is not known who that is.
type Users = HashMap<Named, Option<(String, String)>>;

/// Writes whose the leads of the records are, as the list has them, one JSON object a line. What a record does not speak of stays.
pub(super) async fn take_over(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    list: &Path,
) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::internal("reading a list", error);
    let mut lines = BufReader::new(tokio::fs::File::open(list).await.map_err(failed)?).lines();
    let mut users = Users::new();
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(line) = lines.next_line().await.map_err(failed)? {
        let record: Value = serde_json::from_str(&line).map_err(|error| failed(error.into()))?;
        batch.extend(owner(&record));
        if batch.len() == BATCH {
            write(app, (tenant, destination), &mut users, std::mem::take(&mut batch)).await?;
        }
    }
    write(app, (tenant, destination), &mut users, batch).await
}

async fn write(
    app: &App,
    (tenant, destination): (TenantId, DestinationId),
    users: &mut Users,
    batch: Vec<(String, Option<Named>)>,
) -> Result<(), Error> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let mut owned = Owned::default();
    for (record, named) in batch {
        let Some(named) = named else {
            owned.push(record, None);
            continue;
        };
        let user = if let Some(user) = users.get(&named) {
            user.clone()
        } else {
            let user = links::user(tx.connection(), (tenant, destination), &named).await?;
            users.entry(named).or_insert(user).clone()
        };
        // A user that nobody knows is no reason to forget the one before.
        if user.is_some() {
            owned.push(record, user);
        }
    }
    let place = (tenant, destination);
    let (leads, names) = links::own(tx.connection(), place, &owned, app.clock.now()).await?;
    agents::assigned(tx.connection(), tenant, &leads, &names).await?;
    Ok(tx.commit().await?)
}
