//! What the framework's parser and validation get wrong, and what has to survive the way from one syntax tree to the other.

use serde_json::{Value, json};

use crate::support::TestEdge;

#[tokio::test]
async fn invalid_documents_are_refused() {
    let edge = TestEdge::new();
    let documents = [
        // Directives: unknown, misplaced, repeated, without their argument; also where nothing is resolved.
        "{ __typename @nonsense }",
        "{ __typename @deprecated }",
        "{ query { __typename @skip } }",
        "query @include(if: true) { __typename }",
        "{ __typename @skip(if: true) @skip(if: true) }",
        "query ($a: Int @skip(if: true)) { small(number: $a) }",
        // Variables in positions of another type.
        "query ($a: ID!) { echo(text: $a) }",
        "query ($a: String) { echo(text: $a) }",
        "query ($a: Int!) { colour(colour: RED, list: $a) }",
        "query ($a: Int) { colour(colour: RED, range: { from: $a }) }",
        "query ($a: Int = null) { colour(colour: RED, range: { from: $a }) }",
        "query ($a: String!) { colour(colour: RED, range: { from: 1, to: $a }) }",
        "query ($a: Int!) { colour(colour: RED, list: [1, $a]) }",
        "query ($a: Int) { query { ...f } } fragment f on Query { colour(colour: RED, range: { from: $a }) }",
        // Fields of one name that are not the same field, at every depth and through fragments.
        "{ query { a: echo(text: \"1\") } query { a: echo(text: \"2\") } }",
        "{ query { a: __typename } ... on Query { query { a: echo(text: \"1\") } } }",
        "{ a: __typename ... on Query { a: greet } }",
        "{ ...a ...b } fragment a on Query { c: greet } fragment b on Query { c: __typename }",
        "{ pet { ... on Dog { a: barks } ... on Cat { a: lives } } }",
        // Others of the specification's rules.
        "{ pet { name { length } } }",
        "{ pet }",
        "{ pet { ... on Query { __typename } } }",
        "{ ...unknown }",
        "{ __typename } fragment unused on Query { __typename }",
        "query ($unused: Int) { __typename }",
        "{ echo }",
        "{ echo(text: \"a\", text: \"b\") }",
        "{ colour(colour: BLUE) }",
        "{ colour(colour: \"RED\") }",
        "{ colour(colour: RED, range: { from: 1, from: 2 }) }",
        "{ small(number: 2147483648) }",
        "{ find(key: { id: \"1\", name: \"2\" }) }",
        "{ find(key: {}) }",
        "{ find(key: { id: null }) }",
        "query ($a: ID) { find(key: { id: $a }) }",
        "subscription { count(to: 1) endless }",
        "query A { __typename } query A { __typename }",
        "{ __typename } query A { __typename }",
        "type A { b: Int }",
        "{ __typename } type A { b: Int }",
        "{ echo(text: \"\\uD83D\") }",
        "{ echo(text: \"\\u{110000}\") }",
    ];
    for document in documents {
        let got = edge.query(document).await;
        assert_eq!(got.status, 400, "{document}: {}", got.text);
        assert_eq!(got.refused().0, "BAD_USER_INPUT", "{document}: {}", got.text);
    }
}

#[tokio::test]
async fn valid_documents_arrive_whole() {
    let edge = TestEdge::new();
    let cases = [
        (
            r#"{ echo(text: "\uD83D\uDCA9 \u{1F4A9} \u{e9} \u00e9 \" \\ \/ \b\f\n\r\t") }"#,
            json!("💩 💩 é é \" \\ / \u{8}\u{c}\n\r\t"),
        ),
        (
            r#"{ echo(text: """
              two
                lines, \""" and a \ backslash
            """) }"#,
            json!("two\n  lines, \"\"\" and a \\ backslash"),
        ),
        (
            "{ echo: colour(colour: GREEN, range: { from: -1 }, list: [1, null, 2.5e1]) }",
            json!("green -1-10 [Some(1.0), None, Some(25.0)]"),
        ),
        ("{ echo: find(key: { name: \"x\" }) }", json!("name x")),
        ("{ echo: find(key: { id: 7 }) }", json!("id 7")),
        ("query ($a: Int = 2) { echo: colour(colour: RED, range: { from: $a, to: $a }) }", json!("red 2-2")),
        ("query ($a: Int = 3) { echo: small(number: $a) }", json!(3)),
        (
            "query ($a: Boolean = true) { echo: __typename @include(if: $a) x: __typename @skip(if: $a) }",
            json!("Query"),
        ),
        ("query A { echo: __typename } fragment f on Pet { name } query B { pet { ...f } }", json!("Query")),
    ];
    for (document, expected) in cases {
        let body = json!({ "query": document, "operationName": document.contains("query A").then_some("A") });
        let got = edge.post(body.to_string()).await;
        assert_eq!(got.data(), json!({ "echo": expected }), "{document}");
    }
    let got = edge.query("{ pet(cat: true) { __typename name ... on Cat { lives } ...dog } } fragment dog on Dog { barks }").await;
    assert_eq!(got.data()["pet"], json!({ "__typename": "Cat", "name": "Tom", "lives": 9 }));
}

#[tokio::test]
async fn variables_are_checked_before_anything_runs() {
    let edge = TestEdge::new();
    let range = "query ($r: Range!) { colour(colour: RED, range: $r) }";
    let number = "query ($n: Int!) { small(number: $n) }";
    let key = "query ($k: Key!) { find(key: $k) }";
    let wrong = [
        (number, json!({})),
        (number, json!({ "n": null })),
        (number, json!({ "n": "1" })),
        (number, json!({ "n": 1.5 })),
        (number, json!({ "n": 2_147_483_648_i64 })),
        (range, json!({ "r": { "to": 1 } })),
        (range, json!({ "r": { "from": 1, "by": 2 } })),
        (range, json!({ "r": [1] })),
        ("query ($c: Colour!) { colour(colour: $c) }", json!({ "c": "BLUE" })),
        (key, json!({ "k": {} })),
        (key, json!({ "k": { "id": "1", "name": "2" } })),
        (key, json!({ "k": { "id": null } })),
    ];
    for (document, variables) in wrong {
        let got = edge.query_with(document, variables.clone()).await;
        assert_eq!(
            (got.status.as_u16(), got.refused().0.as_str()),
            (400, "BAD_USER_INPUT"),
            "{document} {variables}: {}",
            got.text
        );
    }
    let right = [
        (number, json!({ "n": 7, "unused": true }), json!({ "small": 7 })),
        (range, json!({ "r": { "from": 1 } }), json!({ "colour": "red 1-10" })),
        (
            "query ($l: [Float]) { colour(colour: RED, list: $l) }",
            json!({ "l": 1 }),
            json!({ "colour": "red [Some(1.0)]" }),
        ),
        (key, json!({ "k": { "name": "😀" } }), json!({ "find": "name 😀" })),
    ];
    for (document, variables, expected) in right {
        assert_eq!(edge.query_with(document, variables).await.data(), expected, "{document}");
    }
}

#[tokio::test]
async fn errors_say_where() {
    let edge = TestEdge::new();
    let got = edge.query("{\n  __typename\r\n  é: nothing }").await;
    assert_eq!(got.json()["errors"][0]["locations"][0]["line"], 3, "{}", got.text);
    let got = edge.query("{\n  conflicts }").await;
    let error = &got.json()["errors"][0];
    assert_eq!(
        (&error["locations"], &error["path"]),
        (&json!([{ "line": 2, "column": 3 }]), &json!(["conflicts"]))
    );
}

#[tokio::test]
async fn no_error_reveals_what_else_there_is() {
    let edge = TestEdge::new();
    let guesses = [
        "{ ech }",
        "{ pet { nam } }",
        "{ echo(tex: \"a\") }",
        "{ colour(colour: RE) }",
        "query ($a: Rang) { pet { name } }",
    ];
    for guess in guesses {
        let text = edge.query(guess).await.text.to_lowercase();
        for hint in ["did you mean", "echo\\\"", "name\\\"", "green", "range"] {
            let asked = guess.to_lowercase();
            assert!(
                asked.contains(hint.trim_end_matches("\\\"")) || !text.contains(hint),
                "{guess}: {hint}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn a_document_is_read_the_same_the_second_time() {
    let edge = TestEdge::new();
    let document = "query A($n: Int!) { small(number: $n) } query B { __typename }";
    for n in [1, 2] {
        let body = json!({ "query": document, "operationName": "A", "variables": { "n": n } });
        assert_eq!(edge.post(body.to_string()).await.data(), json!({ "small": n }));
    }
    let body = json!({ "query": document, "operationName": "B", "variables": Value::Null });
    assert_eq!(edge.post(body.to_string()).await.data(), json!({ "__typename": "Query" }));
}
