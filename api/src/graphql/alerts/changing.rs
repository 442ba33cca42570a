//! What changes of alerts: channels, rules, the hour of the summary.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::ids::{AlertChannelId, AlertRuleId, DestinationId, SourceId};
use entity::alert_rule;
use secrecy::{ExposeSecret as _, SecretString};
use service::alerts::manage::{self, ChannelChange, NewChannel, NewRule, RuleChange};
use service::alerts::send;

use super::{AlertChannel, AlertChannelKind, AlertRule, AlertRuleKind, channel, rule};
use crate::graphql::error::{ApiError, UserError, expected};
use crate::graphql::id::{Id, each};
use crate::graphql::operation::of_tenant;

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
    pub(in crate::graphql) fn of(result: Result<(), service::Error>) -> Result<Self, ApiError> {
        let error = expected(result)?.err();
        Ok(Self { done: error.is_none(), error })
    }
}

#[derive(Default)]
pub(in crate::graphql) struct AlertMutations;

#[Object]
impl AlertMutations {
    async fn create_alert_channel(
        &self,
        context: &Context<'_>,
        input: CreateAlertChannelInput,
    ) -> Result<AlertChannelPayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
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
        let (operation, tenant) = of_tenant(context)?;
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
        let (operation, tenant) = of_tenant(context)?;
        DonePayload::of(operation.change(manage::delete_channel(&operation.app, tenant, id.0)).await)
    }

    /// Tells the channel now that this is a test, and answers what came of it.
    async fn test_alert_channel(
        &self,
        context: &Context<'_>,
        id: Id<AlertChannelId>,
    ) -> Result<DonePayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        DonePayload::of(operation.change(send::test(&operation.app, tenant, id.0)).await)
    }

    async fn create_alert_rule(
        &self,
        context: &Context<'_>,
        input: CreateAlertRuleInput,
    ) -> Result<AlertRulePayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
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
        let (operation, tenant) = of_tenant(context)?;
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
        let (operation, tenant) = of_tenant(context)?;
        DonePayload::of(operation.change(manage::delete_rule(&operation.app, tenant, id.0)).await)
    }

    /// The hour of the tenant's day, 0 to 23, at which the summary of the day before is sent.
    async fn set_alert_summary_hour(
        &self,
        context: &Context<'_>,
        hour: i32,
    ) -> Result<DonePayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        DonePayload::of(operation.change(manage::set_summary_hour(&operation.app, tenant, hour)).await)
    }
}

fn rule_payload(result: Result<alert_rule::Model, service::Error>) -> Result<AlertRulePayload, ApiError> {
    Ok(match expected(result)? {
        Ok(row) => AlertRulePayload { rule: Some(rule(row)?), error: None },
        Err(error) => AlertRulePayload { rule: None, error: Some(error) },
    })
}
