//! Sole owner of the connections that tell clients of the end of their jobs.
//!
//! * Signed after the Standard Webhooks specification: `webhook-id`, `webhook-timestamp`, and in `webhook-signature`
//!   `v1,` with the base64 of HMAC-SHA256 over `id.timestamp.body`.
//! * A client chooses the URL, so it must not lead into the operator's own network: addresses that are not public
//!   are refused when a name is resolved, and no redirect is followed.
//! * Overload: a bounded number at once; whoever delivers puts the task off and comes again.
//! * Cancel safety: dropping a call closes its connection; the receiver may have got it, and tells by the id.

mod address;
mod sign;

use crate::live::Live;
use crate::resilience::Deadline;
use crate::supervise::{CallError, Handle, Lifeline, Request, Serve, Service, StartError, Tree};
use address::{Reach, is_literal_refused};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

const AT_ONCE: usize = 32;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const MAX_URL: usize = 2048;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Signs each call. Without it no webhook is accepted.
    pub secret: Option<SecretString>,
    pub timeout_ms: u64,
    pub max_attempts: u32,
    /// Whether addresses of private networks and of this machine may be called.
    pub allow_private: bool,
}

impl WebhookSettings {
    pub fn validate(&self) -> Result<(), String> {
        if self.timeout_ms == 0 || self.max_attempts == 0 {
            return Err("webhooks.timeout_ms and webhooks.max_attempts must be at least 1".to_owned());
        }
        if self.secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < 24) {
            return Err("webhooks.secret must have at least 24 characters".to_owned());
        }
        Ok(())
    }

    /// Checks a URL before a job is accepted that would call it. The error is for the client.
    pub fn check(&self, url: &str) -> Result<(), String> {
        if self.secret.is_none() {
            return Err("webhooks are not set up here: webhooks.secret is missing".to_owned());
        }
        let parsed = Url::parse(url).ok().filter(|_| url.len() <= MAX_URL);
        let parsed = parsed.ok_or_else(|| format!("not a URL of at most {MAX_URL} bytes"))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err("an http or https URL is needed".to_owned());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("a URL with a user name or password is not accepted".to_owned());
        }
        if !self.allow_private && is_literal_refused(&parsed) {
            return Err("the address is not a public one".to_owned());
        }
        Ok(())
    }
}

/// Why a delivery did not work; safe to show to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("{0}")]
    Call(#[from] CallError),
    #[error("webhooks.secret is missing")]
    NoSecret,
    #[error("the address is not a public one, or the server cannot be reached")]
    Unreachable,
    #[error("no answer in time")]
    Silent,
    #[error("answered with status {0}")]
    Status(u16),
}

/// Calls a URL once.
#[derive(Debug, Clone)]
pub struct Deliver {
    pub url: String,
    /// The same for each attempt, so that a receiver can tell a repetition.
    pub id: String,
    pub body: String,
}

impl Request for Deliver {
    type Reply = Result<(), WebhookError>;
}

struct Webhooks {
    client: Client,
    reach: Reach,
    secret: Live<Option<SecretString>>,
}

impl Service for Webhooks {}

impl Serve<Deliver> for Webhooks {
    async fn serve(self: Rc<Self>, deliver: Deliver, _: Deadline) -> Result<(), WebhookError> {
        let secret = self.secret.get();
        let secret = secret.as_ref().as_ref().ok_or(WebhookError::NoSecret)?;
        let Deliver { url, id, body } = deliver;
        let url = Url::parse(&url).map_err(|_| WebhookError::Unreachable)?;
        if !self.reach.private && is_literal_refused(&url) {
            return Err(WebhookError::Unreachable);
        }
        let timestamp = OffsetDateTime::now_utc().unix_timestamp();
        let signature = sign::signature(secret.expose_secret(), &id, timestamp, &body);
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(WebhookError::Status(response.status().as_u16())),
            Err(error) if error.is_timeout() => Err(WebhookError::Silent),
            Err(_) => Err(WebhookError::Unreachable),
        }
    }
}

#[derive(Clone)]
pub struct WebhookHandle {
    handle: Handle<Webhooks>,
    secret: Live<Option<SecretString>>,
    within: Duration,
}

impl WebhookHandle {
    pub async fn start(tree: &Tree, settings: &WebhookSettings) -> Result<Self, StartError> {
        let secret = Live::new(settings.secret.clone());
        let timeout = Duration::from_millis(settings.timeout_ms);
        let (own, reach) = (secret.clone(), Reach { private: settings.allow_private });
        let factory = move |_: Lifeline| {
            let secret = own.clone();
            async move {
                let client = Client::builder()
                    .connect_timeout(CONNECT_WITHIN.min(timeout))
                    .timeout(timeout)
                    .redirect(reqwest::redirect::Policy::none())
                    .dns_resolver(Arc::new(reach))
                    .no_proxy()
                    .user_agent(concat!("mcp-rag/", env!("CARGO_PKG_VERSION")))
                    .build()
                    .map_err(|error| error.without_url().to_string())?;
                Ok(Webhooks { client, reach, secret })
            }
        };
        let handle = tree.start(tree.spec("webhook", AT_ONCE), factory).await?;
        Ok(Self { handle, secret, within: timeout.mul_f64(1.5) })
    }

    /// Another secret, for every call from now on.
    pub fn use_secret(&self, secret: Option<SecretString>) {
        self.secret.set(secret);
    }

    pub async fn deliver(&self, deliver: Deliver) -> Result<(), WebhookError> {
        self.handle.call(deliver, Deadline::within(self.within)).await?
    }
}
