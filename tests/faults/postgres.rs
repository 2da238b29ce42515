//! The managed PostgreSQL is killed under a server that stays.

use crate::support::{PATIENCE, Reply, Server, alive, eventually};
use crate::tools::{check_equal, check_statistics, document, lines, signal, sql};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// No answer takes longer than the search's own deadline and a margin for a busy machine.
const SEARCH_WITHIN: Duration = Duration::from_millis(5000 + 2500);

fn restarts(server: &Server) -> u64 {
    let system = server.get("/v1/system").ok(200);
    let actors = system["actors"].as_array().expect("actors");
    let postgres = actors.iter().find(|actor| actor["name"] == "postgres").expect("the postgres actor");
    postgres["restarts"].as_u64().expect("a number")
}

/// Searches without pause on four connections while `fault` runs, and checks every single answer.
fn under_load<T>(server: &Server, fault: impl FnOnce(&AtomicUsize) -> T) -> (T, usize, usize) {
    let (stop, answered, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let seen: Mutex<Vec<String>> = Mutex::default();
    let search = |client: usize| {
        let mut n = 0;
        while !stop.load(Ordering::Relaxed) {
            n += 1;
            // Never the same twice: answers from the cache would prove nothing.
            let query = format!("client {client} asks for the {n}th time about the violin and its varnish");
            let began = Instant::now();
            let reply = server.post("/v1/search", &json!({"query": query, "collections": ["kept"]}));
            assert!(began.elapsed() < SEARCH_WITHIN, "an answer took {:?}", began.elapsed());
            if reply.status == 200 {
                assert!(!reply.json()["results"].as_array().expect("results").is_empty());
                answered.fetch_add(1, Ordering::Relaxed);
            } else {
                refused.fetch_add(1, Ordering::Relaxed);
                check_unavailable(&reply);
                seen.lock().expect("seen").push(reply.json()["error"]["code"].to_string());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    };
    let outcome = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|client| scope.spawn(move || search(client))).collect();
        eventually("searches are answered", || {
            let dead = clients.iter().any(std::thread::ScopedJoinHandle::is_finished);
            dead || answered.load(Ordering::Relaxed) >= 20
        });
        // The clients end even when the fault's own assertions fail.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fault(&answered)));
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    let outcome = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let mut codes = seen.into_inner().expect("seen");
    codes.sort();
    codes.dedup();
    println!("{answered:?} answered, {refused:?} refused with {codes:?}");
    (outcome, answered.into_inner(), refused.into_inner())
}

#[track_caller]
fn check_unavailable(reply: &Reply) {
    let code = reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    assert!(matches!(code.as_str(), "unavailable" | "overloaded"), "{}: {}", reply.status, reply.text());
    reply.error(503, &code);
}

fn is_ready(server: &Server) -> bool {
    let reply = server.get("/health/ready");
    reply.status == 200 && reply.json()["status"] == "ok"
}

#[test]
fn a_killed_database_heals_under_a_search_load_without_a_restart_of_the_server() {
    let mut server = Server::start();
    server.create("kept");
    server.ingest_json("kept", &(0..40).map(|n| document(n, 0)).collect::<Vec<_>>());
    let pid = server.pid();
    for round in 1..=2 {
        let (took, ..) = under_load(&server, |answered| {
            let postgres = server.postgres_pid();
            signal(postgres, Signal::SIGKILL);
            let began = Instant::now();
            eventually("PostgreSQL is replaced", || server.postgres_pid() != postgres);
            assert!(!alive(postgres));
            let before = answered.load(Ordering::Relaxed);
            eventually("searches are answered again", || answered.load(Ordering::Relaxed) > before + 20);
            eventually("the server is ready again", || is_ready(&server));
            began.elapsed()
        });
        println!("kill {round}: ready and answering again after {took:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert!(restarts(&server) >= round);
    }
    assert_eq!(server.pid(), pid);
    check_statistics(&server);
    server.stop();
}

#[test]
fn a_killed_connection_process_of_the_database_is_a_matter_of_seconds_too() {
    let mut server = Server::start();
    server.create("kept");
    server.ingest_json("kept", &(0..40).map(|n| document(n, 0)).collect::<Vec<_>>());
    under_load(&server, |answered| {
        // PostgreSQL then ends all its sessions and recovers, under the same main process.
        let victim = "SELECT pid FROM pg_stat_activity WHERE application_name = 'mcp-rag' LIMIT 1";
        let victim: i32 = sql(&server, victim)[0].get(0);
        let postgres = server.postgres_pid();
        signal(victim.try_into().expect("a pid"), Signal::SIGKILL);
        let before = answered.load(Ordering::Relaxed);
        eventually("searches are answered again", || answered.load(Ordering::Relaxed) > before + 50);
        eventually("the server is ready", || is_ready(&server));
        assert_eq!(server.postgres_pid(), postgres);
    });
    server.stop();
}

#[test]
fn a_database_killed_in_the_middle_of_an_ingest_loses_and_doubles_nothing() {
    const DOCUMENTS: usize = 300;
    let mut server = Server::builder().set("ingest.lease_ms", 1500).start();
    let pid = server.pid();
    server.create("kept");
    let receipt = server.ndjson("kept", &lines((0..DOCUMENTS).map(|n| document(n, 0)))).ok(202);
    let ready = |server: &Server| {
        let reply = server.get("/v1/collections/kept");
        (reply.status == 200).then(|| reply.json()["documents"].as_u64()).flatten().unwrap_or(0)
    };
    for part in [40, 120] {
        eventually("some are searchable", || ready(&server) >= part);
        let postgres = server.postgres_pid();
        signal(postgres, Signal::SIGKILL);
        eventually("PostgreSQL is replaced", || server.postgres_pid() != postgres);
    }
    let path = format!("/v1/jobs/{}", receipt["job"].as_str().unwrap());
    let mut job = Value::Null;
    let began = Instant::now();
    while job["status"] != "succeeded" {
        assert!(began.elapsed() < PATIENCE, "never succeeded: {job}\n{}", server.log());
        let reply = server.get(&path);
        if reply.status == 200 {
            job = reply.json();
            assert!(matches!(job["status"].as_str(), Some("queued" | "running" | "succeeded")), "{job}");
        } else {
            check_unavailable(&reply);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((&job["progress"]["done"], &job["progress"]["failed"]), (&json!(DOCUMENTS), &json!(0)));
    assert_eq!(server.pid(), pid);
    assert!(restarts(&server) >= 2);
    check_statistics(&server);
    server.create("clean");
    server.ingest_json("clean", &(0..DOCUMENTS).map(|n| document(n, 0)).collect::<Vec<_>>());
    check_equal(&server, "kept", "clean");
    server.stop();
}
