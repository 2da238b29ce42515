//! Orderly ends, and starts that come to nothing.
use crate::support::{Dropped, Probe, eventually, generation, held, panicking, soon, spec, start};
use mcp_rag_actors::supervise::{ActorState, CallError, Lifeline, Service, Tree};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Writes down when it lets go of what it owns.
struct Scribe {
    name: &'static str,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Service for Scribe {
    async fn stop(self: Rc<Self>) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.log.lock().expect("nobody panics with it").push(self.name);
    }
}

#[actix_rt::test]
async fn services_stop_one_by_one_in_reverse_order_of_their_start() {
    let tree = Tree::default();
    let log = Arc::new(Mutex::new(Vec::new()));
    for name in ["postgres", "store", "jobs"] {
        let log = Arc::clone(&log);
        let factory = move |_: Lifeline| std::future::ready(Ok(Scribe { name, log: Arc::clone(&log) }));
        tree.start(spec(name, 1), factory).await.unwrap();
    }
    assert_eq!(
        tree.status().iter().map(|status| status.name).collect::<Vec<_>>(),
        ["postgres", "store", "jobs"]
    );
    tree.stop(Duration::from_secs(5)).await;
    assert_eq!(*log.lock().unwrap(), ["jobs", "store", "postgres"]);
}

#[actix_rt::test]
async fn running_jobs_finish_within_the_grace_while_new_ones_are_refused() {
    let tree = Arc::new(Tree::default());
    let handle = start(&tree, spec("probe", 8)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let running = {
        let (handle, job) = (handle.clone(), held(&begun, &gate));
        actix_rt::spawn(async move { handle.call(job, soon()).await })
    };
    eventually("the job runs", || begun.load(Ordering::SeqCst) == 1).await;
    let stopping = {
        let tree = Arc::clone(&tree);
        actix_rt::spawn(async move { tree.stop(Duration::from_secs(10)).await })
    };
    eventually("it drains", || handle.status().state == ActorState::Draining).await;
    assert_eq!(handle.call(generation(), soon()).await, Err(CallError::Draining));
    assert!(!stopping.is_finished() && !running.is_finished());
    gate.store(true, Ordering::SeqCst);
    assert_eq!(running.await.unwrap(), Ok(1));
    stopping.await.unwrap();
    assert_eq!(handle.status().state, ActorState::Stopped);
    assert_eq!(handle.call(generation(), soon()).await, Err(CallError::Draining));
}

#[actix_rt::test]
async fn a_job_that_outlives_the_grace_is_cut_and_its_caller_told() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 8)).await;
    let (begun, never) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let running = {
        let (handle, job) = (handle.clone(), held(&begun, &never));
        actix_rt::spawn(async move { handle.call(job, soon()).await })
    };
    eventually("the job runs", || begun.load(Ordering::SeqCst) == 1).await;
    let began = Instant::now();
    tree.stop(Duration::from_millis(100)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(running.await.unwrap(), Err(CallError::Lost));
}

#[actix_rt::test]
async fn stopping_does_not_wait_for_a_restart_that_hangs() {
    let tree = Tree::default();
    let (attempts, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (tried, gone) = (Arc::clone(&attempts), Arc::clone(&dropped));
    let factory = move |lifeline: Lifeline| {
        let generation = tried.fetch_add(1, Ordering::SeqCst) + 1;
        let guard = (generation == 2).then(|| Dropped(Arc::clone(&gone)));
        async move {
            if guard.is_some() {
                std::future::pending::<()>().await;
            }
            Ok(Probe { generation, calls: Cell::new(0), lifeline })
        }
    };
    let handle = tree.start(spec("probe", 4), factory).await.unwrap();
    assert_eq!(handle.call(panicking(), soon()).await, Err(CallError::Lost));
    eventually("the restart hangs", || attempts.load(Ordering::SeqCst) == 2).await;
    let began = Instant::now();
    tree.stop(Duration::from_millis(100)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(handle.status().state, ActorState::Stopped);
    eventually("the half-made service is dropped", || dropped.load(Ordering::SeqCst)).await;
}

#[actix_rt::test]
async fn a_first_start_that_fails_is_an_error_and_leaves_nothing_running() {
    let tree = Tree::default();
    let dropped = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&dropped);
    let factory = move |_: Lifeline| {
        let guard = Dropped(Arc::clone(&gone));
        async move {
            // Background work that the factory began; it must not outlive the failure.
            drop(actix_rt::spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            }));
            Err::<Probe, _>("no such file: model.safetensors".to_owned())
        }
    };
    let error = tree.start(spec("embedder", 4), factory).await.map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "embedder could not start: no such file: model.safetensors");
    assert!(tree.status().is_empty());
    eventually("what it began is dropped", || dropped.load(Ordering::SeqCst)).await;

    let panics = |_: Lifeline| async { panic!("a broken factory") };
    let error = tree.start::<Probe, _, _>(spec("broken", 4), panics).await.map(|_| ()).unwrap_err();
    assert_eq!(error.error, "a broken factory");
}
