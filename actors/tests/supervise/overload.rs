//! Bounds, deadlines and callers that leave.
use crate::support::{Dropped, eventually, generation, held, run, soon, spec, start};
use futures_util::future::join_all;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::{CallError, Priority, Tree};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[actix_rt::test]
async fn everything_that_is_admitted_is_accepted_however_many_come_at_once() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 1000)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    // All calls are made before the first of them is begun: the arbiter is busy.
    let block = run(|_| async {
        std::thread::sleep(Duration::from_millis(100));
        0
    });
    let blocker = {
        let handle = handle.clone();
        actix_rt::spawn(async move { handle.call(block, soon()).await })
    };
    let calls = join_all((0..999).map(|_| handle.call(held(&begun, &gate), soon())));
    let opening = async {
        eventually("all run", || begun.load(Ordering::SeqCst) == 999).await;
        gate.store(true, Ordering::SeqCst);
    };
    let (answers, ()) = tokio::join!(calls, opening);
    assert!(answers.iter().all(|answer| *answer == Ok(1)), "none was refused");
    assert_eq!(blocker.await.unwrap(), Ok(0));
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_burst_of_ten_thousand_runs_no_more_than_is_admitted_and_refuses_the_rest_at_once() {
    const ADMISSION: usize = 50;
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", ADMISSION)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let settled = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let calls: Vec<_> = (0..10_000)
        .map(|_| {
            let (handle, job, settled) = (handle.clone(), held(&begun, &gate), Arc::clone(&settled));
            actix_rt::spawn(async move {
                let answer = handle.call(job, soon()).await;
                settled.fetch_add(1, Ordering::SeqCst);
                answer
            })
        })
        .collect();
    eventually("the rest is refused", || settled.load(Ordering::SeqCst) == 10_000 - ADMISSION as u64).await;
    assert!(began.elapsed() < Duration::from_secs(2), "at once: {:?}", began.elapsed());
    eventually("the admitted run", || begun.load(Ordering::SeqCst) == ADMISSION as u64).await;
    let status = handle.status();
    assert_eq!((status.in_flight, status.mailbox), (ADMISSION, 0));

    gate.store(true, Ordering::SeqCst);
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(count(Ok(1)), ADMISSION);
    assert_eq!(count(Err(CallError::Overloaded)), 10_000 - ADMISSION);
    eventually("all places are free again", || handle.status().in_flight == 0).await;
    assert_eq!(handle.call(generation(), soon()).await, Ok(1));
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn ingest_is_refused_first_and_probes_are_answered_while_every_place_is_taken() {
    const ADMISSION: usize = 20;
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", ADMISSION)).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut calls = Vec::new();
    for (priority, places) in [(Priority::Bulk, ADMISSION / 2), (Priority::Interactive, ADMISSION)] {
        while calls.len() < places {
            let (handle, job) = (handle.clone(), held(&begun, &gate).with(priority));
            calls.push(actix_rt::spawn(async move { handle.call(job, soon()).await }));
        }
        eventually("its share runs", || begun.load(Ordering::SeqCst) == places as u64).await;
        let one_more = handle.call(generation().with(priority), soon()).await;
        assert_eq!(one_more, Err(CallError::Overloaded), "{priority:?}");
    }
    assert_eq!(handle.call(generation().with(Priority::Bulk), soon()).await, Err(CallError::Overloaded));
    assert_eq!(handle.call(generation().with(Priority::Health), soon()).await, Ok(1));
    gate.store(true, Ordering::SeqCst);
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(1));
    }
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_deadline_ends_the_wait_and_the_work_behind_it() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 1)).await;
    let ended = Arc::new(AtomicBool::new(false));
    let guard = Dropped(Arc::clone(&ended));
    let slow = run(|_| async move {
        let _guard = guard;
        std::future::pending().await
    });
    let began = Instant::now();
    let answer = handle.call(slow, Deadline::within(Duration::from_millis(50))).await;
    assert_eq!(answer, Err(CallError::Timeout));
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(50) && waited < Duration::from_secs(1), "{waited:?}");
    eventually("the work is dropped", || ended.load(Ordering::SeqCst)).await;
    eventually("its place is free", || handle.status().in_flight == 0).await;
    assert_eq!(handle.call(generation(), soon()).await, Ok(1), "the same incarnation goes on");
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn work_whose_deadline_passed_in_the_queue_is_never_begun() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 8)).await;
    let block = run(|_| async {
        std::thread::sleep(Duration::from_millis(150));
        0
    });
    let blocker = {
        let handle = handle.clone();
        actix_rt::spawn(async move { handle.call(block, soon()).await })
    };
    eventually("the service is blocked", || handle.status().in_flight == 1).await;
    let (begun, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let late = handle.call(held(&begun, &gate), Deadline::within(Duration::from_millis(20))).await;
    assert_eq!(late, Err(CallError::Timeout));
    assert_eq!(blocker.await.unwrap(), Ok(0));
    assert_eq!(handle.call(generation(), soon()).await, Ok(1));
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_caller_that_leaves_cancels_its_work() {
    let tree = Tree::default();
    let handle = start(&tree, spec("probe", 1)).await;
    let (started, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (start_seen, guard) = (Arc::clone(&started), Dropped(Arc::clone(&ended)));
    let job = run(move |_| async move {
        let _guard = guard;
        start_seen.store(true, Ordering::SeqCst);
        std::future::pending().await
    });
    let caller = {
        let handle = handle.clone();
        actix_rt::spawn(async move { handle.call(job, soon()).await })
    };
    eventually("the work has begun", || started.load(Ordering::SeqCst)).await;
    assert_eq!(handle.call(generation(), soon()).await, Err(CallError::Overloaded));
    caller.abort();
    eventually("the work is dropped", || ended.load(Ordering::SeqCst)).await;
    eventually("its place is free", || handle.status().in_flight == 0).await;
    assert_eq!(handle.call(generation(), soon()).await, Ok(1));
    assert_eq!(handle.status().restarts, 0);
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_blocked_service_delays_no_other_and_its_callers_leave_at_their_deadline() {
    let tree = Tree::default();
    let (blocked, other) = (start(&tree, spec("blocked", 8)).await, start(&tree, spec("other", 8)).await);
    let block = run(|_| async {
        std::thread::sleep(Duration::from_secs(1));
        7
    });
    let blocker = {
        let blocked = blocked.clone();
        actix_rt::spawn(async move { blocked.call(block, soon()).await })
    };
    eventually("the service is blocked", || blocked.status().in_flight == 1).await;
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(other.call(generation(), soon()).await, Ok(1));
    }
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    let behind = blocked.call(generation(), Deadline::within(Duration::from_millis(50))).await;
    assert_eq!(behind, Err(CallError::Timeout));
    assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
    assert_eq!(blocker.await.unwrap(), Ok(7));
    tree.stop(Duration::from_secs(1)).await;
}
