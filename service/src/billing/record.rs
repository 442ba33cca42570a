//! Actions in: checked one by one, stored together, each exactly once.
//!
//! An action is named by its key, or by its content when the sender has none. The same again is answered as repeated and
//! changes nothing; a bad one says what is wrong with it and holds up none of the others.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use domain::billing::Period;
use domain::ids::{LeadActionId, PartnerId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::check::{Checked, Checker};
pub use super::check::{Fault, RawAction};
use crate::app::App;
use crate::database::{Mode, TenantTx};
use crate::error::Error;

/// Actions of one transaction at most.
pub const BATCH_ACTIONS_MAX: usize = 5_000;

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is stored.
    New(LeadActionId),
    /// It was stored before.
    Repeated(LeadActionId),
    /// It is not stored.
    Refused(Vec<Fault>),
}

/// Records actions of a partner, at most [`BATCH_ACTIONS_MAX`], in one transaction. Answers come in the order of the actions.
pub async fn record(
    app: &App,
    tenant: TenantId,
    partner: PartnerId,
    actions: Vec<RawAction>,
) -> Result<Vec<Recorded>, Error> {
    if actions.len() > BATCH_ACTIONS_MAX {
        return Err(Error::Limit(format!("a batch has at most {BATCH_ACTIONS_MAX} actions").into()));
    }
    let mut tx = app.begin(tenant, Mode::ReadWrite).await?;
    let checker = Checker::load(&tx, partner, app.clock.now()).await?;
    super::lock_for_recording(tx.connection(), partner).await?;
    let mut answers = Vec::with_capacity(actions.len());
    let mut good = Vec::new();
    for (at, action) in actions.into_iter().enumerate() {
        match checker.check(&action) {
            Ok(fact) => {
                good.push((at, fact));
                answers.push(Recorded::Refused(Vec::new()));
            }
            Err(faults) => answers.push(Recorded::Refused(faults)),
        }
    }
    let leads = known_leads(&mut tx, &good).await?;
    let mut batch = Batch::default();
    for (at, action) in good {
        match action.lead {
            Some(lead) if !leads.contains(&lead) => {
                let message = "there is no such lead".to_owned();
                answers[at] = Recorded::Refused(vec![Fault { field: "lead", code: "UNKNOWN_LEAD", message }]);
            }
            _ => batch.add(at, action, &mut answers),
        }
    }
    batch.store(app, &mut tx, &checker, &mut answers).await?;
    tx.commit().await?;
    Ok(answers)
}

async fn known_leads(tx: &mut TenantTx, good: &[(usize, Checked)]) -> Result<HashSet<Uuid>, Error> {
    let wanted: Vec<Uuid> = good.iter().filter_map(|(_, action)| action.lead).collect();
    if wanted.is_empty() {
        return Ok(HashSet::new());
    }
    let tenant = tx.tenant().uuid();
    let found = sqlx::query_scalar("SELECT id FROM lead WHERE tenant_id = $1 AND id = ANY($2)")
        .bind(tenant)
        .bind(&wanted)
        .fetch_all(tx.connection())
        .await?;
    Ok(found.into_iter().collect())
}

/// Checked actions, each once, in the order of their ids: two batches with several in common then meet at the first of them.
#[derive(Default)]
struct Batch {
    actions: Vec<(usize, Checked)>,
    places: HashMap<Uuid, usize>,
    again: Vec<(usize, Uuid, bool)>,
}

impl Batch {
    fn add(&mut self, at: usize, action: Checked, answers: &mut [Recorded]) {
        if let Some(first) = self.places.get(&action.id) {
            let same = self.actions[*first].1 == action;
            self.again.push((at, action.id, same));
        } else {
            answers[at] = Recorded::Repeated(LeadActionId(action.id));
            self.places.insert(action.id, self.actions.len());
            self.actions.push((at, action));
        }
    }

    async fn store(
        mut self,
        app: &App,
        tx: &mut TenantTx,
        checker: &Checker,
        answers: &mut [Recorded],
    ) -> Result<(), Error> {
        for (at, id, same) in std::mem::take(&mut self.again) {
            answers[at] = if same { Recorded::Repeated(LeadActionId(id)) } else { other_content() };
        }
        if self.actions.is_empty() {
            return Ok(());
        }
        let tenant = tx.tenant();
        let checker = &Checker { closed: closed_periods(tx, checker).await?, ..checker.without_plans() };
        self.actions.sort_unstable_by_key(|(_, action)| action.id);
        let users = lead_users(app, tx, checker, &self.actions).await?;
        let inserted = insert(tx.connection(), tenant, checker, &self.actions, &users).await?;
        let rest: Vec<Uuid> =
            self.actions.iter().map(|(_, action)| action.id).filter(|id| !inserted.contains(id)).collect();
        let stored = stored(tx, &rest).await?;
        for (at, action) in &self.actions {
            answers[*at] = if inserted.contains(&action.id) {
                Recorded::New(LeadActionId(action.id))
            } else if stored.get(&action.id) == Some(action) {
                Recorded::Repeated(LeadActionId(action.id))
            } else {
                other_content()
            };
        }
        Ok(())
    }
}

fn other_content() -> Recorded {
    let message = "another action has this key: send the same again, or a new key".to_owned();
    Recorded::Refused(vec![Fault { field: "key", code: "KEY_REUSED", message }])
}

/// From when to when the partner's periods are closed; read under the lock.
async fn closed_periods(
    tx: &mut TenantTx,
    checker: &Checker,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, Error> {
    let tenant = tx.tenant().uuid();
    let rows: Vec<(NaiveDate, NaiveDate, String)> = sqlx::query_as(
        "SELECT period_start, period_end, time_zone FROM billing_report
         WHERE tenant_id = $1 AND partner_id = $2 AND state = 'closed'",
    )
    .bind(tenant)
    .bind(checker.partner.id)
    .fetch_all(tx.connection())
    .await?;
    let bounds = |(start, end, zone): (NaiveDate, NaiveDate, String)| {
        Period { start, end }.bounds(zone.parse().unwrap_or(checker.zone))
    };
    Ok(rows.into_iter().map(bounds).collect())
}

async fn lead_users(
    app: &App,
    tx: &mut TenantTx,
    checker: &Checker,
    actions: &[(usize, Checked)],
) -> Result<HashMap<String, Uuid>, Error> {
    let mut emails: Vec<&str> = actions.iter().map(|(_, action)| action.email.as_str()).collect();
    emails.sort_unstable();
    emails.dedup();
    let ids: Vec<Uuid> = emails.iter().map(|_| app.ids.next(checker.now)).collect();
    let tenant = tx.tenant().uuid();
    sqlx::query(
        "INSERT INTO lead_user (tenant_id, id, partner_id, email, created_at)
         SELECT $1, new.id, $2, new.email, $3 FROM unnest($4::uuid[], $5::text[]) AS new(id, email)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(checker.partner.id)
    .bind(checker.now)
    .bind(&ids)
    .bind(&emails)
    .execute(tx.connection())
    .await?;
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT email, id FROM lead_user WHERE tenant_id = $1 AND partner_id = $2 AND email = ANY($3)",
    )
    .bind(tenant)
    .bind(checker.partner.id)
    .bind(&emails)
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().collect())
}

async fn insert(
    connection: &mut PgConnection,
    tenant: TenantId,
    checker: &Checker,
    actions: &[(usize, Checked)],
    users: &HashMap<String, Uuid>,
) -> Result<HashSet<Uuid>, Error> {
    fn column<'a, T>(actions: &'a [(usize, Checked)], pick: impl Fn(&'a Checked) -> T) -> Vec<T> {
        actions.iter().map(|(_, action)| pick(action)).collect()
    }
    let inserted = sqlx::query_scalar(
        "INSERT INTO lead_action (tenant_id, partner_id, received_at, id, lead_user_id, product_id, lead_id, lead_type,
             action_type, level, occurred_at, late)
         SELECT $1, $2, $3, new.* FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
             $10::text[], $11::timestamptz[], $12::boolean[]) AS new
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(tenant.uuid())
    .bind(checker.partner.id)
    .bind(checker.now)
    .bind(column(actions, |action| action.id))
    .bind(column(actions, |action| users.get(&action.email).copied()))
    .bind(column(actions, |action| action.product))
    .bind(column(actions, |action| action.lead))
    .bind(column(actions, |action| action.lead_type.as_str()))
    .bind(column(actions, |action| action.action_type.as_str()))
    .bind(column(actions, |action| action.level.as_str()))
    .bind(column(actions, |action| action.occurred_at))
    .bind(column(actions, |action| checker.is_late(action.occurred_at)))
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().collect())
}

type StoredRow = (Uuid, String, Uuid, Option<Uuid>, String, String, String, DateTime<Utc>);

async fn stored(tx: &mut TenantTx, ids: &[Uuid]) -> Result<HashMap<Uuid, Checked>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let tenant = tx.tenant().uuid();
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT a.id, u.email, a.product_id, a.lead_id, a.lead_type, a.action_type, a.level, a.occurred_at
         FROM lead_action a JOIN lead_user u ON u.tenant_id = a.tenant_id AND u.id = a.lead_user_id
         WHERE a.tenant_id = $1 AND a.id = ANY($2)",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(tx.connection())
    .await?;
    let checked = |(id, email, product, lead, lead_type, action_type, level, occurred_at): StoredRow| {
        (id, Checked { id, email, product, lead, lead_type, action_type, level, occurred_at })
    };
    Ok(rows.into_iter().map(checked).collect())
}
