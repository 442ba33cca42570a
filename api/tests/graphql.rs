//! The schema over the real Postgres and libSQL, without HTTP but for a web socket: what is asked, by whom, and what it costs.

#[path = "graphql/access.rs"]
mod access;
#[path = "graphql/at_hand.rs"]
mod at_hand;
#[path = "graphql/cases.rs"]
mod cases;
#[path = "graphql/changes.rs"]
mod changes;
#[path = "graphql/contract.rs"]
mod contract;
#[path = "graphql/leads.rs"]
mod leads;
#[path = "graphql/limits.rs"]
mod limits;
#[path = "graphql/progress.rs"]
mod progress;
#[path = "graphql/rival.rs"]
mod rival;
#[path = "graphql/socket.rs"]
mod socket;
#[path = "graphql/statements.rs"]
mod statements;
#[path = "graphql/tenancy.rs"]
mod tenancy;
#[path = "graphql/world.rs"]
mod world;
