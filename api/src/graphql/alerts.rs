//! Alerts: what holds, whom it reaches, what is watched.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{AlertChannelId, AlertId, AlertRuleId, DestinationId, SourceId};
use entity::{alert_channel, alert_rule};
use secrecy::{ExposeSecret as _, SecretString};
use service::alerts::manage::{self, ChannelChange, NewChannel, NewRule, RuleChange};
use service::alerts::reads::{self, AlertRow, NoticeRow};
use service::alerts::send;
use service::tracking::rates;

use super::error::{ApiError, UserError, expected, stored};
use super::id::{Id, each};
use super::operation::operation;
use super::page::list_cost;

/// How a channel is reached.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum AlertChannelKind {
    Email,
    /// A signed request (Standard Webhooks); an SMS gateway is one.
    Webhook,
}

impl AlertChannelKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

/// What a rule watches.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "domain::alerts::Kind")]
pub enum AlertRuleKind {
    /// More than `threshold` leads wait for a person.
    FailedLeads,
    /// Below `threshold` percent of the leads first sent within `windowMinutes` succeeded.
    SuccessRate,
    /// A destination is held.
    DestinationHeld,
    /// A reconciliation found more than `threshold` differences.
    Reconciliation,
    /// A source has sent nothing for `threshold` hours.
    SilentSource,
}

/// Whom alerts reach.
#[derive(SimpleObject)]
pub struct AlertChannel {
    id: ID,
    name: String,
    kind: AlertChannelKind,
    /// The mail address, or the masked URL.
    target: String,
    /// Whether it gets the summary of each day.
    daily_summary: bool,
    enabled: bool,
    created_at: DateTime<Utc>,
}

fn channel(row: alert_channel::Model) -> Result<AlertChannel, ApiError> {
    let kind = match row.kind.as_str() {
        "email" => Some(AlertChannelKind::Email),
        "webhook" => Some(AlertChannelKind::Webhook),
        _ => None,
    };
    Ok(AlertChannel {
        id: ID(AlertChannelId(row.id).to_string()),
        kind: stored("alert_channel.kind", row.id, &row.kind, kind)?,
        name: row.name,
        target: row.target_shown,
        daily_summary: row.daily_summary,
        enabled: row.enabled,
        created_at: row.created_at,
    })
}

/// What is watched, and from where on it is an alert.
#[derive(SimpleObject)]
pub struct AlertRule {
    id: ID,
    name: String,
    kind: AlertRuleKind,
    destination_id: Option<ID>,
    source_id: Option<ID>,
    /// A count, a percentage or hours, as the kind says.
    threshold: i32,
    window_minutes: Option<i32>,
    /// null: every enabled channel.
    channel_ids: Option<Vec<ID>>,
    enabled: bool,
    created_at: DateTime<Utc>,
}

fn rule(row: alert_rule::Model) -> Result<AlertRule, ApiError> {
    let kind = domain::alerts::Kind::parse(&row.kind);
    let channels =
        |ids: Vec<uuid::Uuid>| ids.into_iter().map(|id| ID(AlertChannelId(id).to_string())).collect();
    Ok(AlertRule {
        id: ID(AlertRuleId(row.id).to_string()),
        kind: stored("alert_rule.kind", row.id, &row.kind, kind)?.into(),
        name: row.name,
        destination_id: row.destination_id.map(|id| ID(DestinationId(id).to_string())),
        source_id: row.source_id.map(|id| ID(SourceId(id).to_string())),
        threshold: row.threshold,
        window_minutes: row.window_minutes,
        channel_ids: row.channels.map(channels),
        enabled: row.enabled,
        created_at: row.created_at,
    })
}

/// A condition that holds, or held.
#[derive(SimpleObject)]
pub struct Alert {
    id: ID,
    rule_id: Option<ID>,
    kind: String,
    title: String,
    detail: String,
    raised_at: DateTime<Utc>,
    /// null while it holds.
    cleared_at: Option<DateTime<Utc>>,
    notices: Vec<AlertNotice>,
}

/// What became of telling one channel.
#[derive(SimpleObject)]
pub struct AlertNotice {
    channel: String,
    state: AlertNoticeState,
    /// Why it was not told, or not yet.
    error: Option<String>,
    created_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
}

/// Where a notice stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum AlertNoticeState {
    Pending,
    Sent,
    Failed,
}

fn notice(row: NoticeRow) -> Result<AlertNotice, ApiError> {
    let state = match row.state.as_str() {
        "pending" => Some(AlertNoticeState::Pending),
        "sent" => Some(AlertNoticeState::Sent),
        "failed" => Some(AlertNoticeState::Failed),
        _ => None,
    };
    Ok(AlertNotice {
        state: stored("alert_notice.state", row.id, &row.state, state)?,
        channel: row.channel,
        error: row.error,
        created_at: row.created_at,
        sent_at: row.sent_at,
    })
}

fn alert(row: AlertRow, notices: Vec<AlertNotice>) -> Alert {
    Alert {
        id: ID(AlertId(row.id).to_string()),
        rule_id: row.rule_id.map(|id| ID(AlertRuleId(id).to_string())),
        kind: row.kind,
        title: row.title,
        detail: row.detail,
        raised_at: row.raised_at,
        cleared_at: row.cleared_at,
        notices,
    }
}

/// What holds for all alerts of the tenant.
#[derive(SimpleObject)]
pub struct AlertSettings {
    /// The hour of the tenant's day at which the summary of the day before is sent.
    summary_hour: i32,
    time_zone: String,
    /// Whether the operator has set up mail; without it, channels of kind EMAIL tell nobody.
    mail_set_up: bool,
}

#[derive(Default)]
pub(super) struct AlertQueries;

#[Object]
impl AlertQueries {
    /// Newest first.
    #[graphql(complexity = "list_cost(first, child_complexity)")]
    async fn alerts(
        &self,
        context: &Context<'_>,
        #[graphql(default = 50)] first: i32,
        #[graphql(default)] open_only: bool,
    ) -> Result<Vec<Alert>, ApiError> {
        let rows = usize::try_from(first)
            .ok()
            .filter(|rows| *rows <= reads::ROWS_MAX)
            .ok_or_else(|| ApiError::limit(format!("`first` is {first}; it is 0 to {}", reads::ROWS_MAX)))?;
        let open = operation(context)?.read().await?;
        let rows = reads::alerts(&open, open_only, rows).await?;
        let ids: Vec<AlertId> = rows.iter().map(|row| AlertId(row.id)).collect();
        let mut notices: HashMap<uuid::Uuid, Vec<AlertNotice>> = HashMap::new();
        for row in reads::notices_of(&open, &ids).await? {
            let Some(of) = row.alert_id else { continue };
            notices.entry(of).or_default().push(notice(row)?);
        }
        Ok(rows
            .into_iter()
            .map(|row| {
                let of = notices.remove(&row.id).unwrap_or_default();
                alert(row, of)
            })
            .collect())
    }

    async fn alert_channels(&self, context: &Context<'_>) -> Result<Vec<AlertChannel>, ApiError> {
        let open = operation(context)?.read().await?;
        manage::channels(&open).await?.into_iter().map(channel).collect()
    }

    async fn alert_rules(&self, context: &Context<'_>) -> Result<Vec<AlertRule>, ApiError> {
        let open = operation(context)?.read().await?;
        manage::rules(&open).await?.into_iter().map(rule).collect()
    }

    async fn alert_settings(&self, context: &Context<'_>) -> Result<AlertSettings, ApiError> {
        let operation = operation(context)?;
        let open = operation.read().await?;
        Ok(AlertSettings {
            summary_hour: i32::try_from(manage::summary_hour(&open).await?).unwrap_or_default(),
            time_zone: rates::zone(&open).await?,
            mail_set_up: operation.app.mailer.is_set_up(),
        })
    }
}

#[derive(InputObject)]
struct CreateAlertChannelInput {
    name: String,
    kind: AlertChannelKind,
    /// The mail address, or the URL.
    target: String,
    #[graphql(default)]
    daily_summary: bool,
}

#[derive(InputObject)]
struct UpdateAlertChannelInput {
    id: Id<AlertChannelId>,
    name: Option<String>,
    target: Option<String>,
    daily_summary: Option<bool>,
    enabled: Option<bool>,
}

#[derive(InputObject)]
struct CreateAlertRuleInput {
    name: String,
    kind: AlertRuleKind,
    destination_id: Option<Id<DestinationId>>,
    source_id: Option<Id<SourceId>>,
    #[graphql(default)]
    threshold: i32,
    window_minutes: Option<i32>,
    /// Absent: every enabled channel.
    channel_ids: Option<Vec<Id<AlertChannelId>>>,
}

#[derive(InputObject)]
struct UpdateAlertRuleInput {
    id: Id<AlertRuleId>,
    name: Option<String>,
    threshold: Option<i32>,
    window_minutes: Option<i32>,
    channel_ids: Option<Vec<Id<AlertChannelId>>>,
    /// Makes it every enabled channel.
    all_channels: Option<bool>,
    enabled: Option<bool>,
}

#[derive(SimpleObject)]
struct AlertChannelPayload {
    channel: Option<AlertChannel>,
    /// Of a new channel of kind WEBHOOK: the signing secret, shown once.
    signing_secret: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct AlertRulePayload {
    rule: Option<AlertRule>,
    error: Option<UserError>,
}

/// Whether it was done.
#[derive(SimpleObject)]
pub struct DonePayload {
    done: bool,
    error: Option<UserError>,
}

impl DonePayload {
    pub(super) fn of(result: Result<(), service::Error>) -> Result<Self, ApiError> {
        let error = expected(result)?.err();
        Ok(Self { done: error.is_none(), error })
    }
}

#[derive(Default)]
pub(super) struct AlertMutations;

#[Object]
impl AlertMutations {
    async fn create_alert_channel(
        &self,
        context: &Context<'_>,
        input: CreateAlertChannelInput,
    ) -> Result<AlertChannelPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let new = NewChannel {
            name: input.name,
            kind: input.kind.word().to_owned(),
            target: SecretString::from(input.target),
            daily_summary: input.daily_summary,
        };
        Ok(match expected(operation.change(manage::create_channel(&operation.app, tenant, new)).await)? {
            Ok((row, secret)) => AlertChannelPayload {
                channel: Some(channel(row)?),
                signing_secret: secret.map(|secret| secret.expose_secret().to_owned()),
                error: None,
            },
            Err(error) => AlertChannelPayload { channel: None, signing_secret: None, error: Some(error) },
        })
    }

    async fn update_alert_channel(
        &self,
        context: &Context<'_>,
        input: UpdateAlertChannelInput,
    ) -> Result<AlertChannelPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let change = ChannelChange {
            name: input.name,
            target: input.target.map(SecretString::from),
            daily_summary: input.daily_summary,
            enabled: input.enabled,
        };
        let changed =
            operation.change(manage::update_channel(&operation.app, tenant, input.id.0, change)).await;
        Ok(match expected(changed)? {
            Ok(row) => {
                AlertChannelPayload { channel: Some(channel(row)?), signing_secret: None, error: None }
            }
            Err(error) => AlertChannelPayload { channel: None, signing_secret: None, error: Some(error) },
        })
    }

    async fn delete_alert_channel(
        &self,
        context: &Context<'_>,
        id: Id<AlertChannelId>,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        DonePayload::of(operation.change(manage::delete_channel(&operation.app, tenant, id.0)).await)
    }

    /// Tells the channel now that this is a test, and answers what came of it.
    async fn test_alert_channel(
        &self,
        context: &Context<'_>,
        id: Id<AlertChannelId>,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        DonePayload::of(operation.change(send::test(&operation.app, tenant, id.0)).await)
    }

    async fn create_alert_rule(
        &self,
        context: &Context<'_>,
        input: CreateAlertRuleInput,
    ) -> Result<AlertRulePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let new = NewRule {
            name: input.name,
            kind: input.kind.into(),
            destination: input.destination_id.map(|id| id.0),
            source: input.source_id.map(|id| id.0),
            threshold: input.threshold,
            window_minutes: input.window_minutes,
            channels: input.channel_ids.map(|ids| each(Some(&ids))),
        };
        rule_payload(operation.change(manage::create_rule(&operation.app, tenant, new)).await)
    }

    async fn update_alert_rule(
        &self,
        context: &Context<'_>,
        input: UpdateAlertRuleInput,
    ) -> Result<AlertRulePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let everybody = input.all_channels == Some(true);
        if everybody && input.channel_ids.is_some() {
            return Err(ApiError::invalid("input.allChannels", "give `channelIds` or make it all, not both"));
        }
        let channels =
            if everybody { Some(None) } else { input.channel_ids.map(|ids| Some(each(Some(&ids)))) };
        let change = RuleChange {
            name: input.name,
            threshold: input.threshold,
            window_minutes: input.window_minutes,
            channels,
            enabled: input.enabled,
        };
        rule_payload(operation.change(manage::update_rule(&operation.app, tenant, input.id.0, change)).await)
    }

    async fn delete_alert_rule(
        &self,
        context: &Context<'_>,
        id: Id<AlertRuleId>,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        DonePayload::of(operation.change(manage::delete_rule(&operation.app, tenant, id.0)).await)
    }

    /// The hour of the tenant's day, 0 to 23, at which the summary of the day before is sent.
    async fn set_alert_summary_hour(
        &self,
        context: &Context<'_>,
        hour: i32,
    ) -> Result<DonePayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        DonePayload::of(operation.change(manage::set_summary_hour(&operation.app, tenant, hour)).await)
    }
}

fn rule_payload(result: Result<alert_rule::Model, service::Error>) -> Result<AlertRulePayload, ApiError> {
    Ok(match expected(result)? {
        Ok(row) => AlertRulePayload { rule: Some(rule(row)?), error: None },
        Err(error) => AlertRulePayload { rule: None, error: Some(error) },
    })
}
