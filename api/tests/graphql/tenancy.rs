//! Another tenant's ids, for every field that takes one: they are not there.

use serde_json::{Value, json};

use crate::world::{SUBMIT, World};

/// What a tenant has, one of each kind.
struct Ids {
    lead: String,
    delivery: String,
    failed: String,
    import: String,
    run: String,
    difference: String,
}

async fn ids(world: &World) -> Ids {
    let rival = &world.rival;
    let lead = world.submit(rival, 1).await.remove(0);
    let refused =
        json!({ "input": { "source": rival.source, "record": { "Lead ID": "x", "First Name": "N" } } });
    let refused = world.data(&rival.member, SUBMIT, refused).await;
    let failed = refused["submitLead"]["failedRecord"]["id"].as_str().unwrap().to_owned();
    let listed = world.data(&rival.member, "{ deliveries { nodes { id } } }", Value::Null).await;
    let delivery = listed["deliveries"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    world.attempt(rival, &delivery, "failed", &[("refused", Some(422))]).await;
    let import = import(world).await;
    let (run, difference) = reconciled(world).await;
    Ids { lead, delivery, failed, import, run, difference }
}

/// A run whose list has the record that was refused.
async fn reconciled(world: &World) -> (String, String) {
    use domain::ids::{ExceptionId, ReconciliationId};
    use service::reconciliation::run::{List, Request, run};

    let path = world.app.settings.data_dir.join("list.csv");
    std::fs::write(&path, "id,external_id\n1,x\n").unwrap();
    let request = Request {
        destination: world.rival.destination.parse().unwrap(),
        list: List::File { path, name: "list.csv".to_owned() },
        since: None,
        before: None,
        channel: None,
        as_of: None,
        dry_run: false,
        actor: "operator".to_owned(),
    };
    let report = run(&world.app, world.rival.id, request).await.unwrap();
    let refused = report.differences.iter().find(|row| row.kind == "rejected_present").unwrap();
    (ReconciliationId(report.run.id).to_string(), ExceptionId(refused.id).to_string())
}

async fn import(world: &World) -> String {
    use domain::ids::SourceId;
    use service::database::Mode;
    use service::intake::imports::{ReceivedFile, receive};
    use service::intake::sources;

    let tx = world.app.begin(world.rival.id, Mode::ReadOnly).await.unwrap();
    let source: SourceId = world.rival.source.parse().unwrap();
    let source = sources::by_id(&tx, source).await.unwrap();
    drop(tx);
    let file = ReceivedFile {
        name: "a.csv".to_owned(),
        bytes: 1,
        hash: [1; 32],
        stored_as: Some("uploads/a".to_owned()),
    };
    receive(&world.app, world.rival.id, &source, file, None).await.unwrap().import.to_string()
}

#[tokio::test]
async fn another_tenants_things_are_not_there_for_any_field() {
    let world = World::new().await;
    let theirs = ids(&world).await;
    let (source, destination) = (&world.rival.source, &world.rival.destination);
    let Ids { lead, delivery, failed, import, run, difference } = &theirs;
    let absent = [
        format!("{{ it: lead(id: \"{lead}\") {{ id }} }}"),
        format!("{{ it: source(id: \"{source}\") {{ id }} }}"),
        format!("{{ it: import(id: \"{import}\") {{ id }} }}"),
        format!("{{ it: failedRecord(id: \"{failed}\") {{ id }} }}"),
        format!("{{ it: destination(id: \"{destination}\") {{ id }} }}"),
        format!("{{ it: delivery(id: \"{delivery}\") {{ id }} }}"),
        format!("{{ it: differenceHistory(id: \"{difference}\") {{ at }} }}"),
        format!("{{ it: differenceStanding(destinationId: \"{destination}\") {{ open }} }}"),
        format!("{{ it: reconciliation(id: \"{run}\") {{ id }} }}"),
        format!("{{ it: reconciliationPlan(destinationId: \"{destination}\") {{ mapping }} }}"),
    ];
    let empty = [
        format!("{{ it: leads(filter: {{ sourceIds: [\"{source}\"] }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: leads(filter: {{ importId: \"{import}\" }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: imports(filter: {{ sourceIds: [\"{source}\"] }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: failedRecords(filter: {{ importId: \"{import}\" }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: failedRecords(filter: {{ sourceIds: [\"{source}\"] }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: deliveries(filter: {{ leadId: \"{lead}\" }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: reconciliations(destinationId: \"{destination}\") {{ nodes {{ id }} }} }}"),
        format!("{{ it: differences(filter: {{ reconciliationId: \"{run}\" }}) {{ nodes {{ id }} }} }}"),
        format!(
            "{{ it: deliveries(filter: {{ destinationIds: [\"{destination}\"] }}) {{ nodes {{ id }} }} }}"
        ),
    ];
    let unknown = [
        format!(
            "mutation {{ it: updateSource(input: {{ id: \"{source}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: createSourceToken(source: \"{source}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: updateDestination(input: {{ id: \"{destination}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: submitLead(input: {{ source: \"{source}\", record: {{}} }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: correctFailedRecord(input: {{ id: \"{failed}\", values: [] }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: dismissFailedRecord(id: \"{failed}\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: cancelImport(id: \"{import}\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: retryDelivery(id: \"{delivery}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: changeReconciliationPlan(input: {{ destinationId: \"{destination}\" }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: resendDifferences(input: {{ ids: [\"{difference}\"] }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: proveDifferences(destinationId: \"{destination}\") {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: decideDifference(input: {{ id: \"{difference}\", decision: REOPEN }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: startReconciliation(input: {{ destinationId: \"{destination}\" }}) {{ error {{ code }} }} }}"
        ),
    ];
    let refused = [
        format!("mutation {{ it: retryAllFailed(destination: \"{destination}\") {{ retried }} }}"),
        format!(
            "{{ it: deliveryStatistics(since: \"2026-11-20T00:00:00Z\", destination: \"{destination}\") {{ total }} }}"
        ),
    ];
    let admin = &world.acme.admin;
    for document in &absent {
        let own = world.data(&world.rival.admin, document, Value::Null).await;
        assert_ne!(own["it"], Value::Null, "{document}");
        assert_eq!(world.data(admin, document, Value::Null).await["it"], Value::Null, "{document}");
    }
    for document in &empty {
        assert_eq!(world.data(admin, document, Value::Null).await["it"]["nodes"], json!([]), "{document}");
    }
    for document in &unknown {
        assert_eq!(
            world.data(admin, document, Value::Null).await["it"]["error"]["code"],
            "NOT_FOUND",
            "{document}"
        );
    }
    for document in &refused {
        assert_eq!(world.code(admin, document, Value::Null).await, "NOT_FOUND", "{document}");
    }
    every_field_with_an_id_is_here(&[&absent[..], &empty, &unknown, &refused].concat());
    assert_eq!(
        world.data(admin, "{ leads { nodes { id } totalCount } }", Value::Null).await["leads"],
        json!({ "nodes": [], "totalCount": 0 })
    );
}

/// Walks the schema: whatever root field takes an id, itself or inside of an input, is among the documents.
fn every_field_with_an_id_is_here(documents: &[String]) {
    use apollo_compiler::Schema;
    use apollo_compiler::ast::Type;
    use apollo_compiler::schema::ExtendedType;

    fn takes_id(schema: &Schema, ty: &Type) -> bool {
        match schema.types.get(ty.inner_named_type().as_str()) {
            Some(ExtendedType::InputObject(input)) => {
                input.fields.values().any(|field| takes_id(schema, &field.ty))
            }
            _ => ty.inner_named_type() == "ID",
        }
    }
    let schema = Schema::parse_and_validate(api::graphql::sdl(), "schema.graphql").unwrap();
    for kind in ["Query", "Mutation"] {
        for (name, field) in &schema.get_object(kind).unwrap().fields {
            if field.arguments.iter().any(|argument| takes_id(&schema, &argument.ty)) {
                let call = format!("it: {name}(");
                assert!(
                    documents.iter().any(|document| document.contains(&call)),
                    "{kind}.{name} is not tried"
                );
            }
        }
    }
}
