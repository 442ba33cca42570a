//! Variables that a request leaves out.

use async_graphql::parser::types::DocumentOperations;
use async_graphql::{Request, Value};

/// Sets variables that may be null, have no default and were not given to null.
///
/// The engine computes a field's complexity from its arguments, and there takes a variable that was not given for one
/// that does not exist. To this schema null and nothing are the same: no input tells them apart.
pub(super) fn complete(request: &mut Request) {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else { return };
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(operations) => match name {
            Some(name) => operations.get(name.as_str()),
            None => operations.values().next(),
        },
    };
    let optional: Vec<_> = operation
        .into_iter()
        .flat_map(|operation| &operation.node.variable_definitions)
        .filter(|variable| variable.node.var_type.node.nullable && variable.node.default_value.is_none())
        .map(|variable| variable.node.name.node.clone())
        .collect();
    for variable in optional {
        request.variables.entry(variable).or_insert(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_may_be_null_and_was_not_given_is_set() {
        let mut request = Request::new("query A($a: Int, $b: Int = 3, $c: Int!, $d: Int) { x } query B($e: Int) { x }")
            .operation_name("A")
            .variables(Variables::from_json(json!({ "d": 4 })));
        complete(&mut request);
        assert_eq!(json!(request.variables), json!({ "a": null, "d": 4 }));
    }
}
