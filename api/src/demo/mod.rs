//! `baton demo`: everything at work, with nothing to set up and nothing of the outside touched.
//!
//! A data folder of its own with a private Postgres, a tenant, an admin, three sources with sample files, and a CRM that
//! behaves as Bonzo does, in the same process. Everything is made once: a second start finds it and imports nothing twice.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use domain::ids::{DestinationId, TenantId};
use secrecy::SecretString;
use service::App;
use service::access::{self, NewTenant};
use service::database::Mode;
use service::delivery::manage::{self, DestinationChange, NewDestination};
use tokio_util::sync::CancellationToken;

use crate::cli::{Done, Failure, Output, Style, close, open_on};
use crate::config::Config;
use crate::{edge, serve};

mod billing;
pub mod crm;
mod samples;
mod service_levels;
mod sign_in;
mod summary;

use crm::DemoCrm;
use sign_in::SignIn;
use summary::Summary;

/// Where the demo keeps its data unless told otherwise.
pub(crate) const FOLDER: &str = "./data-demo";
/// The tenant.
const TENANT: &str = "acme";
/// The destination.
const DESTINATION: &str = "bonzo";
/// `--once` gives up after this long.
const ONCE_LIMIT: Duration = Duration::from_mins(5);

/// What `baton demo` takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Arguments {
    /// Print a summary once every lead is delivered or explained, and end.
    #[arg(long)]
    once: bool,
}

/// Shows everything at work.
pub(crate) async fn run(mut config: Config, output: Output, arguments: Arguments) -> Result<Done, Failure> {
    adapt(&mut config);
    let listener = if arguments.once { None } else { Some(listen(&mut config).await?) };
    let data_dir = config.data_dir.clone();
    fs::create_dir_all(&data_dir)
        .map_err(|error| Failure::failed(format!("making the folder {}", data_dir.display()), error))?;
    // An environment that names a server is meant for real data.
    let database = service::database::Settings {
        pool: config.database.pool(),
        ..service::database::Settings::private(&data_dir)
    };
    Output::note("Starting the demo's own Postgres …");
    let app = open_on(&database, app_settings(&config)).await?;
    let stop = serve::stop_token();
    let done = show(&app, &config, output, listener, &stop).await;
    stop.cancel();
    close(&app).await?;
    done
}

/// Short pauses, so that a person sees retries happen; the demo CRM is on this machine.
fn adapt(config: &mut Config) {
    config.delivery.allow_private_addresses = true;
    config.delivery.deadline_ms = 2_000;
    config.delivery.poll_ms = 200;
    config.delivery.attempts_max = 6;
    config.delivery.retry_delays_s = vec![1, 2, 4];
    config.delivery.stop_limit_ms = 3_000;
}

/// Servers and keys that the operator has set are meant for real data, too: mail, the bucket, the tenants' databases and the
/// sealing key are as they are where nothing is set, whether it was set by a file or by the environment.
fn app_settings(config: &Config) -> service::app::Settings {
    let service::app::Settings { mail, storage, secrets, tenants_server, .. } =
        service::app::Settings::below(&config.data_dir);
    service::app::Settings { mail, storage, secrets, tenants_server, ..config.app_settings() }
}

/// The configured port, or a free one when somebody has it.
async fn listen(config: &mut Config) -> Result<tokio::net::TcpListener, Failure> {
    let mut wanted = config.http.address()?;
    let listener = if let Ok(listener) = serve::bind(wanted).await {
        listener
    } else {
        wanted.set_port(0);
        serve::bind(wanted).await?
    };
    let address =
        listener.local_addr().map_err(|error| Failure::failed("reading the server's port", error))?;
    config.http.listen = address.to_string();
    Ok(listener)
}

async fn show(
    app: &Arc<App>,
    config: &Config,
    output: Output,
    listener: Option<tokio::net::TcpListener>,
    stop: &CancellationToken,
) -> Result<Done, Failure> {
    let silence = Duration::from_millis(config.delivery.deadline_ms * 2);
    let settings = crm::Settings { silence, retry_after_s: 1, ..crm::Settings::default() };
    let journal = config.data_dir.join("demo-crm.journal");
    let crm = DemoCrm::start(0, settings, Some(&journal))
        .await
        .map_err(|error| Failure::failed("starting the demo CRM", error))?;
    let tenant = tenant(app).await?;
    let sign_in = SignIn::ensure(app, tenant, &config.data_dir).await?;
    destination(app, tenant, &crm).await?;
    billing::ensure(app, tenant).await?;
    service_levels::ensure(app, tenant).await?;
    let workers = serve::workers(app, stop)?;
    let router = edge::router(Arc::clone(app), &config.http)?;
    let server = listener.map(|listener| {
        let (http, stop) = (config.http.clone(), stop.clone());
        tokio::spawn(async move { serve::serve(listener, router, &http, stop).await })
    });
    let imported = samples::import(app, tenant, &config.data_dir, stop).await?;
    if imported == 0 {
        Output::note("The samples were imported before; nothing is imported twice.");
    }
    let done = if let Some(server) = server {
        welcome(config, &sign_in, &crm);
        let people = tokio::spawn(service_levels::answer(Arc::clone(app), tenant, stop.clone()));
        stop.cancelled().await;
        // They end by themselves.
        let _ = people.await;
        // It ends by itself, within its limit.
        let _ = server.await;
        Done::Well
    } else {
        once(app, tenant, output, &crm, stop).await?
    };
    stop.cancel();
    workers.join_all().await;
    Ok(done)
}

/// Waits until nothing is pending, then tells what came of everything.
async fn once(
    app: &App,
    tenant: TenantId,
    output: Output,
    crm: &DemoCrm,
    stop: &CancellationToken,
) -> Result<Done, Failure> {
    let limit = tokio::time::Instant::now() + ONCE_LIMIT;
    let mut summary = Summary::read(app, tenant, crm).await?;
    while summary.pending() > 0 && tokio::time::Instant::now() < limit && !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        summary = Summary::read(app, tenant, crm).await?;
    }
    match output.style() {
        Style::Json => Output::json(&summary)?,
        Style::Table | Style::Csv => Output::text(&summary.text()?)?,
    }
    Ok(if summary.complete() { Done::Well } else { Done::Badly })
}

fn welcome(config: &Config, sign_in: &SignIn, crm: &DemoCrm) {
    Output::note(&format!(
        "\nBaton is running.\n\n  Dashboard   {}\n  Tenant      {TENANT}\n  E-mail      {}\n  Password    {}\n\n  \
         Demo CRM    {}\n  Data        {}\n\nCtrl-C ends it; the data stays for the next time.\n",
        config.http.public_url(),
        sign_in.email,
        sign_in.password,
        crm.received_url(),
        config.data_dir.display(),
    ));
}

async fn tenant(app: &App) -> Result<TenantId, Failure> {
    if let Some(tenant) = access::tenant_of_slug(app, TENANT).await? {
        return Ok(tenant);
    }
    let new = NewTenant {
        slug: TENANT.to_owned(),
        name: Some("Acme Lending".to_owned()),
        time_zone: Some("America/Denver".to_owned()),
    };
    Ok(TenantId(access::create_tenant(app, new).await?.id))
}

/// The demo CRM as the tenant's destination; its port is another one at each start.
async fn destination(app: &App, tenant: TenantId, crm: &DemoCrm) -> Result<(), Failure> {
    let tx = app.begin(tenant, Mode::ReadOnly).await?;
    let known = manage::by_slug(&tx, DESTINATION).await;
    drop(tx);
    let url = SecretString::from(crm.url());
    match known {
        Ok(row) => {
            let change = DestinationChange { url: Some(url), ..DestinationChange::default() };
            manage::update(app, tenant, DestinationId(row.id), change).await?;
        }
        Err(service::Error::NotFound { .. }) => {
            let new = NewDestination {
                slug: DESTINATION.to_owned(),
                name: Some("Bonzo (demo)".to_owned()),
                kind: "bonzo".to_owned(),
                url,
                first_name_fallback: None,
                settings: None,
                credentials: std::collections::BTreeMap::new(),
            };
            manage::create(app, tenant, new).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_the_operator_has_set_up_is_used() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"
            [tenants]
            url = "https://{tenant}.db.example.com"
            token = "0123"
            [storage]
            s3_bucket = "reports"
            [mail]
            host = "mx.example.com"
            from = "Baton <baton@example.com>"
            [secrets]
            key_file = "/etc/baton/keys"
            [jobs]
            at_once = 7
        "#;
        fs::write(file.path(), text).expect("written");
        let config = Config::load(Some(file.path()), None).expect("a configuration");
        let outside = |settings: &service::app::Settings| {
            [
                settings.tenants_server.is_some(),
                settings.storage.s3.is_some(),
                settings.mail.host.is_some(),
                settings.secrets.key_file.is_some(),
            ]
        };
        assert_eq!(outside(&config.app_settings()), [true; 4]);
        let settings = app_settings(&config);
        assert_eq!(outside(&settings), [false; 4]);
        assert_eq!(settings.jobs_at_once, 7, "the rest is the operator's");
    }
}
