//! The isolation walk: every field of the schema and every route, as somebody of another tenant, as each lesser role,
//! and as nobody. Calls are made from the schema and filled with the other tenant's real ids; what is found may be
//! not-found, forbidden or unauthenticated, and the exceptions may only become fewer.

mod calls;
mod routes;
mod row_security;

use std::collections::{BTreeMap, BTreeSet};

use api::graphql::{Needs, needs};
use calls::{Call, calls, probe, schema};
use domain::access::{ROLES, Role, Scope};
use domain::ids::{PartnerId, TenantId};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::database::Mode;
use tenants::{KeyKind, NewInvitation, NewKey, NewLink, NewPassword, NewUser, SessionLimits, User};
use tests::TestApp;
use tests::data::{Everything, everything, identity_provider};
use tests::web::Web;

/// Fields that take an id and answer another tenant's otherwise than with nothing, not-found or forbidden, each with its
/// reason. It may only become shorter.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "inviteUser",
    "a partner's id is not looked up: it narrows what row-level security shows of the own tenant",
)];

/// Kinds of ids of which the other tenant has none to try: a made-up one stands in. It may only become shorter.
const UNSAMPLED: [&str; 0] = [];

/// Tables whose name is not the kind of their ids.
const TABLES: [(&str, &str); 17] = [
    ("source", "lead_source"),
    ("failed", "failed_record"),
    ("dest", "destination"),
    ("event", "lead_event"),
    ("plan", "rate_plan"),
    ("report", "billing_report"),
    ("filelink", "report_link"),
    ("calendar", "sla_calendar"),
    ("policy", "sla_policy"),
    ("case", "sla_case"),
    ("slot", "sla_slot"),
    ("booking", "sla_booking"),
    ("channel", "alert_channel"),
    ("rule", "alert_rule"),
    ("hook", "inbound_hook"),
    ("recon", "reconciliation_run"),
    ("diff", "reconciliation_exception"),
];

/// A tenant with rows everywhere and a person of each role.
struct Place {
    data: Everything,
    /// One of each role, with the credential that it sends.
    people: Vec<(Role, String)>,
    /// An id of each kind, as text.
    ids: BTreeMap<String, String>,
}

impl Place {
    async fn new(test: &TestApp, slug: &str) -> Self {
        let data = everything(test, slug).await;
        let (app, now) = (&test.app, test.app.clock.now());
        let store = app.tenants.open(data.tenant).await.expect("the tenant's database");
        let mut people = Vec::new();
        let mut ids = BTreeMap::new();
        for role in ROLES.into_iter().filter(|role| role.is_for_people()) {
            let user = person(test, data.tenant, role).await;
            let token = app.tokens.issue(&store, &user, now).await.expect("a token").text;
            people.push((role, format!("Bearer {}", token.expose_secret())));
            ids.insert("user".to_owned(), user.id.to_string());
        }
        let key = NewKey {
            kind: KeyKind::Api,
            name: "program".to_owned(),
            role: Role::Service,
            scope: Scope::Full.to_string(),
            created_by: None,
            expires_at: None,
        };
        let key = store.create_key(key, now).await.expect("a key");
        people.push((Role::Service, format!("Bearer {}", key.text.expose_secret())));
        ids.insert("key".to_owned(), key.key.id.to_string());
        let owner = store.user_by_email("owner@example.com").await.expect("read").expect("the owner");
        let session = store.start_session(owner.id, SessionLimits::default(), now).await.expect("a session");
        ids.insert("session".to_owned(), session.session.id.to_string());
        let team = store.create_team("Everybody", now).await.expect("a team");
        ids.insert("team".to_owned(), team.id.to_string());
        let new = NewInvitation {
            email: "new@example.com".to_owned(),
            role: Role::Agent,
            partner: None,
            invited_by: None,
        };
        let (invitation, _) = store.invite(new, now).await.expect("an invitation");
        ids.insert("invite".to_owned(), invitation.id.to_string());
        let provider = store.next_provider(now);
        store.create_provider(provider, identity_provider(), None, now).await.expect("a provider");
        ids.insert("provider".to_owned(), provider.to_string());
        let link = store.create_link(leads_link(), now).await.expect("a link");
        ids.insert("link".to_owned(), link.id.to_string());
        Self { data, people, ids }
    }

    fn credential(&self, role: Role) -> &str {
        let found = self.people.iter().find(|(of, _)| *of == role);
        found.map(|(_, text)| text.as_str()).expect("somebody of each role")
    }

    /// An id of that kind: of the tenant's own, or made up where it has none.
    async fn id(&self, test: &TestApp, kind: &str) -> String {
        if let Some(known) = self.ids.get(kind) {
            return known.clone();
        }
        let table = TABLES.iter().find(|(of, _)| *of == kind).map_or(kind, |(_, table)| table);
        let mut tx = test.app.begin(self.data.tenant, Mode::ReadOnly).await.expect("a transaction");
        let sql = format!("SELECT id FROM {table} ORDER BY id LIMIT 1");
        let found: Result<Option<uuid::Uuid>, _> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_optional(tx.connection()).await;
        let sample = found.ok().flatten();
        assert_eq!(sample.is_none(), UNSAMPLED.contains(&kind), "sample of {kind}: {sample:?}");
        let suffix = TenantId(sample.unwrap_or(uuid::Uuid::from_u128(77))).to_string();
        format!("{kind}_{}", suffix.trim_start_matches("tenant_"))
    }
}

fn leads_link() -> NewLink {
    NewLink {
        name: "Leads".to_owned(),
        page: "leads".to_owned(),
        filters: BTreeMap::new(),
        roles: Vec::new(),
        created_by: None,
        expires_at: None,
    }
}

async fn person(test: &TestApp, tenant: TenantId, role: Role) -> User {
    let new = NewUser {
        email: format!("{role}@example.com"),
        name: role.to_string(),
        role,
        partner: (role == Role::Partner).then(|| PartnerId(uuid::Uuid::from_u128(77))),
        password: NewPassword::Absent,
    };
    let store = test.app.tenants.open(tenant).await.expect("the tenant's database");
    store.create_user(new, test.app.clock.now()).await.expect("a user").user
}

async fn ask(web: &Web, credential: Option<&str>, document: &str) -> Value {
    let headers: Vec<(&str, &str)> = credential.map(|text| ("authorization", text)).into_iter().collect();
    web.graphql(&headers, document, json!({})).await.json()
}

/// The codes of errors and of a payload's own error.
fn codes(answer: &Value) -> BTreeSet<String> {
    let errors = answer["errors"].as_array().into_iter().flatten();
    let errors = errors.map(|error| &error["extensions"]["code"]);
    let payload = &answer["data"]["it"]["error"]["code"];
    errors.chain([payload]).filter_map(|code| code.as_str().map(str::to_owned)).collect()
}

/// Which kind of id each slot takes: asked of the server, whose refusal of nonsense names it.
async fn kinds(web: &Web, credential: &str, call: &Call) -> BTreeMap<usize, String> {
    let mut found: BTreeMap<usize, String> = BTreeMap::new();
    for _ in 0..call.slots {
        let ids =
            found.iter().map(|(slot, kind)| (*slot, format!("{kind}_01jd2wq7x8e0hbrvy3k6m9f4tz"))).collect();
        let answer = ask(web, Some(credential), &call.with(&ids)).await.to_string();
        let next = (0..call.slots).find_map(|slot| {
            let (_, rest) = answer.split_once(&format!("`{}` is not an id of kind `", probe(slot)))?;
            Some((slot, rest.split('`').next()?.to_owned()))
        });
        let Some((slot, kind)) = next else { break };
        found.insert(slot, kind);
    }
    found
}

/// Every id of the other tenant: none may appear in an answer.
fn leaks(answer: &Value, theirs: &BTreeSet<String>) -> Vec<String> {
    // An error may repeat the id that was asked for; what is found is in the data.
    let mut data = answer["data"].clone();
    if let Some(it) = data.get_mut("it").and_then(Value::as_object_mut) {
        it.remove("error");
    }
    let text = data.to_string();
    theirs.iter().filter(|id| text.contains(id.as_str())).cloned().collect()
}

async fn ids_of(test: &TestApp, place: &Place, kinds: &BTreeSet<String>) -> BTreeSet<String> {
    let mut ids: BTreeSet<String> = place.ids.values().cloned().collect();
    for kind in kinds.iter().filter(|kind| !UNSAMPLED.contains(&kind.as_str())) {
        ids.insert(place.id(test, kind).await);
    }
    ids.insert(place.data.tenant.to_string());
    ids
}

#[tokio::test]
async fn another_tenants_ids_find_nothing_in_any_field() {
    let test = TestApp::new().await;
    let (acme, globex) = (Place::new(&test, "acme").await, Place::new(&test, "globex").await);
    let web = test.web();
    let owner = acme.credential(Role::Owner);
    let before = everything_of(&test, &globex).await;
    let mut used = BTreeSet::new();
    let (mut wrong, mut excepted) = (Vec::new(), BTreeSet::new());
    let mut tried = 0;
    for call in calls(&schema()) {
        let kinds = kinds(&web, owner, &call).await;
        used.extend(kinds.values().cloned());
        let mut ids = BTreeMap::new();
        for (slot, kind) in &kinds {
            ids.insert(*slot, globex.id(&test, kind).await);
        }
        let answer = ask(&web, Some(owner), &call.with(&ids)).await;
        let theirs = ids_of(&test, &globex, &used).await;
        let found = leaks(&answer, &theirs);
        assert!(found.is_empty(), "{} shows {found:?}: {answer:#}", call.field);
        if kinds.is_empty() {
            continue;
        }
        tried += 1;
        let allowed = ["NOT_FOUND", "FORBIDDEN", "UNAUTHENTICATED"];
        let codes = codes(&answer);
        let other: Vec<&String> = codes.iter().filter(|code| !allowed.contains(&code.as_str())).collect();
        if other.is_empty() {
            continue;
        }
        if EXCEPTIONS.iter().any(|(field, _)| *field == call.field) {
            excepted.insert(call.field);
        } else {
            wrong.push(format!("{}: {other:?} {}", call.field, answer["errors"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let listed: BTreeSet<String> = EXCEPTIONS.iter().map(|(field, _)| (*field).to_owned()).collect();
    assert_eq!(excepted, listed, "an exception that is none any more goes from the list");
    assert!(tried > 15, "the walk went {tried} steps");
    assert_eq!(everything_of(&test, &globex).await, before, "nothing of the other tenant has changed");
}

/// All rows of a tenant in both stores, as text.
async fn everything_of(test: &TestApp, place: &Place) -> Vec<String> {
    let mut tx = test.app.begin(place.data.tenant, Mode::ReadOnly).await.expect("a transaction");
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
             AND relrowsecurity AND NOT relispartition ORDER BY 1",
    )
    .fetch_all(tx.connection())
    .await
    .expect("tables");
    let mut all = Vec::new();
    for table in tables {
        let sql = format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1");
        let rows: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(tx.connection()).await.expect("rows");
        all.extend(rows.into_iter().map(|row| format!("{table} {row}")));
    }
    let store = test.app.tenants.open(place.data.tenant).await.expect("the tenant's database");
    all.push(format!("{:?}", store.users(None, 200).await.expect("users")));
    all.push(format!("{:?}", store.keys(None, 200).await.expect("keys")));
    all.push(format!("{:?}", store.providers().await.expect("providers")));
    all.push(format!("{:?}", store.links().await.expect("links")));
    all.push(format!("{:?}", store.teams().await.expect("teams")));
    all.push(format!("{:?}", store.open_invitations(test.app.clock.now()).await.expect("invitations")));
    all
}

#[tokio::test]
async fn each_role_is_refused_what_the_table_does_not_give_it() {
    let test = TestApp::new().await;
    let acme = Place::new(&test, "acme").await;
    let web = test.web();
    let owner = acme.credential(Role::Owner);
    for call in calls(&schema()) {
        let Some(needs) = needs(&call.field) else { panic!("{} is not in the table of permits", call.field) };
        let made_up = kinds(&web, owner, &call).await;
        let made_up =
            made_up.into_iter().map(|(slot, kind)| (slot, format!("{kind}_01jd2wq7x8e0hbrvy3k6m9f4tz")));
        let document = call.with(&made_up.collect());
        let callers = acme.people.iter().map(|(role, credential)| (Some(*role), Some(credential.as_str())));
        for (role, credential) in callers.chain([(None, None)]) {
            let expected = match (needs, role) {
                (Needs::Right(_), None) => "UNAUTHENTICATED",
                (Needs::Right(right), Some(role)) if !role.has(right) => "FORBIDDEN",
                _ => continue,
            };
            let answer = ask(&web, credential, &document).await;
            let code = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(code, expected, "{role:?} asks for {}: {answer}", call.field);
            assert_eq!(answer["data"], Value::Null, "{role:?} asks for {}", call.field);
        }
    }
}
