//! Tells one channel of one notice, and writes down that it was told.
//!
//! At least once: a process that dies between the server's yes and the commit tells it again. A webhook recognises the second copy by
//! `webhook-id`, which is the notice's.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use domain::ids::{AlertChannelId, AlertId, AlertRuleId, TenantId};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use standardwebhooks::Webhook;
use uuid::Uuid;

use crate::app::App;
use crate::database::Mode;
use crate::delivery::client::Endpoint;
use crate::error::Error;
use crate::jobs::Job;
use crate::mail::{self, Letter};
use crate::secrets::{Context, Purpose};

/// A notice that could not be told for so long is given up. The queue's last try comes later than this, so that none stays pending.
const TRIED_FOR: TimeDelta = TimeDelta::hours(12);

/// Sends one notice.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendNotice {
    pub(super) tenant: TenantId,
    pub(super) notice: Uuid,
}

#[derive(sqlx::FromRow)]
struct Row {
    title: String,
    body: String,
    created_at: chrono::DateTime<chrono::Utc>,
    alert_id: Option<Uuid>,
    rule_id: Option<Uuid>,
    alert_kind: Option<String>,
    day: Option<chrono::NaiveDate>,
    channel_id: Uuid,
    kind: String,
    enabled: bool,
    target_sealed: Vec<u8>,
    signing_sealed: Option<Vec<u8>>,
    tenant_name: String,
}

/// Why a channel was not told.
enum Trouble {
    /// It may be told later.
    Passing(String),
    /// It will not be told.
    Lasting(String),
}

impl Job for SendNotice {
    const NAME: &'static str = "alert_notice";

    fn tenant(&self) -> Option<TenantId> {
        Some(self.tenant)
    }

    async fn run(self, app: Arc<App>) -> Result<(), Error> {
        let tx = app.begin(self.tenant, Mode::ReadOnly).await?;
        let row: Option<Row> = sqlx::query_as(
            "SELECT n.title, n.body, n.created_at, n.alert_id, a.rule_id, a.kind AS alert_kind, n.day, c.id AS channel_id, c.kind,
                    c.enabled, c.target_sealed, c.signing_sealed, t.name AS tenant_name
             FROM alert_notice n
             JOIN alert_channel c ON c.tenant_id = n.tenant_id AND c.id = n.channel_id
             JOIN tenant t ON t.id = n.tenant_id
             LEFT JOIN alert a ON a.tenant_id = n.tenant_id AND a.id = n.alert_id
             WHERE n.tenant_id = $1 AND n.id = $2 AND n.state = 'pending'",
        )
        .bind(self.tenant.uuid())
        .bind(self.notice)
        .fetch_optional(&mut *tx.lock().await)
        .await?;
        tx.commit().await?;
        // Told already, or the channel is gone.
        let Some(row) = row else { return Ok(()) };
        let told = if row.enabled {
            self.tell(&app, &row).await
        } else {
            Err(Trouble::Lasting("the channel is disabled".to_owned()))
        };
        let now = app.clock.now();
        let told = match told {
            Err(Trouble::Passing(why)) if now - row.created_at >= TRIED_FOR => {
                Err(Trouble::Lasting(format!("{why}; given up after {} hours", TRIED_FOR.num_hours())))
            }
            told => told,
        };
        let (state, error) = match &told {
            Ok(()) => ("sent", None),
            Err(Trouble::Lasting(why)) => ("failed", Some(why.as_str())),
            Err(Trouble::Passing(why)) => ("pending", Some(why.as_str())),
        };
        let tx = app.begin(self.tenant, Mode::ReadWrite).await?;
        sqlx::query(
            "UPDATE alert_notice SET state = $3, error = $4, sent_at = CASE WHEN $3 = 'sent' THEN $5 END
             WHERE tenant_id = $1 AND id = $2 AND state = 'pending'",
        )
        .bind(self.tenant.uuid())
        .bind(self.notice)
        .bind(state)
        .bind(error)
        .bind(now)
        .execute(&mut *tx.lock().await)
        .await?;
        tx.commit().await?;
        match told {
            Err(Trouble::Passing(why)) => Err(Error::Unavailable { what: "the channel", source: why.into() }),
            _ => Ok(()),
        }
    }
}

impl SendNotice {
    async fn tell(&self, app: &App, row: &Row) -> Result<(), Trouble> {
        let open = |purpose, sealed: &[u8]| {
            let context = Context::of_row(self.tenant, row.channel_id, purpose);
            app.secrets.open(context, sealed).map_err(|error| Trouble::Lasting(error.to_string()))
        };
        let target = open(Purpose::AlertTarget, &row.target_sealed)?;
        if row.kind == "email" {
            return mail(app, row, &target).await;
        }
        let signing =
            row.signing_sealed.as_deref().map(|sealed| open(Purpose::AlertSigning, sealed)).transpose()?;
        self.post(app, row, &target, signing.as_ref()).await
    }

    async fn post(
        &self,
        app: &App,
        row: &Row,
        url: &SecretString,
        signing: Option<&SecretString>,
    ) -> Result<(), Trouble> {
        let further: Vec<&str> = signing.iter().map(|secret| secret.expose_secret()).collect();
        let endpoint = Endpoint::new(url.expose_secret(), &further, app.settings.allow_private_addresses)
            .map_err(|error| Trouble::Lasting(error.to_string()))?;
        let body = json!({
            "type": if row.day.is_some() { "summary.daily" } else { "alert.raised" },
            "timestamp": row.created_at,
            "data": {
                "tenant": row.tenant_name,
                "alert": row.alert_id.map(AlertId),
                "rule": row.rule_id.map(AlertRuleId),
                "kind": row.alert_kind,
                "day": row.day,
                "title": row.title,
                "text": row.body,
            },
        })
        .to_string();
        let headers = self.headers(app, &body, signing)?;
        let answer = app.tenant_client.post(&endpoint, headers, Bytes::from(body)).await;
        match (answer.status, answer.failure) {
            (Some(200..=299), _) => Ok(()),
            (Some(status @ (408 | 425 | 429 | 500..)), _) => {
                Err(Trouble::Passing(format!("the webhook answered HTTP {status}")))
            }
            (Some(status), _) => Err(Trouble::Lasting(format!("the webhook answered HTTP {status}"))),
            (None, Some(domain::delivery::Failure::PrivateAddress)) => Err(Trouble::Lasting(
                "the webhook's address is private, which is not allowed here".to_owned(),
            )),
            (None, failure) => Err(Trouble::Passing(format!(
                "the webhook did not answer: {}",
                failure.map_or("unknown", domain::delivery::Failure::as_str)
            ))),
        }
    }

    fn headers(&self, app: &App, body: &str, signing: Option<&SecretString>) -> Result<HeaderMap, Trouble> {
        let lasting = |what: &str| Trouble::Lasting(format!("the webhook's {what} cannot be used"));
        let (id, timestamp) = (self.notice.to_string(), app.clock.now().timestamp());
        let mut headers = HeaderMap::new();
        if let Some(secret) = signing {
            let signer = Webhook::new(secret.expose_secret()).map_err(|_| lasting("secret"))?;
            let signature = signer.sign(&id, timestamp, body.as_bytes()).map_err(|_| lasting("secret"))?;
            let signature = HeaderValue::try_from(signature).map_err(|_| lasting("signature"))?;
            headers.insert(HeaderName::from_static("webhook-signature"), signature);
        }
        headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(timestamp));
        let id = HeaderValue::try_from(id).map_err(|_| lasting("id"))?;
        headers.insert(HeaderName::from_static("webhook-id"), id);
        Ok(headers)
    }
}

async fn mail(app: &App, row: &Row, to: &SecretString) -> Result<(), Trouble> {
    let letter = Letter {
        to: to.expose_secret().to_owned(),
        subject: format!("[{}] {}", row.tenant_name, row.title),
        text: format!(
            "{}\n\n{}\n\n-- \nBaton, {}. Channels and rules: {}/alerts\n",
            row.title, row.body, row.tenant_name, app.settings.issuer
        ),
        html: None,
    };
    app.mailer.send(letter).await.map_err(|error| match error {
        mail::Error::Passing(_) => Trouble::Passing(error.to_string()),
        lasting => Trouble::Lasting(lasting.to_string()),
    })
}

/// What a test of a channel came to.
pub async fn test(app: &App, tenant: TenantId, channel: AlertChannelId) -> Result<(), Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let row: Option<Row> = sqlx::query_as(
        "SELECT 'A test of this channel' AS title, 'If you read this, alerts reach you.' AS body, $3::timestamptz AS created_at,
                NULL::uuid AS alert_id, NULL::uuid AS rule_id, 'test' AS alert_kind, NULL::date AS day, c.id AS channel_id, c.kind,
                true AS enabled, c.target_sealed, c.signing_sealed, t.name AS tenant_name
         FROM alert_channel c JOIN tenant t ON t.id = c.tenant_id WHERE c.tenant_id = $1 AND c.id = $2",
    )
    .bind(tenant.uuid())
    .bind(channel.uuid())
    .bind(app.clock.now())
    .fetch_optional(&mut *tx.lock().await)
    .await?;
    tx.commit().await?;
    let row = row.ok_or_else(|| Error::not_found("alert channel", channel))?;
    let notice = app.ids.next(app.clock.now());
    match (SendNotice { tenant, notice }).tell(app, &row).await {
        Ok(()) => Ok(()),
        Err(Trouble::Passing(why) | Trouble::Lasting(why)) => Err(Error::Conflict(why.into())),
    }
}
