//! Rights, and which role has which.

use std::fmt;
use std::str::FromStr;

use super::Role;
use super::scope::UnknownRight;

macro_rules! rights {
    ($(#[doc = $about:literal] $name:ident = $text:literal: $($role:ident)|+;)+) => {
        /// The smallest thing that is given or refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Right {
            $(#[doc = $about] $name,)+
        }

        /// The table: every right with the roles that have it.
        pub const RIGHTS: &[(Right, &[Role])] = &[$((Right::$name, &[$(Role::$role),+]),)+];

        impl Right {
            /// Its text, as in `leads:read`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// What it allows, in a sentence.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => $about.trim_ascii(),)+
                }
            }
        }
    };
}

// Beside each right: who has it. A partner's reading of billing is narrowed to its own company by row-level security; an
// agent's reading of leads to those of its teams where the tenant says so.
rights! {
    /// Who one is: the viewer, one's own sessions, signing out, introspection.
    Own = "own": Owner | Admin | Manager | Agent | Partner | Service;
    /// Leads, their journeys, refused records.
    LeadsRead = "leads:read": Owner | Admin | Manager | Agent | Service;
    /// Submit leads, correct or dismiss refused records.
    LeadsWrite = "leads:write": Owner | Admin | Manager | Agent | Service;
    /// Imports and their progress.
    ImportsRead = "imports:read": Owner | Admin | Manager | Agent | Service;
    /// Cancel imports.
    ImportsWrite = "imports:write": Owner | Admin | Manager | Service;
    /// Sources of leads.
    SourcesRead = "sources:read": Owner | Admin | Manager | Agent | Service;
    /// Make and change sources, and their tokens.
    SourcesWrite = "sources:write": Owner | Admin;
    /// Where leads are delivered; never a secret.
    DestinationsRead = "destinations:read": Owner | Admin | Manager | Agent | Service;
    /// Make and change destinations.
    DestinationsWrite = "destinations:write": Owner | Admin;
    /// Deliveries and attempts.
    DeliveriesRead = "deliveries:read": Owner | Admin | Manager | Agent | Service;
    /// Send one delivery again.
    DeliveriesRetry = "deliveries:retry": Owner | Admin | Manager | Agent | Service;
    /// Send many deliveries again, redeliver, replay.
    DeliveriesWrite = "deliveries:write": Owner | Admin | Manager | Service;
    /// What happened to submissions: succeeded, failed, by channel; background jobs.
    TrackingRead = "tracking:read": Owner | Admin | Manager | Agent | Service;
    /// Change how submissions are tracked, retry them, suppress contacts.
    TrackingWrite = "tracking:write": Owner | Admin | Manager | Service;
    /// Alerts and where they go.
    AlertsRead = "alerts:read": Owner | Admin | Manager | Agent | Service;
    /// Make and change alerts, acknowledge them.
    AlertsWrite = "alerts:write": Owner | Admin | Manager;
    /// Agreements (SLA), their clocks, breaches, reports.
    SlaRead = "sla:read": Owner | Admin | Manager | Agent | Service;
    /// Make and change agreements and schedules, book services, record contacts.
    SlaWrite = "sla:write": Owner | Admin | Manager;
    /// Billing reports, products, rate plans, actions. A partner: its own.
    BillingRead = "billing:read": Owner | Admin | Manager | Partner | Service;
    /// Record what is billed.
    BillingRecord = "billing:record": Owner | Admin | Manager | Service;
    /// Make and change partners, rate plans, products; close and reissue reports.
    BillingWrite = "billing:write": Owner | Admin;
    /// What Baton and the CRM disagree about.
    ReconciliationRead = "reconciliation:read": Owner | Admin | Manager | Service;
    /// Start a reconciliation, repair, resend.
    ReconciliationWrite = "reconciliation:write": Owner | Admin | Manager | Service;
    /// Revenue by deal.
    RevenueRead = "revenue:read": Owner | Admin | Manager | Service;
    /// Record sales, refunds and dispositions.
    RevenueWrite = "revenue:write": Owner | Admin | Manager | Service;
    /// Scores and why.
    RankingRead = "ranking:read": Owner | Admin | Manager | Agent | Service;
    /// Score cards and models.
    RankingWrite = "ranking:write": Owner | Admin | Manager;
    /// Call campaigns.
    CampaignsRead = "campaigns:read": Owner | Admin | Manager | Agent | Service;
    /// Configure, start and stop campaigns.
    CampaignsWrite = "campaigns:write": Owner | Admin | Manager | Service;
    /// Links into pages, for the CRM.
    LinksRead = "links:read": Owner | Admin | Manager;
    /// Make and revoke links into pages.
    LinksWrite = "links:write": Owner | Admin | Manager;
    /// Teams and who is in them.
    TeamsRead = "teams:read": Owner | Admin | Manager | Agent;
    /// Make and change teams.
    TeamsWrite = "teams:write": Owner | Admin | Manager;
    /// The tenant's users and invitations.
    UsersRead = "users:read": Owner | Admin | Manager;
    /// Invite, change and disable users.
    UsersWrite = "users:write": Owner | Admin;
    /// API keys and OAuth clients; never a secret.
    KeysRead = "keys:read": Owner | Admin;
    /// Make and revoke API keys and OAuth clients, rotate signing keys.
    KeysWrite = "keys:write": Owner | Admin;
    /// How people sign in: providers, domain rules, frames.
    SignInRead = "sign_in:read": Owner | Admin;
    /// Change how people sign in.
    SignInWrite = "sign_in:write": Owner | Admin;
    /// The audit log.
    AuditRead = "audit:read": Owner | Admin;
    /// The tenant's own settings.
    SettingsRead = "settings:read": Owner | Admin | Manager | Agent | Service;
    /// Change the tenant's own settings.
    SettingsWrite = "settings:write": Owner | Admin;
}

/// What is left of an agent's rights where it sees the leads of its teams' sources only: what row-level security narrows,
/// and what tells nothing of leads. Figures over all leads are not among them.
pub const NARROWED: &[Right] = &[
    Right::Own,
    Right::LeadsRead,
    Right::LeadsWrite,
    Right::ImportsRead,
    Right::SourcesRead,
    Right::DestinationsRead,
    Right::TeamsRead,
    Right::SettingsRead,
];

impl Right {
    /// The roles that have it.
    pub fn roles(self) -> &'static [Role] {
        RIGHTS.iter().find(|(right, _)| *right == self).map_or(&[], |(_, roles)| *roles)
    }
}

impl Role {
    /// Whether somebody of this role has that right.
    pub fn has(self, right: Right) -> bool {
        right.roles().contains(&self)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Right {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        let known = RIGHTS.iter().map(|(right, _)| *right).find(|right| right.as_str() == text);
        known.ok_or_else(|| UnknownRight::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_keeps_its_promises() {
        let mut texts = Vec::new();
        for (right, roles) in RIGHTS {
            assert_eq!(right.as_str().parse(), Ok(*right));
            texts.push(right.as_str());
            assert!(
                roles.contains(&Role::Owner) && roles.contains(&Role::Admin),
                "{right}: an admin may too"
            );
            let writes = right.as_str().ends_with(":write");
            let partners = [Right::Own, Right::BillingRead].contains(right);
            assert_eq!(roles.contains(&Role::Partner), partners, "{right}: a partner sees its billing only");
            if roles.contains(&Role::Agent) {
                assert!(roles.contains(&Role::Manager), "{right}: a manager may what an agent may");
                assert!(!writes || *right == Right::LeadsWrite, "{right}: an agent works with leads");
            }
            if roles.contains(&Role::Service) {
                assert!(
                    *right == Right::Own || roles.contains(&Role::Manager),
                    "{right}: never more than a manager"
                );
            }
        }
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), RIGHTS.len(), "a right's text is its own");
    }
}
