//! The walk over the plain routes.

use std::collections::BTreeSet;

use domain::access::Role;
use http::{Method, Request};
use tests::TestApp;

use super::Place;

/// A route, how it is called with another tenant's ids, and what it answers to an owner of ours and to nobody.
struct Route {
    template: &'static str,
    method: Method,
    owner: u16,
    nobody: u16,
}

const fn route(template: &'static str, method: Method, owner: u16, nobody: u16) -> Route {
    Route { template, method, owner, nobody }
}

/// Routes that show nothing of any tenant, or are the walk of GraphQL itself. Signing in with a provider begins for nobody
/// in particular, and a link's page is the dashboard's own: both are walked by the browser's tests. A destination's report is
/// known by a code of its own, whoever brings it: the tests of such reports try strangers.
const OPEN: [&str; 11] = [
    "/graphql",
    "/graphiql",
    "/healthz",
    "/readyz",
    "/metrics",
    "/t/{tenant}/.well-known/jwks.json",
    "/t/{tenant}/oauth/{provider}/start",
    "/t/{tenant}/oauth/{provider}/callback",
    "/r/{link}",
    "/r/{link}/{*below}",
    "/hooks/{destination}",
];

fn routes() -> Vec<Route> {
    vec![
        route("/imports/{import}/failed.csv", Method::GET, 404, 401),
        route("/ingest/{source}", Method::POST, 404, 401),
        route("/ingest/actions/{partner}", Method::POST, 404, 401),
        route("/reports/{report}/{file}", Method::GET, 404, 401),
        route("/reconcile/{destination}", Method::POST, 404, 401),
        route("/exports/sla/{report}", Method::GET, 404, 401),
        route("/exports/billing/{read}", Method::GET, 404, 401),
        route("/t/{tenant}/oauth/token", Method::POST, 400, 400),
    ]
}

#[tokio::test]
async fn another_tenants_ids_find_nothing_on_any_route() {
    let test = TestApp::new().await;
    let (acme, globex) = (Place::new(&test, "acme").await, Place::new(&test, "globex").await);
    let web = test.web();
    // A source that only the other one has.
    test.source(globex.data.tenant, "npa").await;
    for route in routes() {
        let path = route
            .template
            .replace("{import}", &globex.data.import.to_string())
            .replace("{source}", "npa")
            .replace("{partner}", "of-globex-alone")
            .replace("{report}", &globex.data.report.to_string())
            .replace("{read}", &format!("products.csv?report={}", globex.data.report))
            .replace("{destination}", "of-globex-alone")
            .replace("{file}", "report.csv")
            .replace("{tenant}", "globex");
        for (credential, expected) in
            [(Some(acme.credential(Role::Owner)), route.owner), (None, route.nobody)]
        {
            let mut request = Request::builder().method(route.method.clone()).uri(&path);
            if let Some(text) = credential {
                request = request.header("authorization", text);
            }
            let request =
                request.header("content-type", "application/json").body("{}".into()).expect("a request");
            let answer = web.send(request).await;
            assert_eq!(answer.status.as_u16(), expected, "{} {path}: {}", route.method, answer.text());
        }
        // A partner's person has no business here either.
        let request = Request::builder()
            .method(route.method.clone())
            .uri(&path)
            .header("authorization", acme.credential(Role::Partner))
            .header("content-type", "application/json")
            .body("{}".into())
            .expect("a request");
        let status = web.send(request).await.status.as_u16();
        assert!([403, 404, 400].contains(&status), "a partner at {path}: {status}");
    }
}

/// Reads the program's text: a route that nobody walks fails here.
#[test]
fn every_route_is_walked() {
    let known: BTreeSet<String> =
        routes().iter().map(|route| route.template.to_owned()).chain(OPEN.map(str::to_owned)).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/src/http");
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the program's text") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default().replace(char::is_whitespace, "");
            for part in text.split(".route(\"").skip(1) {
                found.insert(part.split('"').next().unwrap_or_default().to_owned());
            }
        }
    }
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "say what these routes answer to a stranger: {unknown:?}");
    assert!(found.len() >= 5, "the routes were found: {found:?}");
}
