//! The edge between the wire and a schema, with a small schema of its own: in process, and over a socket for web sockets.

#[path = "transport/attacks.rs"]
mod attacks;
#[path = "transport/errors.rs"]
mod errors;
#[path = "transport/event_stream.rs"]
mod event_stream;
#[path = "transport/exchange.rs"]
mod exchange;
#[path = "transport/schema.rs"]
mod schema;
#[path = "transport/socket.rs"]
mod socket;
#[path = "transport/support.rs"]
mod support;
#[path = "transport/trusted.rs"]
mod trusted;
#[path = "transport/validation.rs"]
mod validation;
