//! From the cells of a record to a clean lead, or the reasons why not.
//!
//! A [`MappingSpec`] says as data which columns or JSON paths fill which field of the
//! [`catalogue`]. A [`Plan`] is that mapping compiled against one file's header. It reads one record
//! after the other and gives a [`Verdict`] on each: accepted (perhaps with warnings), refused with
//! every reason, or no record at all. Nothing here knows what was read before: whether a lead
//! is new, a repeat or a revision is decided where leads are stored, by [`fingerprint()`] and
//! [`difference`].
//!
//! The rules keep three promises (requirements S002-22 to S002-31):
//!
//! * Blank is absent; unreadable is absent, with a warning and the raw text in [`Lead::extra`]. Neither
//!   is ever zero or `false`.
//! * A value that was normalised once is not changed by normalising it again.
//! * No input makes them panic, and none costs more than time and memory proportional to its length.
//!
//! [`Lead::extra`]: crate::lead::Lead::extra

mod assemble;
pub mod catalogue;
mod cells;
mod change;
pub mod codes;
mod contact;
mod fingerprint;
mod json;
mod kind;
mod mapping;
mod plan;
mod plan_error;
pub mod rules;
mod wire;

pub use cells::Cells;
pub use change::{Change, difference};
pub use fingerprint::fingerprint;
pub use json::NESTING_MAX;
pub use kind::{SourceKind, UnknownSourceKind};
pub use mapping::{ColumnRef, ContactIdentity, FieldSpec, Identity, MappingError, MappingSpec};
pub use plan::{CELL_BYTES_MAX, COLUMNS_MAX, Plan, Scratch, Settings, Verdict, key as column_key};
pub use plan_error::PlanError;
pub use rules::phone::{Regions, UnknownRegion};
pub use wire::{
    CorruptDetails, details_from_json, write_details_json, write_extra_json, write_warnings_json,
};
