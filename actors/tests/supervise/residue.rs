//! What restarts leave behind: nothing. Each test counts its whole process, so it runs in a copy of
//! this program of its own.
use crate::support::{answer, panicking, soon, spec, start};
use mcp_rag_actors::supervise::{CallError, Lifeline, Tree};
use std::process::Command;
use std::time::Duration;

const ALONE: &str = "MCP_RAG_TEST_ALONE";

/// True in the copy; in the original it runs the copy and repeats its verdict.
fn alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let copy = Command::new(program).args(["--exact", test, "--nocapture"]).env(ALONE, "1").output();
    let output = copy.expect("a copy of this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    false
}

#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("procfs").count()
}

#[cfg(target_os = "linux")]
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[cfg(target_os = "linux")]
#[test]
fn two_hundred_restarts_in_a_row_leave_no_thread_and_no_memory_behind() {
    if !alone("residue::two_hundred_restarts_in_a_row_leave_no_thread_and_no_memory_behind") {
        return;
    }
    actix_rt::System::new().block_on(async {
        let tree = Tree::default();
        let handle = start(&tree, spec("probe", 4)).await;
        let threads_before = threads();
        let restart = async |generation| {
            assert_eq!(handle.call(panicking(), soon()).await, Err(CallError::Lost));
            answer(&handle, |seen| seen == generation).await;
        };
        for generation in 2..52 {
            restart(generation).await; // the allocator warms up
        }
        let memory_before = resident_kib();
        for generation in 52..252 {
            restart(generation).await;
        }
        crate::support::eventually("their threads are gone", || threads() == threads_before).await;
        let grown = resident_kib().saturating_sub(memory_before);
        println!("200 restarts: {threads_before} threads before and after, {grown} KiB more resident");
        assert!(grown < 4096, "{grown} KiB more");
        assert_eq!(handle.status().restarts_by_cause.panic, 250);
        tree.stop(Duration::from_secs(1)).await;
        crate::support::eventually("the last thread is gone", || threads() < threads_before).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn starts_that_fail_leave_no_thread_behind() {
    if !alone("residue::starts_that_fail_leave_no_thread_behind") {
        return;
    }
    actix_rt::System::new().block_on(async {
        let tree = Tree::default();
        let before = threads();
        for attempt in 0..20 {
            let factory = move |_: Lifeline| {
                assert!(attempt % 3 != 0, "before its future");
                async move {
                    if attempt % 3 == 1 {
                        std::future::pending::<()>().await;
                    }
                    Err::<crate::support::Probe, _>("refused".to_owned())
                }
            };
            let spec = spec("probe", 4).start_within(Duration::from_millis(20));
            assert!(tree.start(spec, factory).await.is_err());
        }
        crate::support::eventually("their threads are gone", || threads() == before).await;
    });
}
