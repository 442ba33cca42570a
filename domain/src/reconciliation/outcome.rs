//! What a run says of a record of either side.

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Both sides have it and say the same.
    Matched,
    /// Both sides have it and differ in a field.
    Mismatched,
    /// We handed it over and it is not there.
    Missing,
    /// It is there, and our record does not call it delivered.
    Unconfirmed,
    /// A second record there of a lead that is there already.
    Duplicated,
    /// We refused the record, and it is there.
    RejectedPresent,
    /// We held it back as a duplicate, and it is there.
    DuplicateDelivered,
    /// It carries our mark, and we never had it.
    Unexpected,
    /// Theirs alone: entered by hand, or from another system. Information.
    ExtraKnown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Matched,
        Self::Mismatched,
        Self::Missing,
        Self::Unconfirmed,
        Self::Duplicated,
        Self::RejectedPresent,
        Self::DuplicateDelivered,
        Self::Unexpected,
        Self::ExtraKnown,
    ];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Mismatched => "mismatched",
            Self::Missing => "missing",
            Self::Unconfirmed => "unconfirmed",
            Self::Duplicated => "duplicated",
            Self::RejectedPresent => "rejected_present",
            Self::DuplicateDelivered => "duplicate_delivered",
            Self::Unexpected => "unexpected",
            Self::ExtraKnown => "extra_known",
        }
    }

    /// The outcome of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }

    /// Whether somebody has to look at it.
    pub const fn is_difference(self) -> bool {
        !matches!(self, Self::Matched | Self::ExtraKnown)
    }

    /// Whether sending the lead again can put it right.
    pub const fn is_resendable(self) -> bool {
        matches!(self, Self::Missing)
    }
}
