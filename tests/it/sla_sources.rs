//! Service levels: what sources brought, with every filter, and every row beside the period before.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::billing::Currency;
use domain::ids::{DestinationId, LeadId, SourceId, TenantId};
use domain::sla::{Bucket, Period};
use entity::lead_source;
use serde_json::json;
use service::App;
use service::access::Actor;
use service::database::{Mode, TenantTx};
use service::delivery::manage;
use service::delivery::testing::Step;
use service::sla::reads::{self, ClockFilter, Dimension, Figures, Question};
use service::sla::{costs, export, sources};
use tests::data::{deliver, submit};

use super::sla::{MINUTES, around, clocks_of, contacted, filter, lead, world};

async fn source(app: &App, tenant: TenantId) -> lead_source::Model {
    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    service::intake::sources::by_slug(&tx, "leadsource").await.expect("the source")
}

async fn lead_of(app: &Arc<App>, tenant: TenantId, number: u32, state: &str, kind: &str) -> LeadId {
    let record = json!({"Lead ID": format!("L-{number}"), "First Name": "Ada", "State": state, "Lead Type": kind,
        "Pri. Phone": format!("303555{number:04}")});
    submit(app, tenant, &source(app, tenant).await, &record).await.lead.expect("a lead")
}

/// Received, accepted, refused, delivered, contacted of the only source that has any of it.
type Brought = (Option<i64>, i64, Option<i64>, i64, i64);

async fn brought(tx: &TenantTx, filter: &ClockFilter, period: Period) -> Brought {
    let rows = sources::effectiveness(tx, filter, period).await.expect("sources");
    let row = &rows[0];
    (row.received, row.accepted, row.refused, row.delivered, row.contacted)
}

/// One lead of two reached its destination and a person; a record was refused.
#[tokio::test]
async fn what_a_source_brought_is_had_with_every_filter() {
    let (test, tenant, _crm) = world(vec![Step::status(400)]).await;
    let app = &test.app;
    let from = source(app, tenant).await;
    let lost = lead_of(app, tenant, 1, "UT", "Purchase").await;
    assert_eq!(deliver(app).await.failed, 1);
    let reached = lead_of(app, tenant, 2, "CO", "Refi").await;
    assert_eq!(deliver(app).await.delivered, 1);
    assert!(contacted(app, tenant, reached, None).await);
    let nameless = submit(app, tenant, &from, &json!({"Lead ID": "L-3", "First Name": "Nobody"})).await;
    assert!(nameless.failed.is_some(), "{nameless:?}");
    let day = "2026-01-01".parse().expect("a day");
    let cost = costs::set(app, tenant, SourceId(from.id), day, (Currency::USD, "2.00"), Actor::Operator);
    cost.await.expect("set");
    let mut tx = app.begin(tenant, Mode::ReadWrite).await.expect("a transaction");
    sqlx::query("UPDATE lead SET details = details || $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant.uuid())
        .bind(lost.uuid())
        .bind(json!({"custom.campaign": "Fall"}))
        .execute(tx.connection())
        .await
        .expect("of a campaign");
    tx.commit().await.expect("stored");
    let kind = clocks_of(app, tenant, reached).await[0].lead_type.clone().expect("a lead type");

    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let all = filter("response");
    let bonzo = DestinationId(manage::list(&tx).await.expect("destinations")[0].id);
    let nowhere = DestinationId(app.ids.next(app.clock.now()));
    let texts = |text: &str| vec![text.to_owned()];
    let (one, none) = ((None, 1, None, 1, 1), (None, 0, None, 0, 0));
    for (which, expected) in [
        (all.clone(), (Some(3), 2, Some(1), 1, 1)),
        (ClockFilter { sources: vec![SourceId(from.id)], ..all.clone() }, (Some(3), 2, Some(1), 1, 1)),
        (ClockFilter { states: texts("CO"), ..all.clone() }, one),
        (ClockFilter { states: texts("UT"), ..all.clone() }, (None, 1, None, 0, 0)),
        (ClockFilter { lead_types: vec![kind], ..all.clone() }, one),
        (ClockFilter { campaigns: texts("Fall"), ..all.clone() }, (None, 1, None, 0, 0)),
        (ClockFilter { agents: texts("Grace"), ..all.clone() }, one),
        (ClockFilter { agents: texts("Grace"), teams: texts("East"), ..all.clone() }, none),
        (ClockFilter { teams: texts("West"), ..all.clone() }, one),
        (ClockFilter { teams: texts("West"), ..filter("") }, one),
        (ClockFilter { destinations: vec![bonzo], ..all.clone() }, (None, 2, None, 1, 1)),
        (ClockFilter { destinations: vec![nowhere], ..all.clone() }, none),
    ] {
        assert_eq!(brought(&tx, &which, around(app)).await, expected, "{which:?}");
    }
    let colorado = ClockFilter { states: texts("CO"), ..all.clone() };
    for (which, cost, refusals) in [(&all, 400, true), (&colorado, 200, false)] {
        let worth = sources::worth(&tx, which, around(app)).await.expect("worth");
        assert_eq!((worth.len(), worth[0].cost), (1, Some(cost)), "{which:?}");
        let found = sources::refusals(&tx, which, around(app)).await.expect("refusals");
        assert_eq!(!found.is_empty(), refusals, "{which:?}");
    }
}

/// Of thirty days, and of the thirty before.
#[tokio::test]
async fn every_row_is_had_beside_the_period_before() {
    let (test, tenant, _crm) = world(vec![]).await;
    let app = &test.app;
    let first = lead(&test, tenant, 1).await;
    deliver(app).await;
    app.clock.advance(MINUTES(10));
    assert!(contacted(app, tenant, first, None).await);
    app.clock.advance(TimeDelta::days(30));
    let second = lead(&test, tenant, 2).await;
    lead(&test, tenant, 3).await;
    deliver(app).await;
    app.clock.advance(MINUTES(90));
    assert!(contacted(app, tenant, second, None).await);
    let now = app.clock.now();
    let period = Period { from: now - TimeDelta::days(15), until: now + TimeDelta::days(15) };

    let tx = app.begin(tenant, Mode::ReadOnly).await.expect("a transaction");
    let mut question = Question {
        filter: filter("response"),
        period,
        bucket: None,
        dimension: Some(Dimension::Agent),
        compared: true,
    };
    for (bucket, dimension) in
        [(None, Dimension::Agent), (None, Dimension::Team), (Some(Bucket::Day), Dimension::Agent)]
    {
        (question.bucket, question.dimension) = (bucket, Some(dimension));
        let rows = reads::adherence(&tx, &question).await.expect("rows");
        let told = |of: &Figures| (of.total, of.met, of.missed);
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.key.is_some(), told(&row.figures), row.before.as_ref().map(told)))
            .collect();
        let expected = [(true, (1, 0, 1), Some((1, 1, 0))), (false, (1, 0, 0), Some((0, 0, 0)))];
        assert_eq!(told, expected, "{bucket:?} {dimension:?}");
    }
    question.dimension = Some(Dimension::Source);
    let rows = reads::adherence(&tx, &question).await.expect("rows");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].figures.total, rows[0].before.as_ref().map(|of| of.total)), (2, Some(1)));

    let read = |csv: Vec<u8>| String::from_utf8(csv).expect("text");
    let csv = read(export::adherence(&tx, &question).await.expect("a sheet"));
    assert!(csv.lines().next().is_some_and(|line| line.contains(",before_clocks,before_met,")), "{csv}");
    let csv = read(export::effectiveness(&tx, &filter("response"), period).await.expect("a sheet"));
    assert!(csv.contains("leadsource,2,2,0,2,1,0,,,,1,1,0,1,1,0,,\n"), "{csv}");
    let csv = read(export::performance(&tx, &filter("response"), period, true).await.expect("a sheet"));
    let west = csv.lines().find(|line| line.starts_with("West,")).expect("the team");
    assert!(west.starts_with("West,1,0,1,0,0.0000,") && west.contains(",0,1,1,0,0,1.0000,"), "{west}");
}
