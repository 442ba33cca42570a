//! The suppression list: who wants no more contact. Intake and delivery obey it.
//!
//! A lead whose phone or e-mail is on it is kept – it is a fact – and its deliveries are held, with the step `suppressed` in its journey:
//! at once those that wait when somebody is entered ([`add`]), at intake those of a new lead ([`hold`]), and at the last moment, when a
//! worker claims it, whatever came past both. Taken off the list, a lead's deliveries are sent when a person retries them.

use chrono::{DateTime, Utc};
use domain::ids::{LeadEventId, LeadId, SuppressionId, TenantId};
use domain::intake::Regions;
use domain::intake::rules::{email, phone};
use domain::journey::Step;
use domain::sla::Event;
use entity::{Tenanted, suppression};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect as _};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;
use crate::runtime::Ids;
use crate::sla::clocks::{self, Occurrence};

/// Why a delivery is held.
pub const REASON: &str = "the person wants no more contact: phone or e-mail is on the suppression list";

/// Rows of a list at most.
pub const ROWS_MAX: u64 = 500;

/// A phone or an e-mail, as the list keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// E.164.
    Phone(String),
    /// In lower case.
    Email(String),
}

impl Contact {
    /// Reads a phone or an e-mail as people write it.
    pub fn read(text: &str) -> Result<Self, Error> {
        let fault = |message: &str| Error::invalid("contact", message.to_owned());
        if text.contains('@') {
            let email = email::normalise(text).map_err(|error| fault(error.message))?;
            return Ok(Self::Email(email.to_string()));
        }
        let phone = phone::normalise(text, &Regions::default()).map_err(|error| fault(error.message))?;
        Ok(Self::Phone(phone.number.to_string()))
    }

    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Phone(value) => ("phone", value),
            Self::Email(value) => ("email", value),
        }
    }
}

/// Who is entered, and why.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Phone or e-mail.
    pub contact: Contact,
    /// In words, for people.
    pub reason: Option<String>,
    /// The lead whose person asked, when one did.
    pub lead: Option<LeadId>,
    /// Who enters it.
    pub actor: String,
}

/// Enters a contact and holds what waits for it. Answers whether it is new on the list.
pub async fn add(app: &App, tenant: TenantId, entry: Entry) -> Result<bool, Error> {
    if entry.reason.as_ref().is_some_and(|reason| reason.chars().count() > 200) {
        return Err(Error::invalid("reason", "the reason has at most 200 characters"));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let new = enter(app, tx.connection(), tenant, &entry).await?;
    tx.commit().await?;
    Ok(new)
}

/// The same in the caller's transaction.
pub(crate) async fn enter(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    entry: &Entry,
) -> Result<bool, Error> {
    let now = app.clock.now();
    let (kind, value) = entry.contact.parts();
    let made = sqlx::query(
        "INSERT INTO suppression (tenant_id, id, kind, value, reason, lead_id, actor, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, kind, value) DO NOTHING",
    )
    .bind(tenant.uuid())
    .bind(app.ids.next(now))
    .bind(kind)
    .bind(value)
    .bind(&entry.reason)
    .bind(entry.lead.map(LeadId::uuid))
    .bind(&entry.actor)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    hold_all(app, connection, tenant, &entry.contact).await?;
    Ok(made.rows_affected() > 0)
}

/// Holds what waits for the leads whose own phone or e-mail it is, found by the index of it, a batch at a time. A lead that has it as a
/// further phone or e-mail is held when a worker claims it: no index finds it, and none is needed, because nothing is sent unclaimed.
async fn hold_all(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    contact: &Contact,
) -> Result<(), Error> {
    let (sql, value) = match contact {
        Contact::Phone(value) => (BY_PHONE, value),
        Contact::Email(value) => (BY_EMAIL, value),
    };
    let mut after = Uuid::nil();
    loop {
        let leads: Vec<Uuid> = sqlx::query_scalar(sql)
            .bind(tenant.uuid())
            .bind(value)
            .bind(after)
            .fetch_all(&mut *connection)
            .await?;
        hold(connection, tenant, &leads, &app.ids, app.clock.now()).await?;
        match leads.last() {
            Some(last) if leads.len() == HELD_AT_ONCE => after = *last,
            _ => return Ok(()),
        }
    }
}

/// Leads of one statement; both statements name it.
const HELD_AT_ONCE: usize = 1_000;
const BY_PHONE: &str =
    "SELECT id FROM lead WHERE tenant_id = $1 AND phone = $2 AND id > $3 ORDER BY id LIMIT 1000";
const BY_EMAIL: &str =
    "SELECT id FROM lead WHERE tenant_id = $1 AND email = $2 AND id > $3 ORDER BY id LIMIT 1000";

/// Holds what waits of those of the leads that are on the list, and writes the step into their journeys.
///
/// A delivery that is on its way at this moment is finished: nobody can call it back. One whose lease has ended may have arrived: it is left to
/// the worker that claims it next, which knows the list too, and says that nobody knows or holds it with its doubt.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    tenant: TenantId,
    leads: &[Uuid],
    ids: &Ids,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if leads.is_empty() {
        return Ok(());
    }
    let held: Vec<Uuid> = sqlx::query_scalar(
        "WITH held AS (
             UPDATE delivery d SET state = 'held', reason = $3, due_at = $4
             WHERE d.tenant_id = $1 AND d.lead_id = ANY($2) AND d.state = 'pending' AND d.lease IS NULL
               AND EXISTS (SELECT FROM lead l JOIN suppression s ON s.tenant_id = $1
                           AND (s.kind = 'phone' AND s.value = ANY(l.phone || coalesce(l.alt_phones, '{}'))
                             OR s.kind = 'email' AND s.value = ANY(l.email || coalesce(l.alt_emails, '{}')))
                           WHERE l.tenant_id = $1 AND l.id = d.lead_id)
             RETURNING d.lead_id)
         SELECT DISTINCT lead_id FROM held",
    )
    .bind(tenant.uuid())
    .bind(leads)
    .bind(REASON)
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    if held.is_empty() {
        return Ok(());
    }
    let events: Vec<Uuid> = held.iter().map(|_| ids.next(now)).collect();
    sqlx::query(
        "INSERT INTO lead_event (tenant_id, lead_id, id, kind, at)
         SELECT $1, t.lead_id, t.id, $4, $5 FROM unnest($2::uuid[], $3::uuid[]) AS t (lead_id, id)",
    )
    .bind(tenant.uuid())
    .bind(&held)
    .bind(events)
    .bind(Step::Suppressed.as_str())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a contact off the list.
pub async fn remove(app: &App, tenant: TenantId, id: SuppressionId) -> Result<(), Error> {
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let gone = sqlx::query("DELETE FROM suppression WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .execute(tx.connection())
        .await?;
    if gone.rows_affected() == 0 {
        return Err(Error::not_found("entry of the suppression list", id));
    }
    Ok(tx.commit().await?)
}

/// The list, newest first, up to [`ROWS_MAX`]; only what contains the text, when one is given.
pub async fn list(tx: &TenantTx, search: Option<&str>) -> Result<Vec<suppression::Model>, Error> {
    let mut rows =
        suppression::Entity::of(tx.tenant()).order_by_desc(suppression::Column::Id).limit(ROWS_MAX);
    if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
        rows = rows.filter(suppression::Column::Value.contains(text.to_lowercase()));
    }
    Ok(rows.all(tx).await?)
}

/// Who says that a lead's person wants no more contact.
pub(crate) struct OptOut<'a> {
    /// Whose.
    pub lead: LeadId,
    /// When it became known, or when the person said so.
    pub at: DateTime<Utc>,
    /// The destination that reported it, or the part of Baton that found it.
    pub actor: &'a str,
    /// In words, for the list.
    pub reason: &'a str,
    /// For the journey; no personal data.
    pub data: serde_json::Value,
}

/// Enters a lead's phone and e-mail, writes the step into its journey unless it stands there and the list knew, and tells the clocks of it.
/// Answers whether that was new.
pub(crate) async fn opted_out(
    app: &App,
    connection: &mut PgConnection,
    tenant: TenantId,
    out: &OptOut<'_>,
) -> Result<bool, Error> {
    let (phone, email, known): (Option<String>, Option<String>, bool) = sqlx::query_as(
        "SELECT phone, email, EXISTS (SELECT FROM lead_event e
             WHERE e.tenant_id = $1 AND e.lead_id = l.id AND e.kind = $3)
         FROM lead l WHERE l.tenant_id = $1 AND l.id = $2",
    )
    .bind(tenant.uuid())
    .bind(out.lead.uuid())
    .bind(Step::OptedOut.as_str())
    .fetch_one(&mut *connection)
    .await?;
    let contacts = phone.map(Contact::Phone).into_iter().chain(email.map(Contact::Email));
    let mut new = !known;
    for contact in contacts {
        let entry = Entry {
            contact,
            reason: Some(out.reason.to_owned()),
            lead: Some(out.lead),
            actor: out.actor.to_owned(),
        };
        new |= enter(app, connection, tenant, &entry).await?;
    }
    if !new {
        return Ok(false);
    }
    let now = app.clock.now();
    sqlx::query("INSERT INTO lead_event (tenant_id, lead_id, id, kind, at, actor, data) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(tenant.uuid())
        .bind(out.lead.uuid())
        .bind(LeadEventId(app.ids.next(now)).uuid())
        .bind(Step::OptedOut.as_str())
        .bind(out.at)
        .bind(out.actor)
        .bind(&out.data)
        .execute(&mut *connection)
        .await?;
    let occurrence = Occurrence::of(out.lead, out.at);
    clocks::occurred(connection, tenant, Event::Step(Step::OptedOut), &[occurrence], now, &app.ids).await?;
    Ok(true)
}
