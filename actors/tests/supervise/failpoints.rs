//! Faults armed from outside strike any actor, without code of its own.
use crate::support::{answer, eventually, generation, soon, spec, start};
use mcp_rag_actors::supervise::failpoint::{Plan, arm, status};
use mcp_rag_actors::supervise::{CallError, Tree};
use std::time::Duration;

fn fired(name: &str) -> u64 {
    status().into_iter().find(|point| point.name == name).map_or(0, |point| point.fired)
}

#[actix_rt::test]
async fn each_fault_at_a_call_ends_the_incarnation_and_is_counted_under_its_cause() {
    let tree = Tree::default();
    let handle = start(&tree, spec("struck", 8)).await;
    for (at, fault) in ["panic:1", "crash:1", "stop:1", "kill:1", "error:1"].into_iter().enumerate() {
        arm("struck::job", Plan::parse(fault).unwrap());
        let struck = handle.call(generation(), soon()).await;
        let expected = match fault {
            "panic:1" => Err(CallError::Lost),
            "error:1" => Ok(at as u64 + 1),
            _ => Ok(at as u64 + 2), // it never began, so it was made again
        };
        assert_eq!(struck, expected, "{fault}");
        answer(&handle, |generation| generation == at as u64 + 2).await;
    }
    let causes = handle.status().restarts_by_cause;
    assert_eq!((causes.panic, causes.stop, causes.kill, causes.error), (2, 1, 1, 1));
    assert_eq!(fired("struck::job"), 5);
    tree.stop(Duration::from_secs(1)).await;
}

#[actix_rt::test]
async fn a_fault_at_a_life_strikes_an_actor_that_nobody_calls() {
    let tree = Tree::default();
    let handle = start(&tree, spec("idle", 8)).await;
    for (fault, of) in [("panic:3", 3), ("stop:3", 6), ("kill:3", 9), ("error:3", 12), ("crash:3", 15)] {
        arm("idle::life", Plan::parse(fault).unwrap());
        eventually("it was replaced as often", || handle.status().restarts == of).await;
    }
    assert_eq!(fired("idle::life"), 15);
    answer(&handle, |generation| generation == 16).await;
    tree.stop(Duration::from_secs(1)).await;
}
