//! What `baton demo` needs and a deployment does not.

pub mod crm;
