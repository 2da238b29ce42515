//! What a server and the processes it started to read documents hold in memory, sampled.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(20);

/// Watches until it is told to stop, or is dropped.
pub(crate) struct Watch {
    server: u32,
    before_kb: u64,
    /// The most that any one reader had.
    reader_kb: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// In KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peaks {
    /// By how much the server's own peak grew.
    pub(crate) server: u64,
    pub(crate) reader: u64,
}

impl Watch {
    pub(crate) fn start(server: u32) -> Self {
        let (reader_kb, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (peak, told) = (Arc::clone(&reader_kb), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                for child in readers(server) {
                    peak.fetch_max(status(child, "VmHWM:").unwrap_or(0), Ordering::Relaxed);
                }
                std::thread::sleep(EVERY);
            }
        });
        let before_kb = status(server, "VmHWM:").expect("it runs");
        Self { server, before_kb, reader_kb, stop, thread: Some(thread) }
    }

    pub(crate) fn end(mut self) -> Peaks {
        let after = status(self.server, "VmHWM:").expect("the server still runs");
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it watches").join().expect("the watch");
        Peaks { server: after - self.before_kb, reader: self.reader_kb.load(Ordering::Relaxed) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The children of a server that are of its own program: its PostgreSQL is not.
fn readers(server: u32) -> BTreeSet<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{server}/task")).into_iter().flatten().flatten();
    let children = tasks.flat_map(|task| {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    children
        .filter(|pid| {
            std::fs::read_link(format!("/proc/{pid}/exe")).ok()
                == std::fs::read_link(format!("/proc/{server}/exe")).ok()
        })
        .collect()
}

fn status(pid: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse().ok())
}
