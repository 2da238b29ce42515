//! The managed PostgreSQL against the real binaries that `scripts/setup.sh` installs.
mod crash;
mod places;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use mcp_rag_actors::postgres::{self, DataDirLock, ExitReason, ManagedPostgres, PostgresError};

use crate::support::{STOP, client, count, processes, servers_of, settings, started, write_rows};

#[tokio::test]
async fn a_first_start_makes_a_cluster_with_a_database_pgvector_and_two_bound_roles() {
    let dir = tempfile::tempdir().unwrap();
    let running = started(dir.path()).await;

    let owner = client(&running.postgres.owner_config()).await;
    owner.batch_execute("CREATE EXTENSION IF NOT EXISTS vector").await.unwrap();
    owner
        .batch_execute(
            "CREATE TABLE secret (tenant int, embedding halfvec(3));
             ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
             INSERT INTO secret VALUES (1, '[1,2,3]');
             GRANT SELECT ON secret TO mcp_rag_app;",
        )
        .await
        .unwrap();
    let privileged = "SELECT bool_or(rolsuper OR rolbypassrls OR rolcreaterole) FROM pg_roles \
                      WHERE rolname IN ('mcp_rag_owner', 'mcp_rag_app')";
    assert!(!owner.query_one(privileged, &[]).await.unwrap().get::<_, bool>(0));

    let app = client(&running.postgres.app_config()).await;
    let seen = app.query("SELECT tenant FROM secret", &[]).await.unwrap();
    assert!(seen.is_empty(), "row-level security binds the application's role");
    assert!(app.batch_execute("CREATE TABLE mine (id int)").await.is_err());
    for (name, expected) in [("listen_addresses", ""), ("fsync", "on"), ("server_encoding", "UTF8")] {
        let row = app.query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), expected, "{name}");
    }
    // Letters beyond ASCII are letters, in case and in full-text parsing.
    let text = "SELECT lower('ÄÖÜ ΣΤ') = 'äöü στ', to_tsvector('simple', 'Čeština') @@ 'čeština'";
    let row = app.query_one(text, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0) && row.get::<_, bool>(1));

    drop((owner, app));
    assert_eq!(running.postgres.stop(STOP).await, ExitReason::Code(0));
}

#[tokio::test]
async fn a_second_start_has_the_data_and_is_ready_within_three_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let first = started(dir.path()).await;
    write_rows(&first.postgres, 1000).await;
    first.postgres.stop(STOP).await;
    drop(first.lock);

    let began = Instant::now();
    let second = started(dir.path()).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    println!("second start: {:?}", began.elapsed());
    assert_eq!(count(&second.postgres).await, 1000);
    second.postgres.stop(STOP).await;
}

#[test]
fn the_thread_that_started_it_may_end() {
    // An actor's arbiter is such a thread; on Linux a child can be tied to its parent thread.
    let block_on = |future: std::pin::Pin<Box<dyn Future<Output = ManagedPostgres>>>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let starter =
        std::thread::spawn(move || block_on(Box::pin(async move { started(&path).await.postgres })));
    let postgres = starter.join().unwrap();
    let still_there = block_on(Box::pin(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        write_rows(&postgres, 1).await;
        postgres
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(still_there.stop(STOP)), ExitReason::Code(0));
}

#[tokio::test]
async fn a_second_server_on_the_same_data_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = started(dir.path()).await;
    let refused = DataDirLock::acquire(dir.path()).unwrap_err().to_string();
    assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
    running.postgres.stop(STOP).await;
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused_with_the_remedy_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let running = started(dir.path()).await;
    running.postgres.stop(STOP).await;
    let version = dir.path().join("postgres/PG_VERSION");
    fs::write(&version, "14\n").unwrap();
    let error = postgres::start(&running.settings, &running.lock).await.unwrap_err();
    assert!(matches!(error, PostgresError::MajorVersion { .. }));
    let text = error.to_string();
    assert!(text.contains("PostgreSQL 14") && text.contains("bin_dir"), "{text}");
    assert_eq!(fs::read_to_string(&version).unwrap(), "14\n");
}

#[tokio::test]
async fn stopping_leaves_no_process_and_does_not_wait_for_idle_clients() {
    let dir = tempfile::tempdir().unwrap();
    let running = started(dir.path()).await;
    let idle = client(&running.postgres.app_config()).await;
    let row = idle.query_one("SHOW cluster_name", &[]).await.unwrap();
    let title: String = row.get(0);
    assert_eq!(servers_of(dir.path()).len(), 1);
    assert!(!processes(&title).is_empty(), "backends carry the cluster's name");
    let began = Instant::now();
    assert_eq!(running.postgres.stop(STOP).await, ExitReason::Code(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(servers_of(dir.path()), Vec::<String>::new());
    assert_eq!(processes(&title), Vec::<String>::new());
}

#[tokio::test]
async fn a_parameter_postgres_refuses_fails_the_start_with_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.parameters.insert("work_mem".into(), "plenty".into());
    let lock = DataDirLock::acquire(dir.path()).unwrap();
    let error = postgres::start(&settings, &lock).await.unwrap_err();
    assert!(matches!(error, PostgresError::EndedAtStart { .. }), "{error}");
    assert!(error.to_string().contains("work_mem"), "{error}");
}

#[tokio::test]
async fn an_own_parameter_wins_over_the_computed_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.parameters.insert("work_mem".into(), "7MB".into());
    let lock = DataDirLock::acquire(dir.path()).unwrap();
    let postgres = postgres::start(&settings, &lock).await.unwrap();
    let app = client(&postgres.app_config()).await;
    let row = app.query_one("SHOW work_mem", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "7MB");
    drop(app);
    postgres.stop(STOP).await;
}
