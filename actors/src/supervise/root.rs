use super::pulse::Pulse;
use super::vigil::Vigil;
use actix_rt::{Arbiter, ArbiterHandle};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The root only waits and starts: a silence this long is no load, it is the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The thread on which every service is supervised, apart from what they and the listeners do.
pub(super) struct Root {
    arbiter: ArbiterHandle,
    pulse: Arc<Pulse>,
    over: tokio::sync::Mutex<(oneshot::Receiver<()>, Vigil)>,
}

impl Root {
    pub(super) fn start() -> Self {
        let arbiter = Arbiter::new().handle();
        let (alive, over) = oneshot::channel::<()>();
        let (pulse, vigil) = (Arc::new(Pulse::default()), Vigil::new(PATIENCE, Instant::now()));
        let (beacon, every) = (Arc::clone(&pulse), vigil.beat());
        arbiter.spawn(async move {
            beacon.beat(every).await;
            drop(alive);
        });
        #[cfg(feature = "failpoints")]
        arbiter.spawn(async {
            use super::failpoint::{Fault, life, strike};
            match life("root").await {
                wedge @ Fault::Wedge(_) => strike(Some(wedge)),
                _ => drop(Arbiter::current().stop()),
            }
        });
        Self { arbiter, pulse, over: tokio::sync::Mutex::new((over, vigil)) }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.arbiter.spawn(task);
    }

    /// Resolves when the thread has ended or shows no sign of life. Cancel safe.
    pub(super) async fn over(&self) -> &'static str {
        let mut watch = self.over.lock().await;
        let (ended, vigil) = &mut *watch;
        tokio::select! {
            _ = ended => "its thread ended",
            why = vigil.wedged(&self.pulse) => why,
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}
