//! The edges of Baton: GraphQL, HTTP and the command line, and the one binary `baton`.

pub mod demo;
pub mod graphql;
pub mod http;
