//! PostgreSQL parameters from the machine's size. Pure.
//!
//! The database shares the machine with the embedder and the server itself, so it plans with less
//! than PostgreSQL's usual quarter of the memory and leaves the rest to the page cache, which it
//! uses as well. Durability is not tuned: an acknowledged commit is on disk.
use std::collections::BTreeMap;

const MIB: u64 = 1024 * 1024;

/// What the machine, or the container, offers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) memory_bytes: u64,
    pub(super) cores: usize,
    /// Free space for POSIX shared memory; containers often get 64 MiB.
    pub(super) shared_memory_bytes: Option<u64>,
}

/// Parameter names and values, in the spelling of `postgresql.conf`.
pub(super) fn parameters(machine: Machine, max_connections: u16) -> BTreeMap<&'static str, String> {
    let memory_mb = machine.memory_bytes / MIB;
    let cores = machine.cores.max(1) as u64;
    let share = |part: u64, low: u64, high: u64| (memory_mb / part).clamp(low, high);
    let maintenance_mb = share(16, 64, 2048);

    let mut all: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut set = |name, value: String| {
        all.insert(name, value);
    };
    let mb = |value: u64| format!("{value}MB");

    set("max_connections", max_connections.to_string());
    set("shared_buffers", mb(share(6, 128, 8192)));
    set("effective_cache_size", mb(share(2, 256, 65_536)));
    // Several sorts of several connections may each take this much.
    set("work_mem", mb((memory_mb / (u64::from(max_connections) * 16)).clamp(4, 64)));
    // An HNSW build that fits in memory is many times faster than one that does not.
    set("maintenance_work_mem", mb(maintenance_mb));
    set("autovacuum_work_mem", mb(maintenance_mb.min(256)));
    set("huge_pages", "try".into());

    // Parallel plans help one big query and hurt many small ones: only with cores to spare.
    set("max_worker_processes", (cores + 8).min(64).to_string());
    set("max_parallel_workers", cores.min(32).to_string());
    set("max_parallel_workers_per_gather", (cores / 4).min(4).to_string());
    set("max_parallel_maintenance_workers", (cores / 2).clamp(1, 8).to_string());
    // Parallel index builds share memory; where /dev/shm is too small for that, use files.
    let shared_memory_needed = (maintenance_mb + 64) * MIB;
    if machine.shared_memory_bytes.is_some_and(|free| free < shared_memory_needed) {
        set("dynamic_shared_memory_type", "mmap".into());
    }

    set("fsync", "on".into());
    set("synchronous_commit", "on".into());
    set("full_page_writes", "on".into());
    set("wal_level", "replica".into()); // pg_basebackup works
    set("wal_buffers", "16MB".into());
    set("min_wal_size", "128MB".into());
    set("max_wal_size", "2GB".into());
    set("checkpoint_timeout", "10min".into());
    set("checkpoint_completion_target", "0.9".into());

    set("jit", "off".into()); // compiling costs more than these short queries take
    set("random_page_cost", "1.1".into());
    // The statistics of the search tables must follow an ingest closely.
    set("autovacuum_naptime", "15s".into());
    set("autovacuum_analyze_scale_factor", "0.05".into());
    set("autovacuum_vacuum_cost_limit", "1000".into());
    set("idle_in_transaction_session_timeout", "60s".into());

    // Causes, never content: no statements, parameters, keys or rows in the log.
    set("log_min_messages", "warning".into());
    set("log_min_error_statement", "panic".into());
    set("log_error_verbosity", "terse".into());
    set("log_statement", "none".into());
    set("log_checkpoints", "off".into());
    set("log_line_prefix", "'%m [%p] '".into());
    set("log_timezone", "'UTC'".into());
    set("timezone", "'UTC'".into());
    all
}

/// The whole `postgresql.conf`, from computed parameters and a person's own, which win.
pub(super) fn render(
    computed: &BTreeMap<&'static str, String>,
    fixed: &[(&str, String)],
    own: &BTreeMap<String, String>,
) -> String {
    let mut text = String::from(
        "# Written by mcp-rag at every start; changes here are lost.\n\
         # Set parameters under database.embedded.parameters instead.\n",
    );
    let mut line = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(" = ");
        text.push_str(value);
        text.push('\n');
    };
    for (name, value) in computed {
        line(name, value);
    }
    for (name, value) in own {
        line(name, &quote(value));
    }
    // Last, so that nothing above can override them.
    for (name, value) in fixed {
        line(name, &quote(value));
    }
    text
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(memory_mb: u64, cores: usize) -> Machine {
        Machine { memory_bytes: memory_mb * MIB, cores, shared_memory_bytes: None }
    }

    #[test]
    fn a_small_machine_gets_small_but_workable_buffers() {
        let all = parameters(machine(1024, 1), 100);
        assert_eq!(all["shared_buffers"], "170MB");
        assert_eq!(all["work_mem"], "4MB");
        assert_eq!(all["maintenance_work_mem"], "64MB");
        assert_eq!(all["max_parallel_workers_per_gather"], "0");
    }

    #[test]
    fn a_big_machine_does_not_give_everything_to_the_database() {
        let all = parameters(machine(512 * 1024, 64), 100);
        assert_eq!(all["shared_buffers"], "8192MB");
        assert_eq!(all["maintenance_work_mem"], "2048MB");
        assert_eq!(all["work_mem"], "64MB");
        assert_eq!(all["max_parallel_workers_per_gather"], "4");
    }

    #[test]
    fn commits_are_durable_at_every_size() {
        for memory_mb in [256, 4096, 1_000_000] {
            let all = parameters(machine(memory_mb, 2), 100);
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                assert_eq!(all[name], "on");
            }
        }
    }

    #[test]
    fn a_container_with_little_shared_memory_falls_back_to_files() {
        let tight = Machine { shared_memory_bytes: Some(64 * MIB), ..machine(8192, 4) };
        assert_eq!(parameters(tight, 100)["dynamic_shared_memory_type"], "mmap");
        assert!(!parameters(machine(8192, 4), 100).contains_key("dynamic_shared_memory_type"));
    }

    #[test]
    fn values_are_quoted_and_the_fixed_ones_come_last() {
        let own = BTreeMap::from([("application_name".to_owned(), "it's".to_owned())]);
        let text = render(&BTreeMap::new(), &[("listen_addresses", String::new())], &own);
        assert!(text.contains("application_name = 'it''s'\n"));
        assert!(text.ends_with("listen_addresses = ''\n"));
    }
}
