//! What another tenant has, one of each kind, by whose ids it is asked for.

use serde_json::{Value, json};

use crate::cases::help;
use crate::world::{SUBMIT, World};

/// What a tenant has, one of each kind.
pub struct Ids {
    pub lead: String,
    pub delivery: String,
    pub failed: String,
    pub import: String,
    pub run: String,
    pub difference: String,
    pub user: String,
    pub team: String,
    pub key: String,
    pub invitation: String,
    pub calendar: String,
    pub policy: String,
    pub case: String,
    pub booking: String,
    pub billing: Billing,
}

/// A rate plan, a partner, its closed report, a link to a file of it.
pub struct Billing {
    pub plan: String,
    pub partner: String,
    pub report: String,
    pub link: String,
}

pub async fn ids(world: &World) -> Ids {
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
    let made = world
        .data(
            &rival.admin,
            "mutation { viewer: endSessions { ended } createTeam(name: \"T\") { team { id } }
                createApiKey(input: { name: \"K\", scopes: [\"*\"] }) { key { id } }
                inviteUser(input: { email: \"n@b.de\", role: AGENT }) { invitation { id } } }",
            Value::Null,
        )
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let team = text(&made["createTeam"]["team"]["id"]);
    let key = text(&made["createApiKey"]["key"]["id"]);
    let invitation = text(&made["inviteUser"]["invitation"]["id"]);
    let user = rival.member.viewer.as_ref().unwrap().actor.to_string();
    let calendar = json!({ "input": { "name": "Office", "timeZone": "UTC",
        "windows": [{ "weekday": 1, "from": "09:00", "until": "17:00" }] } });
    let document =
        "mutation ($input: SlaCalendarInput!) { it: createSlaCalendar(input: $input) { calendar { id } } }";
    let made = world.data(&rival.admin, document, calendar).await;
    let calendar = made["it"]["calendar"]["id"].as_str().unwrap().to_owned();
    let policy = json!({ "input": { "name": "P", "clock": "response", "draft": { "targetSeconds": 60 } } });
    let document =
        "mutation ($input: CreateSlaPolicyInput!) { it: createSlaPolicy(input: $input) { policy { id } } }";
    let made = world.data(&rival.admin, document, policy).await;
    let policy = made["it"]["policy"]["id"].as_str().unwrap().to_owned();
    let (case, booking) = help(world).await;
    let billing = billing(world).await;
    let (run, difference) = reconciled(world).await;
    Ids {
        lead,
        delivery,
        failed,
        import,
        run,
        difference,
        user,
        team,
        key,
        invitation,
        calendar,
        policy,
        case,
        booking,
        billing,
    }
}

async fn billing(world: &World) -> Billing {
    use domain::billing::{Currency, PlanSpec};
    use domain::ids::{BillingReportId, PartnerId, RatePlanId, ReportLinkId};
    use service::access::Actor;
    use service::billing::files::Format;
    use service::billing::partners::{self, NewPartner};
    use service::billing::{closing, links, plans};

    let (app, tenant) = (&world.app, world.rival.id);
    let spec = PlanSpec::standard(Currency::USD);
    let from = "2026-01-01".parse().unwrap();
    let plan =
        plans::create_plan(app, tenant, "plan".to_owned(), None, from, &spec, Actor::Operator).await.unwrap();
    let plan = RatePlanId(plan.id);
    let new = NewPartner {
        slug: "partner".to_owned(),
        name: None,
        email: "billing@partner.example".to_owned(),
        plan,
        time_zone: None,
        closes_itself: false,
    };
    let partner = PartnerId(partners::create_partner(app, tenant, new, Actor::Operator).await.unwrap().id);
    let report =
        closing::close(app, tenant, partner, "2026-10".parse().unwrap(), Actor::Operator).await.unwrap();
    let report = BillingReportId(report.id);
    let link = links::create(app, tenant, report, Format::Csv, 60, Actor::Operator).await.unwrap();
    Billing {
        plan: plan.to_string(),
        partner: partner.to_string(),
        report: report.to_string(),
        link: ReportLinkId(link.row.id).to_string(),
    }
}

/// A run whose list has the record that was refused.
async fn reconciled(world: &World) -> (String, String) {
    use domain::ids::{ExceptionId, ReconciliationId};
    use service::reconciliation::run::{List, Request, run};

    let path = world.app.settings.data_dir.join("list.csv");
    std::fs::write(&path, "id,external_id\n1,x\n").unwrap();
    let list = List::File { path, name: "list.csv".to_owned() };
    let request = Request::whole(world.rival.destination.parse().unwrap(), list, "operator");
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
