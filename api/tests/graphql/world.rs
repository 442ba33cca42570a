//! An app over a database of its own, two tenants, and callers of each role.

use std::sync::Arc;

use api::graphql::{Identity, schema};
use api::http::graphql::{Engine, RequestId, to_json};
use async_graphql::{Request, Response, Variables};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{DeliveryId, TenantId};
use serde_json::{Value, json};
use service::App;
use service::access::{self, NewTenant, Viewer};
use service::app::{Settings, make_schema};
use service::database::Mode;
use service::database::testing::{Cluster, FreshDatabase};
use service::runtime::{Clock, Ids};
use service::secrets::Secrets;
use tempfile::TempDir;
use tenants::{NewPassword, NewUser, Role};

pub const PASSWORD: &str = "correct horse battery staple";

pub struct World {
    pub app: Arc<App>,
    pub engine: Arc<dyn Engine>,
    pub acme: Tenant,
    pub rival: Tenant,
    _folder: TempDir,
    _database: FreshDatabase,
}

/// A tenant with an admin, a member, a source and a destination.
pub struct Tenant {
    pub id: TenantId,
    pub admin: Identity,
    pub member: Identity,
    pub source: String,
    pub destination: String,
}

/// 2026-11-20 12:00 UTC.
pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_176_000, 0).unwrap()
}

impl World {
    pub async fn new() -> Self {
        let database = Cluster::shared().await.fresh(make_schema).await;
        let folder = TempDir::new().unwrap();
        let mut settings = Settings::below(folder.path());
        settings.allow_private_addresses = true;
        let secrets = Secrets::load_or_create(folder.path()).unwrap();
        let clock = Clock::manual(noon());
        let app = App::with(database.database.clone(), settings, secrets, clock, Ids::seeded(7)).unwrap();
        let app = Arc::new(app);
        let engine: Arc<dyn Engine> = Arc::new(schema(Arc::clone(&app)));
        let acme = Tenant::new(&app, &*engine, "acme").await;
        let rival = Tenant::new(&app, &*engine, "rival").await;
        Self { app, engine, acme, rival, _folder: folder, _database: database }
    }

    /// The whole response as JSON.
    pub async fn ask(&self, who: &Identity, document: &str, variables: Value) -> Value {
        ask(&*self.engine, who, document, variables).await
    }

    /// The data of a response without errors.
    #[track_caller]
    pub fn data(&self, who: &Identity, document: &str, variables: Value) -> impl Future<Output = Value> {
        let (engine, who, document) = (Arc::clone(&self.engine), who.clone(), document.to_owned());
        async move { data(&*engine, &who, &document, variables).await }
    }

    /// The code of the first error.
    pub async fn code(&self, who: &Identity, document: &str, variables: Value) -> String {
        let response = self.ask(who, document, variables).await;
        response["errors"][0]["extensions"]["code"].as_str().unwrap_or("none").to_owned()
    }

    /// Takes leads in over `submitLead`; answers their ids, the oldest first. A minute passes between two.
    pub async fn submit(&self, tenant: &Tenant, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..count {
            self.app.clock.advance(TimeDelta::minutes(1));
            let variables = json!({ "input": { "source": tenant.source, "record": record(number) } });
            let data = self.data(&tenant.member, SUBMIT, variables).await;
            ids.push(data["submitLead"]["lead"]["id"].as_str().expect("a lead").to_owned());
        }
        ids
    }

    /// Writes attempts as the delivery worker would, and where the delivery stands after them.
    pub async fn attempt(
        &self,
        tenant: &Tenant,
        delivery: &str,
        state: &str,
        attempts: &[(&str, Option<i16>)],
    ) {
        let id: DeliveryId = delivery.parse().unwrap();
        let mut tx = self.app.begin(tenant.id, Mode::ReadWrite).await.unwrap();
        for (number, (outcome, status)) in (1_i16..).zip(attempts) {
            sqlx::query(
                "INSERT INTO delivery_attempt (tenant_id, delivery_id, number, started_at, duration_us, outcome,
                     http_status, error_kind, response_headers, response_body)
                 VALUES ($1, $2, $3, $4, 120500, $5, $6, $7, '{\"retry-after\": \"3\"}', 'said')",
            )
            .bind(tenant.id.uuid())
            .bind(id.uuid())
            .bind(number)
            .bind(self.app.clock.now() + TimeDelta::seconds(number.into()))
            .bind(outcome)
            .bind(status)
            .bind(status.is_none().then_some("timeout"))
            .execute(tx.connection())
            .await
            .unwrap();
        }
        sqlx::query(
            "UPDATE delivery SET state = $3, attempts = $4, finished_at = $5, reason = $6 WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant.id.uuid())
        .bind(id.uuid())
        .bind(state)
        .bind(i16::try_from(attempts.len()).unwrap())
        .bind((state != "pending").then(|| self.app.clock.now() + TimeDelta::minutes(1)))
        .bind((state == "failed" || state == "held").then_some("the destination said no"))
        .execute(tx.connection())
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
}

pub const SUBMIT: &str = "mutation($input: SubmitLeadInput!) { submitLead(input: $input) {
    outcome lead { id } failedRecord { id } reasons { field code message value } error { field code message } } }";

/// A record of the source LeadSource that becomes a lead of its own.
pub fn record(number: usize) -> Value {
    json!({
        "Lead ID": format!("LS-{number}"),
        "Lead Type": "Refi",
        "First Name": "Kara",
        "Last Name": format!("Test{number:02}"),
        "Address": "1 Elm St",
        "City": "Boulder",
        "State": if number.is_multiple_of(2) { "CO" } else { "TX" },
        "ZIP": "80301",
        "Pri. Phone": format!("97055501{number:02}"),
        "Email": format!("kara{number:02}@example.com"),
        "Credit Grade": "700",
        "BAL_ONE": "250000",
    })
}

impl Tenant {
    async fn new(app: &Arc<App>, engine: &dyn Engine, slug: &str) -> Self {
        let new =
            NewTenant { slug: slug.to_owned(), name: None, time_zone: Some("America/Denver".to_owned()) };
        let id = TenantId(access::create_tenant(app, new).await.unwrap().id);
        let admin = user(app, id, "ada", Role::Admin, NewPassword::Chosen(PASSWORD.into())).await;
        let member = user(app, id, "mo", Role::Agent, NewPassword::Absent).await;
        let source = data(
            engine,
            &admin,
            "mutation { createSource(input: { slug: \"leadsource\", kind: LEADSOURCE }) { source { id } } }",
            Value::Null,
        );
        let source = source.await["createSource"]["source"]["id"].as_str().unwrap().to_owned();
        let destination = data(
            engine,
            &admin,
            "mutation { createDestination(input: { slug: \"crm\", name: \"The CRM\", kind: WEBHOOK,
                url: \"https://crm.example/hook/secret\" }) { destination { id } } }",
            Value::Null,
        );
        let destination =
            destination.await["createDestination"]["destination"]["id"].as_str().unwrap().to_owned();
        Self { id, admin, member, source, destination }
    }
}

async fn user(app: &App, tenant: TenantId, name: &str, role: Role, password: NewPassword) -> Identity {
    let new = NewUser {
        email: format!("{name}@example.com"),
        name: name.to_owned(),
        role,
        partner: None,
        password,
    };
    let store = app.tenants.open(tenant).await.unwrap();
    let user = store.create_user(new, app.clock.now()).await.unwrap().user;
    Identity::of(Viewer::user(tenant, user.id, role))
}

/// A response as it is sent.
pub fn value(response: &Response) -> Value {
    serde_json::from_str(&to_json(response)).unwrap()
}

async fn ask(engine: &dyn Engine, who: &Identity, document: &str, variables: Value) -> Value {
    let variables = if variables.is_null() { json!({}) } else { variables };
    let request = Request::new(document)
        .variables(Variables::from_json(variables))
        .data(who.clone())
        .data(RequestId("test-1".to_owned()));
    value(&engine.execute(request).await)
}

async fn data(engine: &dyn Engine, who: &Identity, document: &str, variables: Value) -> Value {
    let mut response = ask(engine, who, document, variables).await;
    assert!(response.get("errors").is_none(), "{response:#}");
    response["data"].take()
}
