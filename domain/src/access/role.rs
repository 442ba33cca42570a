//! Roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What somebody is in a tenant; stored and sent as lower-case text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers for the tenant: everything, and the only one who makes other owners.
    Owner,
    /// Runs it: users, sources, destinations, rate plans.
    Admin,
    /// Runs the work: leads, imports, campaigns, agreements, reconciliation.
    Manager,
    /// Works with leads; where the tenant says so, with those of its teams only.
    Agent,
    /// A company that is billed: sees its own billing and nothing else.
    Partner,
    /// A program with a key: what its scope says, never more than a manager's work.
    Service,
}

/// Every role, the mightiest first.
pub const ROLES: [Role; 6] =
    [Role::Owner, Role::Admin, Role::Manager, Role::Agent, Role::Partner, Role::Service];

impl Role {
    /// Its text, as in `admin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::Partner => "partner",
            Self::Service => "service",
        }
    }

    /// Whether somebody of this role may give or take that role: only an owner makes and unmakes owners, an admin all
    /// the others. Otherwise whoever may manage users could make itself more than it is.
    pub const fn manages(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(other, Self::Owner),
            _ => false,
        }
    }

    /// Whether a person can have it. A program's role belongs to keys.
    pub const fn is_for_people(self) -> bool {
        !matches!(self, Self::Service)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role must be one of owner, admin, manager, agent, partner, service")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        ROLES.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_more_than_it_has() {
        for role in ROLES {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert!(Role::Owner.manages(role));
            assert_eq!(Role::Admin.manages(role), role != Role::Owner);
            for lesser in [Role::Manager, Role::Agent, Role::Partner, Role::Service] {
                assert!(!lesser.manages(role));
            }
        }
        assert_eq!("Admin".parse::<Role>(), Err(UnknownRole));
        assert_eq!("member".parse::<Role>(), Err(UnknownRole));
    }
}
