//! Requests that cost a sender nothing and a careless server everything. Each is refused by its measure, never by a timer.

use std::fmt::Write as _;

use api::http::graphql::Limits;
use serde_json::json;

use crate::support::TestEdge;

fn limit_exceeded(message: &str) -> (String, String) {
    ("LIMIT_EXCEEDED".to_owned(), message.to_owned())
}

#[tokio::test]
async fn nested_brackets_never_reach_a_parser() {
    let edge = TestEdge::new();
    let expected = limit_exceeded("the document nests more than 32 levels deep");
    let documents = [
        "{a:".repeat(1231),
        format!("{{ a(b: {}", "[".repeat(1555)),
        "{a".repeat(5000),
        format!("{{ a(b: {}", "{c:".repeat(5000)),
        format!("query ($a: {}Int{}) {{ a }}", "[".repeat(5000), "]".repeat(5000)),
        "...{".repeat(4000),
        "(".repeat(16_000),
    ];
    for document in documents {
        let got = edge.query(&document).await;
        assert_eq!((got.status.as_u16(), got.refused()), (400, expected.clone()), "{}", &document[..10]);
    }
    assert_eq!(edge.query("{ __typename }").await.data(), json!({ "__typename": "Query" }));
}

#[tokio::test]
async fn nested_variables_never_reach_a_parser() {
    let edge = TestEdge::new();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for member in ["variables", "extensions", "unknown"] {
            let (open, close) = (open.repeat(10_000), close.repeat(10_000));
            let body = format!(r#"{{"query":"{{ __typename }}","{member}":{{"a":{open}1{close}}}}}"#);
            let got = edge.post(body).await;
            assert_eq!(got.status, 400);
            assert_eq!(got.refused(), limit_exceeded("variables nest more than 32 levels deep"));
        }
    }
}

/// `levels` fragments, each of which spreads the next twice.
fn doubling(levels: usize, spread: &str) -> String {
    let mut document = "{ ...f0 }".to_owned();
    for level in 0..levels {
        let next = format!("...f{}", level + 1);
        write!(document, " fragment f{level} on Query {{ {} }}", spread.replace("NEXT", &next)).unwrap();
    }
    write!(document, " fragment f{levels} on Query {{ __typename }}").unwrap();
    document
}

#[tokio::test]
async fn doubled_fragments_are_counted_without_being_expanded() {
    let edge = TestEdge::new();
    let fields = limit_exceeded("the operation has more than 1000 fields once its fragments are expanded");
    assert_eq!(edge.query(&doubling(26, "NEXT NEXT")).await.refused(), fields);
    assert_eq!(edge.query(&doubling(11, "a: query { NEXT } b: query { NEXT }")).await.refused(), fields);
    // The same shape within the limits is executed.
    assert_eq!(edge.query(&doubling(5, "NEXT NEXT")).await.data(), json!({ "__typename": "Query" }));
    let levels =
        limit_exceeded("the operation has more than 32 levels of selections once its fragments are expanded");
    assert_eq!(edge.query(&doubling(60, "NEXT NEXT")).await.refused(), levels);
    assert_eq!(edge.query(&doubling(60, "NEXT")).await.refused(), levels);
}

#[tokio::test]
async fn a_fragment_that_spreads_itself_is_invalid() {
    let edge = TestEdge::new();
    let documents = [
        "{ ...a } fragment a on Query { ...a }",
        "{ ...a } fragment a on Query { query { ...b } } fragment b on Query { ...a }",
    ];
    for document in documents {
        assert_eq!(edge.query(document).await.refused().0, "BAD_USER_INPUT", "{document}");
    }
}

fn many(count: usize, item: &dyn Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn floods_are_refused_by_their_number() {
    let edge = TestEdge::new();
    let many =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(" ");
    let expanded = |most: usize, what: &str| {
        limit_exceeded(&format!("the operation has more than {most} {what} once its fragments are expanded"))
    };
    let deep =
        |levels: usize| format!("{{ {} __typename {} }}", "query { ".repeat(levels), "}".repeat(levels));
    let cases = [
        (format!("{{ {} }}", many(51, &|at| format!("a{at}: __typename"))), expanded(50, "aliases")),
        (
            format!("{{ __typename {} }}", many(51, &|_| "@include(if: true)".to_owned())),
            expanded(50, "directives"),
        ),
        (format!("query {} {{ __typename }}", many(51, &|_| "@a".to_owned())), expanded(50, "directives")),
        (format!("{{ {} }}", many(1001, &|_| "__typename".to_owned())), expanded(1000, "fields")),
        (deep(16), expanded(16, "levels of fields")),
        (
            format!("{{ {} }}", many(6000, &|_| "a".to_owned())),
            limit_exceeded("the document has more than 4000 tokens"),
        ),
        (" ".repeat(16 * 1024 + 1), limit_exceeded("the document has more than 16384 bytes")),
        ("{ dear }".to_owned(), limit_exceeded("Query is too complex.")),
    ];
    for (document, expected) in cases {
        let got = edge.query(&document).await;
        assert_eq!((got.status.as_u16(), got.refused()), (400, expected));
    }
    assert!(edge.query(&deep(15)).await.data().is_object());
}

#[tokio::test]
async fn introspection_cannot_be_multiplied() {
    let edge = TestEdge::new();
    let lists = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    assert_eq!(edge.query(lists).await.refused(), limit_exceeded("Maximum introspection depth exceeded"));
    let graphiql = include_str!("introspection.graphql");
    assert!(edge.query(graphiql).await.data()["__schema"]["types"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn errors_are_not_an_amplifier() {
    let edge = TestEdge::new();
    let got = edge.query(&format!("{{ {} }}", many(500, &|at| format!("x{at}")))).await;
    assert_eq!(got.json()["errors"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn limits_can_be_set() {
    let edge = TestEdge::with(Limits { nesting_max: 2, ..Limits::default() });
    assert_eq!(edge.query("{ query { __typename } }").await.status, 200);
    assert_eq!(
        edge.query("{ query { query { __typename } } }").await.refused(),
        limit_exceeded("the document nests more than 2 levels deep")
    );
}
