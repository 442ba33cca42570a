//! The edges of Baton: GraphQL and HTTP, the command line, the processes that serve and work.

pub mod cli;
pub mod config;
pub mod demo;
pub mod edge;
pub mod graphql;
pub mod http;
pub mod serve;
pub mod telemetry;
