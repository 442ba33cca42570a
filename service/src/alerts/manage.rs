//! Channels, rules and the hour of the summary, as people manage them.

use domain::alerts::{Kind, Limits};
use domain::ids::{AlertChannelId, AlertRuleId, DestinationId, SourceId, TenantId};
use entity::{Tenanted, alert_channel, alert_rule, alert_setting};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use secrecy::{ExposeSecret as _, SecretString};

use super::summary::HOUR_DEFAULT;
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::delivery::address;
use crate::error::{Error, is_taken};
use crate::naming::check_name;
use crate::secrets::{Context, Purpose, new_signing_secret};

/// Channels of a tenant at most: a notice is sent to each.
pub const CHANNELS_MAX: usize = 20;
/// Rules of a tenant at most: each is measured every minute.
pub const RULES_MAX: usize = 50;

/// What a channel is made of.
#[derive(Debug)]
pub struct NewChannel {
    /// As people call it.
    pub name: String,
    /// `email` or `webhook`.
    pub kind: String,
    /// The mail address, or the URL.
    pub target: SecretString,
    /// Whether it gets the daily summary.
    pub daily_summary: bool,
}

/// What may change of a channel.
#[derive(Debug, Default)]
pub struct ChannelChange {
    /// As people call it.
    pub name: Option<String>,
    /// The mail address, or the URL.
    pub target: Option<SecretString>,
    /// Whether it gets the daily summary.
    pub daily_summary: Option<bool>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// What a rule is made of.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// As people call it.
    pub name: String,
    /// What it watches.
    pub kind: Kind,
    /// Of that destination alone.
    pub destination: Option<DestinationId>,
    /// The source that must not be silent.
    pub source: Option<SourceId>,
    /// A count, a percentage or hours, as the kind says.
    pub threshold: i32,
    /// Minutes, of a success rate.
    pub window_minutes: Option<i32>,
    /// Who hears of it; every enabled channel when none is named.
    pub channels: Option<Vec<AlertChannelId>>,
}

/// What may change of a rule.
#[derive(Clone, Debug, Default)]
pub struct RuleChange {
    /// As people call it.
    pub name: Option<String>,
    /// From where on it is an alert.
    pub threshold: Option<i32>,
    /// Minutes, of a success rate.
    pub window_minutes: Option<i32>,
    /// Sets who hears of it, or (inner none) makes it everybody.
    pub channels: Option<Option<Vec<AlertChannelId>>>,
    /// Whether it is measured.
    pub enabled: Option<bool>,
}

/// All channels, by name.
pub async fn channels(tx: &TenantTx) -> Result<Vec<alert_channel::Model>, Error> {
    Ok(alert_channel::Entity::of(tx.tenant()).order_by_asc(alert_channel::Column::Name).all(tx).await?)
}

/// All rules, by name.
pub async fn rules(tx: &TenantTx) -> Result<Vec<alert_rule::Model>, Error> {
    Ok(alert_rule::Entity::of(tx.tenant()).order_by_asc(alert_rule::Column::Name).all(tx).await?)
}

/// The hour of the tenant's day at which summaries are sent.
pub async fn summary_hour(tx: &TenantTx) -> Result<u32, Error> {
    let row = alert_setting::Entity::of(tx.tenant()).one(tx).await?;
    Ok(row.and_then(|row| u32::try_from(row.summary_hour).ok()).unwrap_or(HOUR_DEFAULT))
}

/// Sets the hour of the tenant's day at which summaries are sent.
pub async fn set_summary_hour(app: &App, tenant: TenantId, hour: i32) -> Result<(), Error> {
    let hour = i16::try_from(hour)
        .ok()
        .filter(|hour| (0..=23).contains(hour))
        .ok_or_else(|| Error::invalid("summaryHour", "the hour of the summary is 0 to 23"))?;
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let row = alert_setting::ActiveModel { tenant_id: Set(tenant.uuid()), summary_hour: Set(hour) };
    let replace = OnConflict::column(alert_setting::Column::TenantId)
        .update_column(alert_setting::Column::SummaryHour)
        .to_owned();
    alert_setting::Entity::insert(row).on_conflict(replace).exec_without_returning(&tx).await?;
    Ok(tx.commit().await?)
}

/// Makes a channel. Of kind webhook it comes with its signing secret, which is shown once.
pub async fn create_channel(
    app: &App,
    tenant: TenantId,
    new: NewChannel,
) -> Result<(alert_channel::Model, Option<SecretString>), Error> {
    if !matches!(new.kind.as_str(), "email" | "webhook") {
        return Err(Error::invalid("kind", "the kind must be email or webhook"));
    }
    let now = app.clock.now();
    let id = AlertChannelId(app.ids.next(now));
    let name = check_name(&new.name)?;
    let (target_sealed, target_shown) = seal_target(app, tenant, id, &new.kind, &new.target)?;
    let secret = (new.kind == "webhook").then(new_signing_secret);
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    if channels(&tx).await?.len() >= CHANNELS_MAX {
        return Err(Error::Limit(format!("a tenant has at most {CHANNELS_MAX} channels").into()));
    }
    let row = alert_channel::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(id.uuid()),
        name: Set(name.clone()),
        kind: Set(new.kind),
        target_sealed: Set(target_sealed),
        target_shown: Set(target_shown),
        signing_sealed: Set(secret.as_ref().map(|secret| {
            app.secrets.seal(context(tenant, id, Purpose::AlertSigning), secret.expose_secret())
        })),
        daily_summary: Set(new.daily_summary),
        enabled: Set(true),
        created_at: Set(now),
    };
    let row =
        row.insert(&tx).await.map_err(|error| taken(error, "alert_channel_tenant_id_name_key", &name))?;
    tx.commit().await?;
    Ok((row, secret))
}

/// Changes a channel.
pub async fn update_channel(
    app: &App,
    tenant: TenantId,
    id: AlertChannelId,
    change: ChannelChange,
) -> Result<alert_channel::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let found = channel(&tx, id).await?;
    let (kind, old_name) = (found.kind.clone(), found.name.clone());
    let mut row: alert_channel::ActiveModel = found.into();
    if let Some(given) = &change.name {
        row.name = Set(check_name(given)?);
    }
    if let Some(target) = &change.target {
        let (sealed, shown) = seal_target(app, tenant, id, &kind, target)?;
        row.target_sealed = Set(sealed);
        row.target_shown = Set(shown);
    }
    if let Some(daily) = change.daily_summary {
        row.daily_summary = Set(daily);
    }
    if let Some(enabled) = change.enabled {
        row.enabled = Set(enabled);
    }
    let wanted = change.name.unwrap_or(old_name);
    let row =
        row.update(&tx).await.map_err(|error| taken(error, "alert_channel_tenant_id_name_key", &wanted))?;
    tx.commit().await?;
    Ok(row)
}

/// Removes a channel, with what it was told. A rule that named it alone tells nobody from then on.
pub async fn delete_channel(app: &App, tenant: TenantId, id: AlertChannelId) -> Result<(), Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let mut connection = tx.lock().await;
    sqlx::query("UPDATE alert_rule SET channels = array_remove(channels, $2) WHERE tenant_id = $1 AND $2 = ANY(channels)")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .execute(&mut *connection)
        .await?;
    let gone = sqlx::query("DELETE FROM alert_channel WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .execute(&mut *connection)
        .await?;
    drop(connection);
    if gone.rows_affected() == 0 {
        return Err(Error::not_found("alert channel", id));
    }
    Ok(tx.commit().await?)
}

/// Makes a rule.
pub async fn create_rule(app: &App, tenant: TenantId, new: NewRule) -> Result<alert_rule::Model, Error> {
    check(Limits { kind: new.kind, threshold: new.threshold, window_minutes: new.window_minutes })?;
    match (new.kind, new.source) {
        (Kind::SilentSource, None) => {
            return Err(Error::invalid("source", "a rule for silence names the source that it listens to"));
        }
        (Kind::SilentSource, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(Error::invalid("source", "only a rule for silence names a source")),
    }
    if new.destination.is_some() && new.kind == Kind::SilentSource {
        return Err(Error::invalid("destination", "a rule for silence watches a source, not a destination"));
    }
    let now = app.clock.now();
    let name = check_name(&new.name)?;
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    if rules(&tx).await?.len() >= RULES_MAX {
        return Err(Error::Limit(format!("a tenant has at most {RULES_MAX} alert rules").into()));
    }
    if let Some(id) = new.destination {
        crate::delivery::manage::by_id(&tx, id).await?;
    }
    if let Some(id) = new.source {
        crate::intake::sources::by_id(&tx, id).await?;
    }
    let row = alert_rule::ActiveModel {
        tenant_id: Set(tenant.uuid()),
        id: Set(app.ids.next(now)),
        name: Set(name.clone()),
        kind: Set(new.kind.as_str().to_owned()),
        destination_id: Set(new.destination.map(DestinationId::uuid)),
        source_id: Set(new.source.map(SourceId::uuid)),
        threshold: Set(new.threshold),
        window_minutes: Set(new.window_minutes),
        channels: Set(known_channels(&tx, new.channels.as_deref()).await?),
        enabled: Set(true),
        created_at: Set(now),
    };
    let row = row.insert(&tx).await.map_err(|error| taken(error, "alert_rule_tenant_id_name_key", &name))?;
    tx.commit().await?;
    Ok(row)
}

/// Changes a rule. Switched off, its open alerts clear.
pub async fn update_rule(
    app: &App,
    tenant: TenantId,
    id: AlertRuleId,
    change: RuleChange,
) -> Result<alert_rule::Model, Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    let found = rule(&tx, id).await?;
    let kind = Kind::parse(&found.kind).ok_or_else(|| {
        Error::internal("reading a rule", format!("alert_rule {id}: kind `{}`", found.kind))
    })?;
    check(Limits {
        kind,
        threshold: change.threshold.unwrap_or(found.threshold),
        window_minutes: change.window_minutes.or(found.window_minutes),
    })?;
    let wanted = change.name.clone().unwrap_or_else(|| found.name.clone());
    let mut row: alert_rule::ActiveModel = found.into();
    row.name = Set(check_name(&wanted)?);
    if let Some(threshold) = change.threshold {
        row.threshold = Set(threshold);
    }
    if let Some(minutes) = change.window_minutes {
        row.window_minutes = Set(Some(minutes));
    }
    if let Some(channels) = &change.channels {
        row.channels = Set(known_channels(&tx, channels.as_deref()).await?);
    }
    if let Some(enabled) = change.enabled {
        row.enabled = Set(enabled);
    }
    let row =
        row.update(&tx).await.map_err(|error| taken(error, "alert_rule_tenant_id_name_key", &wanted))?;
    if !row.enabled {
        clear_all_of(app, &tx, id).await?;
    }
    tx.commit().await?;
    Ok(row)
}

/// Removes a rule. Its alerts stay, cleared, without it.
pub async fn delete_rule(app: &App, tenant: TenantId, id: AlertRuleId) -> Result<(), Error> {
    let tx = app.begin(tenant, Mode::ReadWrite).await?;
    rule(&tx, id).await?;
    clear_all_of(app, &tx, id).await?;
    sqlx::query("DELETE FROM alert_rule WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .execute(&mut *tx.lock().await)
        .await?;
    Ok(tx.commit().await?)
}

async fn clear_all_of(app: &App, tx: &TenantTx, rule: AlertRuleId) -> Result<(), Error> {
    sqlx::query(
        "UPDATE alert SET cleared_at = $3 WHERE tenant_id = $1 AND rule_id = $2 AND cleared_at IS NULL",
    )
    .bind(tx.tenant().uuid())
    .bind(rule.uuid())
    .bind(app.clock.now())
    .execute(&mut *tx.lock().await)
    .await?;
    Ok(())
}

/// The channel of that id.
pub async fn channel(tx: &TenantTx, id: AlertChannelId) -> Result<alert_channel::Model, Error> {
    alert_channel::Entity::of(tx.tenant())
        .filter(alert_channel::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("alert channel", id))
}

/// The rule of that id.
pub async fn rule(tx: &TenantTx, id: AlertRuleId) -> Result<alert_rule::Model, Error> {
    alert_rule::Entity::of(tx.tenant())
        .filter(alert_rule::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("alert rule", id))
}

async fn known_channels(
    tx: &TenantTx,
    wanted: Option<&[AlertChannelId]>,
) -> Result<Option<Vec<uuid::Uuid>>, Error> {
    let Some(wanted) = wanted else { return Ok(None) };
    let known: Vec<uuid::Uuid> = channels(tx).await?.into_iter().map(|channel| channel.id).collect();
    match wanted.iter().find(|id| !known.contains(&id.uuid())) {
        Some(unknown) => Err(Error::not_found("alert channel", *unknown)),
        None => Ok(Some(wanted.iter().map(|id| id.uuid()).collect())),
    }
}

fn check(limits: Limits) -> Result<(), Error> {
    limits.check().map_err(|fault| Error::invalid(fault.field, fault.message))
}

fn taken(error: sea_orm::DbErr, constraint: &str, name: &str) -> Error {
    if is_taken(&error, constraint) {
        Error::Conflict(format!("there is one of the name `{name}` already").into())
    } else {
        error.into()
    }
}

fn context(tenant: TenantId, id: AlertChannelId, purpose: Purpose) -> Context {
    Context::of_row(tenant, id.uuid(), purpose)
}

/// The target, sealed, and what a person may see of it.
fn seal_target(
    app: &App,
    tenant: TenantId,
    id: AlertChannelId,
    kind: &str,
    target: &SecretString,
) -> Result<(Vec<u8>, String), Error> {
    let context = context(tenant, id, Purpose::AlertTarget);
    if kind == "email" {
        let address = target.expose_secret().trim();
        if !crate::mail::is_address(address) {
            return Err(Error::invalid("target", "the target of a channel of kind email is a mail address"));
        }
        return Ok((app.secrets.seal(context, address), address.to_owned()));
    }
    let url = address::read_url(target.expose_secret(), app.settings.allow_private_addresses)
        .map_err(|error| Error::invalid("target", error.to_string()))?;
    Ok((app.secrets.seal(context, url.as_str()), address::mask(&url)))
}
