//! An operation for every root field of the schema, made from the schema itself: whoever adds a field is walked too.

use std::collections::BTreeMap;

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Node, Schema};

/// A root field and how it is called. Each argument of type `ID` is a slot `‹n›` that is still to be filled.
pub struct Call {
    /// `query` or `mutation`.
    pub kind: &'static str,
    /// The field's name.
    pub field: String,
    /// The document with its slots.
    document: String,
    /// How many slots it has.
    pub slots: usize,
}

/// What stands in a slot until its kind is known.
pub fn probe(slot: usize) -> String {
    format!("probe-{slot}")
}

impl Call {
    /// The document with those texts in its slots.
    pub fn with(&self, ids: &BTreeMap<usize, String>) -> String {
        let mut text = self.document.clone();
        for slot in 0..self.slots {
            let id = ids.get(&slot).cloned().unwrap_or_else(|| probe(slot));
            text = text.replace(&format!("‹{slot}›"), &id);
        }
        text
    }
}

/// The schema that is served.
pub fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(api::graphql::sdl(), "schema.graphql").expect("the schema is valid")
}

/// How a field is called whose arguments exclude or need each other: made-up ones would be refused before any id is looked
/// up.
#[derive(Default)]
struct Variant {
    /// Arguments that are left out.
    without: &'static [&'static str],
    /// Arguments with what is given for them.
    with: &'static [(&'static str, &'static str)],
}

const VARIANTS: &[(&str, &[Variant])] = &[
    (
        "createSlaPolicy",
        &[Variant { without: &[], with: &[("clock", "\"response\""), ("targetSeconds", "600")] }],
    ),
    ("setSourceCost", &[Variant { without: &[], with: &[("currency", "\"USD\""), ("perLead", "\"2.50\"")] }]),
    (
        "resendDifferences",
        &[Variant { without: &["ids"], with: &[] }, Variant { without: &["destinationId"], with: &[] }],
    ),
    (
        "createAlertRule",
        &[
            Variant { without: &["sourceId"], with: &[] },
            Variant { without: &["destinationId"], with: &[("kind", "SILENT_SOURCE"), ("threshold", "24")] },
        ],
    ),
];

/// A call of every query and mutation; several of those that can be called in different ways.
pub fn calls(schema: &Valid<Schema>) -> Vec<Call> {
    let mut calls = Vec::new();
    for (kind, object) in [("query", "Query"), ("mutation", "Mutation")] {
        for (name, field) in &schema.get_object(object).expect("a root").fields {
            let plain = [Variant::default()];
            let known = VARIANTS.iter().find(|(field, _)| *field == name.as_str());
            for variant in known.map_or(plain.as_slice(), |(_, variants)| variants) {
                let mut maker = Maker { schema, variant, slots: 0 };
                let arguments = maker.arguments(&field.arguments);
                let selection = maker.selection(&field.ty, 3);
                let document = format!("{kind} {{ it: {name}{arguments} {selection} }}");
                calls.push(Call { kind, field: name.to_string(), document, slots: maker.slots });
            }
        }
    }
    calls
}

struct Maker<'a> {
    schema: &'a Valid<Schema>,
    variant: &'a Variant,
    slots: usize,
}

impl Maker<'_> {
    /// Required arguments, and each optional one that takes an id.
    fn arguments(&mut self, arguments: &[Node<InputValueDefinition>]) -> String {
        let parts = self.fields(arguments.iter());
        if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) }
    }

    fn fields<'b>(&mut self, fields: impl Iterator<Item = &'b Node<InputValueDefinition>>) -> Vec<String> {
        let mut parts = Vec::new();
        for field in fields {
            let name = field.name.as_str();
            if let Some((_, given)) = self.variant.with.iter().find(|(known, _)| *known == name) {
                parts.push(format!("{name}: {given}"));
            } else if !self.variant.without.contains(&name)
                && (field.is_required() || self.takes_id(&field.ty, 4))
            {
                parts.push(format!("{}: {}", field.name, self.value(&field.name, &field.ty)));
            }
        }
        parts
    }

    fn takes_id(&self, ty: &Type, depth: u8) -> bool {
        match self.schema.types.get(ty.inner_named_type().as_str()) {
            Some(ExtendedType::InputObject(input)) => {
                depth > 0 && input.fields.values().any(|field| self.takes_id(&field.ty, depth - 1))
            }
            _ => ty.inner_named_type() == "ID",
        }
    }

    fn value(&mut self, name: &str, ty: &Type) -> String {
        if ty.is_list() {
            return format!("[{}]", self.value(name, ty.item_type()));
        }
        match self.schema.types.get(ty.inner_named_type().as_str()) {
            Some(ExtendedType::InputObject(input)) => {
                let fields: Vec<_> = input.fields.values().map(|field| (**field).clone()).collect();
                format!("{{ {} }}", self.fields(fields.iter()).join(", "))
            }
            Some(ExtendedType::Enum(kind)) => {
                kind.values.keys().next().expect("an enum has values").to_string()
            }
            _ => match ty.inner_named_type().as_str() {
                "ID" => {
                    self.slots += 1;
                    format!("\"‹{}›\"", self.slots - 1)
                }
                "Int" => "1".to_owned(),
                "Float" => "1.0".to_owned(),
                "Boolean" => "false".to_owned(),
                "DateTime" => "\"2026-11-20T00:00:00Z\"".to_owned(),
                "JSON" => "{}".to_owned(),
                "NaiveDate" => "\"2026-11-20\"".to_owned(),
                "Decimal" => "\"1.00\"".to_owned(),
                _ => match name {
                    "scopes" => "\"leads:read\"".to_owned(),
                    "email" => "\"walk@example.com\"".to_owned(),
                    "period" => "\"2026-10\"".to_owned(),
                    "password" | "new" => "\"a password of the walk\"".to_owned(),
                    "url" => "\"https://walk.example.com/hook\"".to_owned(),
                    "day" | "date" | "from" | "until" | "month" => "\"2026-11-20\"".to_owned(),
                    _ => "\"walk\"".to_owned(),
                },
            },
        }
    }

    /// Every field that needs no argument, to that depth.
    fn selection(&self, ty: &Type, depth: u8) -> String {
        let fields: Vec<(String, &FieldDefinition)> =
            match self.schema.types.get(ty.inner_named_type().as_str()) {
                Some(ExtendedType::Object(object)) => {
                    object.fields.iter().map(|(name, field)| (name.to_string(), &***field)).collect()
                }
                _ => return String::new(),
            };
        let mut parts = vec!["__typename".to_owned()];
        for (name, field) in fields {
            if field.arguments.iter().any(|argument| argument.is_required()) {
                continue;
            }
            let below = self.schema.types.get(field.ty.inner_named_type().as_str());
            match below {
                Some(ExtendedType::Object(_)) if depth > 0 => {
                    // A list in a list costs more than a page may.
                    let deeper = if field.ty.is_list() { depth.saturating_sub(2) } else { depth - 1 };
                    parts.push(format!("{name} {}", self.selection(&field.ty, deeper)));
                }
                Some(ExtendedType::Object(_)) => {}
                _ => parts.push(name),
            }
        }
        format!("{{ {} }}", parts.join(" "))
    }
}
