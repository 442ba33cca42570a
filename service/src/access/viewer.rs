//! Who calls, and what that one may do.

use domain::access::{NARROWED, Right, Role, Scope};
use domain::ids::{ApiKeyId, PartnerId, SourceId, TenantId, UserId};
use tenants::Subject;

use crate::database::Sight;
use crate::error::Error;

/// Who calls, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Whose data it sees.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
    /// What of it this credential may be used for.
    pub scope: Scope,
    /// Of role partner: the company whose billing it sees.
    pub partner: Option<PartnerId>,
    /// Of an agent where the tenant says so: the sources whose leads its teams work with.
    pub sources: Option<Vec<SourceId>>,
    /// Person or key.
    pub actor: Actor,
}

/// A person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Signed in with a session or an access token.
    User(UserId),
    /// An API key or an OAuth client.
    Key(ApiKeyId),
    /// The operator at a terminal.
    Operator,
    /// Baton itself, at the time that was set for it.
    Schedule,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Key(key) => key.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::Schedule => f.write_str("schedule"),
        }
    }
}

impl From<Subject> for Actor {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::User(user) => Self::User(user),
            Subject::Key(key) => Self::Key(key),
        }
    }
}

impl Viewer {
    /// Somebody of that role, with all of its rights.
    pub fn new(tenant: TenantId, actor: Actor, role: Role) -> Self {
        Self { tenant, role, scope: Scope::Full, partner: None, sources: None, actor }
    }

    /// A person of that role, with all of its rights.
    pub fn user(tenant: TenantId, user: UserId, role: Role) -> Self {
        Self::new(tenant, Actor::User(user), role)
    }

    /// The person, when it is one.
    pub fn user_id(&self) -> Option<UserId> {
        match self.actor {
            Actor::User(user) => Some(user),
            Actor::Key(_) | Actor::Operator | Actor::Schedule => None,
        }
    }

    /// Whether role and scope both allow it.
    pub fn may(&self, right: Right) -> bool {
        self.role.has(right) && self.scope.allows(right) && self.sees_enough_for(right)
    }

    /// Refuses whoever may not, and says what is missing.
    pub fn require(&self, right: Right) -> Result<(), Error> {
        if !self.role.has(right) {
            let roles: Vec<&str> = right.roles().iter().map(|role| role.as_str()).collect();
            let text =
                format!("the role {} does not include {right}: it needs {}", self.role, roles.join(" or "));
            return Err(Error::Forbidden(text.into()));
        }
        if !self.scope.allows(right) {
            return Err(Error::Forbidden(format!("this credential's scope does not include {right}").into()));
        }
        if !self.sees_enough_for(right) {
            let text = format!("{right} is about all leads, and agents see those of their teams only");
            return Err(Error::Forbidden(text.into()));
        }
        Ok(())
    }

    fn sees_enough_for(&self, right: Right) -> bool {
        self.sources.is_none() || NARROWED.contains(&right)
    }

    /// What of the tenant's rows it may see: told to the database, which enforces it.
    pub fn sight(&self) -> Sight {
        match (self.role, &self.sources) {
            (Role::Partner, _) => Sight::Partner(self.partner),
            (_, Some(sources)) => Sight::Sources(sources.clone()),
            (_, None) => Sight::Everything,
        }
    }
}
