//! A lead's journey: the kinds of steps that are stored, in one list for every floor.
//!
//! A step that another row already says is not stored a second time: the receipt is the lead's own row, a request to a
//! destination is its delivery's attempt.

/// A stored step of a lead's journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The source sent other values for the same lead.
    Updated,
    /// The lead came in again.
    Duplicate,
    /// The source asked for the same lead once more, as a credit trigger does.
    Triggered,
    /// A person corrected the record that it came from.
    Corrected,
    /// A person had a delivery tried again.
    Retried,
    /// The service that it was submitted to has it.
    Submitted,
    /// A person reached the lead for the first time.
    Contacted,
    /// Worth selling to.
    Qualified,
    /// It became a customer.
    Sold,
    /// It will not become a customer.
    Lost,
    /// The person wants no more contact.
    OptedOut,
    /// Held back because its phone or e-mail is on the suppression list.
    Suppressed,
    /// A clock of a service-level agreement reached its at-risk share.
    AtRisk,
    /// A clock of a service-level agreement ran out.
    Breached,
    /// A clock of a service-level agreement was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// A breach opened help.
    Escalated,
    /// Help was booked.
    Booked,
    /// Reconciliation with the destination had it sent again.
    Resent,
    /// A person said that a delivery of unknown outcome arrived.
    Confirmed,
}

impl Step {
    /// Every step, in the order of a journey.
    pub const ALL: [Self; 20] = [
        Self::Updated,
        Self::Duplicate,
        Self::Triggered,
        Self::Corrected,
        Self::Retried,
        Self::Submitted,
        Self::Contacted,
        Self::Qualified,
        Self::Sold,
        Self::Lost,
        Self::OptedOut,
        Self::Suppressed,
        Self::AtRisk,
        Self::Breached,
        Self::Paused,
        Self::Resumed,
        Self::Escalated,
        Self::Booked,
        Self::Resent,
        Self::Confirmed,
    ];

    /// As it is stored in `lead_event.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Duplicate => "duplicate",
            Self::Triggered => "triggered",
            Self::Corrected => "corrected",
            Self::Retried => "retried",
            Self::Submitted => "submitted",
            Self::Contacted => "contacted",
            Self::Qualified => "qualified",
            Self::Sold => "sold",
            Self::Lost => "lost",
            Self::OptedOut => "opted_out",
            Self::Suppressed => "suppressed",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Escalated => "escalated",
            Self::Booked => "booked",
            Self::Resent => "resent",
            Self::Confirmed => "confirmed",
        }
    }

    /// The step of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn every_name_reads_back() {
        for step in Step::ALL {
            assert_eq!(Step::parse(step.as_str()), Some(step));
        }
        assert_eq!(Step::parse("received"), None, "the receipt is the lead's own row");
    }
}
