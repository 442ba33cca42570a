//! The daily summary: what came in, what was delivered, what waits, in the tenant's own day (S003-28).

use chrono::NaiveDate;
use chrono_tz::Tz;
use domain::alerts::summary_day;
use uuid::Uuid;

use super::{Notice, notice};
use crate::app::App;
use crate::database::TenantTx;
use crate::error::Error;
use crate::tracking::period::start_of;
use crate::tracking::rates;

/// The hour of the summary of a tenant that has chosen none.
pub const HOUR_DEFAULT: u32 = 7;

/// Queues the summary of yesterday for each channel that wants it and has not had it, once the tenant's hour has come.
pub(super) async fn queue_if_due(app: &App, tx: &TenantTx) -> Result<(), Error> {
    let mut connection = tx.lock().await;
    let (zone, hour): (String, Option<i16>) = sqlx::query_as(
        "SELECT t.time_zone, s.summary_hour FROM tenant t LEFT JOIN alert_setting s ON s.tenant_id = t.id WHERE t.id = $1",
    )
    .bind(tx.tenant().uuid())
    .fetch_one(&mut *connection)
    .await?;
    let zone: Tz = zone.parse().map_err(|_| {
        Error::internal("reading a tenant's time zone", format!("tenant {}: time_zone `{zone}`", tx.tenant()))
    })?;
    let local = app.clock.now().with_timezone(&zone).naive_local();
    let hour = hour.and_then(|hour| u32::try_from(hour).ok()).unwrap_or(HOUR_DEFAULT);
    let Some(day) = summary_day(local, hour) else { return Ok(()) };
    let channels: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM alert_channel c WHERE tenant_id = $1 AND enabled AND daily_summary AND created_at < $3
         AND NOT EXISTS (SELECT FROM alert_notice n WHERE n.tenant_id = $1 AND n.channel_id = c.id AND n.day = $2)",
    )
    .bind(tx.tenant().uuid())
    .bind(day)
    // A channel that was made after the day has ended need not hear of it.
    .bind(start_of(day.succ_opt().unwrap_or(day), zone))
    .fetch_all(&mut *connection)
    .await?;
    if channels.is_empty() {
        return Ok(());
    }
    drop(connection);
    let (title, body) = compose(tx, day, zone).await?;
    let mut connection = tx.lock().await;
    for channel in channels {
        let about = Notice { channel, alert: None, day: Some(day) };
        notice(app, &mut connection, tx.tenant(), about, &title, &body).await?;
    }
    Ok(())
}

/// Title and text of a day's summary.
pub(crate) async fn compose(tx: &TenantTx, day: NaiveDate, zone: Tz) -> Result<(String, String), Error> {
    let since = start_of(day, zone);
    let until = start_of(day.succ_opt().unwrap_or(day), zone);
    let rate = rates::of_period(tx, since, until, None).await?;
    let mut connection = tx.lock().await;
    let (received, refused, waiting, attention, alerts): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM lead WHERE tenant_id = $1 AND id >= $2 AND id < $3),
                (SELECT count(*) FROM failed_record WHERE tenant_id = $1 AND created_at >= $4 AND created_at < $5),
                (SELECT count(*) FROM delivery WHERE tenant_id = $1 AND state = 'pending'),
                (SELECT count(*) FROM delivery WHERE tenant_id = $1 AND state IN ('failed', 'held', 'unknown') AND reason IS DISTINCT FROM $6),
                (SELECT count(*) FROM alert WHERE tenant_id = $1 AND cleared_at IS NULL)",
    )
    .bind(tx.tenant().uuid())
    .bind(crate::intake::leads::first_id_of(since))
    .bind(crate::intake::leads::first_id_of(until))
    .bind(since)
    .bind(until)
    .bind(crate::suppression::REASON)
    .fetch_one(&mut *connection)
    .await?;
    let of = rate.succeeded + rate.failed;
    let share =
        if of == 0 { "no lead was sent".to_owned() } else { format!("{} %", rate.succeeded * 100 / of) };
    let title =
        format!("{day}: {received} leads received, {} delivered, {} failed", rate.succeeded, rate.failed);
    let body = format!(
        "Leads of {day} ({zone})\n\nReceived: {received}\nRefused records: {refused}\nDelivered of those sent: {}\nFailed of those sent: \
         {}\nSuccess rate: {share}\n\nNow\n\nWaiting for delivery: {waiting}\nWaiting for a person: {attention}\nOpen alerts: {alerts}\n",
        rate.succeeded, rate.failed
    );
    Ok((title, body))
}
