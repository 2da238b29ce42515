//! How a server leaves, as requests see it: first it says so on every response while it goes on
//! serving, then it asks long streams to end, and only then does the listener close.

use actix_web::HttpResponse;
use actix_web::http::ConnectionType;
use mcp_rag_actors::resilience::random;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Streams that end at the same moment come back at the same moment: they are spread over this.
const SPREAD: Duration = Duration::from_secs(1);

/// Whether this process wants new requests; cheap to clone and to ask.
#[derive(Debug, Clone)]
pub struct Drain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    leaving: AtomicBool,
    /// When the last stream is to be over.
    ending: watch::Sender<Option<Instant>>,
}

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(Inner { leaving: AtomicBool::new(false), ending: watch::Sender::new(None) }))
    }
}

impl Drain {
    /// From now on readiness says no and every response closes its connection, so that clients and
    /// proxies take their next request elsewhere. Requests are still served.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// From now on streams end, at the latest by `last`.
    pub fn end_streams(&self, last: Instant) {
        self.0.ending.send_replace(Some(last));
    }

    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Acquire)
    }

    /// Marks a response as its connection's last while the server leaves. actix writes the header
    /// `connection: close` itself, and closes the connection after it.
    pub(super) fn mark<B>(&self, response: &mut HttpResponse<B>) {
        if self.is_leaving() {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
    }

    /// Resolves when a stream that can be resumed elsewhere should end: spread over a moment, so
    /// that not all clients come back at once. Cancel safe.
    pub(super) async fn resumable_end(&self) {
        let last = self.ending().await;
        let spread = SPREAD.min(last.saturating_duration_since(Instant::now()));
        tokio::time::sleep(spread.mul_f64(random::uniform())).await;
    }

    /// Resolves when even what cannot be resumed has to end. Cancel safe.
    pub(crate) async fn last_end(&self) {
        let last = self.ending().await;
        tokio::time::sleep_until(last.into()).await;
    }

    async fn ending(&self) -> Instant {
        let mut ending = self.0.ending.subscribe();
        // The sender lives as long as `self`; without it nothing would ever end.
        let last = ending.wait_for(Option::is_some).await.ok().and_then(|last| *last);
        match last {
            Some(last) => last,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[actix_web::test]
    async fn streams_end_only_when_asked_and_what_cannot_be_resumed_ends_last() {
        let drain = Drain::default();
        drain.leave();
        assert!(drain.resumable_end().now_or_never().is_none(), "leaving alone ends no stream");
        let last = Instant::now() + Duration::from_millis(50);
        drain.end_streams(last);
        drain.resumable_end().await;
        assert!(Instant::now() <= last + Duration::from_secs(5), "in time even on a busy machine");
        drain.last_end().await;
        assert!(Instant::now() >= last);
    }
}
