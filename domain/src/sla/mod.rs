//! Clocks of a service-level agreement: how long something may take, and when that is over.
//!
//! * [`Calendar`] – business time: when somebody works, to the minute, in a time zone.
//! * [`Terms`] – what a clock promises: target, at-risk share, calendar or business time.
//! * [`Conditions`] – which leads a policy is about.
//! * [`Event`] – what starts and stops a clock.
//!
//! A clock's result does not depend on when anybody looks at it: deadlines are computed when it starts, and what it took when
//! it stops, both from the instants alone.

mod calendar;
mod conditions;
mod event;
mod periods;
mod terms;

pub use calendar::{Calendar, CalendarError, CalendarSpec, NeverOpen, WindowSpec};
pub use conditions::{Conditions, ConditionsError, Facts, FieldIs};
pub use event::{CLOCKS, Event, clock_of};
pub use periods::{Bucket, Period};
pub use terms::{Deadlines, Terms, TermsError};
