//! The rules for input values that the validator leaves open: variables inside of lists and input objects (section 5.8.5 of the
//! GraphQL specification, "All Variable Usages Are Allowed"), fields of input objects that are given twice (section 5.6.3), and input
//! objects of which exactly one field is given (`@oneOf`).

use std::collections::HashSet;

use apollo_compiler::ast::{InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::InputObjectType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use serde_json::{Map, Value as Json};

/// A rule that is broken, and where.
pub(super) struct Broken {
    pub(super) message: String,
    pub(super) at: Option<SourceSpan>,
}

/// Checks the arguments of every field that `operation` reaches. The document is valid otherwise, so fragments make no cycle.
pub(super) fn check_operation(
    schema: &Valid<Schema>,
    document: &ExecutableDocument,
    operation: &Operation,
) -> Result<(), Broken> {
    let mut walk = Walk { schema, document, variables: &operation.variables, seen: HashSet::new() };
    walk.selections(&operation.selection_set)
}

/// Checks the values of variables; they are of their types otherwise.
pub(super) fn check_variables(
    schema: &Valid<Schema>,
    operation: &Operation,
    values: &Map<String, Json>,
) -> Result<(), String> {
    let given = operation
        .variables
        .iter()
        .filter_map(|variable| Some((variable, values.get(variable.name.as_str())?)));
    for (variable, value) in given {
        check_json(schema, &variable.ty, value)?;
    }
    Ok(())
}

struct Walk<'a> {
    schema: &'a Valid<Schema>,
    document: &'a ExecutableDocument,
    variables: &'a [Node<VariableDefinition>],
    seen: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet) -> Result<(), Broken> {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    for argument in &field.arguments {
                        if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                            self.value(&argument.value, &definition.ty, definition.default_value.is_some())?;
                        }
                    }
                    self.selections(&field.selection_set)?;
                }
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set)?,
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    if self.seen.insert(name)
                        && let Some(fragment) = self.document.fragments.get(name)
                    {
                        self.selections(&fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&self, value: &Node<Value>, expected: &Type, has_default: bool) -> Result<(), Broken> {
        match &**value {
            Value::Variable(name) => {
                let definition = self.variables.iter().find(|variable| variable.name == *name);
                match definition {
                    Some(definition) if !may_use(definition, expected, has_default) => Err(Broken {
                        message: format!(
                            "variable `${name}` of type `{}` is used where `{expected}` is expected",
                            definition.ty
                        ),
                        at: value.location(),
                    }),
                    _ => Ok(()),
                }
            }
            Value::List(items) => {
                items.iter().try_for_each(|item| self.value(item, expected.item_type(), false))
            }
            Value::Object(entries) => self.object(value, entries, expected),
            _ => Ok(()),
        }
    }

    fn object(
        &self,
        value: &Node<Value>,
        entries: &[(apollo_compiler::Name, Node<Value>)],
        expected: &Type,
    ) -> Result<(), Broken> {
        let Some(definition) = self.schema.get_input_object(expected.inner_named_type()) else {
            return Ok(());
        };
        let nullable = |entry: &Node<Value>| match &**entry {
            Value::Null => true,
            Value::Variable(name) => {
                self.variables.iter().any(|variable| variable.name == *name && !variable.ty.is_non_null())
            }
            _ => false,
        };
        if is_one_of(definition) && (entries.len() != 1 || entries.iter().any(|(_, entry)| nullable(entry))) {
            return Err(Broken { message: one_of(definition), at: value.location() });
        }
        let mut names = HashSet::new();
        for (name, entry) in entries {
            if !names.insert(name) {
                return Err(Broken {
                    message: format!("the field `{name}` is given twice"),
                    at: value.location(),
                });
            }
            if let Some(field) = definition.fields.get(name) {
                self.value(entry, &field.ty, field.default_value.is_some())?;
            }
        }
        Ok(())
    }
}

/// `IsVariableUsageAllowed` of the specification.
fn may_use(variable: &VariableDefinition, expected: &Type, has_default: bool) -> bool {
    if expected.is_non_null() && !variable.ty.is_non_null() {
        let defaults_to_value = variable.default_value.as_ref().is_some_and(|value| !value.is_null());
        return (defaults_to_value || has_default)
            && variable.ty.is_assignable_to(&expected.clone().nullable());
    }
    variable.ty.is_assignable_to(expected)
}

fn check_json(schema: &Valid<Schema>, expected: &Type, value: &Json) -> Result<(), String> {
    match value {
        Json::Array(items) => {
            items.iter().try_for_each(|item| check_json(schema, expected.item_type(), item))
        }
        Json::Object(entries) => {
            let Some(definition) = schema.get_input_object(expected.inner_named_type()) else {
                return Ok(());
            };
            if is_one_of(definition) && (entries.len() != 1 || entries.values().any(Json::is_null)) {
                return Err(one_of(definition));
            }
            let known = entries
                .iter()
                .filter_map(|(name, entry)| Some((definition.fields.get(name.as_str())?, entry)));
            for (field, entry) in known {
                let field: &InputValueDefinition = field;
                check_json(schema, &field.ty, entry)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_one_of(definition: &InputObjectType) -> bool {
    definition.directives.has("oneOf")
}

fn one_of(definition: &InputObjectType) -> String {
    format!("of `{}` exactly one field has to be given, and not null", definition.name)
}
