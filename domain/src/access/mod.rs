//! Who may do what: roles, rights, and the one table between them.
//!
//! A *right* is the smallest thing that is given or refused, as in `leads:read`. A *role* is a set of rights that a
//! person or a program has. A *scope* narrows a role for one credential: what somebody may do with it is what the role
//! and the scope both allow, so a key can never do more than its role. Edges ask for a right, never for a role: which
//! field needs which right stands in the edge's own table, and the guard in front of each field reads it.

mod quota;
mod right;
mod role;
mod scope;

pub use quota::{Quota, Verdict};
pub use right::{NARROWED, RIGHTS, Right};
pub use role::{ROLES, Role, UnknownRole};
pub use scope::{Scope, UnknownRight};
