//! Requests to providers: a deadline, a capped body, no redirects, no address that a tenant may not reach.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

use crate::delivery::address::{CheckingResolver, UrlError, read_url};

/// From connecting to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer, in bytes: key sets of large providers have some 10 KB.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// Speaks to providers. Made without cost; the connections are opened at the first request.
#[derive(Debug)]
pub struct Outbound {
    allow_private: bool,
    client: OnceLock<reqwest::Client>,
}

/// Why a provider did not answer usefully. The text holds no URL and nothing of the answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Not to be reached from here.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// No connection, no answer in time, a broken answer.
    #[error("the provider could not be reached")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// More than is read.
    #[error("the provider's answer is too large")]
    TooLarge,
    /// No success.
    #[error("the provider answered with HTTP status {0}")]
    Status(u16),
    /// Not what it should be.
    #[error("the provider's answer cannot be read")]
    Content,
}

/// What the OAuth library sends its requests with.
impl<'client> AsyncHttpClient<'client> for Outbound {
    type Error = OutboundError;
    type Future = BoxFuture<'client, Result<HttpResponse, OutboundError>>;

    fn call(&'client self, request: HttpRequest) -> Self::Future {
        self.send(request).boxed()
    }
}

impl Outbound {
    /// `allow_private` is the operator's word: then plain http and private addresses pass.
    pub fn new(allow_private: bool) -> Self {
        Self { allow_private, client: OnceLock::new() }
    }

    /// An address that may be reached.
    pub(super) fn url(&self, text: &str) -> Result<Url, UrlError> {
        read_url(text, self.allow_private)
    }

    fn client(&self) -> Result<reqwest::Client, OutboundError> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let made = reqwest::Client::builder()
            // A redirect would carry the client's secret to where nobody checked.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("Baton/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(CheckingResolver { allow_private: self.allow_private })
            .build()
            .map_err(|error| OutboundError::Transport(error.into()))?;
        Ok(self.client.get_or_init(|| made).clone())
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, OutboundError> {
        self.url(&request.uri().to_string())?;
        let client = self.client()?;
        let request: reqwest::Request =
            request.try_into().map_err(|error: reqwest::Error| OutboundError::Transport(error.into()))?;
        let exchange = async {
            let transport = |error: reqwest::Error| OutboundError::Transport(error.without_url().into());
            let mut response = client.execute(request).await.map_err(transport)?;
            let mut made = http::Response::builder().status(response.status());
            if let Some(headers) = made.headers_mut() {
                headers.clone_from(response.headers());
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(transport)? {
                if body.len() + chunk.len() > BODY_BYTES_MAX {
                    return Err(OutboundError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            made.body(body).map_err(|error| OutboundError::Transport(error.into()))
        };
        let late = |elapsed: tokio::time::error::Elapsed| OutboundError::Transport(elapsed.into());
        tokio::time::timeout(DEADLINE, exchange).await.map_err(late)?
    }

    /// Gets a JSON document, with an access token if one is given.
    pub(super) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<T, OutboundError> {
        let mut request = http::Request::get(url).header(http::header::ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Vec::new()).map_err(|_| OutboundError::Url(UrlError::Invalid))?;
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(OutboundError::Status(response.status().as_u16()));
        }
        serde_json::from_slice(response.body()).map_err(|_| OutboundError::Content)
    }
}
