//! What is changed of billing. Expected outcomes are data of the payload.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::NaiveDate;
use domain::ids::{BillingReportId, PartnerId, RatePlanId, ReportLinkId};
use entity::billing_report;
use secrecy::ExposeSecret as _;
use service::access;
use service::billing::catalog::{self, NewPartner, PartnerChange};
use service::billing::record::{self, RawAction, Recorded};
use service::billing::{links, reports};
use service::database::Mode;

use super::catalog::{Partner, Product, RatePlan};
use super::queries::with_partners;
use super::report::{BillingReport, ReportLink};
use super::types::{ReportFormat, period};
use crate::graphql::error::{ApiError, UserError, expected};
use crate::graphql::id::Id;
use crate::graphql::operation::{Operation, operation};

#[derive(Default)]
pub struct BillingMutations;

#[derive(InputObject)]
struct CreatePartnerInput {
    slug: String,
    name: Option<String>,
    email: String,
    rate_plan: Id<RatePlanId>,
    /// The tenant's own when absent.
    time_zone: Option<String>,
    #[graphql(default)]
    closes_itself: bool,
}

#[derive(InputObject)]
struct UpdatePartnerInput {
    id: Id<PartnerId>,
    name: Option<String>,
    email: Option<String>,
    rate_plan: Option<Id<RatePlanId>>,
    closes_itself: Option<bool>,
}

#[derive(Default, SimpleObject)]
struct PartnerPayload {
    partner: Option<Partner>,
    error: Option<UserError>,
}

#[derive(InputObject)]
struct CreateProductInput {
    slug: String,
    name: Option<String>,
    description: Option<String>,
}

#[derive(Default, SimpleObject)]
struct CreateProductPayload {
    product: Option<Product>,
    error: Option<UserError>,
}

#[derive(InputObject)]
struct CreateRatePlanInput {
    slug: String,
    name: Option<String>,
    effective_from: NaiveDate,
    spec: serde_json::Value,
}

#[derive(InputObject)]
struct AddRatePlanVersionInput {
    rate_plan: Id<RatePlanId>,
    effective_from: NaiveDate,
    spec: serde_json::Value,
}

#[derive(Default, SimpleObject)]
struct RatePlanPayload {
    rate_plan: Option<RatePlan>,
    error: Option<UserError>,
}

/// An action as it is sent; every field is checked, and an entry's faults are its own.
#[derive(InputObject)]
struct ActionInput {
    /// Names the action within its partner; without one its content does.
    key: Option<String>,
    email: Option<String>,
    product: Option<String>,
    lead_type: Option<String>,
    action_type: Option<String>,
    level: Option<String>,
    /// RFC 3339, or a date and time of the partner's zone.
    occurred_at: Option<String>,
    lead: Option<ID>,
}

impl From<ActionInput> for RawAction {
    fn from(input: ActionInput) -> Self {
        Self {
            key: input.key,
            email: input.email,
            product: input.product,
            lead_type: input.lead_type,
            action_type: input.action_type,
            level: input.level,
            occurred_at: input.occurred_at,
            lead: input.lead.map(|id| id.0),
        }
    }
}

/// What became of an action.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
enum RecordOutcome {
    /// It is stored.
    Accepted,
    /// It was stored before.
    Repeated,
    /// It is not stored.
    Refused,
}

#[derive(SimpleObject)]
struct RecordedAction {
    outcome: RecordOutcome,
    id: Option<ID>,
    errors: Vec<UserError>,
}

impl From<Recorded> for RecordedAction {
    fn from(recorded: Recorded) -> Self {
        let (outcome, id, faults) = match recorded {
            Recorded::New(id) => (RecordOutcome::Accepted, Some(ID(id.to_string())), Vec::new()),
            Recorded::Repeated(id) => (RecordOutcome::Repeated, Some(ID(id.to_string())), Vec::new()),
            Recorded::Refused(faults) => (RecordOutcome::Refused, None, faults),
        };
        let error = |fault: record::Fault| UserError::new(Some(fault.field), fault.code, fault.message);
        Self { outcome, id, errors: faults.into_iter().map(error).collect() }
    }
}

#[derive(Default, SimpleObject)]
struct RecordActionsPayload {
    /// In the order of the input.
    actions: Vec<RecordedAction>,
    error: Option<UserError>,
}

#[derive(Default, SimpleObject)]
struct BillingReportPayload {
    report: Option<BillingReport>,
    error: Option<UserError>,
}

#[derive(Default, SimpleObject)]
struct CreateReportLinkPayload {
    link: Option<ReportLink>,
    /// The file's address on this server with the link's secret. Shown once.
    url: Option<String>,
    error: Option<UserError>,
}

#[derive(Default, SimpleObject)]
struct RevokeReportLinkPayload {
    link: Option<ReportLink>,
    error: Option<UserError>,
}

#[Object]
impl BillingMutations {
    async fn create_partner(
        &self,
        context: &Context<'_>,
        input: CreatePartnerInput,
    ) -> Result<PartnerPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let new = NewPartner {
            slug: input.slug,
            name: input.name,
            email: input.email,
            plan: input.rate_plan.0,
            time_zone: input.time_zone,
            closes_itself: input.closes_itself,
        };
        let made = operation.change(catalog::create_partner(&operation.app, tenant, new)).await;
        Ok(match expected(made)? {
            Ok(row) => {
                audit(operation, "partner.created", PartnerId(row.id)).await?;
                PartnerPayload { partner: Some(row.into()), error: None }
            }
            Err(error) => PartnerPayload { partner: None, error: Some(error) },
        })
    }

    async fn update_partner(
        &self,
        context: &Context<'_>,
        input: UpdatePartnerInput,
    ) -> Result<PartnerPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let change = PartnerChange {
            name: input.name,
            email: input.email,
            plan: input.rate_plan.map(|id| id.0),
            closes_itself: input.closes_itself,
        };
        let updated =
            operation.change(catalog::update_partner(&operation.app, tenant, input.id.0, change)).await;
        Ok(match expected(updated)? {
            Ok(row) => {
                audit(operation, "partner.updated", PartnerId(row.id)).await?;
                PartnerPayload { partner: Some(row.into()), error: None }
            }
            Err(error) => PartnerPayload { partner: None, error: Some(error) },
        })
    }

    async fn create_product(
        &self,
        context: &Context<'_>,
        input: CreateProductInput,
    ) -> Result<CreateProductPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let making =
            catalog::create_product(&operation.app, tenant, input.slug, input.name, input.description);
        Ok(match expected(operation.change(making).await)? {
            Ok(row) => CreateProductPayload { product: Some(row.into()), error: None },
            Err(error) => CreateProductPayload { product: None, error: Some(error) },
        })
    }

    async fn create_rate_plan(
        &self,
        context: &Context<'_>,
        input: CreateRatePlanInput,
    ) -> Result<RatePlanPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let by = viewer.actor.to_string();
        let making = async {
            let spec = catalog::read_spec(input.spec)?;
            let (slug, name, from) = (input.slug, input.name, input.effective_from);
            catalog::create_plan(&operation.app, viewer.tenant, slug, name, from, &spec, &by).await
        };
        match expected(operation.change(making).await)? {
            Ok(row) => {
                audit(operation, "rate_plan.created", RatePlanId(row.id)).await?;
                plan_payload(operation, RatePlanId(row.id)).await
            }
            Err(error) => Ok(RatePlanPayload { rate_plan: None, error: Some(error) }),
        }
    }

    /// A new version; closed reports keep theirs.
    async fn add_rate_plan_version(
        &self,
        context: &Context<'_>,
        input: AddRatePlanVersionInput,
    ) -> Result<RatePlanPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let by = viewer.actor.to_string();
        let plan = input.rate_plan.0;
        let adding = async {
            let tx = operation.app.begin(viewer.tenant, Mode::ReadOnly).await?;
            catalog::plan(&tx, plan).await?;
            drop(tx);
            let spec = catalog::read_spec(input.spec)?;
            catalog::add_version(&operation.app, viewer.tenant, plan, input.effective_from, &spec, &by).await
        };
        match expected(operation.change(adding).await)? {
            Ok(_) => {
                audit(operation, "rate_plan.version_added", plan).await?;
                plan_payload(operation, plan).await
            }
            Err(error) => Ok(RatePlanPayload { rate_plan: None, error: Some(error) }),
        }
    }

    /// Records actions of a partner, at most 5,000. A bad entry does not refuse the others, a repeated one changes nothing.
    async fn record_actions(
        &self,
        context: &Context<'_>,
        partner: Id<PartnerId>,
        actions: Vec<ActionInput>,
    ) -> Result<RecordActionsPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let actions = actions.into_iter().map(RawAction::from).collect();
        let recorded = operation.change(record::record(&operation.app, tenant, partner.0, actions)).await;
        Ok(match expected(recorded)? {
            Ok(answers) => RecordActionsPayload {
                actions: answers.into_iter().map(RecordedAction::from).collect(),
                error: None,
            },
            Err(error) => RecordActionsPayload { actions: Vec::new(), error: Some(error) },
        })
    }

    /// Closes a partner's period that is over. What the report says is never changed again.
    async fn close_billing_period(
        &self,
        context: &Context<'_>,
        partner: Id<PartnerId>,
        period: String,
    ) -> Result<BillingReportPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let (period, by) = (self::period(&period)?, viewer.actor.to_string());
        let closing = reports::close(&operation.app, viewer.tenant, partner.0, period, &by);
        report_payload(operation, "billing_report.closed", operation.change(Box::pin(closing)).await).await
    }

    /// Issues a report again with what is known now, as a new version.
    async fn reissue_billing_report(
        &self,
        context: &Context<'_>,
        report: Id<BillingReportId>,
        reason: String,
    ) -> Result<BillingReportPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let by = viewer.actor.to_string();
        let issuing = reports::reissue(&operation.app, viewer.tenant, report.0, &reason, &by);
        report_payload(operation, "billing_report.reissued", operation.change(Box::pin(issuing)).await).await
    }

    /// Takes a report back; its period can be closed anew.
    async fn void_billing_report(
        &self,
        context: &Context<'_>,
        report: Id<BillingReportId>,
        reason: String,
    ) -> Result<BillingReportPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let by = viewer.actor.to_string();
        let voiding = reports::void(&operation.app, viewer.tenant, report.0, &reason, &by);
        report_payload(operation, "billing_report.voided", operation.change(voiding).await).await
    }

    /// A link to one file for whoever has it: it lives 1 minute to 90 days.
    async fn create_report_link(
        &self,
        context: &Context<'_>,
        report: Id<BillingReportId>,
        format: ReportFormat,
        minutes: i32,
    ) -> Result<CreateReportLinkPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let by = viewer.actor.to_string();
        let format = service::billing::files::Format::from(format);
        let making = links::create(&operation.app, viewer.tenant, report.0, format, minutes.into(), &by);
        Ok(match expected(operation.change(making).await)? {
            Ok(made) => {
                audit(operation, "report_link.created", ReportLinkId(made.row.id)).await?;
                CreateReportLinkPayload {
                    url: Some(format!(
                        "/reports/{}/report.{}?link={}",
                        report.0,
                        format.as_str(),
                        made.secret.expose_secret()
                    )),
                    link: Some(ReportLink::of(made.row)?),
                    error: None,
                }
            }
            Err(error) => CreateReportLinkPayload { error: Some(error), ..Default::default() },
        })
    }

    async fn revoke_report_link(
        &self,
        context: &Context<'_>,
        id: Id<ReportLinkId>,
    ) -> Result<RevokeReportLinkPayload, ApiError> {
        let operation = operation(context)?;
        let tenant = operation.viewer()?.tenant;
        let revoked = operation.change(links::revoke(&operation.app, tenant, id.0)).await;
        Ok(match expected(revoked)? {
            Ok(row) => {
                audit(operation, "report_link.revoked", id.0).await?;
                RevokeReportLinkPayload { link: Some(ReportLink::of(row)?), error: None }
            }
            Err(error) => RevokeReportLinkPayload { link: None, error: Some(error) },
        })
    }
}

/// Tells the audit log, after what it tells of is durable.
async fn audit(
    operation: &Operation,
    action: &'static str,
    subject: impl std::fmt::Display,
) -> Result<(), ApiError> {
    let viewer = operation.viewer()?;
    let detail = serde_json::json!({});
    access::audit(&operation.app, viewer.tenant, viewer.actor, action, subject, detail).await?;
    Ok(())
}

async fn plan_payload(operation: &Operation, plan: RatePlanId) -> Result<RatePlanPayload, ApiError> {
    let reads = operation.read().await?;
    let row = catalog::plan(&reads, plan).await?;
    Ok(RatePlanPayload { rate_plan: Some(RatePlan::load(&reads, row).await?), error: None })
}

async fn report_payload(
    operation: &Operation,
    action: &'static str,
    issued: Result<billing_report::Model, service::Error>,
) -> Result<BillingReportPayload, ApiError> {
    match expected(issued)? {
        Ok(row) => {
            audit(operation, action, BillingReportId(row.id)).await?;
            let reads = operation.read().await?;
            let report = with_partners(&reads, vec![row]).await?.pop();
            Ok(BillingReportPayload { report, error: None })
        }
        Err(error) => Ok(BillingReportPayload { report: None, error: Some(error) }),
    }
}
