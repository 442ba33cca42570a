//! Destinations as the engine needs them, opened and kept for a few seconds.
//!
//! Opening a sealed URL for each request would cost more than it protects; keeping it for long would
//! send leads to an address that a person has already corrected.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::delivery::{Kind, Plan};
use domain::ids::{DestinationId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
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
    pub plan: Plan,
    pub endpoint: Endpoint,
    /// As a person may see it.
    pub url_masked: String,
    /// The present signing secret, and during a rotation the one before; empty where the kind has none.
    pub signers: Vec<Webhook>,
    /// By name.
    pub secrets: BTreeMap<String, String>,
    pub first_name_fallback: Option<String>,
}

/// A destination as it was read.
pub(super) struct Opened {
    /// How often a person had changed or resumed it.
    pub version: i32,
    /// Ready to be sent to, or the reason why nothing can be.
    pub destination: Result<Destination, String>,
}

impl Opened {
    /// The destination, where something can be sent to it.
    pub(super) fn usable(&self) -> Option<&Destination> {
        self.destination.as_ref().ok()
    }
}

/// A destination that several jobs share.
pub(super) type Known = Arc<Opened>;

/// Names a destination.
pub(super) type Key = (TenantId, DestinationId);

/// The kept destinations.
#[derive(Default)]
pub(super) struct Destinations(Mutex<HashMap<Key, (Instant, Known)>>);

/// The columns of a [`Row`].
const COLUMNS: &str = "id, kind, url_sealed, url_masked, signing_sealed, signing_old_sealed, signing_old_until, \
    credentials_sealed, settings, first_name_fallback, version";

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    url_sealed: Vec<u8>,
    url_masked: String,
    signing_sealed: Option<Vec<u8>>,
    signing_old_sealed: Option<Vec<u8>>,
    signing_old_until: Option<DateTime<Utc>>,
    credentials_sealed: Option<Vec<u8>>,
    settings: Json<Value>,
    first_name_fallback: Option<String>,
    version: i32,
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
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM destination WHERE tenant_id = $1 AND id = ANY ($2)"
        )))
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
            let known = Arc::new(Opened { version: row.version, destination: open.open(tenant, row) });
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

    /// Forgets one, which has changed.
    pub(super) fn forget_one(&self, key: Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    /// Forgets everything, so that the next delivery sees the database's word.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// One destination with every secret replaced, for showing what would be sent.
pub(super) async fn masked(
    connection: &mut PgConnection,
    tenant: TenantId,
    destination: DestinationId,
    open: &Opener<'_>,
) -> Result<Option<Result<Destination, String>>, Error> {
    let row: Option<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM destination WHERE tenant_id = $1 AND id = $2"
    )))
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let mut destination = open.open(tenant, row)?;
        destination.signers.clear();
        destination.secrets.values_mut().for_each(|secret| MASK.clone_into(secret));
        Ok(destination)
    }))
}

/// What stands for a secret where a person looks.
pub(super) const MASK: &str = "[secret]";

/// What it takes to open a destination.
pub(super) struct Opener<'a> {
    pub secrets: &'a Secrets,
    pub allow_private: bool,
    pub now: DateTime<Utc>,
}

impl Opener<'_> {
    /// The reasons are read by people: what is wrong and what to do, and nothing of the secret.
    fn open(&self, tenant: TenantId, row: Row) -> Result<Destination, String> {
        let kind = Kind::parse(&row.kind)
            .ok_or_else(|| format!("the destination's kind `{}` is unknown", row.kind))?;
        let plan = Plan::new(kind, &row.settings.0)
            .map_err(|error| format!("the destination's settings cannot be used: {error}"))?;
        let destination = DestinationId(row.id);
        let unseal = |purpose, sealed: &[u8]| {
            self.secrets
                .open(Context::of_row(tenant, destination.uuid(), purpose), sealed)
                .map_err(|error| format!("the destination's secrets cannot be opened: {error}"))
        };
        let url = unseal(Purpose::Url, &row.url_sealed)?;
        let secrets = match &row.credentials_sealed {
            Some(sealed) => {
                let text = unseal(Purpose::Credentials, sealed)?;
                serde_json::from_str(text.expose_secret())
                    .map_err(|_| "the destination's credentials cannot be read; give them again".to_owned())?
            }
            None => BTreeMap::new(),
        };
        if let Some(missing) = plan.secrets.iter().find(|name| !secrets.contains_key(*name)) {
            return Err(format!("the destination has no credential `{missing}`; give it one and retry"));
        }
        let mut signing = Vec::new();
        if let Some(sealed) = &row.signing_sealed {
            signing.push(unseal(Purpose::Signing, sealed)?);
        }
        if let (Some(sealed), Some(until)) = (&row.signing_old_sealed, row.signing_old_until)
            && until > self.now
        {
            signing.push(unseal(Purpose::SigningOld, sealed)?);
        }
        let further: Vec<&str> = signing
            .iter()
            .map(SecretString::expose_secret)
            .chain(secrets.values().map(String::as_str))
            .collect();
        let endpoint = Endpoint::new(url.expose_secret(), &further, self.allow_private)
            .map_err(|error| format!("the destination's URL cannot be used: {error}"))?;
        if kind == Kind::Webhook && signing.is_empty() {
            return Err("the destination has no signing secret; give it one".to_owned());
        }
        let signer = |secret: &SecretString| {
            Webhook::new(secret.expose_secret())
                .map_err(|_| "the destination's signing secret is not whsec_… in base64".to_owned())
        };
        let signers = signing.iter().map(signer).collect::<Result<_, _>>()?;
        Ok(Destination {
            kind,
            plan,
            endpoint,
            url_masked: row.url_masked,
            signers,
            secrets,
            first_name_fallback: row.first_name_fallback,
        })
    }
}
