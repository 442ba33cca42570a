//! What commands leave in the tenant's audit log: one table of all commands.
//!
//! [`super::context::Context::with_tenant`] writes the line when the command has come to its end. Commands whose service
//! writes a line of its own, with more detail, have none here; nor have those that only read, or that work on leads.

use std::fmt::Display;

use super::Command;
use super::{
    alerts, crm, destination, failed, hooks, leads, reconcile, records, source, suppression, tracking,
};

/// Ids that a line names; more are of one act all the same.
const IDS_MAX: usize = 20;

/// A line of the audit log.
#[derive(Debug)]
pub(crate) struct Act {
    /// As the same act of an administrator is called.
    pub(crate) action: &'static str,
    /// To what it was done: a slug, a name or an id.
    pub(crate) subject: String,
}

fn act(action: &'static str, subject: &(impl Display + ?Sized)) -> Act {
    Act { action, subject: subject.to_string() }
}

/// What that command does.
pub(super) fn act_of(command: &Command) -> Option<Act> {
    match command {
        Command::Source(command) => of_source(command),
        Command::Destination(command) => of_destination(command),
        Command::Alert(command) => of_alert(command),
        Command::Hook(command) => of_hook(command),
        Command::Suppression(command) => of_suppression(command),
        Command::Failed(command) => of_failed(command),
        Command::Leads(command) => of_leads(command),
        Command::Records(command) => of_records(command),
        Command::Crm(crm::Command::Sync { destination }) => Some(act("crm.synced", destination)),
        Command::Reconcile(arguments) => reconcile::act_of(arguments),
        // Some write their own lines, as the service knows more; tenants and keys are in the operator's own log; an import has
        // a record of its own; the others only read.
        Command::Audit(_)
        | Command::Billing(_)
        | Command::Config
        | Command::Crm(crm::Command::Users(_) | crm::Command::Campaigns(_) | crm::Command::Changes { .. })
        | Command::Deliveries(_)
        | Command::Demo(_)
        | Command::Doctor
        | Command::Export(_)
        | Command::Import(_)
        | Command::Key(_)
        | Command::Migrate(_)
        | Command::Provider(_)
        | Command::Schema { .. }
        | Command::Secrets(_)
        | Command::Serve(_)
        | Command::Sla(_)
        | Command::Tenant(_)
        | Command::User(_)
        | Command::Worker => None,
    }
}

fn of_source(command: &source::Command) -> Option<Act> {
    match command {
        source::Command::Add { slug, .. } => Some(act("source.created", slug)),
        source::Command::Token { slug, .. } => Some(act("source.token_created", slug)),
        // What a source costs is written by whoever sets it.
        source::Command::Cost { .. } | source::Command::Costs | source::Command::List => None,
    }
}

fn of_destination(command: &destination::Command) -> Option<Act> {
    match command {
        destination::Command::Add { slug, .. } => Some(act("destination.created", slug)),
        destination::Command::Set { slug, .. } => Some(act("destination.updated", slug)),
        destination::Command::Hold { slug, .. } => Some(act("destination.held", slug)),
        destination::Command::Resume { slug } => Some(act("destination.resumed", slug)),
        destination::Command::RotateSecret { slug, .. } => Some(act("destination.secret_rotated", slug)),
        destination::Command::List
        | destination::Command::Show { .. }
        | destination::Command::DryRun { .. } => None,
    }
}

fn of_alert(command: &alerts::Command) -> Option<Act> {
    match command {
        alerts::Command::Channel(alerts::Channel::Add { name, .. }) => {
            Some(act("alert.channel_created", name))
        }
        alerts::Command::Channel(alerts::Channel::Remove { id }) => Some(act("alert.channel_removed", id)),
        alerts::Command::Channel(alerts::Channel::Test { id }) => Some(act("alert.channel_tested", id)),
        alerts::Command::Rule(alerts::Rule::Add { name, .. }) => Some(act("alert.rule_created", name)),
        alerts::Command::Rule(alerts::Rule::Remove { id }) => Some(act("alert.rule_removed", id)),
        alerts::Command::SummaryHour { hour } => Some(act("alert.summary_hour_set", hour)),
        alerts::Command::Channel(alerts::Channel::List)
        | alerts::Command::Rule(alerts::Rule::List)
        | alerts::Command::List { .. }
        | alerts::Command::Check => None,
    }
}

fn of_hook(command: &hooks::Command) -> Option<Act> {
    match command {
        hooks::Command::Open { destination, .. } => Some(act("inbound.opened", destination)),
        hooks::Command::Close { destination } => Some(act("inbound.closed", destination)),
        hooks::Command::Words { destination, .. } => Some(act("inbound.words_set", destination)),
        hooks::Command::Process { ids } => {
            let ids: Vec<String> = ids.iter().take(IDS_MAX).map(ToString::to_string).collect();
            Some(act("inbound.processed", &ids.join(" ")))
        }
        hooks::Command::List { .. } | hooks::Command::Show { .. } => None,
    }
}

fn of_suppression(command: &suppression::Command) -> Option<Act> {
    match command {
        // The contact is somebody's phone or e-mail address.
        suppression::Command::Add { .. } => Some(act("suppression.added", "a contact")),
        suppression::Command::Remove { id } => Some(act("suppression.removed", id)),
        suppression::Command::List { .. } => None,
    }
}

fn of_failed(command: &failed::Command) -> Option<Act> {
    match command {
        failed::Command::Retry { id } => Some(act("delivery.retried", id)),
        failed::Command::Confirm { id, .. } => Some(act("delivery.confirmed", id)),
        failed::Command::RetryAll { destination } => {
            Some(act("delivery.retried_all", destination.as_deref().unwrap_or("every destination")))
        }
        failed::Command::List { .. } | failed::Command::Show { .. } => None,
    }
}

fn of_leads(command: &leads::Command) -> Option<Act> {
    match command {
        leads::Command::Failed(tracking::Failed::Retry { ids, .. }) => {
            let ids: Vec<String> = ids.iter().take(IDS_MAX).map(ToString::to_string).collect();
            Some(act("delivery.retried", &ids.join(" ")))
        }
        leads::Command::Failed(tracking::Failed::RetryAll { .. }) => {
            Some(act("delivery.retried_all", "those of a filter"))
        }
        leads::Command::Failed(tracking::Failed::List { .. } | tracking::Failed::Show { .. })
        | leads::Command::Succeeded(_)
        | leads::Command::List(_)
        | leads::Command::Show { .. } => None,
    }
}

fn of_records(command: &records::Command) -> Option<Act> {
    match command {
        records::Command::Dismiss { id } => Some(act("failed_record.dismissed", id)),
        // Corrections are work on leads.
        records::Command::Correct { .. }
        | records::Command::List(_)
        | records::Command::Show { .. }
        | records::Command::Export { .. } => None,
    }
}
