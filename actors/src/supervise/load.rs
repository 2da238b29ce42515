use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places of a service's bounded admission, and who is in them. It outlives incarnations, whose
/// last calls may still run beside the successor; only an abandoned thread leaves its load behind.
#[derive(Debug, Default)]
pub(super) struct Load {
    admitted: AtomicUsize,
    running: AtomicUsize,
}

impl Load {
    pub(super) fn admit(self: &Arc<Self>, limit: usize) -> Option<Permit> {
        self.admitted
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .ok()
            .map(|_| Permit { load: Arc::clone(self), running: false })
    }

    /// Calls admitted and not yet begun, and calls being worked on.
    pub(super) fn now(&self) -> (usize, usize) {
        let running = self.running.load(Ordering::Relaxed);
        (self.admitted.load(Ordering::Relaxed).saturating_sub(running), running)
    }
}

/// A place in a service's bounded admission; freed on drop, however the job ends.
#[derive(Debug)]
pub(super) struct Permit {
    load: Arc<Load>,
    running: bool,
}

impl Permit {
    pub(super) fn begin(&mut self) {
        self.running = true;
        self.load.running.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.running {
            self.load.running.fetch_sub(1, Ordering::AcqRel);
        }
        self.load.admitted.fetch_sub(1, Ordering::AcqRel);
    }
}
