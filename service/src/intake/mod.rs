//! Intake: leads come in as files, streams and single submissions.
//!
//! * [`reader`] – from a stream of bytes to batches of records, whatever the file is.

pub mod reader;
