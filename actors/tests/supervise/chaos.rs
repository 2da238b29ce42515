//! Deaths by the hundred while many call: nobody hangs, nobody loses what is safe to repeat.
use crate::support::{Ask, Probe, answer, eventually, soon, spec, start};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::failpoint::{Plan, arm, status};
use mcp_rag_actors::supervise::{CallError, ChildSpec, Handle, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Calls without pause from many callers until told to stop: how the calls ended, and the longest.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<tokio::task::JoinHandle<(BTreeMap<String, u64>, Duration)>>,
}

impl Load {
    fn start(handle: &Handle<Probe>, callers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = || {
            let (handle, stop) = (handle.clone(), Arc::clone(&stop));
            actix_rt::spawn(async move {
                let (mut ends, mut longest) = (BTreeMap::new(), Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let end = match handle.call(Ask, Deadline::within(Duration::from_secs(5))).await {
                        Ok(_) => "ok".to_owned(),
                        Err(error) => error.to_string(),
                    };
                    *ends.entry(end).or_insert(0) += 1;
                    longest = longest.max(began.elapsed());
                }
                (ends, longest)
            })
        };
        let callers = (0..callers).map(|_| caller()).collect();
        Self { stop, callers }
    }

    async fn finish(self) -> (BTreeMap<String, u64>, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut all, mut longest) = (BTreeMap::new(), Duration::ZERO);
        for caller in self.callers {
            let caller = tokio::time::timeout(Duration::from_secs(6), caller).await;
            let (ends, slowest) = caller.expect("no caller hangs").expect("no caller panics");
            ends.into_iter().for_each(|(end, count)| *all.entry(end).or_insert(0) += count);
            longest = longest.max(slowest);
        }
        (all, longest)
    }
}

fn fired(name: &str) -> u64 {
    status().into_iter().find(|point| point.name == name).map_or(0, |point| point.fired)
}

#[actix_rt::test]
async fn deaths_twenty_milliseconds_apart_fail_no_call_that_may_be_repeated() {
    for fault in ["panic", "crash", "stop", "kill"] {
        let tree = Tree::default();
        let handle = start(&tree, spec("apart", 1000)).await;
        let load = Load::start(&handle, 64);
        for _ in 0..75 {
            arm("apart::life", Plan::parse(&format!("{fault}:1")).unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (ends, longest) = load.finish().await;
        println!("{fault}: {} restarts, {ends:?}, longest {longest:?}", handle.status().restarts);
        assert!(handle.status().restarts >= 30, "{fault}: it did die");
        assert_eq!(ends.keys().collect::<Vec<_>>(), ["ok"], "{fault}: {ends:?}");
        assert!(longest < Duration::from_secs(1), "{fault}: {longest:?}");
        tree.stop(Duration::from_secs(1)).await;
    }
}

#[actix_rt::test]
async fn a_thousand_deaths_in_a_row_of_each_kind_are_counted_and_survived_and_nobody_hangs() {
    for (fault, name) in [("panic", "many-1"), ("crash", "many-2"), ("stop", "many-3"), ("kill", "many-4")] {
        let tree = Tree::default();
        let handle = start(&tree, spec(name, 1000)).await;
        let point = format!("{name}::job");
        let plan = Plan::parse(&format!("{fault}:1")).unwrap();
        let (began, load) = (Instant::now(), Load::start(&handle, 8));
        for deaths in 1..=1000 {
            let mut armed = Instant::now() - Duration::from_secs(1);
            while handle.status().restarts < deaths {
                // A call that the last incarnation still had may have taken the strike.
                if armed.elapsed() > Duration::from_millis(50) {
                    arm(&point, plan);
                    armed = Instant::now();
                }
                assert!(began.elapsed() < Duration::from_secs(60), "{fault}: {:?}", handle.status());
                tokio::task::yield_now().await;
            }
        }
        let (ends, longest) = load.finish().await;
        answer(&handle, |_| true).await;
        let causes = handle.status().restarts_by_cause;
        println!("{fault}: {:?}, {ends:?}, longest {longest:?}", began.elapsed());
        let counted = match fault {
            "stop" => causes.stop,
            "kill" => causes.kill,
            _ => causes.panic,
        };
        assert_eq!((counted, handle.status().restarts), (1000, 1000), "{fault}: {causes:?}");
        assert!(fired(&point) >= 1000);
        // Deaths follow each other so closely that a call may find no moment between two of them.
        assert!(!ends.is_empty() && longest < Duration::from_secs(5), "{fault}: {ends:?} {longest:?}");
        eventually("every place is free again", || {
            (handle.status().mailbox, handle.status().in_flight) == (0, 0)
        })
        .await;
        tree.stop(Duration::from_secs(1)).await;
    }
}

#[actix_rt::test]
async fn an_actor_that_takes_no_calls_though_its_thread_runs_is_replaced() {
    let tree = Tree::default();
    let patience = Duration::from_millis(300);
    let handle = start(&tree, ChildSpec { wedge: patience, ..spec("stalled", 8) }).await;
    arm("stalled::job", Plan::parse("stall:1").unwrap());
    assert_eq!(handle.call(Ask, soon()).await, Ok(1), "the call that stalls it is still done");
    let began = Instant::now();
    assert_eq!(handle.call(Ask, soon()).await, Ok(2));
    let waited = began.elapsed();
    assert!(waited >= patience && waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(handle.status().restarts_by_cause.wedge, 1);
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_request_that_always_panics_ends_two_incarnations_and_no_more() {
    let tree = Tree::default();
    let handle = start(&tree, spec("poisoned", 8)).await;
    arm("poisoned::job", Plan::parse("panic").unwrap());
    assert_eq!(handle.call(Ask, soon()).await, Err(CallError::Lost));
    arm("poisoned::job", None);
    answer(&handle, |generation| generation == 3).await;
    assert_eq!(handle.status().restarts, 2);
    tree.stop(Duration::from_secs(1)).await;
}
