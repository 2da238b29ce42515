//! The size of this machine, or of the container, whichever is smaller.
use std::fs;

use super::tuning::Machine;

/// Assumed where the size cannot be read.
const FALLBACK_BYTES: u64 = 4 << 30;

pub(super) fn measure(memory_mb: Option<u64>) -> Machine {
    let memory_bytes = memory_mb.map_or_else(memory_bytes, |mb| mb << 20);
    Machine {
        memory_bytes,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        shared_memory_bytes: shared_memory_bytes(),
    }
}

fn memory_bytes() -> u64 {
    let physical = physical_bytes().unwrap_or(FALLBACK_BYTES);
    container_bytes().map_or(physical, |limit| limit.min(physical))
}

fn physical_bytes() -> Option<u64> {
    if let Ok(text) = fs::read_to_string("/proc/meminfo") {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        return Some(kib << 10);
    }
    let output = std::process::Command::new("sysctl").args(["-n", "hw.memsize"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Control group version 2, then 1; "max" and absurd values mean no limit.
fn container_bytes() -> Option<u64> {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
}

fn shared_memory_bytes() -> Option<u64> {
    let stats = nix::sys::statvfs::statvfs("/dev/shm").ok()?;
    // The fields' widths differ between platforms.
    Some(stats.blocks_available() as u64 * stats.fragment_size() as u64)
}
