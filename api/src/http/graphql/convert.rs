//! From the syntax tree of the parser to that of the engine: the same grammar in two sets of types.

use std::collections::HashMap;

use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Name as SourceName, Node, ast};
use async_graphql::parser::types::{
    BaseType, Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, FragmentSpread,
    InlineFragment, OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeCondition,
    VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned};
use async_graphql_value::Value;

use super::answer::Fault;
use super::exact;

/// Converts a document that has passed validation; anything that cannot be converted was not valid.
pub(super) fn document(source: &ast::Document, text: &str) -> Result<ExecutableDocument, Fault> {
    let tree = Converter { positions: positions(text) };
    let mut named = HashMap::new();
    let mut anonymous = None;
    let mut fragments = HashMap::new();
    for definition in &source.definitions {
        match definition {
            ast::Definition::OperationDefinition(operation) => {
                let converted = tree.at(operation.location(), tree.operation(operation)?);
                match &operation.name {
                    Some(name) => drop(named.insert(Name::new(name), converted)),
                    None => anonymous = Some(converted),
                }
            }
            ast::Definition::FragmentDefinition(fragment) => {
                let converted = tree.at(fragment.location(), tree.fragment(fragment)?);
                fragments.insert(Name::new(&fragment.name), converted);
            }
            _ => return Err(Fault::invalid("a document may hold operations and fragments only")),
        }
    }
    let operations = anonymous.map_or(DocumentOperations::Multiple(named), DocumentOperations::Single);
    Ok(ExecutableDocument { operations, fragments })
}

/// The line and column of each byte of the text, and of its end, both counted from one. The text is bounded, so this is too.
fn positions(text: &str) -> Vec<Pos> {
    let mut positions = Vec::with_capacity(text.len() + 1);
    let mut at = Pos { line: 1, column: 1 };
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        positions.extend(std::iter::repeat_n(at, character.len_utf8()));
        // A carriage return before a line feed is half of one line terminator.
        let ends_line = character == '\n' || (character == '\r' && characters.peek() != Some(&'\n'));
        at = if ends_line {
            Pos { line: at.line + 1, column: 1 }
        } else {
            Pos { line: at.line, column: at.column + 1 }
        };
    }
    positions.push(at);
    positions
}

/// An argument as the engine has it.
type Argument = (Positioned<Name>, Positioned<Value>);

struct Converter {
    positions: Vec<Pos>,
}

impl Converter {
    fn at<T>(&self, span: Option<SourceSpan>, node: T) -> Positioned<T> {
        let position = span.and_then(|span| self.positions.get(span.offset()).copied());
        Positioned::new(node, position.unwrap_or_default())
    }

    fn name(&self, name: &SourceName) -> Positioned<Name> {
        self.at(name.location(), Name::new(name))
    }

    fn operation(&self, source: &ast::OperationDefinition) -> Result<OperationDefinition, Fault> {
        let variables = source.variables.iter().map(|variable| {
            Ok(self.at(
                variable.location(),
                VariableDefinition {
                    name: self.name(&variable.name),
                    var_type: self.at(variable.ty.location(), type_of(&variable.ty)),
                    directives: self.directives(&variable.directives)?,
                    default_value: variable
                        .default_value
                        .as_ref()
                        .map(|value| self.constant(value))
                        .transpose()?,
                },
            ))
        });
        Ok(OperationDefinition {
            ty: match source.operation_type {
                ast::OperationType::Query => OperationType::Query,
                ast::OperationType::Mutation => OperationType::Mutation,
                ast::OperationType::Subscription => OperationType::Subscription,
            },
            variable_definitions: variables.collect::<Result<_, Fault>>()?,
            directives: self.directives(&source.directives)?,
            selection_set: self.selections(&source.selection_set)?,
        })
    }

    fn fragment(&self, source: &ast::FragmentDefinition) -> Result<FragmentDefinition, Fault> {
        Ok(FragmentDefinition {
            type_condition: self.type_condition(&source.type_condition),
            directives: self.directives(&source.directives)?,
            selection_set: self.selections(&source.selection_set)?,
        })
    }

    fn type_condition(&self, name: &SourceName) -> Positioned<TypeCondition> {
        self.at(name.location(), TypeCondition { on: self.name(name) })
    }

    fn selections(&self, source: &[ast::Selection]) -> Result<Positioned<SelectionSet>, Fault> {
        let items = source.iter().map(|selection| {
            let converted = match selection {
                ast::Selection::Field(field) => {
                    Selection::Field(self.at(field.location(), self.field(field)?))
                }
                ast::Selection::FragmentSpread(spread) => Selection::FragmentSpread(self.at(
                    spread.location(),
                    FragmentSpread {
                        fragment_name: self.name(&spread.fragment_name),
                        directives: self.directives(&spread.directives)?,
                    },
                )),
                ast::Selection::InlineFragment(inline) => Selection::InlineFragment(self.at(
                    inline.location(),
                    InlineFragment {
                        type_condition: inline.type_condition.as_ref().map(|name| self.type_condition(name)),
                        directives: self.directives(&inline.directives)?,
                        selection_set: self.selections(&inline.selection_set)?,
                    },
                )),
            };
            Ok(self.at(selection.location(), converted))
        });
        let items = items.collect::<Result<Vec<_>, Fault>>()?;
        Ok(self.at(source.first().and_then(ast::Selection::location), SelectionSet { items }))
    }

    fn field(&self, source: &ast::Field) -> Result<Field, Fault> {
        Ok(Field {
            alias: source.alias.as_ref().map(|alias| self.name(alias)),
            name: self.name(&source.name),
            arguments: self.arguments(&source.arguments)?,
            directives: self.directives(&source.directives)?,
            selection_set: self.selections(&source.selection_set)?,
        })
    }

    fn directives(&self, source: &ast::DirectiveList) -> Result<Vec<Positioned<Directive>>, Fault> {
        let directives = source.0.iter().map(|directive| {
            let converted = Directive {
                name: self.name(&directive.name),
                arguments: self.arguments(&directive.arguments)?,
            };
            Ok(self.at(directive.location(), converted))
        });
        directives.collect()
    }

    fn arguments(&self, source: &[Node<ast::Argument>]) -> Result<Vec<Argument>, Fault> {
        let arguments = source.iter().map(|argument| {
            Ok((self.name(&argument.name), self.at(argument.value.location(), value(&argument.value)?)))
        });
        arguments.collect()
    }

    fn constant(&self, source: &Node<ast::Value>) -> Result<Positioned<async_graphql::Value>, Fault> {
        let constant = value(source)?.into_const();
        let constant = constant.ok_or_else(|| Fault::invalid("a default value cannot use a variable"))?;
        Ok(self.at(source.location(), constant))
    }
}

fn type_of(source: &ast::Type) -> Type {
    let base = match source {
        ast::Type::Named(name) | ast::Type::NonNullNamed(name) => BaseType::Named(Name::new(name)),
        ast::Type::List(item) | ast::Type::NonNullList(item) => BaseType::List(Box::new(type_of(item))),
    };
    Type { base, nullable: !source.is_non_null() }
}

fn value(source: &ast::Value) -> Result<Value, Fault> {
    Ok(match source {
        ast::Value::Null => Value::Null,
        ast::Value::Enum(name) => Value::Enum(Name::new(name)),
        ast::Value::Variable(name) => Value::Variable(Name::new(name)),
        ast::Value::String(text) => Value::String(text.clone()),
        ast::Value::Boolean(truth) => Value::Boolean(*truth),
        ast::Value::Int(number) => exact(number.as_str()),
        ast::Value::Float(number) => exact(number.as_str()),
        ast::Value::List(items) => {
            Value::List(items.iter().map(|item| value(item)).collect::<Result<_, Fault>>()?)
        }
        ast::Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(name, entry)| Ok((Name::new(name), value(entry)?)))
                .collect::<Result<_, Fault>>()?,
        ),
    })
}

/// A number as a variable would bring it: its text when no number of ours has its value.
fn exact(text: &str) -> Value {
    exact::number(text).map_or_else(Value::String, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_every_kind_of_line_end() {
        let at = |text: &str, offset: usize| {
            let found = positions(text)[offset];
            (found.line, found.column)
        };
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("ab", 1), (1, 2));
        assert_eq!(at("a\nb", 2), (2, 1));
        assert_eq!(at("a\r\nb", 3), (2, 1));
        assert_eq!(at("a\rb", 2), (2, 1));
        assert_eq!(at("é{", 2), (1, 2));
        assert_eq!(at("é{", 3), (1, 3));
    }

    /// Drops positions: the engine's parser puts some of them elsewhere, and nothing but an error's place depends on them.
    fn without_positions(value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::Object(mut entries) if entries.contains_key("pos") => {
                without_positions(entries.remove("node").unwrap_or_default())
            }
            Value::Object(entries) => {
                entries.into_iter().map(|(name, entry)| (name, without_positions(entry))).collect()
            }
            Value::Array(items) => items.into_iter().map(without_positions).collect(),
            leaf => leaf,
        }
    }

    #[test]
    fn the_tree_is_the_one_that_the_engine_would_have_parsed() {
        let documents = [
            "{ a }",
            "query A($a: [Int!]! = [1, 2], $b: B = { c: [D, null, true, \"e\"] }) @y(z: $a) { f: g(h: $b) @skip(if: $i) }",
            "mutation A { a(b: -1, c: 1.5e-3, d: 0, e: 9223372036854775807, f: 18446744073709551615) }",
            "subscription { a { ... on B @c { d } ... @include(if: true) { e } ...f @g } } fragment f on B @h { i }",
            "{ a(b: \"\"\"\n    block\n      string\n    \"\"\", c: \"\\n\\u00e9\", d: [], e: {}) }",
            include_str!("../../../tests/transport/introspection.graphql"),
        ];
        for text in documents {
            let expected = async_graphql::parser::parse_query(text).unwrap();
            let parsed = ast::Document::parse(text, "test").unwrap();
            let converted = document(&parsed, text).unwrap();
            let plain = |document| without_positions(serde_json::to_value(document).unwrap());
            assert_eq!(plain(converted), plain(expected), "{text}");
        }
    }
}
