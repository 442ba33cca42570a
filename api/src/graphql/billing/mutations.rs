//! What is changed of billing. Expected outcomes are data of the payload.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::NaiveDate;
use domain::ids::{BillingReportId, PartnerId, RatePlanId, ReportLinkId};
use entity::{billing_report, partner};
use secrecy::ExposeSecret as _;
use service::billing::partners::{self, NewPartner, PartnerChange};
use service::billing::record::{self, RawAction};
use service::billing::{announce, closing, links, plans, products, reports};
use service::database::Mode;

use super::catalog::{Partner, Product, RatePlan};
use super::queries::with_partners;
use super::recording::{ActionInput, RecordActionsPayload, RecordedAction};
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
        let viewer = operation.viewer()?;
        let new = NewPartner {
            slug: input.slug,
            name: input.name,
            email: input.email,
            plan: input.rate_plan.0,
            time_zone: input.time_zone,
            closes_itself: input.closes_itself,
        };
        let making = partners::create_partner(&operation.app, viewer.tenant, new, viewer.actor);
        partner_payload(operation.change(making).await)
    }

    async fn update_partner(
        &self,
        context: &Context<'_>,
        input: UpdatePartnerInput,
    ) -> Result<PartnerPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let change = PartnerChange {
            name: input.name,
            email: input.email,
            plan: input.rate_plan.map(|id| id.0),
            closes_itself: input.closes_itself,
        };
        let updating =
            partners::update_partner(&operation.app, viewer.tenant, input.id.0, change, viewer.actor);
        partner_payload(operation.change(updating).await)
    }

    async fn create_product(
        &self,
        context: &Context<'_>,
        input: CreateProductInput,
    ) -> Result<CreateProductPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let CreateProductInput { slug, name, description } = input;
        let making =
            products::create_product(&operation.app, viewer.tenant, slug, name, description, viewer.actor);
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
        let making = async {
            let spec = plans::read_spec(input.spec)?;
            let (slug, name, from) = (input.slug, input.name, input.effective_from);
            let made =
                plans::create_plan(&operation.app, viewer.tenant, slug, name, from, &spec, viewer.actor);
            Ok(RatePlanId(made.await?.id))
        };
        plan_payload(operation, operation.change(making).await).await
    }

    /// A new version; closed reports keep theirs.
    async fn add_rate_plan_version(
        &self,
        context: &Context<'_>,
        input: AddRatePlanVersionInput,
    ) -> Result<RatePlanPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let (plan, from) = (input.rate_plan.0, input.effective_from);
        let adding = async {
            let tx = operation.app.begin(viewer.tenant, Mode::ReadOnly).await?;
            plans::plan(&tx, plan).await?;
            drop(tx);
            let spec = plans::read_spec(input.spec)?;
            plans::add_version(&operation.app, viewer.tenant, plan, from, &spec, viewer.actor).await?;
            Ok(plan)
        };
        plan_payload(operation, operation.change(adding).await).await
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

    /// Closes a partner's period that is over. What the report says is never changed again. The partner is told by mail.
    async fn close_billing_period(
        &self,
        context: &Context<'_>,
        partner: Id<PartnerId>,
        period: String,
    ) -> Result<BillingReportPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let period = self::period(&period)?;
        let closing = closing::close(&operation.app, viewer.tenant, partner.0, period, viewer.actor);
        report_payload(operation, operation.change(Box::pin(closing)).await).await
    }

    /// Issues a report again with what is known now, as a new version. The partner is told by mail.
    async fn reissue_billing_report(
        &self,
        context: &Context<'_>,
        report: Id<BillingReportId>,
        reason: String,
    ) -> Result<BillingReportPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let issuing = closing::reissue(&operation.app, viewer.tenant, report.0, &reason, viewer.actor);
        report_payload(operation, operation.change(Box::pin(issuing)).await).await
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
        let voiding = closing::void(&operation.app, viewer.tenant, report.0, &reason, viewer.actor);
        report_payload(operation, operation.change(voiding).await).await
    }

    /// Tells the partner of a report that counts once more, at the address that it has now.
    async fn announce_billing_report(
        &self,
        context: &Context<'_>,
        report: Id<BillingReportId>,
    ) -> Result<BillingReportPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let telling = async {
            announce::again(&operation.app, viewer.tenant, report.0, viewer.actor).await?;
            let tx = operation.app.begin(viewer.tenant, Mode::ReadOnly).await?;
            reports::by_id(&tx, report.0).await
        };
        report_payload(operation, operation.change(telling).await).await
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
        let format = service::billing::files::Format::from(format);
        let making =
            links::create(&operation.app, viewer.tenant, report.0, format, minutes.into(), viewer.actor);
        Ok(match expected(operation.change(making).await)? {
            Ok(made) => CreateReportLinkPayload {
                url: Some(format!(
                    "/reports/{}/report.{}?link={}",
                    report.0,
                    format.as_str(),
                    made.secret.expose_secret()
                )),
                link: Some(ReportLink::of(made.row)?),
                error: None,
            },
            Err(error) => CreateReportLinkPayload { error: Some(error), ..Default::default() },
        })
    }

    async fn revoke_report_link(
        &self,
        context: &Context<'_>,
        id: Id<ReportLinkId>,
    ) -> Result<RevokeReportLinkPayload, ApiError> {
        let operation = operation(context)?;
        let viewer = operation.viewer()?;
        let revoking = links::revoke(&operation.app, viewer.tenant, id.0, viewer.actor);
        Ok(match expected(operation.change(revoking).await)? {
            Ok(row) => RevokeReportLinkPayload { link: Some(ReportLink::of(row)?), error: None },
            Err(error) => RevokeReportLinkPayload { link: None, error: Some(error) },
        })
    }
}

fn partner_payload(changed: Result<partner::Model, service::Error>) -> Result<PartnerPayload, ApiError> {
    Ok(match expected(changed)? {
        Ok(row) => PartnerPayload { partner: Some(row.into()), error: None },
        Err(error) => PartnerPayload { partner: None, error: Some(error) },
    })
}

async fn plan_payload(
    operation: &Operation,
    changed: Result<RatePlanId, service::Error>,
) -> Result<RatePlanPayload, ApiError> {
    match expected(changed)? {
        Ok(plan) => {
            let reads = operation.read().await?;
            let row = plans::plan(&reads, plan).await?;
            Ok(RatePlanPayload { rate_plan: Some(RatePlan::load(&reads, row).await?), error: None })
        }
        Err(error) => Ok(RatePlanPayload { rate_plan: None, error: Some(error) }),
    }
}

async fn report_payload(
    operation: &Operation,
    issued: Result<billing_report::Model, service::Error>,
) -> Result<BillingReportPayload, ApiError> {
    match expected(issued)? {
        Ok(row) => {
            let reads = operation.read().await?;
            let report = with_partners(&reads, vec![row]).await?.pop();
            Ok(BillingReportPayload { report, error: None })
        }
        Err(error) => Ok(BillingReportPayload { report: None, error: Some(error) }),
    }
}
