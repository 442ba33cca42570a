//! Background jobs and mail, over a real Postgres and a real SMTP server.

mod mail;
mod queue;
