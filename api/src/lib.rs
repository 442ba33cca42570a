//! The edges of Baton: GraphQL and HTTP.

pub mod demo;
pub mod http;
