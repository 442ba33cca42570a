//! Destinations as the engine needs them, opened and kept for a few seconds.
//!
//! Opening a sealed URL for each request would cost more than it protects; keeping it for long would
//! send leads to an address that a person has already corrected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::delivery::Kind;
use domain::ids::{DestinationId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;
use standardwebhooks::Webhook;
use uuid::Uuid;

use super::Error;
use super::client::Endpoint;
use crate::secrets::{Context, Purpose, Secrets};

const KEPT: Duration = Duration::from_secs(3);
/// Entries beyond this are forgotten together: it bounds memory, and a miss costs one short query.
const ENTRIES_MAX: usize = 10_000;

/// A destination, ready to be sent to.
pub(super) struct Destination {
    pub kind: Kind,
    pub endpoint: Endpoint,
    pub signer: Option<Webhook>,
    pub first_name_fallback: Option<String>,
}

/// A destination, or the reason why nothing can be sent to it.
pub(super) type Known = Arc<Result<Destination, String>>;

/// Names a destination.
pub(super) type Key = (TenantId, DestinationId);

/// The kept destinations.
#[derive(Default)]
pub(super) struct Destinations(Mutex<HashMap<Key, (Instant, Known)>>);

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    url_sealed: Vec<u8>,
    signing_sealed: Option<Vec<u8>>,
    first_name_fallback: Option<String>,
    enabled: bool,
}

impl Destinations {
    /// Each of the named destinations, from memory or from the database.
    pub(super) async fn get(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        mut wanted: Vec<DestinationId>,
        open: &Opener<'_>,
    ) -> Result<HashMap<DestinationId, Known>, Error> {
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = self.kept(tenant, &wanted);
        let missing: Vec<Uuid> =
            wanted.iter().filter(|id| !found.contains_key(id)).map(|id| id.uuid()).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, kind, url_sealed, signing_sealed, first_name_fallback, enabled
             FROM destination WHERE tenant_id = $1 AND id = ANY ($2)",
        )
        .bind(tenant.uuid())
        .bind(&missing)
        .fetch_all(connection)
        .await?;
        let now = Instant::now();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + rows.len() > ENTRIES_MAX {
            kept.clear();
        }
        for row in rows {
            let id = DestinationId(row.id);
            let known = Arc::new(open.open(tenant, row));
            kept.insert((tenant, id), (now, Arc::clone(&known)));
            found.insert(id, known);
        }
        Ok(found)
    }

    fn kept(&self, tenant: TenantId, wanted: &[DestinationId]) -> HashMap<DestinationId, Known> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |id: &DestinationId| {
            let (since, known) = kept.get(&(tenant, *id))?;
            (since.elapsed() < KEPT).then(|| (*id, Arc::clone(known)))
        };
        wanted.iter().filter_map(fresh).collect()
    }

    /// Forgets everything, so that the next delivery sees the database's word.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// What it takes to open a destination.
pub(super) struct Opener<'a> {
    pub secrets: &'a Secrets,
    pub allow_private: bool,
}

impl Opener<'_> {
    /// The reasons are read by people: what is wrong and what to do, and nothing of the secret.
    fn open(&self, tenant: TenantId, row: Row) -> Result<Destination, String> {
        if !row.enabled {
            return Err("the destination is disabled; enable it and retry".to_owned());
        }
        let kind = Kind::parse(&row.kind)
            .ok_or_else(|| format!("the destination's kind `{}` is unknown", row.kind))?;
        let destination = DestinationId(row.id);
        let unseal = |purpose, sealed: &[u8]| {
            self.secrets
                .open(Context { tenant, destination, purpose }, sealed)
                .map_err(|error| format!("the destination's secrets cannot be opened: {error}"))
        };
        let url = unseal(Purpose::Url, &row.url_sealed)?;
        let signing =
            row.signing_sealed.as_deref().map(|sealed| unseal(Purpose::Signing, sealed)).transpose()?;
        let further: Vec<&str> = signing.iter().map(SecretString::expose_secret).collect();
        let endpoint = Endpoint::new(url.expose_secret(), &further, self.allow_private)
            .map_err(|error| format!("the destination's URL cannot be used: {error}"))?;
        let signer = match (kind, &signing) {
            (Kind::Bonzo, _) => None,
            (Kind::Webhook, Some(secret)) => Some(
                Webhook::new(secret.expose_secret())
                    .map_err(|_| "the destination's signing secret is not whsec_… in base64".to_owned())?,
            ),
            (Kind::Webhook, None) => {
                return Err("the destination has no signing secret; give it one".to_owned());
            }
        };
        Ok(Destination { kind, endpoint, signer, first_name_fallback: row.first_name_fallback })
    }
}
