//! Service levels with something to see: two promises, and people who answer most leads in time and some not at all.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{LeadId, TenantId};
use domain::sla::Conditions;
use service::App;
use service::database::Mode;
use service::sla::contact::{self, Contact};
use service::sla::escalation::{self, Setting};
use service::sla::policies::{self, Draft, NewPolicy};
use service::sla::reads::{self, ClockFilter, ClockPage};
use tokio_util::sync::CancellationToken;

use crate::cli::Failure;

/// Promise, clock, seconds: short enough to see them kept and missed.
const PROMISES: [(&str, &str, i32); 2] = [
    ("Handed over within a minute", "processing", 60),
    ("Answered within a quarter of an hour", "response", 900),
];
/// Who answers, and of which team.
const AGENTS: [(&str, &str); 4] =
    [("Ana Ruiz", "Denver"), ("Ben Okafor", "Denver"), ("Chloe Lam", "Austin"), ("Dev Patel", "Austin")];
/// Between two answers.
const EVERY: Duration = Duration::from_secs(1);
/// Leads among which the next one to answer is looked for: those that are left to run out stand before it until they have.
const LOOKED_AT: usize = 1_000;
const ACTOR: &str = "operator";

/// Makes the promises once, before the first lead comes; a second start finds them.
pub(super) async fn ensure(app: &App, tenant: TenantId) -> Result<(), Failure> {
    let mut tx = app.begin(tenant, Mode::ReadOnly).await?;
    let known = policies::list(tx.connection(), tenant).await?;
    drop(tx);
    if !known.is_empty() {
        return Ok(());
    }
    for (name, clock, target_s) in PROMISES {
        let draft = Draft {
            conditions: Conditions::default(),
            target_s,
            at_risk_percent: 80,
            calendar: None,
            pause_reasons: vec!["Waits for the customer".to_owned()],
        };
        let new = NewPolicy {
            name: name.to_owned(),
            clock: clock.to_owned(),
            starts_with: None,
            stops_with: None,
            place: 0,
            draft,
        };
        policies::create(app, tenant, new, ACTOR).await?;
    }
    let setting = Setting {
        clock: "response".to_owned(),
        threshold_percent: 80,
        window_minutes: 24 * 60,
        clocks_min: 10,
        booking_url: None,
    };
    escalation::set(app, tenant, setting).await?;
    Ok(())
}

/// Answers one lead after the other, the most urgent first, until told to stop; every third one is left to run out.
pub(super) async fn answer(app: Arc<App>, tenant: TenantId, stop: CancellationToken) {
    let mut answered = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match answer_one(&app, tenant, answered).await {
            Ok(true) => answered += 1,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the demo's people could not answer"
                );
            }
        }
    }
}

async fn answer_one(app: &App, tenant: TenantId, answered: usize) -> Result<bool, service::Error> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let filter = ClockFilter { clock: "response".to_owned(), ..ClockFilter::default() };
    let waiting = reads::open(&tx, &filter, None, &ClockPage::first(LOOKED_AT), app.clock.now()).await?;
    drop(tx);
    let Some(clock) = waiting.iter().find(|clock| clock.lead_id.as_bytes()[15] % 3 != 0) else {
        return Ok(false);
    };
    let (agent, team) = AGENTS[answered % AGENTS.len()];
    let contact = Contact {
        lead: LeadId(clock.lead_id),
        at: None,
        agent: Some(agent.to_owned()),
        team: Some(team.to_owned()),
        note: None,
    };
    contact::record(app, tenant, contact, ACTOR).await
}
