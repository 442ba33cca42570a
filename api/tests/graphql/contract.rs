//! The schema as clients see it, and the table of who may ask for what.

use api::graphql::{Needs, PERMITS, needs, roles_document, sdl};
use apollo_compiler::Schema;

#[test]
fn the_schema_in_the_repository_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, sdl()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == sdl(), "schema.graphql is not current: run `baton schema > schema.graphql`");
}

/// The root fields of the schema.
pub fn roots() -> Vec<(&'static str, String)> {
    let schema = Schema::parse_and_validate(sdl(), "schema.graphql").unwrap();
    let mut fields = Vec::new();
    for kind in ["Query", "Mutation", "Subscription"] {
        let object = schema.get_object(kind).unwrap();
        fields.extend(object.fields.keys().map(|name| (kind, name.to_string())));
    }
    fields
}

#[test]
fn every_root_field_says_what_it_needs_and_only_signing_in_needs_nothing() {
    let roots = roots();
    for (kind, field) in &roots {
        assert!(needs(field).is_some(), "{kind}.{field} is not in the table of permits");
    }
    for (field, needs) in PERMITS {
        let known = field.starts_with("__") || roots.iter().any(|(_, name)| name == field);
        assert!(known, "{field} is in the table of permits and not in the schema");
        let gets_in =
            ["signIn", "acceptInvitation", "signInOptions", "linkDoor", "redeemFrameCode", "proveFrame"];
        let gets_in = gets_in.contains(field);
        assert_eq!(*needs == Needs::Nobody, gets_in, "{field}");
    }
}

/// A key that may only read changes nothing.
#[test]
fn no_mutation_is_had_by_a_right_to_read() {
    for (_, field) in roots().iter().filter(|(kind, _)| *kind == "Mutation") {
        if let Some(Needs::Right(right)) = needs(field) {
            assert!(!right.as_str().ends_with(":read"), "{field} needs {}", right.as_str());
        }
    }
}

#[test]
fn the_document_of_roles_says_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/roles.md");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, roles_document()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == roles_document(),
        "docs/roles.md is not current: run `baton schema --roles > docs/roles.md`"
    );
}
