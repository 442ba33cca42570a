//! Identifiers: a `UUIDv7` inside (in order of time), a `TypeID` outside (`lead_01j…`).
//!
//! A wrong kind is refused when text is parsed, so a source's id given for a lead's is an error
//! that says so and not a row that is not found. Source: the `TypeID` specification 0.3.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// Text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of kind `{wanted}` (it must look like {wanted}_01jd2wq7x8e0hbrvy3k6m9f4tz)")]
pub struct InvalidId {
    /// The prefix that was wanted, such as `lead`.
    pub wanted: &'static str,
    /// The text that was given.
    pub text: String,
}

fn parse(wanted: &'static str, text: &str) -> Result<Uuid, InvalidId> {
    let refuse = || InvalidId { wanted, text: text.chars().take(80).collect() };
    let id = TypeSafeId::<DynamicType>::from_str(text).map_err(|_| refuse())?;
    if id.type_prefix() == wanted { Ok(id.uuid()) } else { Err(refuse()) }
}

fn show(prefix: &'static str, uuid: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = DynamicType::new(prefix).map_err(|_| fmt::Error)?;
    write!(f, "{}", TypeSafeId::from_type_and_uuid(kind, uuid))
}

fn made_at(uuid: Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = uuid.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

macro_rules! id {
    ($(#[$doc:meta] $name:ident = $prefix:literal;)+) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The prefix of its text form.
            pub const PREFIX: &'static str = $prefix;

            /// The `UUID` inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// When it was made, to the millisecond; none when it is no `UUIDv7`.
            pub fn made_at(self) -> Option<DateTime<Utc>> {
                made_at(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                show($prefix, self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse($prefix, text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

id! {
    /// A client whose leads Baton runs.
    TenantId = "tenant";
    /// Where leads come from.
    SourceId = "source";
    /// A lead.
    LeadId = "lead";
    /// A step of a lead's journey.
    LeadEventId = "event";
    /// A file on its way in.
    ImportId = "import";
    /// A record that was refused.
    FailedRecordId = "failed";
    /// Where leads are delivered.
    DestinationId = "dest";
    /// One lead on its way to one destination.
    DeliveryId = "delivery";
    /// A calendar of business time.
    CalendarId = "calendar";
    /// A service-level policy.
    PolicyId = "policy";
    /// A case that missed service levels have opened.
    CaseId = "case";
    /// A time at which help can be booked.
    SlotId = "slot";
    /// A booking of help.
    BookingId = "booking";
    /// A company that is billed for its leads' actions.
    PartnerId = "partner";
    /// What lead users act on.
    ProductId = "product";
    /// A partner's end customer.
    LeadUserId = "leaduser";
    /// What a lead user did.
    LeadActionId = "action";
    /// A rate plan.
    RatePlanId = "plan";
    /// A closed billing report.
    BillingReportId = "report";
    /// A link to one file of a report.
    ReportLinkId = "filelink";
    /// Whom alerts reach.
    AlertChannelId = "channel";
    /// What is watched.
    AlertRuleId = "rule";
    /// A condition that holds, or held.
    AlertId = "alert";
    /// A report that came in.
    InboundHookId = "hook";
    /// Who wants no more contact.
    SuppressionId = "suppression";
    /// A person or service that signs in.
    UserId = "user";
    /// An API key.
    ApiKeyId = "key";
    /// A browser's session.
    SessionId = "session";
    /// People of a tenant who work together.
    TeamId = "team";
    /// A person who was asked to join.
    InvitationId = "invite";
    /// What a program stays signed in with.
    RefreshTokenId = "refresh";
    /// A line of the audit log.
    AuditId = "audit";
    /// A provider that people sign in with.
    ProviderId = "provider";
    /// A link that opens a page inside a CRM.
    LinkId = "link";
    /// A comparison of what we handed over with what a destination has.
    ReconciliationId = "recon";
    /// A difference that a comparison found.
    ExceptionId = "diff";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_another_kind() {
        let id = LeadId(Uuid::from_u128(0x0193_4b5c_8d6e_7f00_8123_4567_89ab_cdef));
        let text = id.to_string();
        assert!(text.starts_with("lead_"));
        assert_eq!(text.parse::<LeadId>(), Ok(id));
        let refused = text.parse::<SourceId>().unwrap_err();
        assert_eq!(refused.wanted, "source");
        assert!(text.to_uppercase().parse::<LeadId>().is_err());
        assert!("lead_".parse::<LeadId>().is_err());
        assert!("lead_é".parse::<LeadId>().is_err());
    }

    #[test]
    fn an_id_knows_when_it_was_made() {
        let id = LeadId(Uuid::from_u128(0x0193_4b5c_8d6e_7f00_8123_4567_89ab_cdef));
        assert_eq!(id.made_at(), DateTime::from_timestamp_millis(0x0193_4b5c_8d6e));
        assert_eq!(LeadId(Uuid::nil()).made_at(), None);
    }
}
