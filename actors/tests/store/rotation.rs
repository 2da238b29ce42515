//! Credentials change under load.

use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    Address, ListCollections, PoolSettings, StoreError, StoreHandle, TenantId, migrate, take_role,
};
use mcp_rag_actors::supervise::Tree;
use mcp_rag_actors::tls::TlsSettings;
use mcp_rag_chaos::postgres::Cluster;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROLE: &str = "served";

fn settings(cluster: &Cluster, password: &str) -> PoolSettings {
    PoolSettings {
        writer: Address::parse(&cluster.tcp_url(ROLE, password, "rag"), &TlsSettings::default())
            .expect("a connection string"),
        replicas: Vec::new(),
        max_lag: Duration::from_secs(1),
        size: 3,
        wait: Duration::from_secs(2),
        connect: Duration::from_secs(3),
        statement: Duration::from_secs(30),
        session: Vec::new(),
    }
}

async fn list(store: &StoreHandle) -> Result<(), StoreError> {
    store
        .call(ListCollections { tenant: TenantId(1) }, Deadline::within(Duration::from_secs(5)))
        .await
        .map(drop)
}

fn attempts(cluster: &Cluster) -> usize {
    cluster.log().matches("password authentication failed").count()
}

#[actix_rt::test]
async fn a_rotated_password_fails_no_call_a_wrong_one_is_refused_and_the_server_is_not_stormed() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    cluster.run("postgres", &format!("CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD 'one'"));
    let first = settings(&cluster, "one");
    migrate(&first.writer, true).await.expect("the schema");
    take_role(&first.writer).await.expect("the role");
    let tree = Tree::default();
    let store = StoreHandle::start(&tree, first).await.expect("it starts");

    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (store, stop, done) = (store.clone(), Arc::clone(&stop), Arc::clone(&done));
            actix_rt::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    list(&store).await.expect("no call fails");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more = async |calls: usize| {
        let wanted = done.load(Ordering::Relaxed) + calls;
        while done.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    };
    more(200).await;
    cluster.set_password(ROLE, "two");
    more(200).await;
    let wrong = store.reconfigure(settings(&cluster, "a wrong one")).await.expect_err("refused");
    assert!(matches!(&wrong, StoreError::Unavailable(text) if text.contains("28P01")), "{wrong}");
    more(200).await;
    store.reconfigure(settings(&cluster, "two")).await.expect("the new password works");
    more(200).await;
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{ROLE}'");
    let began = Instant::now();
    // The pool and its monitor; what was open before has ended with its work.
    while cluster.rows("postgres", &sessions).expect("a row")[0].get::<_, i64>(0) > 4 {
        assert!(began.elapsed() < Duration::from_secs(5), "old sessions stay");
        more(10).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no call failed");
    }

    // Now it changes behind our back, and every connection is lost.
    let before = attempts(&cluster);
    cluster.set_password(ROLE, "three");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'");
    cluster.run("postgres", &end);
    let began = Instant::now();
    let mut refused = 0;
    while began.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        match list(&store).await {
            Err(StoreError::Unavailable(_) | StoreError::CircuitOpen { .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
        assert!(asked.elapsed() < Duration::from_secs(1));
        actix_rt::time::sleep(Duration::from_millis(2)).await;
    }
    let asked = attempts(&cluster) - before;
    println!("{refused} calls were refused with {asked} attempts to connect");
    assert!(refused > 100 && asked <= 15, "{refused} refused, {asked} attempts");
    store.reconfigure(settings(&cluster, "three")).await.expect("the newest password works");
    let began = Instant::now();
    while list(&store).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(10));
        actix_rt::time::sleep(Duration::from_millis(10)).await;
    }
    tree.stop(Duration::from_secs(5)).await;
}
