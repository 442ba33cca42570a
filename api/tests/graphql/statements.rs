//! What an operation costs the database, in statements.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::world::World;

/// Collects the statements that sqlx reports on this thread.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut Summary(self));
        }
    }
}

struct Summary<'a>(&'a Statements);

impl Visit for Summary<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "summary" {
            self.0.0.lock().unwrap().push(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// The statements of one operation; BEGIN and COMMIT are not among them.
async fn statements(world: &World, document: &str) -> Vec<String> {
    let collected = Statements::default();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(collected.clone()));
    world.data(&world.acme.member, document, Value::Null).await;
    drop(guard);
    let mut statements = collected.0.lock().unwrap();
    statements.retain(|statement| statement.starts_with("SELECT") || statement.starts_with("WITH"));
    statements.clone()
}

#[tokio::test]
async fn a_relation_of_a_page_is_one_statement_and_only_when_it_is_asked_for() {
    let world = World::new().await;
    world.submit(&world.acme, 5).await;
    let refused =
        json!({ "input": { "source": world.acme.source, "record": { "Lead ID": "x", "First Name": "N" } } });
    world.data(&world.acme.member, crate::world::SUBMIT, refused).await;
    let cases = [
        ("{ leads { nodes { id phone details } } }", 1),
        ("{ leads { nodes { id status } } }", 2),
        ("{ leads { nodes { id status deliveries { id state } } } }", 2),
        (
            "{ leads(first: 50) { nodes { id firstName deliveries { id state attempts { id outcome } } } } }",
            3,
        ),
        (
            "{ leads { edges { node { ...L } } nodes { ...L source { name } } } } fragment L on Lead { deliveries { attempts { id } } }",
            4,
        ),
        ("{ leads { nodes { source { name } import { id } } } }", 2),
        ("{ leads { nodes { source { leadCount } } } }", 3),
        ("{ leads { nodes { id } totalCount } }", 2),
        ("{ leads { nodes { events { summary } } } }", 5),
        (
            "{ deliveries { nodes { lead { firstName source { name } deliveries { state } } destination { name pending } attempts { id } } } }",
            7,
        ),
        ("{ sources { leadCount } destinations { held } }", 4),
        ("{ failedRecords { nodes { raw reasons { code } } } }", 1),
        ("{ failedRecords { nodes { values { column } source { slug } } totalCount } }", 4),
        ("{ imports { nodes { accepted source { slug } } } }", 1),
        ("{ a: leads { nodes { id } } b: leads { nodes { id } } viewer { tenant { name } } }", 3),
    ];
    for (document, expected) in cases {
        let made = statements(&world, document).await;
        assert_eq!(made.len(), expected, "{document}\n{made:#?}");
    }
}

#[tokio::test]
async fn the_period_before_is_a_statement_more_and_only_when_it_is_asked_for() {
    let world = World::new().await;
    world.submit(&world.acme, 2).await;
    let since = "since: \"2026-11-01T00:00:00Z\"";
    for (plain, before, more) in [
        ("slaAdherence(SINCE, bucket: DAY, dimension: SOURCE) { rows { key BEFORE } }", "total", 1),
        ("slaPerformance(SINCE) { sold figures { total } BEFORE }", "sold", 1),
        ("slaPerformance(SINCE) { name BEFORE }", "sold figures { total }", 2),
        ("slaSources(SINCE) { accepted BEFORE }", "accepted", 1),
        ("slaSources(SINCE) { costs { amount } BEFORE }", "sold costs { amount }", 2),
    ] {
        let document = format!("{{ {} }}", plain.replace("SINCE", since));
        let without = statements(&world, &document.replace("BEFORE", "")).await;
        let compared = document.replace("BEFORE", &format!("before {{ {before} }}"));
        let with = statements(&world, &compared).await;
        assert_eq!(with.len(), without.len() + more, "{compared}\n{with:#?}");
    }
}
