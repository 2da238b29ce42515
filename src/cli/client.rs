//! The commands' way to a server: the one at `--server`, or one inside this process.

use super::Global;
use crate::app::{Application, Role};
use crate::config::{ServerTls, Settings};
use anyhow::{Context, Result, anyhow, bail};
use mcp_rag_actors::supervise::Failure;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often, and how long each time, a busy server is waited for.
const PAUSES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// A server of our own: what stops it, and its end.
type Embedded = (oneshot::Sender<()>, tokio::task::JoinHandle<Result<Option<Failure>>>);

pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<SecretString>,
    embedded: Option<Embedded>,
}

impl Client {
    pub(super) async fn open(global: &Global, mut settings: Settings) -> Result<Self> {
        let mut http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
        if let Some(path) = &global.ca_file {
            let unusable = || format!("--ca-file {}", path.display());
            let pem = std::fs::read(path).with_context(unusable)?;
            http = http.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem).with_context(unusable)?);
        }
        let http = http.build()?;
        let token = settings.auth.token.clone();
        if let Some(server) = &global.server {
            let base = server.trim_end_matches('/').to_owned();
            return Ok(Self { http, base, token, embedded: None });
        }
        "127.0.0.1".clone_into(&mut settings.server.host);
        "127.0.0.1".clone_into(&mut settings.admin.host);
        (settings.server.port, settings.admin.port) = (0, 0);
        // Nothing leaves this machine, and the certificate is for another name.
        settings.server.tls = ServerTls::default();
        let application = Application::build(settings, Role::Serve).await.context(
            "no embedded server could be started; to use a running one, add --server http://127.0.0.1:8080",
        )?;
        let base = format!("http://127.0.0.1:{}", application.port.unwrap_or_default());
        let (stop, stopped) = oneshot::channel();
        let run = actix_web::rt::spawn(application.run(async {
            let _ = stopped.await; // a dropped sender stops it too
        }));
        Ok(Self { http, base, token, embedded: Some((stop, run)) })
    }

    /// Lets an embedded server stop cleanly.
    pub(super) async fn close(self) {
        if let Some((stop, run)) = self.embedded {
            let _ = stop.send(());
            let _ = run.await;
        }
    }

    /// Where the server is: `http://host:port`.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// A message for the server's `/mcp`, to be filled in.
    pub(super) fn mcp(&self) -> RequestBuilder {
        self.request(Method::POST, "/mcp")
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.checked(request).await
    }

    pub(super) async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        Ok(self.send(method, path, body).await?.json().await?)
    }

    /// The same, again while the server says that it has too much to do: for those who ask a lot.
    pub(super) async fn patiently(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let mut pauses = 0;
        loop {
            let request = self.request(method.clone(), path).json(body);
            let response = request.send().await.with_context(|| format!("no answer from {}", self.base))?;
            if response.status() != StatusCode::SERVICE_UNAVAILABLE || pauses == PAUSES {
                return Ok(good(response).await?.json().await?);
            }
            pauses += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn bytes(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Result<Value> {
        let request = self.request(method, path).header("content-type", kind).body(body);
        Ok(self.checked(request).await?.json().await?)
    }

    async fn checked(&self, request: RequestBuilder) -> Result<Response> {
        good(request.send().await.with_context(|| format!("no answer from {}", self.base))?).await
    }

    /// Makes sure that a collection exists.
    pub(super) async fn ensure_collection(&self, name: &str) -> Result<()> {
        let path = format!("/v1/collections/{}", segment(name));
        let response = self.request(Method::GET, &path).send().await;
        let response = response.with_context(|| format!("no answer from {}", self.base))?;
        match response.status().as_u16() {
            200 => Ok(()),
            404 => self
                .send(Method::POST, "/v1/collections", Some(&serde_json::json!({ "name": name })))
                .await
                .map(drop),
            status => bail!("collection {name}: the server answered {status}"),
        }
    }

    /// Waits until a job is over, telling its progress; returns the job.
    pub(super) async fn follow(&self, job: &str, mut progress: impl FnMut(u64, u64)) -> Result<Value> {
        loop {
            let state = self.json(Method::GET, &format!("/v1/jobs/{}", segment(job)), None).await?;
            let count = |name: &str| state["progress"][name].as_u64().unwrap_or(0);
            progress(count("done"), count("total"));
            if matches!(state["status"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
                return Ok(state);
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

/// A response of success, or what the server says is wrong.
async fn good(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body: Value = response.json().await.unwrap_or_default();
    Err(match body["error"]["message"].as_str() {
        Some(message) => anyhow!("{message} ({})", status.as_u16()),
        None => anyhow!("the server answered {status}"),
    })
}

/// A path segment, with every byte that means something in a URL escaped.
pub(super) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
