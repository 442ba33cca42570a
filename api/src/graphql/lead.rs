//! A lead as it is shown.

#![expect(clippy::unused_async, reason = "the engine takes no field that is not")]

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::LeadId;
use domain::lead::Status;
use service::database::StoredJson;
use service::intake::leads::LeadRow;
use uuid::Uuid;

use super::at_hand::{AtHand, Below, Getter, Plan};
use super::delivery::Delivery;
use super::error::ApiError;
use super::imports::Import;
use super::journey::LeadEvent;
use super::sources::{Source, not_loaded};
use super::wants::Asked;

/// Where a lead stands, derived from its deliveries.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Status")]
pub enum LeadStatus {
    /// No destination wants it.
    Accepted,
    /// On its way to at least one destination.
    Pending,
    /// Every destination has it.
    Delivered,
    /// Waits for a person: something that the destination needs is missing.
    Held,
    /// At least one destination refused it, or the attempts are used up.
    Failed,
}

/// One thing wrong with one field of a record.
#[derive(Clone, Debug, SimpleObject)]
pub struct Issue {
    field: String,
    code: String,
    message: String,
    value: Option<String>,
    /// The columns of the refused record that it speaks of, by the names that `values` has; null for a warning of a lead and in
    /// the answer to a record just sent.
    pub(super) columns: Option<Vec<String>>,
}

impl From<domain::lead::Issue> for Issue {
    fn from(issue: domain::lead::Issue) -> Self {
        Self {
            field: issue.field.into(),
            code: issue.code.into(),
            message: issue.message.into(),
            value: issue.value.map(Into::into),
            columns: None,
        }
    }
}

/// The issues of a stored column. A row that holds something else names itself.
pub(super) fn issues(
    column: &'static str,
    id: Uuid,
    read: serde_json::Result<Vec<domain::lead::Issue>>,
) -> Result<Vec<Issue>, ApiError> {
    Ok(stored_issues(column, id, read)?.into_iter().map(Into::into).collect())
}

/// The same as the rules have them.
pub(super) fn stored_issues(
    column: &'static str,
    id: Uuid,
    read: serde_json::Result<Vec<domain::lead::Issue>>,
) -> Result<Vec<domain::lead::Issue>, ApiError> {
    read.map_err(|error| {
        ApiError::internal("reading stored issues", format!("{column} of {id} is of another shape: {error}"))
    })
}

/// Stored JSON as a value.
pub(super) fn parsed(stored: &StoredJson) -> Result<serde_json::Value, ApiError> {
    serde_json::from_str(stored.get())
        .map_err(|error| ApiError::internal("reading stored JSON", error.to_string()))
}

/// A person's inquiry, cleaned, with what became of it.
pub struct Lead {
    pub(super) row: LeadRow,
    pub(super) status: Asked<LeadStatus>,
    pub(super) source: Asked<Arc<Source>>,
    pub(super) import: Asked<Option<Arc<Import>>>,
    pub(super) events: Asked<Vec<LeadEvent>>,
    pub(super) deliveries: Asked<Vec<Arc<Delivery>>>,
}

impl Lead {
    /// The phone as people in its country write it, without separators.
    pub(super) fn national_phone(&self) -> Option<&str> {
        self.row.phone.as_deref().map(national)
    }

    /// Its number there; a lead that came alone has none.
    fn record_of_import(&self) -> Option<i32> {
        self.row.import_id.and(self.row.record)
    }
}

/// Ten digits in North America, else E.164.
fn national(phone: &str) -> &str {
    match phone.strip_prefix("+1") {
        Some(digits) if digits.len() == 10 => digits,
        _ => phone,
    }
}

#[Object]
impl Lead {
    async fn id(&self) -> ID {
        ID(LeadId(self.row.id).to_string())
    }

    async fn status(&self) -> Result<LeadStatus, ApiError> {
        self.status.ok_or_else(|| not_loaded("Lead.status"))
    }

    async fn external_id(&self) -> Option<&str> {
        self.row.external_id.as_deref()
    }

    async fn lead_type(&self) -> Option<&str> {
        self.row.lead_type.as_deref()
    }

    async fn channel(&self) -> &str {
        &self.row.channel
    }

    async fn first_name(&self) -> Option<&str> {
        self.row.first_name.as_deref()
    }

    async fn last_name(&self) -> Option<&str> {
        self.row.last_name.as_deref()
    }

    /// Ten digits in North America, E.164 elsewhere.
    async fn phone(&self) -> Option<&str> {
        self.national_phone()
    }

    #[graphql(name = "phoneE164")]
    async fn phone_e164(&self) -> Option<&str> {
        self.row.phone.as_deref()
    }

    async fn phone_extension(&self) -> Option<&str> {
        self.row.phone_ext.as_deref()
    }

    async fn alternate_phones(&self) -> &[String] {
        self.row.alt_phones.as_deref().unwrap_or_default()
    }

    async fn email(&self) -> Option<&str> {
        self.row.email.as_deref()
    }

    async fn alternate_emails(&self) -> &[String] {
        self.row.alt_emails.as_deref().unwrap_or_default()
    }

    async fn address(&self) -> Option<&str> {
        self.row.address.as_deref()
    }

    async fn city(&self) -> Option<&str> {
        self.row.city.as_deref()
    }

    async fn state(&self) -> Option<&str> {
        self.row.state.as_deref()
    }

    async fn zip(&self) -> Option<&str> {
        self.row.zip.as_deref()
    }

    async fn zip4(&self) -> Option<&str> {
        self.row.zip4.as_deref()
    }

    #[expect(clippy::doc_markdown, reason = "the text is the schema's, which is not Markdown of this crate")]
    /// Further fields by name, typed: credit_score 712, mortgage_balance 250000.00, cash_out false.
    async fn details(&self) -> Result<serde_json::Value, ApiError> {
        parsed(&self.row.details)
    }

    /// Columns that the mapping does not name, and raw text that could not be read.
    async fn extra(&self) -> Result<serde_json::Value, ApiError> {
        self.row.extra.as_ref().map_or_else(|| Ok(serde_json::json!({})), parsed)
    }

    async fn warnings(&self) -> Result<Vec<Issue>, ApiError> {
        let Some(stored) = &self.row.warnings else { return Ok(Vec::new()) };
        issues("lead.warnings", self.row.id, serde_json::from_str(stored.get()))
    }

    async fn received_at(&self) -> DateTime<Utc> {
        self.row.received_at
    }

    async fn source(&self) -> Result<&Source, ApiError> {
        self.source.as_deref().ok_or_else(|| not_loaded("Lead.source"))
    }

    async fn import(&self) -> Result<Option<&Import>, ApiError> {
        self.import.as_ref().map(Option::as_deref).ok_or_else(|| not_loaded("Lead.import"))
    }

    /// Record number in its import, from 1.
    async fn record(&self) -> Option<i32> {
        self.record_of_import()
    }

    #[graphql(complexity = "4 * child_complexity")]
    async fn events(&self) -> Result<&[LeadEvent], ApiError> {
        self.events.as_deref().ok_or_else(|| not_loaded("Lead.events"))
    }

    #[graphql(complexity = "1 + 2 * child_complexity")]
    async fn deliveries(&self) -> Result<&[Arc<Delivery>], ApiError> {
        self.deliveries.as_deref().ok_or_else(|| not_loaded("Lead.deliveries"))
    }
}

impl AtHand for Lead {
    fn getter(field: &str, below: &Below<'_>) -> Option<Getter<Self>> {
        Some(Getter::Leaf(match field {
            "id" => |lead, out| out.id(LeadId(lead.row.id)),
            "externalId" => |lead, out| out.text(lead.row.external_id.as_deref()),
            "leadType" => |lead, out| out.text(lead.row.lead_type.as_deref()),
            "channel" => |lead, out| out.string(&lead.row.channel),
            "firstName" => |lead, out| out.text(lead.row.first_name.as_deref()),
            "lastName" => |lead, out| out.text(lead.row.last_name.as_deref()),
            "phone" => |lead, out| out.text(lead.national_phone()),
            "phoneE164" => |lead, out| out.text(lead.row.phone.as_deref()),
            "phoneExtension" => |lead, out| out.text(lead.row.phone_ext.as_deref()),
            "alternatePhones" => |lead, out| out.texts(lead.row.alt_phones.as_deref()),
            "email" => |lead, out| out.text(lead.row.email.as_deref()),
            "alternateEmails" => |lead, out| out.texts(lead.row.alt_emails.as_deref()),
            "address" => |lead, out| out.text(lead.row.address.as_deref()),
            "city" => |lead, out| out.text(lead.row.city.as_deref()),
            "state" => |lead, out| out.text(lead.row.state.as_deref()),
            "zip" => |lead, out| out.text(lead.row.zip.as_deref()),
            "zip4" => |lead, out| out.text(lead.row.zip4.as_deref()),
            "details" => |lead, out| out.raw(lead.row.details.get()),
            "extra" => |lead, out| match &lead.row.extra {
                Some(extra) => out.raw(extra.get()),
                None => out.raw("{}"),
            },
            "receivedAt" => |lead, out| out.moment(Some(lead.row.received_at)),
            "record" => |lead, out| out.integer(lead.record_of_import()),
            "status" => {
                return Some(Getter::loaded(|lead: &Self, out| {
                    out.enumerated(lead.status?);
                    Some(())
                }));
            }
            "source" => {
                let plan = Plan::<Source>::read(below)?;
                return Some(Getter::loaded(move |lead: &Self, out| plan.object(lead.source.as_ref()?, out)));
            }
            "deliveries" => {
                let plan = Plan::<Delivery>::read(below)?;
                return Some(Getter::loaded(move |lead: &Self, out| {
                    plan.list(lead.deliveries.as_ref()?, out)
                }));
            }
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_national_in_north_america_only() {
        for (phone, expected) in
            [("+13035550101", "3035550101"), ("+442071838750", "+442071838750"), ("+1303555", "+1303555")]
        {
            assert_eq!(national(phone), expected);
        }
    }
}
