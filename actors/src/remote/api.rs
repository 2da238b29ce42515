use super::ModelError;
use crate::live::Live;
use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// The connections to one model server.
pub(crate) struct Api {
    client: Client,
    base: String,
    api_key: Key,
}

/// Read for every call, so that a new one is used from the next call on.
pub(crate) type Key = Live<Option<SecretString>>;

impl Api {
    /// `silence` is how long the server may send nothing in the middle of a reply.
    pub(crate) fn new(base_url: Option<&str>, api_key: Key, silence: Duration) -> Result<Self, String> {
        let client = Client::builder()
            .connect_timeout(silence.min(CONNECT_WITHIN))
            .read_timeout(silence)
            // A redirect could send the key and the texts elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.without_url().to_string())?;
        let base = base_url.unwrap_or_default().trim_end_matches('/').to_owned();
        Ok(Self { client, base, api_key })
    }

    /// A response with a status of success; its body is still to be read.
    pub(crate) async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Response, ModelError> {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let mut request = crate::trace::continued(request);
        if let Some(key) = &*self.api_key.get() {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(&response)) }
    }

    /// A whole JSON reply of at most `max_bytes`.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
        max_bytes: usize,
    ) -> Result<T, ModelError> {
        let mut response = self.post(path, body).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await? {
            if bytes.len() + piece.len() > max_bytes {
                return Err(ModelError::failed(format!("a reply of more than {max_bytes} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        // serde_json's message may quote the reply.
        serde_json::from_slice(&bytes).map_err(|_| ModelError::failed("the reply is not what was asked for"))
    }
}

fn refusal(response: &Response) -> ModelError {
    let status = response.status();
    match status {
        // About this request: the next one may well be accepted.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            ModelError::Rejected(status.as_u16())
        }
        _ => ModelError::Failed {
            text: format!("status {}", status.as_u16()),
            retry_after: retry_after(response),
        },
    }
}

/// Seconds only: the other form, a date, depends on two clocks.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
