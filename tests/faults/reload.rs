//! Settings and secrets that change under a running server, under load.

mod mount;

use crate::support::{Server, eventually, ids};
use crate::tools::{document, signal, sql_on};
use mcp_rag_chaos::model::{DIMENSIONS, Model};
use mcp_rag_chaos::postgres::Cluster;
use mount::{Mount, swap, write};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

fn status_with(server: &Server, token: &str) -> u16 {
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let sent = client.get(format!("{}/v1/collections", server.url())).bearer_auth(token).send();
    sent.expect("an answer").status().as_u16()
}

/// Lines that say which settings were taken over.
fn reloaded(server: &Server, key: &str) -> usize {
    let told = |line: &&crate::support::Line| {
        line.message() == "settings reloaded" && line.field("keys").split(", ").any(|told| told == key)
    };
    server.log().since(0).iter().filter(told).count()
}

fn counted(server: &Server, outcome: &str) -> u64 {
    let metrics = server.admin("/metrics").text();
    let name = format!("mcp_rag_config_reloads_total{{outcome=\"{outcome}\"}} ");
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .map_or(0, |count| count.parse().expect("a number"))
}

/// Clients that ask without a pause until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(clients: usize, ask: impl Fn(usize) -> Result<(), String> + Clone + Send + 'static) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |client: usize| {
            let (stop, answered, ask) = (Arc::clone(&stop), Arc::clone(&answered), ask.clone());
            std::thread::spawn(move || {
                let (mut failures, mut n) = (Vec::new(), client);
                while !stop.load(Ordering::SeqCst) {
                    match ask(n) {
                        Ok(()) => drop(answered.fetch_add(1, Ordering::SeqCst)),
                        Err(failure) => failures.push(failure),
                    }
                    n += 1000;
                }
                failures
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, answered, clients }
    }

    /// Waits until that many more are answered.
    fn more(&self, count: usize) {
        let goal = self.answered.load(Ordering::SeqCst) + count;
        eventually("more requests are answered", || self.answered.load(Ordering::SeqCst) >= goal);
    }

    /// How many were answered; one failure fails the test.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let failures: Vec<_> =
            self.clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
        assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
        self.answered.load(Ordering::SeqCst)
    }
}

fn asking(
    server: &Server,
    token: &'static str,
) -> impl Fn(usize) -> Result<(), String> + Clone + Send + 'static {
    let url = format!("{}/v1/collections", server.url());
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    move |_| {
        let reply = client.get(&url).bearer_auth(token).send().map_err(|error| error.to_string())?;
        if reply.status() == 200 { Ok(()) } else { Err(format!("{token}: {}", reply.status())) }
    }
}

#[test]
fn a_token_is_rotated_under_load_without_one_refused_request_and_the_old_one_ends() {
    let mount = Mount::new(&[("auth__token", "first")], "");
    let mut server = mount.start(Server::builder().set("auth.overlap_ms", 4000));
    assert_eq!((status_with(&server, "first"), status_with(&server, "second")), (200, 401));
    let old = Load::start(2, asking(&server, "first"));
    old.more(50);
    swap(server.home(), &[("auth__token", "second")]);
    eventually("the new token is taken over", || reloaded(&server, "auth.token") == 1);
    let new = Load::start(2, asking(&server, "second"));
    old.more(100);
    new.more(100);
    assert!(old.end() > 0);
    eventually("the old token ends", || status_with(&server, "first") == 401);
    new.more(50);
    assert!(new.end() > 0);
    // A mount that vanishes for a moment must not leave the server without protection.
    std::fs::remove_file(server.home().join("secrets/auth__token")).expect("it was there");
    let told = server.log().await_line(0, |line| line.message().contains("needs a restart"));
    assert_eq!(told.field("key"), "auth.token");
    assert_eq!((status_with(&server, "second"), status_with(&server, "")), (200, 401));
    server.stop();
    assert!(!server.log().contains("second") && !server.log().contains("\"first\""));
}

#[test]
fn a_chat_models_new_key_and_model_are_used_from_the_next_answer_on() {
    let model = Model::start();
    let config = |name: &str| {
        format!("[generator]\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"{name}\"\n", model.url())
    };
    let mount = Mount::new(&[("generator__api_key", "sk-one")], &config("small"));
    let mut server = mount.start(Server::builder());
    server.create("facts");
    server.ingest("facts", &[("fox", "The brown fox jumps over the lazy dog every morning.")]);
    let ask = || {
        let question = json!({"question": "What does the brown fox jump over?"});
        let answer = server.post("/v1/answers", &question).ok(200);
        assert_eq!(answer["degraded"], json!([]), "{answer}");
        (answer["model"].clone(), model.asked().pop().expect("a question").authorization)
    };
    assert_eq!(ask(), (json!("small"), "Bearer sk-one".to_owned()));
    swap(server.home(), &[("generator__api_key", "sk-two")]);
    eventually("the new key is taken over", || reloaded(&server, "generator.api_key") == 1);
    assert_eq!(ask(), (json!("small"), "Bearer sk-two".to_owned()));
    write(server.home(), &config("large"));
    eventually("the new model is taken over", || reloaded(&server, "generator.model") == 1);
    assert_eq!(ask(), (json!("large"), "Bearer sk-two".to_owned()));
    server.stop();
    assert!(!server.log().contains("sk-"));
}

#[test]
fn new_keys_of_an_embedder_and_a_reranker_are_used_from_the_next_call_on() {
    let model = Model::start();
    let url = model.url();
    let config = format!(
        "[embedder]\nkind = \"openai\"\nbase_url = \"{url}\"\nmodel = \"words\"\ndimensions = {DIMENSIONS}\n\
         [reranker]\nkind = \"jina\"\nbase_url = \"{url}\"\nmodel = \"common-words\"\n"
    );
    let mount = Mount::new(&[("embedder__api_key", "sk-one"), ("reranker__api_key", "sk-two")], &config);
    let mut server = mount.start(Server::builder());
    server.create("facts");
    server.ingest("facts", &[("fox", "The brown fox jumps over the lazy dog every morning.")]);
    let keys = |query: &str| {
        let found = server.search(&json!({"query": query, "rerank": true}));
        assert_eq!(found["degraded"], json!([]), "{found}");
        let asked = model.asked();
        ["/embeddings", "/rerank"].map(|path| {
            let last = asked.iter().rev().find(|asked| asked.line.contains(path));
            last.expect("it was asked").authorization.clone()
        })
    };
    assert_eq!(keys("a fox"), ["Bearer sk-one", "Bearer sk-two"]);
    swap(server.home(), &[("embedder__api_key", "sk-three"), ("reranker__api_key", "sk-four")]);
    eventually("the new keys are taken over", || reloaded(&server, "reranker.api_key") == 1);
    assert_eq!(keys("a lazy dog"), ["Bearer sk-three", "Bearer sk-four"]);
    server.stop();
    assert!(!server.log().contains("sk-"));
}

#[test]
fn files_that_are_wrong_change_nothing_and_are_named_with_their_key() {
    let mount = Mount::new(&[("auth__token", "first")], "[search]\ncandidates = 20\n");
    let mut server = mount.start(Server::builder());
    let wrong = [
        ("[search]\ncandidates = 20000\n", ["default.toml", "search.candidates"]),
        ("[search]\ncandidates = \"canary\"\n", ["default.toml", "search.candidates"]),
        ("[search]\ncandydates = 20\n", ["candydates", ""]),
        ("[search\ncanary = 1\n", ["default.toml", "line 1"]),
        ("[log]\nlevel = \"loud\"\n", ["default.toml", "log.level"]),
        ("[redis]\nurl = \"canary://x\"\n", ["redis.url", ""]),
        ("[database]\nurl = \"canary\"\n", ["database.url", ""]),
    ];
    for (before, (config, words)) in (0..).zip(wrong) {
        let start = server.log().len();
        write(server.home(), config);
        let told = server.log().await_line(start, |line| line.message().contains("not reloaded"));
        let error = told.field("error");
        assert!(words.iter().all(|word| error.contains(word)), "{config}: {error}");
        eventually("it is counted", || counted(&server, "refused") == before + 1);
    }
    let start = server.log().len();
    swap(server.home(), &[("auth__token", "")]);
    server.log().await_line(start, |line| line.field("error").contains("auth__token: it is empty"));
    assert_eq!((status_with(&server, "first"), status_with(&server, "")), (200, 401));
    assert_eq!(system(&server)["config"]["generation"], 1);
    swap(server.home(), &[("auth__token", "first")]);
    write(server.home(), "[search]\ncandidates = 30\n");
    eventually("what is right again is taken over", || reloaded(&server, "search.candidates") == 1);
    assert_eq!(system(&server)["config"]["generation"], 2);
    assert_eq!(counted(&server, "applied"), 1);
    server.stop();
}

fn system(server: &Server) -> Value {
    let request = server.request(reqwest::Method::GET, "/v1/system").bearer_auth("first");
    request.send().expect("an answer").json().expect("JSON")
}

#[test]
fn what_needs_a_restart_is_named_until_it_is_taken_back_and_the_log_level_changes_at_once() {
    let mount = Mount::new(&[], "");
    let mut server = mount.start(Server::builder());
    let pending = || server.get("/v1/system").ok(200)["config"]["pending_restart"].clone();
    write(server.home(), "[server]\nmax_connections = 77\n[cache]\nttl_ms = 1000\n");
    eventually("both are named", || pending() == json!(["cache.ttl_ms", "server.max_connections"]));
    write(server.home(), "[log]\nlevel = \"warn\"\n");
    eventually("neither any more", || pending() == json!([]));
    let quiet = server.log().len();
    server.get("/v1/collections").ok(200);
    write(server.home(), "[log]\nlevel = \"info\"\n");
    let requests = || server.log().since(quiet).iter().filter(|line| line.message() == "request").count();
    eventually("requests are logged again", || {
        server.get("/health/live").ok(200);
        requests() > 0
    });
    let routes: Vec<_> = server.log().since(quiet).iter().map(|line| line.field("route")).collect();
    assert!(!routes.contains(&"/v1/collections".to_owned()), "that one was not logged: {routes:?}");
    server.stop();
}

#[test]
fn a_hangup_reloads_at_once_where_nothing_is_polled() {
    let mount = Mount::new(&[], "[search]\ncandidates = 20\n");
    let mut server = mount.start_as_is(Server::builder().set("reload.interval_ms", 0));
    write(server.home(), "[search]\ncandidates = 30\n");
    std::thread::sleep(Duration::from_millis(1500)); // long enough for a poll that should not be
    assert_eq!(reloaded(&server, "search.candidates"), 0);
    eventually("the signal is heard", || {
        signal(server.pid(), Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(300));
        reloaded(&server, "search.candidates") == 1
    });
    server.stop();
}

#[test]
fn a_database_password_is_rotated_under_load_without_one_failed_request() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE ROLE ragowner LOGIN CREATEROLE PASSWORD 'first'");
    cluster.run("postgres", "CREATE DATABASE rag OWNER ragowner");
    cluster.run("rag", "CREATE EXTENSION vector");
    let url = |password: &str| cluster.tcp_url("ragowner", password, "rag");
    let mount = Mount::new(&[("database__url", &url("first"))], "");
    let mut server = mount.start(Server::builder().set("cache.ttl_ms", 1));
    server.create("kept");
    server.ingest_json("kept", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    let search = format!("{}/v1/search", server.url());
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let load = Load::start(4, move |n| {
        let query = json!({"query": format!("harbour number {n} tides"), "mode": "lexical"});
        let reply = client.post(&search).json(&query).send().map_err(|error| error.to_string())?;
        let (status, text) = (reply.status(), reply.text().unwrap_or_default());
        let found: Value = serde_json::from_str(&text).unwrap_or_default();
        let whole = status == 200 && found["degraded"] == json!([]) && !ids(&found).is_empty();
        if whole { Ok(()) } else { Err(format!("{status} {text}")) }
    });
    load.more(50);
    // The password first, then the file.
    cluster.set_password("ragowner", "second");
    swap(server.home(), &[("database__url", &url("second"))]);
    eventually("the new password is in use", || reloaded(&server, "database.url") == 1);
    load.more(100);
    // The file first: the old connections stay until the password is right.
    swap(server.home(), &[("database__url", &url("third"))]);
    eventually("it was tried", || counted(&server, "failed") > 0);
    load.more(100);
    cluster.set_password("ragowner", "third");
    eventually("the newest password is in use", || reloaded(&server, "database.url") == 2);
    load.more(100);
    let answered = load.end();
    assert!(answered >= 350, "{answered}");
    // The old logins are gone, and new connections work.
    sql_on(
        &cluster.superuser("rag"),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ragowner'",
    )
    .expect("the sessions end");
    eventually("new connections work", || {
        server.post("/v1/search", &json!({"query": "glacier", "mode": "lexical"})).status == 200
    });
    server.stop();
    for secret in ["first@", "second@", "third@", "third"] {
        assert!(!server.log().contains(secret), "{secret} is in the log");
    }
}
