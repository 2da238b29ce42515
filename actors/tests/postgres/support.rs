//! A PostgreSQL of its own for each test.
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mcp_rag_actors::postgres::{self, DataDirLock, ManagedPostgres, PostgresSettings};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) const STOP: Duration = Duration::from_secs(20);

pub(crate) fn settings() -> PostgresSettings {
    let install = std::env::var_os("MCP_RAG_POSTGRES_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/postgres"), PathBuf::from);
    assert!(install.exists(), "run scripts/setup.sh --test first");
    PostgresSettings { bin_dir: Some(install.join("bin")), memory_mb: Some(512), ..Default::default() }
}

pub(crate) struct Running {
    pub(crate) lock: DataDirLock,
    pub(crate) settings: PostgresSettings,
    pub(crate) postgres: ManagedPostgres,
}

pub(crate) async fn started(data_dir: &Path) -> Running {
    let settings = settings();
    let lock = DataDirLock::acquire(data_dir).expect("the data directory is free");
    let postgres = postgres::start(&settings, &lock).await.expect("PostgreSQL starts");
    Running { lock, settings, postgres }
}

pub(crate) async fn client(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("PostgreSQL accepts connections");
    drop(tokio::spawn(connection));
    client
}

pub(crate) async fn write_rows(postgres: &ManagedPostgres, rows: i64) {
    let owner = client(&postgres.owner_config()).await;
    owner.batch_execute("CREATE TABLE IF NOT EXISTS kept (id bigint)").await.expect("owner creates");
    let insert = "INSERT INTO kept SELECT generate_series(1, $1::bigint)";
    owner.execute(insert, &[&rows]).await.expect("owner inserts");
}

pub(crate) async fn count(postgres: &ManagedPostgres) -> i64 {
    let owner = client(&postgres.owner_config()).await;
    owner.query_one("SELECT count(*) FROM kept", &[]).await.expect("the table is there").get(0)
}

/// PostgreSQL processes whose command line contains the text; zombies have none.
pub(crate) fn processes(needle: &str) -> Vec<String> {
    let lines: Vec<String> = match fs::read_dir("/proc") {
        Ok(entries) => entries
            .flatten()
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .collect(),
        Err(_) => {
            let output = Command::new("ps").args(["-ww", "-A", "-o", "command="]).output().expect("ps runs");
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
        }
    };
    lines.into_iter().filter(|line| line.contains("postgres") && line.contains(needle)).collect()
}

/// Processes started on the cluster of this data directory.
pub(crate) fn servers_of(data_dir: &Path) -> Vec<String> {
    processes(&format!("-D {}", data_dir.join("postgres").display()))
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.try_into().expect("a pid"));
    nix::sys::signal::kill(pid, Signal::SIGKILL).expect("it is alive");
}

pub(crate) fn mode(bits: u32) -> fs::Permissions {
    fs::Permissions::from_mode(bits)
}
