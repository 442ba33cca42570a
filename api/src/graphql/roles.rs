//! The table of roles and rights, for whoever gives roles.

use async_graphql::{Object, SimpleObject};
use domain::access::RIGHTS;

use super::access::Role;

/// The smallest thing that is given or refused.
#[derive(SimpleObject)]
struct Right {
    /// As in `leads:read`.
    name: &'static str,
    /// What it allows.
    about: &'static str,
    /// Who has it.
    roles: Vec<Role>,
}

#[derive(Default)]
pub(super) struct RoleQueries;

#[Object]
impl RoleQueries {
    /// Every right with the roles that have it.
    async fn rights(&self) -> Vec<Right> {
        let right = |(right, roles): &(domain::access::Right, &[domain::access::Role])| Right {
            name: right.as_str(),
            about: right.about(),
            roles: roles.iter().map(|role| (*role).into()).collect(),
        };
        RIGHTS.iter().map(right).collect()
    }
}
