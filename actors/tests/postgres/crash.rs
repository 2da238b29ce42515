//! What survives a kill, and what one leaves behind.
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mcp_rag_actors::postgres::{self, ExitReason};

use crate::support::{STOP, client, count, eventually, kill, servers_of, started, write_rows};

/// Set for the copy of this program that plays the server to be killed.
const VICTIM: &str = "MCP_RAG_TEST_VICTIM_DATA_DIR";

#[tokio::test]
async fn a_child_killed_under_writes_is_noticed_and_the_next_one_has_every_acknowledged_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = started(dir.path()).await;
    write_rows(&running.postgres, 1).await;
    let owner = client(&running.postgres.owner_config()).await;
    let writer = tokio::spawn(async move {
        let mut acknowledged = 1;
        while owner.execute("INSERT INTO kept VALUES (1)", &[]).await.is_ok() {
            acknowledged += 1;
        }
        acknowledged
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    kill(running.postgres.pid());
    let reason = tokio::time::timeout(STOP, running.postgres.exited()).await.unwrap();
    assert_eq!(reason, ExitReason::Signal(9));

    // At once, as a supervisor does: backends of the killed server may still be about.
    let began = Instant::now();
    let again = postgres::start(&running.settings, &running.lock).await.unwrap();
    println!("recovered after SIGKILL in {:?}", began.elapsed());
    let acknowledged: i64 = writer.await.unwrap();
    let found = count(&again).await;
    // The last insert may have been committed without its acknowledgement getting through.
    assert!((acknowledged..=acknowledged + 1).contains(&found), "{acknowledged} {found}");
    again.stop(STOP).await;
}

#[tokio::test]
async fn orphaned_backends_of_a_killed_server_are_ended_before_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = started(dir.path()).await;
    let owner = client(&running.postgres.owner_config()).await;
    // Busy on the processor, it would not notice for a long time that its server is gone.
    let busy = tokio::spawn(async move {
        owner.batch_execute("SELECT count(*) FROM generate_series(1, 4000000000)").await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    kill(running.postgres.pid());
    running.postgres.exited().await;
    let again = postgres::start(&running.settings, &running.lock).await.unwrap();
    assert!(busy.await.unwrap().is_err());
    again.stop(STOP).await;
}

#[tokio::test]
async fn a_stale_postmaster_pid_naming_another_program_does_not_hinder_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let running = started(dir.path()).await;
    write_rows(&running.postgres, 10).await;
    let pid_file = dir.path().join("postgres/postmaster.pid");
    let content = fs::read_to_string(&pid_file).unwrap();
    running.postgres.stop(STOP).await;
    drop(running.lock);

    // As after a crash, with the pid since taken by a program that has nothing to do with it.
    let mut innocent = Command::new("sleep").arg("60").spawn().unwrap();
    let rest = content.split_once('\n').unwrap().1;
    fs::write(&pid_file, format!("{}\n{rest}", innocent.id())).unwrap();

    let again = started(dir.path()).await;
    assert_eq!(count(&again.postgres).await, 10);
    assert!(innocent.try_wait().unwrap().is_none(), "the other program was left alone");
    innocent.kill().unwrap();
    innocent.wait().unwrap();
    again.postgres.stop(STOP).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_server_takes_its_database_along() {
    let dir = tempfile::tempdir().unwrap();
    start_and_kill_a_server(dir.path());
    eventually("its database is gone", || servers_of(dir.path()).is_empty()).await;
    // It was asked to shut down, so it tidied up.
    assert!(!dir.path().join("postgres/postmaster.pid").exists());
}

#[tokio::test]
async fn a_server_started_while_a_killed_ones_database_shuts_down_waits_for_it_and_has_the_data() {
    let dir = tempfile::tempdir().unwrap();
    start_and_kill_a_server(dir.path());
    let next = started(dir.path()).await;
    assert_eq!(count(&next.postgres).await, 5);
    next.postgres.stop(STOP).await;
}

/// A copy of this program with PostgreSQL under it, killed with SIGKILL once it is up.
fn start_and_kill_a_server(data_dir: &Path) {
    let mut victim = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::a_server_to_be_killed", "--ignored", "--nocapture"])
        .env(VICTIM, data_dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a copy of this program starts");
    let said = BufReader::new(victim.stdout.take().expect("piped")).lines();
    assert!(said.map_while(Result::ok).any(|line| line.contains("child is up")));
    assert_eq!(servers_of(data_dir).len(), 1);
    victim.kill().expect("the server can be killed");
    victim.wait().expect("it ended");
}

/// Not a test by itself: the process that tests start and kill.
#[tokio::test]
#[ignore = "started by start_and_kill_a_server"]
async fn a_server_to_be_killed() {
    let Some(dir) = std::env::var_os(VICTIM) else { return };
    let running = started(Path::new(&dir)).await;
    write_rows(&running.postgres, 5).await;
    println!("child is up");
    std::future::pending::<()>().await;
}
