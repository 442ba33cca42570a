//! The edges of Baton: GraphQL and HTTP.

pub mod graphql;
pub mod http;
