//! Threads that block: noticed, given up, replaced, and never mistaken for busy ones.
use crate::support::{Ask, Probe, Run, answer, eventually, generation, run, soon, spec, start};
use mcp_rag_actors::supervise::{CallError, ChildSpec, Failure, Handle, Tree};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn wedge_of(millis: u64) -> ChildSpec {
    ChildSpec { wedge: Duration::from_millis(millis), ..spec("probe", 64) }
}

fn blocking(time: Duration) -> Run {
    run(move |_| async move {
        std::thread::sleep(time);
        0
    })
}

fn call(handle: &Handle<Probe>, run: Run) -> tokio::task::JoinHandle<Result<u64, CallError>> {
    let handle = handle.clone();
    actix_rt::spawn(async move { handle.call(run, soon()).await })
}

#[actix_rt::test]
async fn a_blocked_thread_is_given_up_its_callers_are_told_at_once_and_what_never_began_is_done() {
    let tree = Tree::default();
    let handle = start(&tree, wedge_of(400)).await;
    let began = Instant::now();
    let blocker = call(&handle, blocking(Duration::from_secs(3)));
    eventually("the service is blocked", || handle.status().in_flight == 1).await;
    let queued: Vec<_> = (0..10).map(|_| call(&handle, generation())).collect();
    assert_eq!(blocker.await.unwrap(), Err(CallError::Lost));
    for call in queued {
        assert_eq!(call.await.unwrap(), Ok(2), "it never began, so it was made again");
    }
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(400) && waited < Duration::from_millis(1500), "{waited:?}");
    let status = handle.status();
    assert_eq!((status.restarts, status.restarts_by_cause.wedge, status.abandoned), (1, 1, 1));
    assert_eq!((status.in_flight, status.mailbox), (0, 0), "the blocked thread holds nobody's place");
    eventually("the thread has ended", || handle.status().abandoned == 0).await;
    assert_eq!(handle.call(generation(), soon()).await, Ok(2));
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn what_may_be_asked_again_survives_a_wedge_even_if_it_had_begun() {
    let tree = Tree::default();
    let handle = start(&tree, wedge_of(200)).await;
    let asking = {
        let handle = handle.clone();
        actix_rt::spawn(async move {
            let mut asked = 0;
            while handle.call(Ask, soon()).await.expect("an answer") == 1 {
                asked += 1;
            }
            asked
        })
    };
    tokio::time::sleep(Duration::from_millis(20)).await;
    let blocker = call(&handle, blocking(Duration::from_secs(1)));
    assert!(asking.await.expect("no call failed") > 0);
    assert_eq!(blocker.await.unwrap(), Err(CallError::Lost));
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn stopping_does_not_wait_for_a_blocked_thread() {
    let tree = Tree::default();
    let handle = start(&tree, wedge_of(200)).await;
    let blocker = call(&handle, blocking(Duration::from_secs(4)));
    eventually("the service is blocked", || handle.status().in_flight == 1).await;
    let began = Instant::now();
    tree.stop(Duration::from_secs(10)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(blocker.await.unwrap(), Err(CallError::Lost));
}

#[actix_rt::test]
async fn more_blocked_threads_than_are_bearable_fail_the_tree() {
    let tree = Tree::default();
    let handle = start(&tree, wedge_of(100)).await;
    for generation in 1..=9 {
        let blocker = call(&handle, blocking(Duration::from_secs(8)));
        assert_eq!(blocker.await.unwrap(), Err(CallError::Lost));
        if generation < 9 {
            answer(&handle, |seen| seen == generation + 1).await;
        }
    }
    let failure = tokio::time::timeout(Duration::from_secs(2), tree.failed()).await.unwrap();
    assert!(matches!(failure, Failure::Exhausted { actor: "probe", .. }), "{failure}");
}

#[actix_rt::test]
async fn a_busy_machine_is_no_wedge() {
    let tree = Tree::default();
    let handle = start(&tree, ChildSpec::new("probe", 64)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let spinning: Vec<_> = (0..cores * 4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        assert_eq!(handle.call(generation(), soon()).await, Ok(1));
        // Below the patience, but most of it: long work on the thread is no wedge either.
        let long = began.elapsed().as_secs() == 2;
        if long {
            assert_eq!(handle.call(blocking(Duration::from_millis(1200)), soon()).await, Ok(0));
        }
    }
    stop.store(true, Ordering::Relaxed);
    spinning.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(handle.status().restarts, 0);
    tree.stop(Duration::from_secs(1)).await;
}
