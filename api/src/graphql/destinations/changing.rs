//! What changes of destinations: one is made, or made otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use domain::ids::DestinationId;
use secrecy::{ExposeSecret, SecretString};
use service::delivery::manage::{self, DestinationChange, NewDestination};

use super::{Destination, DestinationKind, changed};
use crate::graphql::error::{ApiError, UserError, expected};
use crate::graphql::id::Id;
use crate::graphql::operation::of_tenant;

#[derive(InputObject)]
struct CreateDestinationInput {
    slug: String,
    name: Option<String>,
    kind: DestinationKind,
    url: String,
    first_name_fallback: Option<String>,
    /// What differs from the profile of its kind, an object.
    settings: Option<serde_json::Value>,
    /// The secrets that its kind asks for.
    credentials: Option<Vec<CredentialInput>>,
}

/// A secret by its name.
#[derive(InputObject)]
struct CredentialInput {
    name: String,
    value: String,
}

fn credentials(given: Option<Vec<CredentialInput>>) -> BTreeMap<String, SecretString> {
    let given = given.into_iter().flatten();
    given.map(|credential| (credential.name, SecretString::from(credential.value))).collect()
}

#[derive(InputObject)]
struct UpdateDestinationInput {
    id: Id<DestinationId>,
    name: Option<String>,
    enabled: Option<bool>,
    url: Option<String>,
    first_name_fallback: Option<String>,
    clear_first_name_fallback: Option<bool>,
    /// Replaces what differs from the profile of its kind.
    settings: Option<serde_json::Value>,
    /// Replaces those of these names; the others stay.
    credentials: Option<Vec<CredentialInput>>,
}

#[derive(SimpleObject)]
struct CreateDestinationPayload {
    destination: Option<Arc<Destination>>,
    /// Of kind webhook: the signing secret, shown once.
    signing_secret: Option<String>,
    error: Option<UserError>,
}

#[derive(SimpleObject)]
struct UpdateDestinationPayload {
    destination: Option<Arc<Destination>>,
    error: Option<UserError>,
}

#[derive(Default)]
pub(in crate::graphql) struct DestinationMutations;

#[Object]
impl DestinationMutations {
    async fn create_destination(
        &self,
        context: &Context<'_>,
        input: CreateDestinationInput,
    ) -> Result<CreateDestinationPayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        let new = NewDestination {
            slug: input.slug,
            name: input.name,
            kind: domain::delivery::Kind::from(input.kind).as_str().to_owned(),
            url: SecretString::from(input.url),
            first_name_fallback: input.first_name_fallback,
            settings: input.settings,
            credentials: credentials(input.credentials),
        };
        let created = operation.change(manage::create(&operation.app, tenant, new)).await;
        let (row, secret) = match expected(created)? {
            Ok(created) => created,
            Err(error) => {
                return Ok(CreateDestinationPayload {
                    destination: None,
                    signing_secret: None,
                    error: Some(error),
                });
            }
        };
        Ok(CreateDestinationPayload {
            destination: changed(context, row).await?,
            signing_secret: secret.map(|secret| secret.expose_secret().to_owned()),
            error: None,
        })
    }

    async fn update_destination(
        &self,
        context: &Context<'_>,
        input: UpdateDestinationInput,
    ) -> Result<UpdateDestinationPayload, ApiError> {
        let (operation, tenant) = of_tenant(context)?;
        let clear = input.clear_first_name_fallback == Some(true);
        if clear && input.first_name_fallback.is_some() {
            return Err(ApiError::invalid(
                "input.clearFirstNameFallback",
                "give `firstNameFallback` or clear it, not both",
            ));
        }
        let change = DestinationChange {
            name: input.name,
            enabled: input.enabled,
            url: input.url.map(SecretString::from),
            first_name_fallback: if clear { Some(None) } else { input.first_name_fallback.map(Some) },
            settings: input.settings,
            credentials: credentials(input.credentials),
        };
        let updated = operation.change(manage::update(&operation.app, tenant, input.id.0, change)).await;
        Ok(match expected(updated)? {
            Ok(row) => UpdateDestinationPayload { destination: changed(context, row).await?, error: None },
            Err(error) => UpdateDestinationPayload { destination: None, error: Some(error) },
        })
    }
}
