//! The edges of Baton: GraphQL and HTTP.

pub mod http;
