//! From a document's text to something that may be executed: measured, parsed, validated, and kept for the next time.
//!
//! The engine's own parser overflows its stack on nested documents and refuses `\u{…}` escapes and surrogate pairs; its validation
//! passes unknown directives on `__typename`, an `ID` where a `String` is expected and conflicts between nested fields. So
//! documents are parsed and validated here, by a second implementation of the specification, and handed to the engine parsed.

use std::sync::Arc;

use apollo_compiler::executable::Operation;
use apollo_compiler::parser::Parser;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node, Schema, introspection, request};
use async_graphql::{Pos, ServerError};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::answer::{BAD_USER_INPUT, Fault, LIMIT_EXCEEDED, coded};
use super::expansion::{self, Size};
use super::limits::Limits;
use super::{convert, inputs, nesting};

/// Errors that one answer lists; a document can hold thousands.
const ERRORS_MAX: usize = 10;

/// The schema could not be read back from its own SDL: a fault of the program, found when it starts.
#[derive(Debug, thiserror::Error)]
#[error("the schema's SDL is not valid: {0}")]
pub struct InvalidSchema(String);

/// A document that passed.
pub(super) struct Prepared {
    /// For what the engine leaves open: the choice of the operation, and its variables.
    executable: Valid<ExecutableDocument>,
    /// For the engine.
    pub(super) document: async_graphql::parser::types::ExecutableDocument,
    sizes: Vec<(Option<String>, Size)>,
}

impl Prepared {
    /// The operation of that name, or the only one.
    pub(super) fn operation(&self, name: Option<&str>) -> Result<&Node<Operation>, Fault> {
        self.executable.operations.get(name).map_err(|error| Fault::invalid(error.message().to_string()))
    }

    /// The number of fields of an operation once its fragments are expanded.
    pub(super) fn fields(&self, operation: &Operation) -> u64 {
        let name = operation.name.as_deref();
        self.sizes.iter().find(|(known, _)| known.as_deref() == name).map_or(0, |(_, size)| size.fields)
    }
}

/// Weighs a cached document by its text.
#[derive(Clone)]
struct TextBytes;

impl Weighter<Arc<str>, Arc<Prepared>> for TextBytes {
    fn weight(&self, text: &Arc<str>, _: &Arc<Prepared>) -> u64 {
        text.len() as u64
    }
}

/// Everything that is known of documents: the schema to hold them against, and those that passed before.
pub(super) struct Documents {
    schema: Valid<Schema>,
    cache: Cache<Arc<str>, Arc<Prepared>, TextBytes>,
}

impl Documents {
    pub(super) fn new(sdl: &str, limits: &Limits) -> Result<Self, InvalidSchema> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|error| InvalidSchema(error.errors.to_string()))?;
        // The number of entries is a hint; a small document has some 500 bytes.
        let entries = usize::try_from(limits.cached_document_bytes_max / 512).unwrap_or(usize::MAX);
        Ok(Self { schema, cache: Cache::with_weighter(entries, limits.cached_document_bytes_max, TextBytes) })
    }

    /// Finds or makes the prepared form of `text`.
    pub(super) fn prepare(&self, text: &str, limits: &Limits) -> Result<Arc<Prepared>, Fault> {
        if text.len() > limits.document_bytes_max {
            return Err(Fault::over_limit(format!(
                "the document has more than {} bytes",
                limits.document_bytes_max
            )));
        }
        if let Some(known) = self.cache.get(text) {
            return Ok(known);
        }
        if nesting::document_exceeds(text, limits.nesting_max) {
            return Err(Fault::over_limit(format!(
                "the document nests more than {} levels deep",
                limits.nesting_max
            )));
        }
        let prepared = Arc::new(self.read(text, limits)?);
        self.cache.insert(text.into(), Arc::clone(&prepared));
        Ok(prepared)
    }

    fn read(&self, text: &str, limits: &Limits) -> Result<Prepared, Fault> {
        // The parser counts more than brackets as a level; the scan of the raw text is the stricter of the two.
        let mut parser = Parser::new().recursion_limit(limits.nesting_max * 4).token_limit(limits.tokens_max);
        let parsed = parser.parse_ast(text, "document");
        if parser.tokens_reached() >= limits.tokens_max {
            return Err(Fault::over_limit(format!(
                "the document has more than {} tokens",
                limits.tokens_max
            )));
        }
        let parsed = parsed.map_err(|error| refuse(&error.errors))?;
        let (sizes, _) = expansion::sizes(&parsed, limits.nesting_max);
        if let Some(message) = sizes.iter().find_map(|(_, size)| size.over(limits)) {
            return Err(Fault::over_limit(message));
        }
        let executable =
            parsed.to_executable_validate(&self.schema).map_err(|error| refuse(&error.errors))?;
        for operation in executable.operations.iter() {
            inputs::check_operation(&self.schema, &executable, operation).map_err(|broken| {
                let at = broken.at.and_then(|at| at.line_column(&executable.sources));
                let at = at.map(|at| Pos { line: at.line, column: at.column });
                Fault::request(vec![coded(BAD_USER_INPUT, broken.message, at)])
            })?;
            introspection::check_max_depth(&executable, operation).map_err(|error| {
                Fault::request(vec![coded(LIMIT_EXCEEDED, error.message().to_string(), None)])
            })?;
        }
        Ok(Prepared { document: convert::document(&parsed, text)?, executable, sizes })
    }

    /// Checks variables against what the operation declares (`CoerceVariableValues` of the specification), and adds the declared
    /// defaults of those that are not given: the engine forgets them in `@skip` and `@include`. Custom scalars are the engine's to
    /// check.
    pub(super) fn complete_variables(
        &self,
        operation: &Operation,
        variables: &mut serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Fault> {
        let values: JsonMap =
            variables.iter().map(|(name, value)| (name.as_str().into(), value.clone().into())).collect();
        let coerced = request::coerce_variable_values(&self.schema, operation, &values)
            .map_err(|error| Fault::invalid(error.message().to_string()))?;
        inputs::check_variables(&self.schema, operation, variables).map_err(Fault::invalid)?;
        for (name, value) in coerced.into_inner() {
            if !variables.contains_key(name.as_str())
                && let Ok(value) = serde_json::to_value(value)
            {
                variables.insert(name.as_str().to_owned(), value);
            }
        }
        Ok(())
    }
}

fn refuse(errors: &DiagnosticList) -> Fault {
    Fault::request(
        errors.iter().take(ERRORS_MAX).map(|diagnostic| server_error(&diagnostic.to_json())).collect(),
    )
}

fn server_error(error: &apollo_compiler::response::GraphQLError) -> ServerError {
    let mut coded = coded(BAD_USER_INPUT, error.message.clone(), None);
    coded.locations = error.locations.iter().map(|at| Pos { line: at.line, column: at.column }).collect();
    coded
}
