//! A difference on its way to its end.
//!
//! ```text
//! open ──resend──► resending ──found there──► resolved
//!  │ ▲                 │                         │
//!  │ └──not delivered──┘     seen again ─► open ◄┘
//!  └──accept (with a reason)──► accepted ──reopen──► open
//! ```

/// Where an exception stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Somebody has to look at it.
    Open,
    /// The lead was sent again; it is not proved yet that it arrived.
    Resending,
    /// The sides agree.
    Resolved,
    /// A person has said why it may stay.
    Accepted,
}

/// A step that the exception cannot take from where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the difference is {} already; it cannot become {}", from.as_str(), to.as_str())]
pub struct InvalidStep {
    /// Where it stands.
    pub from: State,
    /// Where it should have gone.
    pub to: State,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Resending, Self::Resolved, Self::Accepted];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resending => "resending",
            Self::Resolved => "resolved",
            Self::Accepted => "accepted",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The state after that step.
    pub fn to(self, to: Self) -> Result<Self, InvalidStep> {
        let possible = match self {
            Self::Open => matches!(to, Self::Resending | Self::Resolved | Self::Accepted),
            Self::Resending => matches!(to, Self::Open | Self::Resolved),
            Self::Resolved | Self::Accepted => to == Self::Open,
        };
        if possible { Ok(to) } else { Err(InvalidStep { from: self, to }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_way_out_and_none_leads_to_itself() {
        for from in State::ALL {
            assert!(State::ALL.into_iter().any(|to| from.to(to).is_ok()), "{from:?}");
            assert!(from.to(from).is_err());
            assert_eq!(State::parse(from.as_str()), Some(from));
        }
        let refused = State::Resolved.to(State::Accepted).unwrap_err();
        assert_eq!(refused.to_string(), "the difference is resolved already; it cannot become accepted");
    }
}
