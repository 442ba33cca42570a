//! Reconciliation: what we handed over beside what the other side has.
//!
//! A run takes their list – a file or their API, page by page – and our deliveries to that destination, and says of
//! each record of either side what became of it ([`Outcome`]). The steps, each a pure rule:
//!
//! 1. [`list`] – a row of their list is read by a mapping as data and normalised by the rules that our own records go
//!    through, so that a format is never a difference. What is no record (a footer, a blank line) is skipped.
//! 2. [`assign()`] – records are paired by remote id, external id, phone, e-mail, in that order: a pass for each key over
//!    what the passes before have left, so that a strong key is never beaten by a weak one of another record. Each
//!    record is paired once; of equals, the first of ours takes the first of theirs.
//! 3. [`compare()`] – a pair is compared field by field. What they know and we do not is enrichment and no difference.
//! 4. [`Outcome`] – what is left over is named: missing there, twice there, refused or suppressed by us and there all the
//!    same, theirs alone, or unexpected.
//! 5. [`exception`] – a difference is an exception that a person or a repair takes to its end.
//!
//! Beside it, [`curated`]: the service's users and campaigns, and what changed of them.
//!
//! [`assign()`] is the specification of step 2. With a million records a side the database does it, in sets; a test gives
//! both the same lists and wants the same pairs.

mod assign;
mod compare;
pub mod curated;
pub mod exception;
pub mod list;
mod outcome;

pub use assign::{KEYS, Keys, Pair, assign};
pub use compare::{Compared, Mismatch, Ours, PRE_EXISTING_TOLERANCE, compare};
pub use exception::{InvalidStep, State};
pub use list::{Mapping, MappingError, Record, Standing, Table};
pub use outcome::Outcome;
