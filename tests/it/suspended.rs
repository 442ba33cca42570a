//! A suspended tenant: whatever works in the background passes it over, loses nothing, and goes on when it is resumed.

use chrono::TimeDelta;
use domain::sla::Conditions;
use serde_json::json;
use service::access::Actor;
use service::billing::{partners, schedule};
use service::delivery::testing::FakeCrm;
use service::sla::policies::{self, Draft, NewPolicy};
use service::{access, alerts, jobs, sla};
use tests::TestApp;
use tests::billing::books;
use tests::data::{deliver, destination, submit};

async fn suspend(test: &TestApp, tenant: domain::ids::TenantId, suspended: bool) {
    access::life::set_suspended(&test.app, tenant, suspended).await.expect("set");
}

#[tokio::test]
async fn deliveries_clocks_periods_and_alerts_wait_for_the_tenant() {
    let test = TestApp::new().await;
    let app = &test.app;
    let tenant = test.tenant("acme").await;
    let source = test.source(tenant, "leadsource").await;
    let crm = FakeCrm::start([]).await;
    destination(app, tenant, "bonzo", crm.url(), None).await;
    let draft = Draft {
        conditions: Conditions::default(),
        target_s: 60,
        at_risk_percent: 80,
        calendar: None,
        pause_reasons: Vec::new(),
    };
    let policy = NewPolicy {
        name: "Delivered in a minute".to_owned(),
        clock: "processing".to_owned(),
        starts_with: None,
        stops_with: None,
        place: 1,
        draft,
    };
    policies::create(app, tenant, policy, "tests").await.expect("a policy");
    let books = books(app, tenant).await;
    let change = partners::PartnerChange { closes_itself: Some(true), ..Default::default() };
    partners::update_partner(app, tenant, books.partner, change, Actor::Operator).await.expect("changed");
    let rule = alerts::manage::NewRule {
        name: "failed".to_owned(),
        kind: domain::alerts::Kind::FailedLeads,
        destination: None,
        source: None,
        threshold: 0,
        window_minutes: None,
        channels: None,
    };
    alerts::manage::create_rule(app, tenant, rule).await.expect("a rule");
    let record = json!({"Lead ID": "LS-1", "First Name": "Ada", "Pri. Phone": "3035550101"});
    submit(app, tenant, &source, &record).await.lead.expect("a lead");
    app.clock.advance(TimeDelta::minutes(5));

    suspend(&test, tenant, true).await;
    assert_eq!((deliver(app).await.delivered, crm.count()), (0, 0));
    assert_eq!(sla::due::run_due(app).await.expect("looked"), sla::due::Recorded::default());
    assert_eq!(schedule::tenants(app).await.expect("tenants"), []);
    let tick = alerts::evaluate::Tick {};
    jobs::Job::run(tick, std::sync::Arc::clone(app)).await.expect("looked");
    assert_eq!(waiting(&test).await, 0);

    suspend(&test, tenant, false).await;
    // What fell due meanwhile is recorded with its own time.
    assert_eq!(sla::due::run_due(app).await.expect("looked").breached, 1);
    assert_eq!(deliver(app).await.delivered, 1);
    assert_eq!(schedule::tenants(app).await.expect("tenants"), [tenant]);
    jobs::Job::run(alerts::evaluate::Tick {}, std::sync::Arc::clone(app)).await.expect("looked");
    assert_eq!(waiting(&test).await, 1);
}

async fn waiting(test: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM baton_jobs._private_jobs")
        .fetch_one(&test.app.database.app)
        .await
        .expect("counted")
}
