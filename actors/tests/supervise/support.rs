//! A service that does whatever a test tells it, on its own arbiter like any other.
use futures_util::future::LocalBoxFuture;
use mcp_rag_actors::resilience::{Backoff, Deadline};
use mcp_rag_actors::supervise::{
    CallError, ChildSpec, Handle, Lifeline, Priority, Request, Restarts, Serve, Service, Tree,
};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// `generation` counts the incarnations, `calls` is state that must not survive one.
pub(crate) struct Probe {
    pub(crate) generation: u64,
    pub(crate) calls: Cell<u64>,
    pub(crate) lifeline: Lifeline,
}

impl Service for Probe {}

type Work = Box<dyn FnOnce(Rc<Probe>) -> LocalBoxFuture<'static, u64> + Send>;

pub(crate) struct Run(Work, Priority);

impl Request for Run {
    type Reply = u64;

    fn priority(&self) -> Priority {
        self.1
    }
}

impl Run {
    pub(crate) fn with(self, priority: Priority) -> Self {
        Self(self.0, priority)
    }
}

/// Asks for the generation; it may be asked again.
#[derive(Clone)]
pub(crate) struct Ask;

impl Request for Ask {
    type Reply = u64;

    fn repeat(&self) -> Option<Self> {
        Some(Self)
    }
}

impl Serve<Ask> for Probe {
    async fn serve(self: Rc<Self>, _: Ask, _: Deadline) -> u64 {
        tokio::task::yield_now().await;
        self.generation
    }
}

impl Serve<Run> for Probe {
    async fn serve(self: Rc<Self>, run: Run, _: Deadline) -> u64 {
        self.calls.set(self.calls.get() + 1);
        (run.0)(self).await
    }
}

pub(crate) fn run<W, F>(work: W) -> Run
where
    W: FnOnce(Rc<Probe>) -> F + Send + 'static,
    F: Future<Output = u64> + 'static,
{
    Run(Box::new(|probe| Box::pin(work(probe))), Priority::Interactive)
}

pub(crate) fn generation() -> Run {
    run(|probe| async move { probe.generation })
}

pub(crate) fn panicking() -> Run {
    run(|_| async { panic!("on purpose") })
}

/// A job that stays until the gate opens, and tells when it has begun.
pub(crate) fn held(begun: &Arc<AtomicU64>, gate: &Arc<AtomicBool>) -> Run {
    let (begun, gate) = (Arc::clone(begun), Arc::clone(gate));
    run(move |probe| async move {
        begun.fetch_add(1, Ordering::SeqCst);
        while !gate.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        probe.generation
    })
}

/// Notes when the work that holds it is dropped.
pub(crate) struct Dropped(pub(crate) Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(10))
}

/// A spec whose restarts wait next to nothing and never run out.
pub(crate) fn spec(name: &'static str, admission: usize) -> ChildSpec {
    let backoff = Backoff { base: Duration::from_millis(1), max: Duration::from_millis(5) };
    let restarts = Restarts { intensity: 10_000, window: Duration::from_secs(60), backoff };
    ChildSpec { restarts, ..ChildSpec::new(name, admission) }
}

pub(crate) async fn start(tree: &Tree, spec: ChildSpec) -> Handle<Probe> {
    let generations = Arc::new(AtomicU64::new(0));
    let factory = move |lifeline| {
        let generation = generations.fetch_add(1, Ordering::SeqCst) + 1;
        std::future::ready(Ok(Probe { generation, calls: Cell::new(0), lifeline }))
    };
    tree.start(spec, factory).await.expect("a probe starts")
}

/// Calls until the answer satisfies; what a caller with retries does.
pub(crate) async fn answer(handle: &Handle<Probe>, satisfies: impl Fn(u64) -> bool) -> u64 {
    let began = Instant::now();
    loop {
        match handle.call(generation(), soon()).await {
            Ok(generation) if satisfies(generation) => return generation,
            Ok(_) | Err(CallError::Down { .. } | CallError::NotStarted) => {}
            Err(other) => panic!("unexpected: {other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(10), "no such answer: {:?}", handle.status());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
