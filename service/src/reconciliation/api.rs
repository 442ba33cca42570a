//! Their API (Bonzo's v3 and what answers like it): the list page by page, and one record by its keys.
//!
//! `GET {base}/prospects?page=N&per_page=100` answers `{data: […], meta: {current_page, last_page}}`; `?search=` is fuzzy, so
//! a hit counts only when the rule finds the same key in it. A list that did not come to its end is no list: a run over
//! half of it would call the other half missing.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ids::TenantId;
use domain::intake::Regions;
use domain::reconciliation::{Mapping, Record, Table};
use entity::{destination, reconciliation_plan};
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::list::json_values;
use super::progress::Progress;
use crate::app::App;
use crate::delivery::address::{self, CheckingResolver};
use crate::delivery::manage;
use crate::error::Error;
use crate::secrets::{Context, Purpose};

/// Records a page; the most that the service gives.
const PER_PAGE: usize = 100;
/// Pages of one list at most.
const PAGES_MAX: usize = 200_000;
/// How much of a page is read, in bytes.
const PAGE_BYTES_MAX: usize = 8 << 20;
/// From connecting to the last byte of a page.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often one page is asked for.
const TRIES: u32 = 5;
/// The longest pause that the service may ask for.
const PAUSE_MAX: Duration = Duration::from_mins(2);

/// The API of a destination's service.
pub struct Api {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
    /// The first pause after a failure; doubled each time.
    pause: Duration,
    /// How often one answer is asked for.
    tries: u32,
}

impl Api {
    /// The API of a destination's service: the one that its plan names, else the one that its leads go to. None when it has none.
    pub fn of(
        app: &App,
        destination: &destination::Model,
        plan: &reconciliation_plan::Model,
    ) -> Result<Option<Self>, Error> {
        let access = match (&plan.api_url, &plan.api_token_sealed) {
            (Some(url), Some(sealed)) => {
                let tenant = TenantId(plan.tenant_id);
                let context = Context::of_row(tenant, plan.destination_id, Purpose::ApiToken);
                let token = app.secrets.open(context, sealed).map_err(|error| {
                    Error::Conflict(format!("the API token cannot be opened: {error}; set it again").into())
                })?;
                Some((SecretString::from(url.as_str()), token))
            }
            _ => manage::api_access(app, destination)?,
        };
        let Some((url, token)) = access else { return Ok(None) };
        let allow_private = app.settings.allow_private_addresses;
        let base = address::read_url(url.expose_secret(), allow_private)
            .map_err(|error| Error::invalid("apiUrl", error.to_string()))?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(DEADLINE)
            .dns_resolver(CheckingResolver { allow_private })
            .build()
            .map_err(|error| Error::internal("making an HTTP client", error))?;
        Ok(Some(Self { http, base, token, pause: app.settings.list_pause, tries: TRIES }))
    }

    /// The same, asked once: for who comes back later anyway.
    #[must_use]
    pub fn once_only(self) -> Self {
        Self { tries: 1, ..self }
    }

    /// The prospect of that id, as they write it; none when there is none.
    pub async fn prospect(&self, id: &str) -> Result<Option<Value>, Error> {
        let url = self.address(&format!("prospects/{}", segment(id)), &[])?;
        let body = self.get_or_absent(url).await?;
        Ok(body.map(|mut body| match body.get_mut("data") {
            Some(data) => data.take(),
            None => body,
        }))
    }

    /// Writes every record of that collection to a file, one JSON object a line. Answers how many.
    pub(super) async fn spool(&self, collection: &str, to: &Path, progress: &Progress) -> Result<u64, Error> {
        let failed = |error: std::io::Error| Error::internal("writing a list", error);
        let mut file = BufWriter::new(File::create(to).map_err(failed)?);
        let mut records = 0;
        self.pages(collection, &mut |items: &[Value]| {
            for item in items {
                serde_json::to_writer(&mut file, item).map_err(|error| failed(error.into()))?;
                file.write_all(b"\n").map_err(failed)?;
            }
            records += items.len() as u64;
            progress.add(items.len());
            Ok(())
        })
        .await?;
        file.flush().map_err(failed)?;
        Ok(records)
    }

    /// Every record of a small collection.
    pub async fn all(&self, collection: &str, most: usize) -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        self.pages(collection, &mut |items: &[Value]| {
            all.extend_from_slice(items);
            if all.len() > most {
                return Err(Error::Limit(format!("`{collection}` has more than {most} records").into()));
            }
            Ok(())
        })
        .await?;
        Ok(all)
    }

    async fn pages(
        &self,
        collection: &str,
        take: &mut (dyn FnMut(&[Value]) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let mut before = None;
        for page in 1..=PAGES_MAX {
            let url =
                self.address(collection, &[("page", page.to_string()), ("per_page", PER_PAGE.to_string())])?;
            let body = self.get(url).await?;
            let Some(Value::Array(items)) = body.get("data") else {
                return Err(refused(format!("page {page} of `{collection}` has no list `data`")));
            };
            if items.is_empty() {
                return Ok(());
            }
            let hash = Sha256::digest(body["data"].to_string());
            if before.replace(hash) == Some(hash) {
                return Err(refused(format!("page {page} of `{collection}` is page {} again", page - 1)));
            }
            take(items)?;
            // The last page that they name moves while we read; an empty page is the end in any case.
            let last = body.pointer("/meta/last_page").and_then(Value::as_u64);
            if last.is_some_and(|last| page as u64 >= last) {
                return Ok(());
            }
        }
        Err(Error::Limit(format!("`{collection}` has more than {PAGES_MAX} pages").into()))
    }

    /// The record that has one of these keys, strongest first.
    pub async fn find(&self, mapping: &Mapping, wanted: &Wanted) -> Result<Option<Record>, Error> {
        if let Some(id) = &wanted.remote_id
            && let Some(prospect) = self.prospect(id).await?
        {
            let found = read(mapping, &prospect);
            if found.as_ref().is_some_and(|record| record.remote_id.as_ref() == Some(id)) {
                return Ok(found);
            }
        }
        for (key, text) in wanted.searches() {
            let url = self.address("prospects", &[("search", text.to_owned())])?;
            let body = self.get(url).await?;
            let hits = body.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let is_it = |record: &Record| match key {
                "external_id" => {
                    record.external_key().as_deref()
                        == Some(domain::reconciliation::list::external_key(text).as_str())
                }
                "phone" => record.phone.as_deref() == Some(text),
                _ => record.email.as_deref() == Some(text),
            };
            if let Some(found) = hits.iter().filter_map(|hit| read(mapping, hit)).find(is_it) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn address(&self, path: &str, query: &[(&str, String)]) -> Result<Url, Error> {
        let text = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let mut url = Url::parse(&text).map_err(|error| Error::internal("building an address", error))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn get(&self, url: Url) -> Result<Value, Error> {
        self.get_or_absent(url).await?.ok_or_else(|| refused("it answers 404 to a list".to_owned()))
    }

    /// One answer, asked for again while that may help.
    async fn get_or_absent(&self, url: Url) -> Result<Option<Value>, Error> {
        let mut pause = self.pause;
        let mut tries = 1;
        loop {
            let reason = match self.once(url.clone()).await? {
                Got::Body(body) => return Ok(Some(body)),
                Got::Absent => return Ok(None),
                Got::Later { reason, after } => {
                    pause = after.unwrap_or(pause).min(PAUSE_MAX);
                    reason
                }
            };
            if tries >= self.tries {
                return Err(Error::Unavailable { what: "the CRM's API", source: reason.into() });
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            tries += 1;
        }
    }

    async fn once(&self, url: Url) -> Result<Got, Error> {
        let sent = self
            .http
            .get(url)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
            .send()
            .await;
        // The library's text holds the address and with it a lead's phone; its kind is enough.
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => {
                let kind = if error.is_timeout() { "it does not answer" } else { "it cannot be reached" };
                return Ok(Got::later(kind));
            }
        };
        let status = response.status();
        match status {
            StatusCode::NOT_FOUND => return Ok(Got::Absent),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(refused("it refuses the API token; set a new one".to_owned()));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let seconds =
                    response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                return Ok(Got::Later {
                    reason: "it asks to wait (429)".to_owned(),
                    after: seconds.map(Duration::from_secs),
                });
            }
            status if status.is_server_error() => {
                return Ok(Got::Later { reason: format!("it answers {}", status.as_u16()), after: None });
            }
            status if !status.is_success() => return Err(refused(format!("it answers {}", status.as_u16()))),
            _ => {}
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if body.len() + chunk.len() > PAGE_BYTES_MAX => {
                    return Err(refused(format!("a page has more than {PAGE_BYTES_MAX} bytes")));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(_) => return Ok(Got::later("its answer breaks off")),
            }
        }
        match serde_json::from_slice::<Value>(&body) {
            // Failure within a 200.
            Ok(body) if body.get("success") == Some(&Value::Bool(false)) => {
                Ok(Got::later("its answer says that it failed"))
            }
            Ok(body) => Ok(Got::Body(body)),
            Err(_) => Ok(Got::later("its answer is not JSON")),
        }
    }
}

enum Got {
    Body(Value),
    Absent,
    Later { reason: String, after: Option<Duration> },
}

impl Got {
    fn later(reason: &str) -> Self {
        Self::Later { reason: reason.to_owned(), after: None }
    }
}

/// What a record is looked up by.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Their id.
    pub remote_id: Option<String>,
    /// Our source's id.
    pub external_id: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Lower case.
    pub email: Option<String>,
}

impl Wanted {
    fn searches(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("external_id", &self.external_id), ("phone", &self.phone), ("email", &self.email)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }
}

fn segment(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}

fn read(mapping: &Mapping, item: &Value) -> Option<Record> {
    let values = json_values(&item.to_string())?;
    let header: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    let table = Table::new(mapping, &header, &Regions::default()).ok()?;
    table.read(|index| values.get(index).map_or("", |(_, value)| value.as_str()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is made where it is given")]
fn refused(reason: String) -> Error {
    Error::Conflict(format!("the CRM's API cannot be used: {reason}").into())
}

/// A file of the run that goes with it.
pub(super) struct Spool(pub(super) PathBuf);

impl Spool {
    pub(super) fn new(app: &App, name: &str) -> Result<Self, Error> {
        let folder = app.settings.data_dir.join("reconciliation");
        std::fs::create_dir_all(&folder).map_err(|error| Error::internal("making a folder", error))?;
        Ok(Self(folder.join(format!("{name}.ndjson"))))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
