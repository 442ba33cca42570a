//! Another tenant's ids, for every field that takes one: they are not there.

use serde_json::{Value, json};

use crate::rival::{Billing, Ids, ids};
use crate::world::World;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one call of each field")]
async fn another_tenants_things_are_not_there_for_any_field() {
    let world = World::new().await;
    let theirs = ids(&world).await;
    let (source, destination) = (&world.rival.source, &world.rival.destination);
    let Ids {
        run,
        difference,
        lead,
        delivery,
        failed,
        import,
        user,
        team,
        key,
        invitation,
        calendar,
        policy,
        case,
        booking,
        billing,
    } = &theirs;
    let [billing_absent, billing_nothing, billing_unknown, billing_refused] =
        billing_documents(billing, lead);
    let absent = [
        format!("{{ it: lead(id: \"{lead}\") {{ id }} }}"),
        format!("{{ it: source(id: \"{source}\") {{ id }} }}"),
        format!("{{ it: import(id: \"{import}\") {{ id }} }}"),
        format!("{{ it: failedRecord(id: \"{failed}\") {{ id }} }}"),
        format!("{{ it: destination(id: \"{destination}\") {{ id }} }}"),
        format!("{{ it: delivery(id: \"{delivery}\") {{ id }} }}"),
        format!("{{ it: differenceHistory(id: \"{difference}\") {{ at }} }}"),
        format!("{{ it: differenceStanding(destinationId: \"{destination}\") {{ open }} }}"),
        format!("{{ it: reconciliation(id: \"{run}\") {{ id }} }}"),
        format!("{{ it: reconciliationPlan(destinationId: \"{destination}\") {{ mapping }} }}"),
        format!("{{ it: slaPolicy(id: \"{policy}\") {{ id }} }}"),
        format!("{{ it: slaClocks(lead: \"{lead}\") {{ clock }} }}"),
    ];
    let since = "since: \"2026-11-01T00:00:00Z\"";
    let theirs_alone = format!("filter: {{ clock: \"response\", sourceIds: [\"{source}\"] }}");
    let nothing = [
        (
            format!("{{ it: slaAdherence({since}, {theirs_alone}) {{ total {{ total }} rows {{ key }} }} }}"),
            json!({ "total": { "total": 0 }, "rows": [] }),
        ),
        (format!("{{ it: slaOpenClocks({theirs_alone}) {{ leadId }} }}"), json!([])),
        (format!("{{ it: slaBreaches({since}, {theirs_alone}) {{ leadId }} }}"), json!([])),
        (format!("{{ it: slaHeatMap({since}, {theirs_alone}) {{ hour }} }}"), json!([])),
        (format!("{{ it: slaPerformance({since}, {theirs_alone}) {{ name }} }}"), json!([])),
        (
            format!("{{ it: slaSources({since}, {theirs_alone}) {{ received before {{ received }} }} }}"),
            json!([]),
        ),
        (
            format!("{{ it: slaNow({theirs_alone}) {{ running openCases }} }}"),
            json!({ "running": 0, "openCases": 0 }),
        ),
    ];
    let empty = [
        format!("{{ it: leads(filter: {{ sourceIds: [\"{source}\"] }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: leads(filter: {{ importId: \"{import}\" }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: imports(filter: {{ sourceIds: [\"{source}\"] }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: failedRecords(filter: {{ importId: \"{import}\" }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: failedRecords(filter: {{ sourceIds: [\"{source}\"] }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: deliveries(filter: {{ leadId: \"{lead}\" }}) {{ nodes {{ id }} }} }}"),
        format!("{{ it: reconciliations(destinationId: \"{destination}\") {{ nodes {{ id }} }} }}"),
        format!("{{ it: differences(filter: {{ reconciliationId: \"{run}\" }}) {{ nodes {{ id }} }} }}"),
        format!(
            "{{ it: deliveries(filter: {{ destinationIds: [\"{destination}\"] }}) {{ nodes {{ id }} }} }}"
        ),
    ];
    let unknown = [
        format!(
            "mutation {{ it: updateSource(input: {{ id: \"{source}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: createSourceToken(source: \"{source}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: updateDestination(input: {{ id: \"{destination}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: submitLead(input: {{ source: \"{source}\", record: {{}} }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: correctFailedRecord(input: {{ id: \"{failed}\", values: [] }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: dismissFailedRecord(id: \"{failed}\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: cancelImport(id: \"{import}\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: retryDelivery(id: \"{delivery}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: changeReconciliationPlan(input: {{ destinationId: \"{destination}\" }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: resendDifferences(input: {{ ids: [\"{difference}\"] }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: proveDifferences(destinationId: \"{destination}\") {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: decideDifference(input: {{ id: \"{difference}\", decision: REOPEN }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: startReconciliation(input: {{ destinationId: \"{destination}\" }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: revokeInvitation(id: \"{invitation}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: updateUser(input: {{ id: \"{user}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: resetPassword(user: \"{user}\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: endSessions(user: \"{user}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: updateTeam(input: {{ id: \"{team}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: removeTeam(id: \"{team}\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: revokeApiKey(id: \"{key}\") {{ error {{ code }} }} }}"),
        // A partner is not looked up here: its id narrows what row-level security lets its user see of the own tenant.
        "mutation { it: inviteUser(input: { email: \"not an address\", role: AGENT }) { error { code } } }"
            .to_owned(),
        format!(
            "mutation {{ it: updateSlaCalendar(id: \"{calendar}\", input: {{ name: \"X\", timeZone: \"UTC\", windows: [{{ weekday: 1, from: \"09:00\", until: \"10:00\" }}] }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: createSlaPolicy(input: {{ name: \"X\", clock: \"response\", draft: {{ targetSeconds: 60, calendarId: \"{calendar}\" }} }}) {{ error {{ code }} }} }}"
        ),
        format!(
            "mutation {{ it: updateSlaPolicy(input: {{ id: \"{policy}\", name: \"X\" }}) {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: recordContact(input: {{ leadId: \"{lead}\" }}) {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: pauseSlaClock(lead: \"{lead}\", clock: \"response\") {{ error {{ code }} }} }}"
        ),
        format!("mutation {{ it: closeSlaCase(id: \"{case}\", reason: \"X\") {{ error {{ code }} }} }}"),
        format!("mutation {{ it: bookSlaHelp(case: \"{case}\") {{ error {{ code }} }} }}"),
        format!(
            "mutation {{ it: moveSlaBooking(id: \"{booking}\", state: CONFIRMED) {{ error {{ code }} }} }}"
        ),
    ];
    let refused = [
        format!("mutation {{ it: retryAllFailed(destination: \"{destination}\") {{ retried }} }}"),
        format!(
            "{{ it: deliveryStatistics(since: \"2026-11-20T00:00:00Z\", destination: \"{destination}\") {{ total }} }}"
        ),
        format!(
            "{{ it: slaPreview(draft: {{ targetSeconds: 60, calendarId: \"{calendar}\" }}, startsAt: \"2026-11-20T00:00:00Z\") {{ dueAt }} }}"
        ),
        format!("{{ it: slaWhatIf(policy: \"{policy}\", version: 1, {since}) {{ clocks }} }}"),
    ];
    let absent = [&absent[..], &billing_absent].concat();
    let billing_nothing = billing_nothing.into_iter().map(|document| (document, json!([])));
    let nothing: Vec<(String, Value)> = nothing.into_iter().chain(billing_nothing).collect();
    let unknown = [&unknown[..], &billing_unknown].concat();
    let refused = [&refused[..], &billing_refused].concat();
    let admin = &world.acme.admin;
    for document in &absent {
        let own = world.data(&world.rival.admin, document, Value::Null).await;
        assert_ne!(own["it"], Value::Null, "{document}");
        assert_eq!(world.data(admin, document, Value::Null).await["it"], Value::Null, "{document}");
    }
    for document in &empty {
        assert_eq!(world.data(admin, document, Value::Null).await["it"]["nodes"], json!([]), "{document}");
    }
    for document in &unknown {
        let code = if document.contains("inviteUser") { "BAD_USER_INPUT" } else { "NOT_FOUND" };
        assert_eq!(world.data(admin, document, Value::Null).await["it"]["error"]["code"], code, "{document}");
    }
    for document in &refused {
        assert_eq!(world.code(admin, document, Value::Null).await, "NOT_FOUND", "{document}");
    }
    for (document, expected) in &nothing {
        assert_eq!(world.data(admin, document, Value::Null).await["it"], *expected, "{document}");
    }
    assert_eq!(
        world.data(admin, "{ leads { nodes { id } totalCount } }", Value::Null).await["leads"],
        json!({ "nodes": [], "totalCount": 0 })
    );
}

/// What is asked with the ids of another tenant's billing: absent, an empty list, unknown in the payload, refused.
fn billing_documents(billing: &Billing, lead: &str) -> [Vec<String>; 4] {
    const SPEC: &str = "{ currency: \"USD\", levels: [{ name: \"A\", price: \"1\" }], lead_types: [{ name: \"B\" }], action_types: [\"C\"] }";
    let Billing { plan, partner, report, link } = billing;
    let query = |text: String| format!("{{ it: {text} }}");
    let change = |text: String| format!("mutation {{ it: {text} {{ error {{ code }} }} }}");
    let absent = vec![
        query(format!("partner(id: \"{partner}\") {{ id }}")),
        query(format!("ratePlan(id: \"{plan}\") {{ id }}")),
        query(format!("billingReport(id: \"{report}\") {{ id }}")),
    ];
    let nothing = vec![
        query(format!("billingReports(partner: \"{partner}\") {{ id }}")),
        query(format!("leadBilling(lead: \"{lead}\") {{ line }}")),
    ];
    let unknown = vec![
        change(format!(
            "createPartner(input: {{ slug: \"p\", email: \"a@b.example\", ratePlan: \"{plan}\" }})"
        )),
        change(format!("updatePartner(input: {{ id: \"{partner}\", name: \"X\" }})")),
        change(format!(
            "addRatePlanVersion(input: {{ ratePlan: \"{plan}\", effectiveFrom: \"2026-01-01\", spec: {SPEC} }})"
        )),
        change(format!("recordActions(partner: \"{partner}\", actions: [])")),
        change(format!("closeBillingPeriod(partner: \"{partner}\", period: \"2026-09\")")),
        change(format!("reissueBillingReport(report: \"{report}\", reason: \"x\")")),
        change(format!("voidBillingReport(report: \"{report}\", reason: \"x\")")),
        change(format!("createReportLink(report: \"{report}\", format: CSV, minutes: 5)")),
        change(format!("revokeReportLink(id: \"{link}\")")),
    ];
    let refused = vec![
        query(format!("billingDraft(partner: \"{partner}\", period: \"2026-10\") {{ over }}")),
        query(format!(
            "billingWhatIf(partner: \"{partner}\", period: \"2026-10\", spec: {SPEC}) {{ difference }}"
        )),
        query(format!("billingTrend(partner: \"{partner}\") {{ id }}")),
        query(format!("billingDifference(before: \"{report}\", after: \"{report}\") {{ changed }}")),
    ];
    [absent, nothing, unknown, refused]
}
