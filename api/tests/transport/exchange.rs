//! GraphQL over HTTP: media types, status codes, methods, bodies, batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::http::graphql::Limits;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tower_http::request_id::RequestId;

use crate::support::{GRAPHQL_RESPONSE, TestEdge, get, post};

#[tokio::test]
async fn the_status_depends_on_the_media_type() {
    let edge = TestEdge::new();
    // Body, status under application/json, status under application/graphql-response+json, whether data was executed.
    let cases = [
        (r#"{"query":"{ __typename }"}"#, 200, 200, true),
        (r#"{"query":"{ conflicts }"}"#, 200, 200, true),
        (r#"{"query":"{ "}"#, 200, 400, false),
        (r#"{"query":"{ nothing }"}"#, 200, 400, false),
        (r#"{"query":"query A { __typename } query B { __typename }"}"#, 200, 400, false),
        (r#"{"query":"query A { __typename }","operationName":"B"}"#, 200, 400, false),
        (r#"{"query":"query ($a: Int!) { small(number: $a) }"}"#, 200, 400, false),
        (r#"{"query":"query ($a: Int!) { small(number: $a) }","variables":{"a":"x"}}"#, 200, 400, false),
        (r#"{"query":"{ dear }"}"#, 200, 400, false),
        (r#"{"query":"subscription { count(to: 1) }"}"#, 200, 400, false),
        ("", 400, 400, false),
        ("{", 400, 400, false),
        ("NaN", 400, 400, false),
        ("1", 400, 400, false),
        ("{}", 400, 400, false),
        (r#"{"qeury":"{ __typename }"}"#, 400, 400, false),
        (r#"{"query":null}"#, 400, 400, false),
        (r#"{"query":""}"#, 400, 400, false),
        (r#"{"query":1}"#, 400, 400, false),
        (r#"{"query":"{ __typename }","variables":"x"}"#, 400, 400, false),
        (r#"{"query":"{ __typename }","variables":[]}"#, 400, 400, false),
        (r#"{"query":"{ __typename }","operationName":{}}"#, 400, 400, false),
        (r#"{"query":"{ __typename }","extensions":0}"#, 400, 400, false),
        ("{\"query\":\"{ __typename }\",\"x\":\"\u{1}\"}", 400, 400, false),
    ];
    for (body, json_status, response_status, executed) in cases {
        for (accept, status) in [("application/json", json_status), (GRAPHQL_RESPONSE, response_status)] {
            let request =
                Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
            let got = edge.send(request.body(body.into()).unwrap()).await;
            assert_eq!(got.status, status, "{accept}: {body}: {}", got.text);
            assert_eq!(got.header("content-type"), Some(&*format!("{accept}; charset=utf-8")));
            assert_eq!(got.json().get("data").is_some(), executed, "{accept}: {body}: {}", got.text);
            if !executed {
                assert_ne!(got.refused().0, "", "every error has a code: {}", got.text);
            }
        }
    }
}

#[tokio::test]
async fn what_the_specification_allows_is_taken() {
    let edge = TestEdge::new();
    let bodies: [&[u8]; 5] = [
        br#"{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}"#,
        br#"{"query":"{ __typename }","variables":{},"extensions":{"a":1}}"#,
        br#"{"query":"{ __typename }","unknown":[1]}"#,
        b"\xef\xbb\xbf{\"query\":\"{ __typename }\"}",
        b" {\"query\":\"\xef\xbb\xbf{ __typename # \xc3\xa9\\n }\"} ",
    ];
    for body in bodies {
        assert_eq!(edge.post(body).await.data(), json!({ "__typename": "Query" }));
    }
    for content_type in
        ["application/json;charset=UTF-8", "APPLICATION/JSON", r#"application/json; charset="utf-8""#]
    {
        let request = Request::post("/graphql").header("content-type", content_type);
        let got = edge.send(request.body(r#"{"query":"{ __typename }"}"#.into()).unwrap()).await;
        assert_eq!(
            (got.status.as_u16(), got.header("content-type")),
            (200, Some("application/json; charset=utf-8"))
        );
    }
    let invalid = edge.post(&b"{\"query\":\"{ echo(text: \\\"\xff\\\") }\"}"[..]).await;
    assert_eq!((invalid.status.as_u16(), invalid.refused().1.as_str()), (400, "the request is not UTF-8"));
}

#[tokio::test]
async fn other_media_types_are_not_acceptable() {
    let edge = TestEdge::new();
    let request =
        Request::post("/graphql").header("content-type", "application/json").header("accept", "text/html");
    let got = edge.send(request.body(r#"{"query":"{ __typename }"}"#.into()).unwrap()).await;
    assert_eq!(got.status, 406);
    assert!(got.refused().1.contains(GRAPHQL_RESPONSE));
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let edge = TestEdge::new();
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::HEAD] {
        let request = Request::builder()
            .method(method.clone())
            .uri("/graphql")
            .header("content-type", "application/json");
        let got = edge.send(request.body(r#"{"query":"mutation { add(by: 1) }"}"#.into()).unwrap()).await;
        assert_eq!((got.status.as_u16(), got.header("allow")), (405, Some("GET, POST")), "{method}");
    }
    assert_eq!(edge.sum(), 0);
}

#[tokio::test]
async fn nothing_but_json_is_read() {
    let edge = TestEdge::new();
    let body = r#"{"query":"mutation { add(by: 1) }"}"#;
    let multipart = "--x\r\ncontent-disposition: form-data; name=\"operations\"\r\ncontent-type: multipart/mixed; boundary=y\
        \r\n\r\n{\"query\":\"mutation { add(by: 1) }\"}\r\n--x--\r\n";
    let cases = [
        (Some("text/plain"), body),
        (Some("application/x-www-form-urlencoded"), "query=mutation+%7B+add(by:+1)+%7D"),
        (Some("multipart/form-data; boundary=x"), multipart),
        (Some("application/graphql"), "mutation { add(by: 1) }"),
        (Some("application/json; charset=iso-8859-1"), body),
        (Some("application/jsonp"), body),
        (Some(""), body),
        (None, body),
    ];
    for (content_type, body) in cases {
        let mut request = Request::post("/graphql");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let got = edge.send(request.body(body.into()).unwrap()).await;
        assert_eq!(got.status, 415, "{content_type:?}: {}", got.text);
    }
    let compressed = edge.send(post().header("content-encoding", "gzip").body(body.into()).unwrap()).await;
    assert_eq!(compressed.status, 415);
    assert_eq!(edge.sum(), 0);
    assert_eq!(edge.post(body).await.data(), json!({ "add": 1 }));
}

#[tokio::test]
async fn get_reads_and_never_changes() {
    let edge = TestEdge::new();
    let query = "query A($t: String!) { echo(text: $t) } query B { __typename }";
    let parameters =
        [("query", query), ("variables", r#"{"t":"é&+ %"}"#), ("operationName", "A"), ("unknown", "x")];
    let got = edge.send(get(&parameters).body(Body::empty()).unwrap()).await;
    assert_eq!(got.data(), json!({ "echo": "é&+ %" }));
    assert_eq!((got.header("cache-control"), got.header("vary")), (Some("no-store"), Some("accept")));

    for accept in ["application/json", GRAPHQL_RESPONSE, "text/event-stream"] {
        let request = Request::get("/graphql?query=mutation%7Badd(by:1)%7D").header("accept", accept);
        let got = edge.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((got.status.as_u16(), got.header("allow")), (405, Some("POST")), "{accept}");
    }
    assert_eq!(edge.sum(), 0);

    let bad: [&[(&str, &str)]; 5] = [
        &[],
        &[("query", "")],
        &[("query", "{ __typename }"), ("variables", "{")],
        &[("query", "{ __typename }"), ("variables", "[1]")],
        &[("query", "{ __typename }"), ("query", "{ __typename }")],
    ];
    for parameters in bad {
        let got = edge.send(get(parameters).body(Body::empty()).unwrap()).await;
        assert_eq!(got.status, 400, "{parameters:?}: {}", got.text);
    }
}

#[tokio::test]
async fn batches_are_small_and_change_nothing() {
    let edge = TestEdge::new();
    let batch = |queries: &[&str]| {
        json!(queries.iter().map(|query| json!({ "query": query })).collect::<Vec<_>>()).to_string()
    };
    let got = edge.post(batch(&["{ __typename }", "{ nothing }", "{ echo(text: \"a\") }"])).await;
    assert_eq!(got.status, 200);
    let body = got.json();
    assert_eq!(body[0], json!({ "data": { "__typename": "Query" } }));
    assert!(body[1].get("data").is_none() && body[1]["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT");
    assert_eq!(body[2], json!({ "data": { "echo": "a" } }));

    let mixed = edge.post(batch(&["{ __typename }", "mutation { add(by: 1) }"])).await;
    assert_eq!((mixed.status.as_u16(), mixed.refused().1.as_str()), (400, "a mutation has to be sent alone"));
    assert_eq!(edge.sum(), 0);
    assert_eq!(
        edge.post(batch(&["mutation { add(by: 1) }"])).await.json()[0],
        json!({ "data": { "add": 1 } })
    );

    let large = edge.post(batch(&["{ __typename }"; 11])).await;
    assert_eq!(large.status, 400);
    assert_eq!(
        large.refused(),
        ("LIMIT_EXCEEDED".to_owned(), "the batch has more than 10 requests".to_owned())
    );
    assert_eq!(edge.post("[]").await.status, 400);
    assert_eq!(edge.post(r#"[[{"query":"{ __typename }"}]]"#).await.status, 400);

    // Each operation is within the limit of fields; together they are not.
    let wide = format!("{{ {} }}", "__typename ".repeat(600));
    let wide = edge.post(batch(&[&wide, &wide])).await;
    assert_eq!((wide.status.as_u16(), wide.refused().0.as_str()), (400, "LIMIT_EXCEEDED"));

    let none = TestEdge::with(Limits { batch_max: 0, ..Limits::default() });
    assert_eq!(none.post(batch(&["{ __typename }"])).await.status, 400);
}

#[tokio::test]
async fn a_large_body_is_not_read_to_its_end() {
    let edge = TestEdge::new();
    let polled = Arc::new(AtomicUsize::new(0));
    let chunks = |polled: &Arc<AtomicUsize>| {
        let polled = Arc::clone(polled);
        // 64 MiB in 1,024 chunks.
        Body::from_stream(stream::iter(0..1024).map(move |_| {
            polled.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 * 1024]))
        }))
    };
    let got = edge.post(chunks(&polled)).await;
    assert_eq!((got.status.as_u16(), got.refused().0.as_str()), (413, "LIMIT_EXCEEDED"));
    assert_eq!(got.refused().1, "the request has more than 262144 bytes");
    assert_eq!(polled.load(Ordering::SeqCst), 5, "four chunks fit");

    let declared =
        edge.send(post().header("content-length", "67108864").body(chunks(&polled)).unwrap()).await;
    assert_eq!(declared.status, 413);
    assert_eq!(polled.load(Ordering::SeqCst), 5, "a declared length is enough");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let edge = TestEdge::with(Limits { body_time_max: Duration::from_millis(20), ..Limits::default() });
    let got = edge.post(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())).await;
    assert_eq!((got.status.as_u16(), got.refused().0.as_str()), (408, "LIMIT_EXCEEDED"));
    let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]));
    assert_eq!(edge.post(broken).await.status, 400);
}

#[tokio::test]
async fn an_execution_has_an_end() {
    let edge = TestEdge::with(Limits { execution_time_max: Duration::from_millis(20), ..Limits::default() });
    let got = edge.query("{ never }").await;
    assert_eq!((got.status.as_u16(), got.refused().0.as_str()), (503, "UNAVAILABLE"));
}

#[tokio::test]
async fn the_caller_and_the_request_id_reach_resolvers_and_headers_come_back() {
    let edge = TestEdge::new();
    let mut request =
        post().header("authorization", "Bearer x").body(r#"{"query":"{ who greet }"}"#.into()).unwrap();
    request.extensions_mut().insert(RequestId::new("request-7".parse().unwrap()));
    let got = edge.send(request).await;
    assert_eq!(got.data(), json!({ "who": "somebody in request-7", "greet": true }));
    assert_eq!(got.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[tokio::test]
async fn a_refused_caller_costs_no_body() {
    let edge = TestEdge::new();
    for accept in ["application/json", GRAPHQL_RESPONSE, "text/event-stream"] {
        let polled = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&polled);
        let body = Body::from_stream(stream::once(async move {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from_static(br#"{"query":"{ __typename }"}"#))
        }));
        let request =
            Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
        let got = edge.send(request.header("authorization", "Bearer refused").body(body).unwrap()).await;
        assert_eq!(got.status, 401, "{accept}");
        assert_eq!(got.refused(), ("UNAUTHENTICATED".to_owned(), "nobody knows you".to_owned()));
        assert_eq!(polled.load(Ordering::SeqCst), 0, "the body was read");
    }
}
