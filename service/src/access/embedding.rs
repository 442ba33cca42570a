//! Who may show Baton's pages in a frame: the tenant's list of origins, and nobody else; and the CRMs whose signed frames
//! are taken as proof of the person, with what they sign with.

use domain::ids::TenantId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tenants::{FrameProof, FrameProofKind, LinkAddress};

use super::links::find;
use super::{Viewer, audit};
use crate::App;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// The longest secret of a CRM.
const SECRET_BYTES_MAX: usize = 4_000;

/// The value of `frame-ancestors` for a link: the tenant's list, or nobody for what is no link.
pub async fn frame_ancestors(app: &App, token: &str) -> Result<String, Error> {
    let Ok(address) = token.parse::<LinkAddress>() else { return Ok("'none'".to_owned()) };
    match find(app, &address).await {
        Ok((database, _)) => {
            // The dashboard itself shows a link in a frame, as a preview.
            let mut origins = vec!["'self'".to_owned()];
            origins.extend(database.frame_ancestors().await?);
            Ok(origins.join(" "))
        }
        Err(Error::NotFound { .. }) => Ok("'none'".to_owned()),
        Err(other) => Err(other),
    }
}

/// The origins that may show links in a frame.
pub async fn ancestors(app: &App, tenant: TenantId) -> Result<Vec<String>, Error> {
    Ok(app.tenants.open(tenant).await?.frame_ancestors().await?)
}

/// Sets them: `https://crm.example.com`, or `https://*.example.com` for all below it.
pub async fn set_ancestors(app: &App, viewer: &Viewer, origins: Vec<String>) -> Result<Vec<String>, Error> {
    let insecure = app.settings.allow_private_addresses;
    let checked: Option<Vec<String>> = origins.iter().map(|origin| ancestor(origin, insecure)).collect();
    let checked = checked.ok_or_else(|| {
        Error::invalid(
            "ancestors",
            "each must be an origin such as https://app.example.com or https://*.example.com, without a path",
        )
    })?;
    let database = app.tenants.open(viewer.tenant).await?;
    database.set_frame_ancestors(checked, app.clock.now()).await?;
    let set = database.frame_ancestors().await?;
    let detail = json!({ "origins": set });
    audit(app, viewer.tenant, viewer.actor, "frame.ancestors_set", viewer.tenant, detail).await?;
    Ok(set)
}

/// An origin as a security policy writes it. Whatever could end the policy's directive is no part of one.
fn ancestor(text: &str, insecure: bool) -> Option<String> {
    let text = text.trim().trim_end_matches('/').to_lowercase();
    let rest = match text.split_once("://")? {
        ("https", rest) => rest,
        ("http", rest) if insecure => rest,
        _ => return None,
    };
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let named = host.strip_prefix("*.").unwrap_or(host);
    // A wildcard over a whole top-level domain would let everybody in.
    let deep_enough = host == named || named.contains('.');
    let labels_fit = named
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (deep_enough && labels_fit && port_fits && text.len() <= 300).then_some(text)
}

/// The CRMs whose signed frames are taken, without their secrets.
pub async fn proofs(app: &App, tenant: TenantId) -> Result<Vec<FrameProof>, Error> {
    Ok(app.tenants.open(tenant).await?.frame_proofs().await?)
}

/// Takes a CRM's signed frames from now on, or, without a secret, no more.
pub async fn set_proof(
    app: &App,
    viewer: &Viewer,
    kind: FrameProofKind,
    secret: Option<SecretString>,
    audience: Option<String>,
) -> Result<(), Error> {
    let tenant = viewer.tenant;
    let audience = audience.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if audience.as_ref().is_some_and(|text| text.len() > 300) {
        return Err(Error::invalid("audience", "the account must have at most 300 characters"));
    }
    let database = app.tenants.open(tenant).await?;
    let mut changed = false;
    let proof = match secret {
        Some(secret) => {
            let length = secret.expose_secret().trim().len();
            if !(8..=SECRET_BYTES_MAX).contains(&length) {
                return Err(Error::invalid("secret", "the secret must have 8 to 4000 characters"));
            }
            if kind == FrameProofKind::Zendesk && audience.is_none() {
                return Err(Error::invalid(
                    "audience",
                    "Zendesk signs for an installation: its address is needed, as in https://acme.zendesk.com/api/v2/apps/installations/7.json",
                ));
            }
            let context = Context::of_row(tenant, tenant.uuid(), Purpose::FrameProof(kind.as_str()));
            changed = is_another(app, &database, kind, context, secret.expose_secret().trim()).await?;
            let secret_sealed = app.secrets.seal(context, secret.expose_secret().trim());
            Some(FrameProof { kind, secret_sealed, audience })
        }
        None => None,
    };
    let taken = proof.is_some();
    database.set_frame_proof(kind, proof, app.clock.now()).await?;
    if changed {
        database.forget_proofs(kind).await?;
    }
    audit(app, tenant, viewer.actor, "frame.proof_set", kind.as_str(), json!({ "taken": taken })).await?;
    Ok(())
}

/// Whether that is another secret than the CRM's until now. Where nobody can say, because there is none or no key opens it any
/// more, what was spent stays spent.
async fn is_another(
    app: &App,
    database: &tenants::Tenant,
    kind: FrameProofKind,
    context: Context,
    secret: &str,
) -> Result<bool, Error> {
    let former = database.frame_proofs().await?.into_iter().find(|proof| proof.kind == kind);
    Ok(former.is_some_and(|former| {
        let plain = app.secrets.open(context, &former.secret_sealed);
        plain.is_ok_and(|plain| plain.expose_secret() != secret)
    }))
}

/// Seals anew what an older key has sealed; says how many secrets those were.
pub(crate) async fn reseal(app: &App, tenant: TenantId) -> Result<u64, Error> {
    let database = app.tenants.open(tenant).await?;
    let mut count = 0;
    for proof in database.frame_proofs().await? {
        if app.secrets.is_current(&proof.secret_sealed) {
            continue;
        }
        let kind = proof.kind;
        let context = Context::of_row(tenant, tenant.uuid(), Purpose::FrameProof(kind.as_str()));
        let plain = app.secrets.open(context, &proof.secret_sealed);
        let plain = plain.map_err(|error| Error::internal("opening a CRM's secret", error))?;
        let secret_sealed = app.secrets.seal(context, plain.expose_secret());
        let anew = FrameProof { secret_sealed, ..proof };
        database.set_frame_proof(kind, Some(anew), app.clock.now()).await?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_origin_and_nothing_that_widens_the_policy() {
        for (text, wanted) in [
            ("https://app.getbonzo.com", Some("https://app.getbonzo.com")),
            (" HTTPS://App.GetBonzo.com/ ", Some("https://app.getbonzo.com")),
            ("https://*.getbonzo.com", Some("https://*.getbonzo.com")),
            ("https://crm.example.com:8443", Some("https://crm.example.com:8443")),
            ("https://*.com", None),
            ("https://*", None),
            ("*", None),
            ("https:", None),
            ("'self'", None),
            ("http://crm.example.com", None),
            ("https://a.example/x", None),
            ("https://a.example; script-src *", None),
            ("https://a.example https://b.example", None),
            ("https://a.example:99999", None),
            ("https://user@a.example", None),
        ] {
            assert_eq!(ancestor(text, false).as_deref(), wanted, "{text}");
        }
        assert_eq!(ancestor("http://localhost:3000", true).as_deref(), Some("http://localhost:3000"));
    }
}
