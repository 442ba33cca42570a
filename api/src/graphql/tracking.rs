//! Tracking: leads that succeeded, leads that failed, conversations, the failure rate (S003).

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::ids::{DeliveryId, DestinationId, LeadId, SourceId};
use domain::intake::Regions;
use domain::intake::rules::phone;
use serde_json::Value;
use service::delivery::Retried;
use service::intake::leads::{PAGE_ROWS_MAX, Page, Rows};
use service::tracking::rates::{self, Rate};
use service::tracking::submissions::{self, Ending, Filter, SessionRow, SubmissionRow};

use super::deliveries::retry_each;
use super::error::ApiError;
use super::id::{Id, each};
use super::operation::operation;
use super::page::{PageInfo, Window, page_cost};

/// The longest period of a rate; it is counted when it is asked for.
const DAYS_MAX: i64 = 366;

/// A lead's submission to one destination and what came of it.
#[derive(SimpleObject)]
pub struct Submission {
    /// The delivery's id: `retryDelivery` takes it.
    id: ID,
    lead_id: ID,
    destination_id: ID,
    /// The delivery's state as a word: `delivered`, `failed`, `held`, `unknown`, …
    state: String,
    /// sms, voice, web, file or api.
    channel: String,
    /// Of channels sms and voice: the conversation's id at the source.
    session_id: Option<String>,
    /// The same as the carrier names it.
    session_key: Option<String>,
    source: String,
    /// The first request.
    submitted_at: Option<DateTime<Utc>>,
    /// The last request.
    last_attempt_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    attempts: i32,
    /// How often a person had it tried again.
    retries: i64,
    /// It had failed, and was taken since.
    resolved: bool,
    /// Why it failed or is held.
    error: Option<String>,
    /// The destination's own id of the lead.
    remote_id: Option<String>,
    http_status: Option<i16>,
    /// What was answered last.
    response: Option<String>,
    /// The lead's fields.
    lead_data: Value,
}

impl From<SubmissionRow> for Submission {
    fn from(row: SubmissionRow) -> Self {
        Self {
            retries: row.retries(),
            id: ID(DeliveryId(row.id).to_string()),
            lead_id: ID(LeadId(row.lead_id).to_string()),
            destination_id: ID(DestinationId(row.destination_id).to_string()),
            state: row.state,
            channel: row.channel,
            session_id: row.session_id,
            session_key: row.session_key,
            source: row.source,
            submitted_at: row.first_at,
            last_attempt_at: row.last_at,
            finished_at: row.finished_at,
            attempts: row.attempts.into(),
            resolved: row.resolved,
            error: row.reason,
            remote_id: row.remote_id,
            http_status: row.http_status,
            response: row.response,
            lead_data: row.lead,
        }
    }
}

/// A page of submissions.
#[derive(SimpleObject)]
pub struct SubmissionPage {
    nodes: Vec<Submission>,
    page_info: PageInfo,
}

/// A conversation. It closes when its lead is submitted, whether that succeeds or fails; the person is told the same either way.
#[derive(SimpleObject)]
pub struct ConversationSession {
    session_id: String,
    session_key: Option<String>,
    channel: String,
    lead_id: ID,
    received_at: DateTime<Utc>,
    /// null while it is open.
    closed_at: Option<DateTime<Utc>>,
    closed_by: Option<SessionEnd>,
}

/// How a conversation's lead ended.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum SessionEnd {
    Submitted,
    Failed,
}

impl From<SessionRow> for ConversationSession {
    fn from(row: SessionRow) -> Self {
        let closed_by =
            row.closed_by.map(|by| if by == "failed" { SessionEnd::Failed } else { SessionEnd::Submitted });
        Self {
            session_id: row.session_id,
            session_key: row.session_key,
            channel: row.channel,
            lead_id: ID(LeadId(row.lead_id).to_string()),
            received_at: row.received_at,
            closed_at: row.closed_at,
            closed_by,
        }
    }
}

/// A page of conversations.
#[derive(SimpleObject)]
pub struct ConversationSessionPage {
    nodes: Vec<ConversationSession>,
    page_info: PageInfo,
}

/// What the leads first submitted in a period came to: each once, by the time of its first submission. A lead has failed when a
/// delivery of it ever needed a person, whether it was resolved since or not.
#[derive(SimpleObject)]
pub struct SubmissionRate {
    succeeded: i64,
    failed: i64,
    /// Still on their way; part of neither.
    pending: i64,
    /// Failed of all that ended, 0 to 1; null when none has.
    failure_rate: Option<f64>,
}

impl From<Rate> for SubmissionRate {
    fn from(rate: Rate) -> Self {
        let ended = rate.succeeded + rate.failed;
        #[expect(clippy::cast_precision_loss, reason = "a share of at most a few million leads")]
        let failure_rate = (ended > 0).then(|| rate.failed as f64 / ended as f64);
        Self { succeeded: rate.succeeded, failed: rate.failed, pending: rate.pending, failure_rate }
    }
}

/// The same of one channel.
#[derive(SimpleObject)]
pub struct ChannelSubmissions {
    channel: String,
    rate: SubmissionRate,
}

/// The same of one day and channel.
#[derive(SimpleObject)]
pub struct DaySubmissions {
    /// In the tenant's zone.
    day: NaiveDate,
    channel: String,
    rate: SubmissionRate,
}

/// Which submissions.
#[derive(Default, InputObject)]
pub struct SubmissionFilter {
    /// Ended at that time or later.
    since: Option<DateTime<Utc>>,
    /// Ended before that time.
    until: Option<DateTime<Utc>>,
    /// sms, voice, web, file, api.
    channels: Option<Vec<String>>,
    source_ids: Option<Vec<Id<SourceId>>>,
    destination_ids: Option<Vec<Id<DestinationId>>>,
}

impl SubmissionFilter {
    fn read(self, ending: Ending) -> Result<Filter, ApiError> {
        let channels = self.channels.unwrap_or_default();
        if let Some(unknown) =
            channels.iter().find(|word| !matches!(word.as_str(), "sms" | "voice" | "web" | "file" | "api"))
        {
            let shown: String = unknown.chars().take(40).collect();
            return Err(ApiError::invalid(
                "filter.channels",
                format!("`{shown}` is no channel; there are sms, voice, web, file and api"),
            ));
        }
        Ok(Filter {
            ending,
            since: self.since,
            until: self.until,
            channels,
            sources: each(self.source_ids.as_ref()),
            destinations: each(self.destination_ids.as_ref()),
            phone: None,
        })
    }
}

async fn page(context: &Context<'_>, filter: Filter, page: Page) -> Result<SubmissionPage, ApiError> {
    let reads = operation(context)?.read().await?;
    let Rows { rows, more_after, more_before } = submissions::list(&reads, &filter, page).await?;
    let page_info = PageInfo::of(
        rows.first().map(|row| row.id),
        rows.last().map(|row| row.id),
        (more_after, more_before),
    );
    Ok(SubmissionPage { nodes: rows.into_iter().map(Into::into).collect(), page_info })
}

#[derive(Default)]
pub(super) struct TrackingQueries;

#[Object]
impl TrackingQueries {
    /// Leads that a destination has taken, the newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn succeeded_leads(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        filter: Option<SubmissionFilter>,
        #[graphql(default, desc = "Only those of whose answer nothing is kept.")] without_response: bool,
    ) -> Result<SubmissionPage, ApiError> {
        let window = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let ending = if without_response { Ending::SucceededWithoutResponse } else { Ending::Succeeded };
        page(context, filter.unwrap_or_default().read(ending)?, window).await
    }

    /// Leads whose delivery failed, is held or is in doubt, the newest first; or those that failed and were taken since.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn failed_leads(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        filter: Option<SubmissionFilter>,
        #[graphql(default)] resolved: bool,
    ) -> Result<SubmissionPage, ApiError> {
        let window = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let ending = if resolved { Ending::Resolved } else { Ending::Failed };
        page(context, filter.unwrap_or_default().read(ending)?, window).await
    }

    /// Every submission of the leads with that phone, the newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn submissions_by_phone(
        &self,
        context: &Context<'_>,
        phone: String,
        #[graphql(default = 25)] first: Option<i32>,
    ) -> Result<SubmissionPage, ApiError> {
        let window = Window { first, ..Window::default() }.page()?;
        let phone = phone::normalise(&phone, &Regions::default())
            .map_err(|fault| ApiError::invalid("phone", fault.message))?;
        let filter = Filter { phone: Some(phone.number.to_string()), ..Filter::default() };
        page(context, filter, window).await
    }

    /// Text and phone conversations that leads came from, the newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn conversation_sessions(
        &self,
        context: &Context<'_>,
        #[graphql(default = 25)] first: Option<i32>,
        after: Option<String>,
        #[graphql(default)] open_only: bool,
    ) -> Result<ConversationSessionPage, ApiError> {
        let window = Window { first, after: after.as_deref(), ..Window::default() }.page()?;
        let reads = operation(context)?.read().await?;
        let Rows { rows, more_after, more_before } = submissions::sessions(&reads, open_only, window).await?;
        let (from, to) = (rows.first().map(|row| row.lead_id), rows.last().map(|row| row.lead_id));
        let page_info = PageInfo::of(from, to, (more_after, more_before));
        Ok(ConversationSessionPage { nodes: rows.into_iter().map(Into::into).collect(), page_info })
    }

    /// What the leads first submitted in the period came to, by channel.
    #[graphql(complexity = "100 + child_complexity")]
    async fn submission_rates(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        destination: Option<Id<DestinationId>>,
    ) -> Result<Vec<ChannelSubmissions>, ApiError> {
        let reads = operation(context)?.read().await?;
        let until = checked(since, until.unwrap_or(reads.now))?;
        if let Some(id) = destination {
            service::delivery::manage::by_id(&reads, id.0).await?;
        }
        let rows = rates::by_channel(&reads, since, until, destination.map(|id| id.0)).await?;
        let one =
            |row: rates::ChannelRate| ChannelSubmissions { channel: row.channel, rate: row.rate.into() };
        Ok(rows.into_iter().map(one).collect())
    }

    /// The same by day of the tenant's zone and channel, the newest day first.
    #[graphql(complexity = "200 + child_complexity")]
    async fn submissions_by_day(
        &self,
        context: &Context<'_>,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Vec<DaySubmissions>, ApiError> {
        let reads = operation(context)?.read().await?;
        let until = checked(since, until.unwrap_or(reads.now))?;
        let zone = rates::zone(&reads).await?;
        let rows = rates::by_day(&reads, since, until, &zone).await?;
        let one = |row: rates::DayRate| DaySubmissions {
            day: row.day,
            channel: row.channel,
            rate: row.rate.into(),
        };
        Ok(rows.into_iter().map(one).collect())
    }
}

fn checked(since: DateTime<Utc>, until: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    if until <= since {
        return Err(ApiError::invalid("until", "`until` must lie after `since`"));
    }
    if until - since > TimeDelta::days(DAYS_MAX) {
        return Err(ApiError::limit(format!("the period is longer than {DAYS_MAX} days")));
    }
    Ok(until)
}

/// What a retry of several came to.
#[derive(SimpleObject)]
struct RetryFailedLeadsPayload {
    retried: u64,
    /// Not retried: they are not failed, held or unknown any more, or are not there.
    skipped: u64,
    /// Left, because they may have arrived already, at a destination that can neither be asked nor recognises a copy.
    in_doubt: Vec<ID>,
}

/// What a retry of all came to.
#[derive(SimpleObject)]
struct RetryAllFailedLeadsPayload {
    retried: u64,
    /// Left, because they may have arrived already, at a destination that can neither be asked nor recognises a copy.
    in_doubt: u64,
    /// There may be more than one call takes.
    more: bool,
}

#[derive(Default)]
pub(super) struct TrackingMutations;

#[Object]
impl TrackingMutations {
    /// Gives each of those failed, held or unknown deliveries a second chance; at most 100.
    async fn retry_failed_leads(
        &self,
        context: &Context<'_>,
        ids: Vec<Id<DeliveryId>>,
        #[graphql(default, desc = "Also those that may have arrived already: each is a decision.")]
        in_doubt: bool,
    ) -> Result<RetryFailedLeadsPayload, ApiError> {
        if ids.len() > PAGE_ROWS_MAX {
            return Err(ApiError::limit(format!(
                "`ids` has {}; at most {PAGE_ROWS_MAX} are retried at once",
                ids.len()
            )));
        }
        let Retried { retried, in_doubt, skipped } = retry_each(context, &ids, in_doubt).await?;
        let in_doubt = in_doubt.into_iter().map(|id| ID(id.to_string())).collect();
        Ok(RetryFailedLeadsPayload { retried, skipped, in_doubt })
    }

    /// Gives all failed and held deliveries that the filter finds a second chance, the oldest first, 10000 in one call; also the unknown
    /// ones where a second copy does no harm: their destination can be asked first, or recognises a copy. Other unknown ones are left.
    async fn retry_all_failed_leads(
        &self,
        context: &Context<'_>,
        filter: Option<SubmissionFilter>,
    ) -> Result<RetryAllFailedLeadsPayload, ApiError> {
        const MOST: usize = 10_000;
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let filter = filter.unwrap_or_default().read(Ending::Failed)?;
        let actor = viewer.actor.to_string();
        let retry = submissions::retry_all(&operation.app, viewer.tenant, filter, MOST, &actor);
        let (Retried { retried, in_doubt, .. }, more) = operation.change(retry).await?;
        Ok(RetryAllFailedLeadsPayload { retried, in_doubt: in_doubt.len() as u64, more })
    }
}
