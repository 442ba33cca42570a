//! What starts and stops a clock.

use crate::journey::Step;

/// A moment of a lead's journey that a clock can start or stop at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The lead came in.
    Received,
    /// The first destination took it.
    Delivered,
    /// A stored step of the journey.
    Step(Step),
}

impl Event {
    /// Every event that a policy may name, in the order of a journey.
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Step(Step::Submitted),
        Self::Delivered,
        Self::Step(Step::Contacted),
        Self::Step(Step::Qualified),
        Self::Step(Step::Sold),
        Self::Step(Step::Lost),
        Self::Step(Step::OptedOut),
    ];

    /// As it is stored and written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Delivered => "delivered",
            Self::Step(step) => step.as_str(),
        }
    }

    /// The event of that name, when a clock can have it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }
}

/// The two clocks that every tenant knows.
pub const CLOCKS: [&str; 2] = ["processing", "response"];

/// What the clocks that every tenant knows ([`CLOCKS`]) start and stop at. A clock of any other name is the tenant's own, and
/// says itself.
pub fn clock_of(name: &str) -> Option<(Event, Event)> {
    match name {
        "processing" => Some((Event::Received, Event::Delivered)),
        "response" => Some((Event::Delivered, Event::Step(Step::Contacted))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{CLOCKS, Event, clock_of};

    #[test]
    fn every_name_reads_back_and_what_no_clock_may_have_is_refused() {
        for event in Event::ALL {
            assert_eq!(Event::parse(event.as_str()), Some(event));
        }
        assert_eq!(Event::parse("breached"), None, "a clock does not start another one");
    }

    #[test]
    fn the_clocks_that_every_tenant_knows_say_when_they_run() {
        assert!(CLOCKS.iter().all(|name| clock_of(name).is_some()));
        assert_eq!(clock_of("follow_up"), None);
    }
}
