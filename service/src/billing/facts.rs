//! A period's actions out of the store, as numbers to rate.
//!
//! They come by COPY in binary, because the way out of the database costs more than rating: names become numbers as they
//! pass, forty bytes an action stay. The order does not matter here, rating sorts.

use chrono::{DateTime, Utc};
use domain::billing::{Action, Charged, Rules, Window};
use domain::ids::BillingReportId;
use uuid::Uuid;

use super::book::{Book, Names, Reading};
use super::copy::copy_out;
use super::late::{self, LateGroup};
use crate::database::TenantTx;
use crate::error::Error;

/// A period's actions, and what they meet.
#[derive(Default)]
pub struct Facts {
    /// The period's own, and earlier ones that they may repeat.
    pub actions: Vec<Action>,
    /// What lead users were charged for this period by reports of later ones.
    pub charged: Charged,
    /// Actions of earlier, closed periods that no report has yet.
    pub late: Vec<LateGroup>,
    /// Which of all these came in after their period was closed; in order.
    pub late_ids: Vec<Uuid>,
    /// Names beyond those of the plan, by number.
    pub names: Names,
}

/// Loads what the period's report is made of. `replacing`: that report does not count any more.
///
/// A late action of the period that another report accounts for is not rated here again; when it is charged there, others
/// may repeat it.
pub async fn load(tx: &TenantTx, book: &Book, replacing: Option<BillingReportId>) -> Result<Facts, Error> {
    let tenant = tx.tenant().uuid();
    let replaced = replacing.map_or(Uuid::nil(), BillingReportId::uuid);
    let mut facts = Facts { names: Names::of(&book.rules), ..Facts::default() };
    let numbers = book.numbers();
    let (from, to) = book.bounds;
    let since = history_since(&book.rules, from);
    let mut reading = Reading { numbers: &numbers, names: &mut facts.names, late: &mut facts.late_ids };
    // UUIDs, numbers and RFC 3339 times of our own making: nothing of them ends the quotes. COPY takes no parameters.
    let statement = format!(
        "COPY (SELECT id, lead_user_id, product_id, lead_type, action_type, level, occurred_at, late,
                      occurred_at < '{from}' OR (late AND EXISTS ({elsewhere}))
               FROM lead_action a
               WHERE tenant_id = '{tenant}' AND partner_id = '{partner}' AND occurred_at >= '{since}' AND occurred_at < '{to}'
                 AND NOT {nothing})
         TO STDOUT (FORMAT binary)",
        partner = book.partner.id,
        from = from.to_rfc3339(),
        to = to.to_rfc3339(),
        since = since.to_rfc3339(),
        elsewhere = late::accounted(tenant, replaced),
        nothing = late::accounted_as_nothing(tenant, replaced),
    );
    copy_out(&mut *tx.lock().await, &statement, |row| {
        facts.actions.push(reading.action(row)?);
        Some(())
    })
    .await?;
    facts.charged = late::charged_elsewhere(tx, book, replaced, &numbers).await?;
    facts.late = late::load(tx, book, replaced, &mut reading).await?;
    facts.late_ids.sort_unstable();
    Ok(facts)
}

/// From when on earlier actions matter: those that the period's own may repeat.
fn history_since(rules: &Rules, from: DateTime<Utc>) -> DateTime<Utc> {
    match rules.window() {
        Window::Period => from,
        Window::Days(days) => from - chrono::TimeDelta::days(days.into()),
        Window::Forever => DateTime::from_timestamp(0, 0).unwrap_or(from),
    }
}
