//! Alerts: what holds, whom it reaches, what is watched.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{AlertChannelId, AlertId, AlertRuleId, DestinationId, SourceId};
use entity::{alert_channel, alert_rule};
use service::alerts::manage;
use service::alerts::reads::{self, AlertRow, NoticeRow};
use service::tracking::rates;

use super::error::{ApiError, stored};
use super::operation::operation;
use super::page::list_cost;

mod changing;

pub(super) use changing::{AlertMutations, DonePayload};

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
