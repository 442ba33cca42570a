//! Links to one file of a report, for whoever has them until they expire; and who fetched what.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{BillingReportId, ReportLinkId, TenantId};
use entity::{Tenanted, report_download, report_link};
use rand::Rng as _;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::files::Format;
use super::reports;
use crate::access::{Actor, audit, refuse_suspended};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

const SECRET_BYTES: usize = 32;
/// A link lives at least a minute and at most ninety days.
const MINUTES_MAX: i64 = 90 * 24 * 60;
/// Downloads of a list at most.
const LIST_MAX: u64 = 200;

/// A link that was just made. Its secret is shown this once.
#[derive(Debug)]
pub struct NewLink {
    /// Its row.
    pub row: report_link::Model,
    /// What stands behind `?link=` in the file's address.
    pub secret: SecretString,
}

/// Makes a link to one file.
pub async fn create(
    app: &App,
    tenant: TenantId,
    report: BillingReportId,
    format: Format,
    minutes: i64,
    actor: Actor,
) -> Result<NewLink, Error> {
    if !(1..=MINUTES_MAX).contains(&minutes) {
        return Err(Error::invalid("minutes", format!("a link lives 1 to {MINUTES_MAX} minutes (90 days)")));
    }
    let now = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    reports::by_id(&tx, report).await?;
    let id = app.ids.next(now);
    let mut secret = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    let row = report_link::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id),
        report_id: Set(report.uuid()),
        format: Set(format.as_str().to_owned()),
        secret_hash: Set(Sha256::digest(secret).to_vec()),
        created_at: Set(now),
        created_by: Set(actor.to_string()),
        expires_at: Set(now + TimeDelta::minutes(minutes)),
        revoked_at: Set(None),
    };
    let row = row.insert(&tx).await?;
    tx.commit().await?;
    let detail = json!({ "report": report, "format": format.as_str(), "minutes": minutes });
    audit(app, tenant, actor, "report_link.created", ReportLinkId(id), detail).await?;
    // Tenant and link are named, so that the right tenant's row is looked up; the secret proves them.
    let text = [tenant.uuid().as_bytes().as_slice(), id.as_bytes(), &secret].concat();
    Ok(NewLink { row, secret: URL_SAFE_NO_PAD.encode(text).into() })
}

/// The tenant and link of an address, when it is for that file and holds now. Anything else is not found; of a suspended
/// tenant nothing opens.
pub async fn resolve(
    app: &App,
    text: &str,
    report: BillingReportId,
    format: Format,
) -> Result<(TenantId, ReportLinkId), Error> {
    let refuse = || Error::not_found("billing report", report);
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refuse())?;
    let (Some(tenant), Some(id), Some(secret)) = (bytes.get(..16), bytes.get(16..32), bytes.get(32..)) else {
        return Err(refuse());
    };
    let tenant = TenantId(Uuid::from_slice(tenant).map_err(|_| refuse())?);
    let id = Uuid::from_slice(id).map_err(|_| refuse())?;
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let query = report_link::Entity::of(tenant).filter(report_link::Column::Id.eq(id));
    let link = query.one(&tx).await?.ok_or_else(refuse)?;
    drop(tx);
    let proven: bool = Sha256::digest(secret).as_slice().ct_eq(&link.secret_hash).into();
    let holds = link.revoked_at.is_none() && link.expires_at > app.clock.now();
    if !(proven && holds && link.report_id == report.uuid() && link.format == format.as_str()) {
        return Err(refuse());
    }
    refuse_suspended(&app.tenants.open(tenant).await?).await?;
    Ok((tenant, ReportLinkId(id)))
}

/// The links of a report, the newest first.
pub async fn of_report(tx: &TenantTx, report: BillingReportId) -> Result<Vec<report_link::Model>, Error> {
    use report_link::Column;
    let query = report_link::Entity::of(tx.tenant()).filter(Column::ReportId.eq(report.uuid()));
    Ok(query.order_by_desc(Column::Id).limit(LIST_MAX).all(tx).await?)
}

/// Ends a link now.
pub async fn revoke(
    app: &App,
    tenant: TenantId,
    id: ReportLinkId,
    actor: Actor,
) -> Result<report_link::Model, Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    sqlx::query(
        "UPDATE report_link SET revoked_at = coalesce(revoked_at, $3) WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant.uuid())
    .bind(id.uuid())
    .bind(app.clock.now())
    .execute(tx.connection())
    .await?;
    let query = report_link::Entity::of(tenant).filter(report_link::Column::Id.eq(id.uuid()));
    let row = query.one(&tx).await?.ok_or_else(|| Error::not_found("link", id))?;
    tx.commit().await?;
    audit(app, tenant, actor, "report_link.revoked", id, json!({})).await?;
    Ok(row)
}

/// Writes down who fetches which file, before the first byte is sent.
pub async fn log(
    app: &App,
    tenant: TenantId,
    report: BillingReportId,
    format: Format,
    actor: &str,
) -> Result<(), Error> {
    let now: DateTime<Utc> = app.clock.now();
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row = report_download::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(app.ids.next(now)),
        report_id: Set(report.uuid()),
        format: Set(format.as_str().to_owned()),
        at: Set(now),
        actor: Set(actor.to_owned()),
    };
    row.insert(&tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Who fetched files of a report, the latest first.
pub async fn downloads(tx: &TenantTx, report: BillingReportId) -> Result<Vec<report_download::Model>, Error> {
    use report_download::Column;
    let query = report_download::Entity::of(tx.tenant()).filter(Column::ReportId.eq(report.uuid()));
    Ok(query.order_by_desc(Column::Id).limit(LIST_MAX).all(tx).await?)
}
