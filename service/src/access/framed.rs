//! Sessions that live in a frame: begun with a code from a window of its own ([`issue_code`], [`redeem_code`]), or with a
//! frame that the CRM has signed ([`prove`]).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::UserId;
use secrecy::{ExposeSecret, SecretString};
use tenants::{LinkAddress, ResourceLink, SessionLimits, SessionOrigin, StartedSession};

use super::frames::Signed;
use super::links::{find_living, own_address};
use super::{Actor, Viewer};
use crate::App;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// A code for the frame whose verifier has that SHA-256 (base64url): it carries the caller's sign-in there.
pub async fn issue_code(
    app: &App,
    viewer: &Viewer,
    token: &str,
    challenge: &str,
) -> Result<SecretString, Error> {
    let address = own_address(viewer, token)?;
    let Actor::User(user) = viewer.actor else {
        return Err(Error::Forbidden("only a person's sign-in is carried into a frame".into()));
    };
    let decoded = URL_SAFE_NO_PAD.decode(challenge).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let challenge =
        decoded.ok_or_else(|| Error::invalid("challenge", "the challenge must be a SHA-256 in base64url"))?;
    let (database, link) = find_living(app, &address).await?;
    Ok(database.issue_frame_code(link.id, user, challenge, app.clock.now()).await?)
}

/// Begins the session of a frame: the code from the window, the verifier from the frame.
pub async fn redeem_code(
    app: &App,
    token: &str,
    code: &SecretString,
    verifier: &SecretString,
) -> Result<StartedSession, Error> {
    let address: LinkAddress = token.parse()?;
    if code.expose_secret().len().max(verifier.expose_secret().len()) > 200 {
        return Err(tenants::Error::InvalidFlow.into());
    }
    let (database, link) = find_living(app, &address).await?;
    let user = database.redeem_frame_code(link.id, code, verifier, app.clock.now()).await?;
    start_session(app, &database, &link, user, "frame").await
}

/// Begins the session of a frame whose CRM vouches for the person, when the tenant takes that CRM's word.
pub async fn prove(app: &App, token: &str, signed: &Signed<'_>) -> Result<StartedSession, Error> {
    let address: LinkAddress = token.parse()?;
    let (database, link) = find_living(app, &address).await?;
    let kind = signed.kind();
    let proofs = database.frame_proofs().await?;
    let proof = proofs.into_iter().find(|proof| proof.kind == kind).ok_or_else(refused)?;
    let context = Context::of_row(address.tenant, address.tenant.uuid(), Purpose::FrameProof(kind.as_str()));
    let secret = app
        .secrets
        .open(context, &proof.secret_sealed)
        .map_err(|error| Error::internal("opening a CRM's secret", error))?;
    let now = app.clock.now();
    let proven = match signed.check(secret.expose_secret(), proof.audience.as_deref(), now) {
        Ok(proven) => proven,
        Err(fault) => {
            // Why is for the log: an attacker would learn from it.
            tracing::warn!(
                tenant.id = %address.tenant, link.id = %link.id, frame.kind = kind.as_str(), error = %fault,
                "a signed frame was refused"
            );
            return Err(refused());
        }
    };
    database.spend_proof(kind, signed.identity(), proven.expires_at, now).await?;
    let user = database.admit_by_email(&proven.email, now).await?;
    start_session(app, &database, &link, user.id, kind.as_str()).await
}

fn refused() -> Error {
    Error::Unauthenticated("the CRM's word on who you are is not accepted: sign in".into())
}

/// How long a frame stays signed in: a working day.
fn frame_limits() -> SessionLimits {
    SessionLimits { absolute: Duration::from_hours(10), ..SessionLimits::default() }
}

async fn start_session(
    app: &App,
    database: &tenants::Tenant,
    link: &ResourceLink,
    user: UserId,
    method: &str,
) -> Result<StartedSession, Error> {
    let origin = SessionOrigin { method: method.to_owned(), ..SessionOrigin::default() };
    let started = database.start_session_from(user, origin, frame_limits(), app.clock.now()).await?;
    database.bind_session(started.session.id, link.id).await?;
    Ok(started)
}
