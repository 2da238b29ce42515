//! A thread with a runtime of its own, so that a dependency we play serves async and plain tests alike.
//!
//! Dropping it ends the runtime and with it every task and socket it owns.

use std::thread::JoinHandle;
use tokio::sync::oneshot;

#[derive(Debug)]
pub struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// # Panics
    /// When the system refuses a thread or a runtime.
    pub fn run<F, W>(name: &str, work: F) -> Self
    where
        F: FnOnce() -> W + Send + 'static,
        W: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = work() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body).expect("a thread");
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
