use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What is known of one incarnation from outside its thread, which may be blocked.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    beats: AtomicU64,
    sent: AtomicU64,
    taken: AtomicU64,
    given_up: AtomicBool,
    news: Notify,
}

/// A look at a pulse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// How often the thread has shown that it runs tasks.
    pub(super) beats: u64,
    /// Calls that the actor has taken out of its mailbox.
    pub(super) taken: u64,
    pub(super) some_wait: bool,
}

impl Pulse {
    /// A call is on its way into the mailbox.
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sample(&self) -> Sample {
        let taken = self.taken.load(Ordering::Relaxed);
        let some_wait = self.sent.load(Ordering::Relaxed) > taken;
        Sample { beats: self.beats.load(Ordering::Relaxed), taken, some_wait }
    }

    /// The beacon: a task among the service's own.
    pub(super) async fn beat(self: Arc<Self>, every: Duration) {
        loop {
            self.beats.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(every).await;
        }
    }

    /// Nothing will come of this incarnation any more: whoever waits for it should stop waiting.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    /// Resolves once given up. Cancel safe.
    pub(super) async fn given_up(&self) {
        let mut news = std::pin::pin!(self.news.notified());
        news.as_mut().enable();
        if !self.given_up.load(Ordering::Acquire) {
            news.await;
        }
    }
}
