//! Everything that answers over HTTP.

pub mod graphql;
