//! The SDK's requests by our HTTP client: one implementation of TLS, no redirects, and the state of the stream known.

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::{Request, Response};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture, TransportError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Between two signs of life, which LaunchDarkly gives every three minutes at least.
const SILENCE: Duration = Duration::from_secs(300);
/// Pieces of a reply that the SDK has not read yet.
const AHEAD: usize = 16;

/// How the stream of values is.
#[derive(Default)]
pub(super) struct Link(AtomicU8);

const STATES: [&str; 4] = ["connecting", "connected", "away", "refused"];
const CONNECTING: u8 = 0;
const CONNECTED: u8 = 1;
const AWAY: u8 = 2;
const REFUSED: u8 = 3;

impl Link {
    pub(super) fn state(&self) -> &'static str {
        STATES[usize::from(self.0.load(Ordering::Relaxed)) % STATES.len()]
    }

    fn is(&self, state: u8) {
        let before = self.0.swap(state, Ordering::Relaxed);
        match state {
            _ if before == state => {}
            CONNECTED if before == CONNECTING => {} // streams end now and then, and begin again
            CONNECTED => tracing::info!("LaunchDarkly is back"),
            AWAY => tracing::warn!("LaunchDarkly is away: flags keep their values"),
            REFUSED => tracing::error!(
                "LaunchDarkly refuses flags.launchdarkly.sdk_key: flags keep their values; correct the key and restart"
            ),
            _ => {}
        }
    }
}

#[derive(Clone)]
pub(super) struct Transport {
    client: reqwest::Client,
    link: Arc<Link>,
}

impl Transport {
    pub(super) fn new(link: Arc<Link>) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENCE)
            // A redirect could send the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self { client, link })
    }

    async fn exchange(self, request: Request<Option<Bytes>>) -> Result<Response<ByteStream>, TransportError> {
        let (head, body) = request.into_parts();
        let sending = self.client.request(head.method, head.uri.to_string()).headers(head.headers);
        let sent = sending.body(body.unwrap_or_default()).send().await;
        let reply = sent.map_err(|error| {
            self.link.is(AWAY);
            TransportError::new(error.without_url())
        })?;
        self.link.is(match reply.status().as_u16() {
            200..=299 => CONNECTED,
            401 | 403 => REFUSED,
            _ => AWAY,
        });
        let mut response = Response::builder().status(reply.status());
        if let Some(headers) = response.headers_mut() {
            headers.clone_from(reply.headers());
        }
        response.body(self.body(reply)).map_err(TransportError::new)
    }

    /// Read by a task of its own: the client's own stream cannot be shared between threads, as the SDK wants it.
    fn body(&self, mut reply: reqwest::Response) -> ByteStream {
        let (pieces, mut read) = mpsc::channel(AHEAD);
        let link = Arc::clone(&self.link);
        tokio::spawn(async move {
            loop {
                let piece = tokio::select! {
                    piece = reply.chunk() => piece.map_err(|error| TransportError::new(error.without_url())),
                    () = pieces.closed() => return, // the SDK has stopped
                };
                let piece = match piece {
                    Ok(Some(piece)) => Ok(piece),
                    Ok(None) => break,
                    Err(error) => Err(error),
                };
                let failed = piece.is_err();
                if pieces.send(piece).await.is_err() || failed {
                    break;
                }
            }
            let _ = link.0.compare_exchange(CONNECTED, CONNECTING, Ordering::Relaxed, Ordering::Relaxed);
        });
        Box::pin(poll_fn(move |context| read.poll_recv(context)))
    }
}

impl HttpTransport for Transport {
    fn request(&self, request: Request<Option<Bytes>>) -> ResponseFuture {
        let task = AbortOnDropHandle::new(tokio::spawn(self.clone().exchange(request)));
        Box::pin(async move { task.await.unwrap_or_else(|error| Err(TransportError::new(error))) })
    }
}
