//! What one request may cost before it is refused.

use std::time::Duration;

/// The bounds of the edge. Each is checked before the work that it bounds is begun, and a refusal names its bound.
///
/// Complexity is bounded by the schema itself (`SchemaBuilder::limit_complexity`), because only the schema knows what a field
/// costs; its refusal gets the same code, `LIMIT_EXCEEDED`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of an HTTP body.
    pub body_bytes_max: usize,
    /// Time in which an HTTP body has to arrive completely.
    pub body_time_max: Duration,
    /// Bytes of a GraphQL document.
    pub document_bytes_max: usize,
    /// Lexical tokens of a GraphQL document; runs of white space and comments count too.
    pub tokens_max: usize,
    /// Levels of brackets in a document's text, and levels of selections once its fragments are expanded. Checked on the raw text
    /// before anything parses it, because a parser that recurses overflows its stack.
    pub nesting_max: usize,
    /// Levels of arrays and objects inside `variables` and `extensions`.
    pub variables_nesting_max: usize,
    /// Fields of an operation once its fragments are expanded; of all operations together in a batch.
    pub expanded_fields_max: u64,
    /// Aliases of an operation once its fragments are expanded.
    pub aliases_max: u64,
    /// Directives of an operation once its fragments are expanded.
    pub directives_max: u64,
    /// Levels of fields of an operation once its fragments are expanded. The introspection of `GraphiQL` needs 15.
    pub depth_max: u64,
    /// Operations in one batch; 0 refuses batches altogether.
    pub batch_max: usize,
    /// Bytes of document text in the cache of validated documents. A document in memory takes up to a hundred times its text.
    pub cached_document_bytes_max: u64,
    /// Time that a query or a mutation may take.
    pub execution_time_max: Duration,
    /// Bytes of one message from a web socket.
    pub socket_message_bytes_max: usize,
    /// Time from the opening of a web socket to its `connection_init`.
    pub socket_init_time_max: Duration,
    /// Operations that run at once on one web socket.
    pub socket_operations_max: usize,
    /// Time without a frame after which a web socket is asked for a sign of life, and after the same time again is closed. The same
    /// interval separates the comments that keep an event stream alive.
    pub idle_time: Duration,
    /// Time in which a client has to take a message from its web socket.
    pub socket_send_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 * 1024,
            body_time_max: Duration::from_secs(15),
            document_bytes_max: 16 * 1024,
            tokens_max: 4_000,
            nesting_max: 32,
            variables_nesting_max: 32,
            expanded_fields_max: 1_000,
            aliases_max: 50,
            directives_max: 50,
            depth_max: 16,
            batch_max: 10,
            cached_document_bytes_max: 512 * 1024,
            execution_time_max: Duration::from_secs(30),
            socket_message_bytes_max: 256 * 1024,
            socket_init_time_max: Duration::from_secs(3),
            socket_operations_max: 50,
            idle_time: Duration::from_secs(15),
            socket_send_time_max: Duration::from_secs(15),
        }
    }
}
