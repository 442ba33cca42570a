//! Reports of destinations about their leads: `POST /hooks/{destination}` (S003-26).
//!
//! One report from end to end: the sender is recognised by its code or its signature ([`receive`]) → the body is stored as it is, once
//! by its message's id, with a job in the same transaction, and acknowledged → the job ([`process`]) reads it, finds the lead, writes the
//! steps into its journey and opt-outs into the suppression list, and marks the report processed, in one transaction.
//!
//! So a report is never lost between the acknowledgement and its effect, has that effect once, and the order of reports does not matter:
//! where a lead stands is read from all of its steps (`domain::journey::stage`). A report that comes before the delivery that it is about
//! has committed waits for it.
//!
//! A static code proves little: what Bonzo's hooks claim is first read again through its API, where there is one (see [`process`]).
//!
//! A stranger's message is not stored: nobody without a code may fill the table.

use std::collections::BTreeMap;

use domain::ids::{DestinationId, InboundHookId, TenantId};
use domain::inbound::{BODY_BYTES_MAX, Kind, StatusMap, message_id};
use entity::{Tenanted, inbound_endpoint};
use http::HeaderMap;
use sea_orm::{ColumnTrait, QueryFilter};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::jobs::{self, How};
use crate::secrets::{Context, Purpose, new_signing_secret};

mod find;
pub mod process;
pub mod reads;

/// A signature's time may differ from ours by so many seconds (Standard Webhooks 1.0.0).
const TOLERANCE_SECONDS: u64 = 300;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The report.
    pub id: InboundHookId,
    /// Whether it is the first copy.
    pub new: bool,
}

/// Recognises the sender, stores the report, queues its processing.
///
/// # Errors
/// [`Error::NotFound`] for a destination that takes no reports, [`Error::Unauthenticated`] for a wrong code, signature or time,
/// [`Error::Invalid`] for a body that is no text.
pub async fn receive(
    app: &App,
    destination: DestinationId,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Received, Error> {
    let unknown = || Error::not_found("destination that takes reports", destination);
    let tenant: Option<uuid::Uuid> = sqlx::query_scalar("SELECT tenant_of_inbound_endpoint($1)")
        .bind(destination.uuid())
        .fetch_one(&app.database.app)
        .await?;
    let tenant = TenantId(tenant.ok_or_else(unknown)?);
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let endpoint =
        endpoint(&tx, destination).await?.filter(|endpoint| endpoint.enabled).ok_or_else(unknown)?;
    let kind = Kind::parse(&endpoint.kind).ok_or_else(|| {
        Error::internal(
            "reading an endpoint",
            format!("inbound_endpoint {destination}: kind `{}`", endpoint.kind),
        )
    })?;
    let signed_id = recognise(app, tenant, destination, kind, &endpoint, headers, body)?;
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::Limit(format!("a report has at most {BODY_BYTES_MAX} bytes").into()));
    }
    let text = std::str::from_utf8(body)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| Error::invalid("body", "a report is JSON in UTF-8"))?;
    let key = signed_id.or_else(|| message_id(kind, text)).filter(|key| key.chars().count() <= 200);
    let key = key.unwrap_or_else(|| hex(&Sha256::digest(body)));
    let now = app.clock.now();
    let id = InboundHookId(app.ids.next(now));
    let made = sqlx::query(
        "INSERT INTO inbound_hook (tenant_id, id, destination_id, received_at, dedupe_key, body, state)
         VALUES ($1, $2, $3, $4, $5, $6, 'received') ON CONFLICT (tenant_id, destination_id, dedupe_key) DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(destination.uuid())
    .bind(now)
    .bind(&key)
    .bind(text)
    .execute(tx.connection())
    .await?;
    if made.rows_affected() == 0 {
        let known: uuid::Uuid = sqlx::query_scalar(
            "SELECT id FROM inbound_hook WHERE tenant_id = $1 AND destination_id = $2 AND dedupe_key = $3",
        )
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .bind(&key)
        .fetch_one(tx.connection())
        .await?;
        return Ok(Received { id: InboundHookId(known), new: false });
    }
    let job = process::ProcessHook { tenant, hook: id };
    jobs::enqueue(tx.connection(), &job, How::default()).await?;
    tx.commit().await?;
    Ok(Received { id, new: true })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Refuses whoever does not know the secret. Answers the signed id of the message, where there is one.
fn recognise(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    kind: Kind,
    endpoint: &inbound_endpoint::Model,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<String>, Error> {
    let refused = |why: &'static str| Error::Unauthenticated(why.into());
    let context = Context::of_row(tenant, destination.uuid(), Purpose::Inbound);
    let open = |sealed: &[u8]| {
        app.secrets
            .open(context, sealed)
            .map_err(|error| Error::internal("opening an endpoint's secret", error))
    };
    let mut secrets = vec![open(&endpoint.secret_sealed)?];
    if let Some(previous) = &endpoint.previous_sealed {
        secrets.push(open(previous)?);
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(name) = kind.code_header() {
        let given = header(name).unwrap_or_default().as_bytes();
        // Each of them is compared, so that the time tells nothing.
        let known = secrets.iter().fold(subtle::Choice::from(0_u8), |known, secret| {
            known | secret.expose_secret().as_bytes().ct_eq(given)
        });
        return if bool::from(known) { Ok(None) } else { Err(refused("the code is wrong or missing")) };
    }
    let id = header("webhook-id").ok_or_else(|| refused("the header webhook-id is missing"))?;
    let at: i64 = header("webhook-timestamp")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| refused("the header webhook-timestamp is missing or no number"))?;
    if app.clock.now().timestamp().abs_diff(at) > TOLERANCE_SECONDS {
        return Err(refused("the message is more than five minutes old, or from the future"));
    }
    // Signed anew and compared here: the library's own check takes the machine's clock and not Baton's.
    let given =
        header("webhook-signature").ok_or_else(|| refused("the header webhook-signature is missing"))?;
    let holds = |secret: &SecretString| {
        let expected = Webhook::new(secret.expose_secret()).and_then(|webhook| webhook.sign(id, at, body));
        expected.is_ok_and(|expected| {
            given.split(' ').any(|one| bool::from(one.as_bytes().ct_eq(expected.as_bytes())))
        })
    };
    if secrets.iter().any(holds) { Ok(Some(id.to_owned())) } else { Err(refused("the signature is wrong")) }
}

/// How a destination reports, when it does.
pub async fn endpoint(
    tx: &TenantTx,
    destination: DestinationId,
) -> Result<Option<inbound_endpoint::Model>, Error> {
    Ok(inbound_endpoint::Entity::of(tx.tenant())
        .filter(inbound_endpoint::Column::DestinationId.eq(destination.uuid()))
        .one(tx)
        .await?)
}

/// Lets a destination report, or gives it a new secret; the one before goes on being taken until the next. The secret is shown once:
/// the sender's own code, or when none is given one that is made.
pub async fn open(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    kind: Kind,
    code: Option<SecretString>,
) -> Result<SecretString, Error> {
    let secret = match (kind, code) {
        (_, None) => new_signing_secret(),
        (Kind::Standard, Some(code)) if Webhook::new(code.expose_secret()).is_err() => {
            return Err(Error::invalid("secret", "a signing secret is whsec_ and base64 of 24 to 64 bytes"));
        }
        (_, Some(code)) if code.expose_secret().chars().count() < 16 => {
            return Err(Error::invalid("secret", "the code must have at least 16 characters"));
        }
        (_, Some(code)) if code.expose_secret().chars().any(|c| !c.is_ascii_graphic()) => {
            return Err(Error::invalid("secret", "the code must be printable ASCII without blanks"));
        }
        (_, Some(code)) => code,
    };
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    crate::delivery::manage::by_id(&tx, destination).await?;
    let context = Context::of_row(tenant, destination.uuid(), Purpose::Inbound);
    sqlx::query(
        "INSERT INTO inbound_endpoint (tenant_id, destination_id, kind, secret_sealed, enabled, created_at)
         VALUES ($1, $2, $3, $4, true, $5)
         ON CONFLICT (tenant_id, destination_id) DO UPDATE SET enabled = true,
             previous_sealed = CASE WHEN inbound_endpoint.kind = excluded.kind THEN inbound_endpoint.secret_sealed END,
             kind = excluded.kind, secret_sealed = excluded.secret_sealed",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(kind.as_str())
    .bind(app.secrets.seal(context, secret.expose_secret()))
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(secret)
}

/// Sets what the sender's own words mean: word → `submitted`, `contacted`, `qualified`, `sold`, `lost`, `opted_out` or `ignored`. They go
/// before the usual ones; reports that are processed from now on are read with them.
pub async fn set_status_map(
    app: &App,
    tenant: TenantId,
    destination: DestinationId,
    map: &BTreeMap<String, String>,
) -> Result<(), Error> {
    StatusMap::new(map).map_err(|error| Error::invalid("statusMap", error.to_string()))?;
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let set = sqlx::query(
        "UPDATE inbound_endpoint SET status_map = $3 WHERE tenant_id = $1 AND destination_id = $2",
    )
    .bind(tenant.uuid())
    .bind(destination.uuid())
    .bind(sqlx::types::Json(map))
    .execute(tx.connection())
    .await?;
    if set.rows_affected() == 0 {
        return Err(Error::not_found("destination that takes reports", destination));
    }
    Ok(tx.commit().await?)
}

/// The map of a stored endpoint.
fn status_map(stored: &serde_json::Value, destination: uuid::Uuid) -> Result<StatusMap, Error> {
    let corrupt = |error: String| {
        Error::internal(format!("reading inbound_endpoint.status_map of {destination}"), error)
    };
    let map: BTreeMap<String, String> =
        serde_json::from_value(stored.clone()).map_err(|error| corrupt(error.to_string()))?;
    StatusMap::new(&map).map_err(|error| corrupt(error.to_string()))
}

/// No longer takes a destination's reports.
pub async fn close(app: &App, tenant: TenantId, destination: DestinationId) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let closed = sqlx::query("UPDATE inbound_endpoint SET enabled = false, previous_sealed = NULL WHERE tenant_id = $1 AND destination_id = $2")
        .bind(tenant.uuid())
        .bind(destination.uuid())
        .execute(tx.connection())
        .await?;
    if closed.rows_affected() == 0 {
        return Err(Error::not_found("destination that takes reports", destination));
    }
    Ok(tx.commit().await?)
}
