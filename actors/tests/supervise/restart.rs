//! Every way to die, and the fresh incarnation after it.
use crate::support::{Probe, answer, eventually, generation, held, panicking, run, soon, spec, start};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::{ActorState, CallError, Failure, Lifeline, Restarts, Tree};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[actix_rt::test]
async fn a_panic_in_a_job_loses_that_call_alone_and_the_next_incarnation_is_a_fresh_value() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 64)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let neighbours: Vec<_> = (0..10)
        .map(|_| {
            let (handle, job) = (handle.clone(), held(&begun, &gate));
            actix_rt::spawn(async move { handle.call(job, soon()).await })
        })
        .collect();
    eventually("the neighbours run", || begun.load(Ordering::SeqCst) == 10).await;

    assert_eq!(handle.call(panicking(), soon()).await, Err(CallError::Lost));
    answer(&handle, |generation| generation == 2).await;
    let calls = handle.call(run(|probe| async move { probe.calls.get() }), soon()).await;
    assert!(calls.unwrap() < 10, "its state began anew");

    gate.store(true, Ordering::SeqCst);
    for neighbour in neighbours {
        assert_eq!(neighbour.await.unwrap(), Ok(1), "a neighbour of the panic has its answer");
    }
    let status = handle.status();
    assert_eq!((status.restarts, status.restarts_by_cause.panic), (1, 1));
    assert_eq!((status.state, status.last_error.as_deref()), (ActorState::Running, Some("on purpose")));
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_dead_arbiter_loses_what_ran_on_it_and_is_replaced() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 64)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let running = {
        let (handle, job) = (handle.clone(), held(&begun, &gate));
        actix_rt::spawn(async move { handle.call(job, soon()).await })
    };
    eventually("the job runs", || begun.load(Ordering::SeqCst) == 1).await;
    let kill = run(|probe| async move {
        // Kept by a thread beyond the arbiter, as an embedding thread would.
        let kept = probe.lifeline.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(2));
            drop(kept);
        });
        actix_rt::Arbiter::current().stop();
        std::future::pending().await
    });
    let began = Instant::now();
    assert_eq!(handle.call(kill, soon()).await, Err(CallError::Lost));
    assert_eq!(running.await.unwrap(), Err(CallError::Lost));
    answer(&handle, |generation| generation == 2).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(handle.status().restarts_by_cause.kill, 1);
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn work_that_never_began_is_told_apart_from_work_that_was_lost() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 64)).await;
    let blocked = Arc::new(AtomicBool::new(false));
    let block = Arc::clone(&blocked);
    let kill = run(move |_| async move {
        block.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(200)); // the queue builds up meanwhile
        actix_rt::Arbiter::current().stop();
        std::future::pending().await
    });
    let killer = {
        let handle = handle.clone();
        actix_rt::spawn(async move { handle.call(kill, soon()).await })
    };
    eventually("the service is blocked", || blocked.load(Ordering::SeqCst)).await;
    let began = Arc::new(AtomicU64::new(0));
    let queued: Vec<_> = (0..20)
        .map(|_| {
            let (handle, job) = (handle.clone(), held(&began, &Arc::new(AtomicBool::new(false))));
            actix_rt::spawn(async move { handle.call(job, soon()).await })
        })
        .collect();
    assert_eq!(killer.await.unwrap(), Err(CallError::Lost));
    let mut not_started = 0;
    for call in queued {
        match call.await.unwrap() {
            Err(CallError::NotStarted) => not_started += 1,
            Err(CallError::Lost) => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    // "Lost" was said of begun work only.
    assert_eq!(not_started + began.load(Ordering::SeqCst), 20);
    answer(&handle, |generation| generation == 2).await;
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn background_work_that_panics_ends_the_incarnation_and_counts_as_a_panic() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 64)).await;
    let spawn = run(|probe| async move {
        drop(probe.lifeline.spawn(async { panic!("in the background") }));
        0
    });
    assert_eq!(handle.call(spawn, soon()).await, Ok(0));
    answer(&handle, |generation| generation == 2).await;
    let status = handle.status();
    assert_eq!(status.restarts_by_cause.panic, 1);
    assert_eq!(status.last_error.as_deref(), Some("in the background"));
    tree.stop(Duration::from_secs(1)).await;
}

/// How a factory may fail after its first success.
#[derive(Clone, Copy)]
enum Failing {
    Error,
    PanicBeforeItsFuture,
    PanicInItsFuture,
}

#[actix_rt::test]
async fn a_factory_that_fails_for_a_while_is_tried_again_with_growing_pauses_until_it_works() {
    for how in [Failing::Error, Failing::PanicBeforeItsFuture, Failing::PanicInItsFuture] {
        let tree = Tree::default();
        let attempts = Arc::new(AtomicU64::new(0));
        let tried = Arc::clone(&attempts);
        let factory = move |lifeline: Lifeline| {
            let generation = tried.fetch_add(1, Ordering::SeqCst) + 1;
            let fails = (2..=5).contains(&generation);
            assert!(!(fails && matches!(how, Failing::PanicBeforeItsFuture)), "the factory panicked");
            async move {
                match how {
                    Failing::Error if fails => return Err("the dependency is away".to_owned()),
                    Failing::PanicInItsFuture if fails => panic!("the factory panicked"),
                    Failing::Error | Failing::PanicBeforeItsFuture | Failing::PanicInItsFuture => {}
                }
                Ok(Probe { generation, calls: Cell::new(0), lifeline })
            }
        };
        let mut spec = spec("probe", 4);
        spec.restarts.backoff.base = Duration::from_millis(100);
        spec.restarts.backoff.max = Duration::from_millis(400);
        let handle = tree.start(spec, factory).await.unwrap();
        let began = Instant::now();
        assert_eq!(handle.call(panicking(), soon()).await, Err(CallError::Lost));
        eventually("it is down", || attempts.load(Ordering::SeqCst) >= 3).await;
        // A successor that comes within the call's time is waited for; the next two are further off.
        let refused = handle.call(generation(), Deadline::within(Duration::from_millis(10))).await;
        assert!(matches!(refused, Err(CallError::Down { .. })), "refused at once: {refused:?}");
        answer(&handle, |generation| generation == 6).await;
        // At least half of 100, 200, 400 and 400 ms; the first restart was immediate.
        assert!(began.elapsed() >= Duration::from_millis(550), "{:?}", began.elapsed());
        let causes = handle.status().restarts_by_cause;
        let expected = if matches!(how, Failing::Error) { (1, 4) } else { (5, 0) };
        assert_eq!((causes.panic, causes.error), expected);
        tree.stop(Duration::from_secs(1)).await;
    }
}

#[actix_rt::test]
async fn a_start_that_takes_too_long_is_given_up_and_tried_again() {
    let tree = Tree::default();
    let attempts = Arc::new(AtomicU64::new(0));
    let factory = move |lifeline: Lifeline| {
        let generation = attempts.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            if generation == 2 {
                std::future::pending::<()>().await;
            }
            Ok(Probe { generation, calls: Cell::new(0), lifeline })
        }
    };
    let spec = spec("probe", 4).start_within(Duration::from_millis(50));
    let handle = tree.start(spec, factory).await.unwrap();
    assert_eq!(handle.call(panicking(), soon()).await, Err(CallError::Lost));
    answer(&handle, |generation| generation == 3).await;
    let error = handle.status().last_error.unwrap();
    assert!(error.contains("not started within"), "{error}");
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_service_that_cannot_be_kept_alive_fails_the_tree_and_its_siblings_still_answer() {
    let tree = Tree::default();
    let sibling = start(&tree, spec("sibling", 4)).await;
    let mut doomed = Vec::new();
    // More of them than anybody reads reasons: none may hang the stop.
    for name in ["first", "second", "third"] {
        let mut spec = spec(name, 4);
        spec.restarts = Restarts { intensity: 3, ..spec.restarts };
        doomed.push(start(&tree, spec).await);
    }
    for handle in &doomed {
        for restart in 1..=4 {
            assert_eq!(handle.call(panicking(), soon()).await, Err(CallError::Lost));
            if restart < 4 {
                answer(handle, |generation| generation == restart + 1).await;
            }
        }
        eventually("it has failed", || handle.status().state == ActorState::Failed).await;
        assert_eq!(handle.call(generation(), soon()).await, Err(CallError::Draining));
    }
    let reason = tokio::time::timeout(Duration::from_secs(1), tree.failed()).await.unwrap();
    assert_eq!(reason, Failure::Exhausted { actor: "first", error: "on purpose".to_owned() });
    assert_eq!(sibling.call(generation(), soon()).await, Ok(1));
    tokio::time::timeout(Duration::from_secs(5), tree.stop(Duration::from_secs(1))).await.unwrap();
}

#[actix_rt::test]
async fn while_a_tree_that_has_failed_stops_its_siblings_finish_what_they_work_on() {
    let tree = Arc::new(Tree::default());
    let sibling = start(&tree, spec("sibling", 4)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let working = {
        let (sibling, job) = (sibling.clone(), held(&begun, &gate));
        actix_rt::spawn(async move { sibling.call(job, soon()).await })
    };
    eventually("the sibling works", || begun.load(Ordering::SeqCst) == 1).await;
    let mut spec = spec("poisoned", 4);
    spec.restarts = Restarts { intensity: 3, ..spec.restarts };
    let poisoned = start(&tree, spec).await;
    while poisoned.status().state != ActorState::Failed {
        let _ = poisoned.call(panicking(), soon()).await;
    }
    assert!(matches!(tree.failed().await, Failure::Exhausted { actor: "poisoned", .. }));
    let stopping = {
        let tree = Arc::clone(&tree);
        actix_rt::spawn(async move { tree.stop(Duration::from_secs(5)).await })
    };
    eventually("the sibling drains", || sibling.status().state == ActorState::Draining).await;
    gate.store(true, Ordering::SeqCst);
    assert_eq!(working.await.unwrap(), Ok(1));
    stopping.await.unwrap();
}
