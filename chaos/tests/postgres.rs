//! The faults themselves do what they say, or the tests that use them prove nothing.

use mcp_rag_chaos::postgres::{Cluster, rows};
use std::time::{Duration, Instant};

#[test]
fn a_standby_has_every_acknowledged_row_and_takes_over_from_a_killed_primary() {
    let primary = Cluster::start();
    let standby = primary.standby();
    primary.synchronous(true);
    primary.run("postgres", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n");
    primary.kill9();
    assert!(primary.rows("postgres", "SELECT 1").is_err());
    let count = || standby.rows("postgres", "SELECT count(*) FROM kept").expect("a row")[0].get::<_, i64>(0);
    assert_eq!(count(), 1000);
    assert!(standby.rows("postgres", "INSERT INTO kept VALUES (0)").is_err(), "a standby is read-only");
    standby.promote();
    standby.synchronous(false);
    standby.run("postgres", "INSERT INTO kept VALUES (0)");
    assert_eq!(count(), 1001);
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed_and_a_read_only_one_takes_no_writes() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE TABLE kept (n int)");
    cluster.freeze();
    let mut config = cluster.superuser("postgres");
    config.connect_timeout(Duration::from_secs(1));
    std::thread::scope(|scope| {
        let began = Instant::now();
        let asked = scope.spawn(|| rows(&config, "SELECT 1"));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!asked.is_finished());
        cluster.thaw();
        asked.join().expect("it ends").expect("it answers once thawed");
        assert!(began.elapsed() >= Duration::from_millis(300));
    });
    cluster.read_only(true);
    assert!(cluster.rows("postgres", "INSERT INTO kept VALUES (1)").is_err());
    cluster.read_only(false);
    cluster.run("postgres", "INSERT INTO kept VALUES (1)");
    cluster.kill9();
    cluster.restart();
    assert_eq!(cluster.rows("postgres", "SELECT n FROM kept").expect("rows").len(), 1);
}
