//! PostgreSQL over TLS: what each `sslmode` lets through, and that nothing else ever leaves in the clear.

use crate::support::{Server, binary, eventually, ids};
use mcp_rag_chaos::postgres::Cluster;
use mcp_rag_chaos::tls::Authority;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// A database that insists on TLS, with what is made for it.
fn cluster(authority: &Authority, hosts: &[&str]) -> Cluster {
    let cluster = Cluster::with_tls(&authority.issue("database", hosts), None, true);
    cluster.run("postgres", "CREATE DATABASE rag");
    cluster
}

/// One look at a database, as `mcp-rag migrate` takes it: whether it was let in, and what it said.
fn migrate(url: &str, sets: &[(&str, String)]) -> (bool, String) {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = binary(home.path());
    command.arg("migrate").env("MCP_RAG__DATABASE__URL", url);
    for (key, value) in sets {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

fn trusting(authority: &Authority) -> [(&'static str, String); 1] {
    [("database.tls.ca_file", authority.file().display().to_string())]
}

/// Passes connections on and keeps how each began.
struct Ear {
    port: u16,
    begun: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Ear {
    fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let ear = Self { port: listener.local_addr().expect("a port").port(), begun: Arc::default() };
        let begun = Arc::clone(&ear.begun);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let place = {
                    let mut begun = begun.lock().expect("no panic");
                    begun.push(Vec::new());
                    begun.len() - 1
                };
                let (mut back, mut forth) =
                    (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut forth);
                    let _ = forth.shutdown(Shutdown::Both);
                });
                let begun = Arc::clone(&begun);
                thread::spawn(move || {
                    pass_on(client, server, |bytes| begun.lock().expect("no panic")[place].extend(bytes));
                });
            }
        });
        ear
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, mut hear: impl FnMut(&[u8])) {
    let mut bytes = [0; 16384];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        hear(&bytes[..read.min(64)]);
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn migrations_statements_replicas_and_cancellations_all_travel_encrypted() {
    let authority = Authority::new("database");
    let cluster = cluster(&authority, &HOSTS);
    let ear = Ear::before(cluster.port());
    let at = |port: u16| cluster.url("rag").replace(&cluster.port().to_string(), &port.to_string());
    let url = format!("{}?sslmode=verify-full", at(ear.port));
    let mut server = Server::builder()
        .env("MCP_RAG__DATABASE__URL", &url)
        // The same server under another name is as good as a copy of it.
        .env("MCP_RAG__DATABASE__REPLICA_URLS", &url)
        .set("database.tls.ca_file", authority.file().display())
        .start();
    server.create("kept");
    server.ingest("kept", &[("fox", "The quick brown fox jumps over the lazy dog.")]);
    assert_eq!(ids(&server.search(&json!({"query": "fox", "collections": ["kept"]}))), ["fox"]);
    let secure = "SELECT count(*), count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE version LIKE 'TLSv1._') \
                  FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port > 0";
    let row = &cluster.rows("postgres", secure).expect("a row")[0];
    let (all, encrypted, modern) = (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2));
    assert!(all > 1 && all == encrypted && all == modern, "{all} {encrypted} {modern}");

    // A statement that hangs is cancelled: the lock is still held when nobody waits for it any more.
    let connections = || ear.begun.lock().expect("no panic").len();
    let before = connections();
    let lock = cluster.lock("rag", "documents");
    let hurried = server
        .request(reqwest::Method::GET, "/v1/collections/kept/documents")
        .header("x-request-timeout-ms", "300");
    let status = hurried.send().expect("an answer").status().as_u16();
    assert!(matches!(status, 503 | 504), "{status}");
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND client_port > 0";
    eventually("nothing waits for the lock", || {
        cluster.rows("postgres", waiting).is_ok_and(|rows| rows.is_empty())
    });
    eventually("it was cancelled", || cluster.log().contains("canceling statement due to user request"));
    assert!(connections() > before, "a cancellation takes a connection of its own");
    drop(lock);
    server.stop();

    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    for begun in ear.begun.lock().expect("no panic").iter().filter(|begun| begun.len() > 8) {
        assert_eq!(begun[..8], SSL_REQUEST, "{begun:?}");
        assert_eq!(begun[8], 0x16, "a handshake follows, and nothing else: {begun:?}");
    }
}

#[test]
fn each_sslmode_checks_what_it_says() {
    let (authority, another) = (Authority::new("database"), Authority::new("another"));
    let cluster = cluster(&authority, &["localhost"]);
    let url = |mode: &str| format!("{}{mode}", cluster.url("rag")); // at 127.0.0.1
    let named = |mode: &str| url(mode).replace("127.0.0.1", "localhost");
    let (full, chain) = ("?sslmode=verify-full", "?sslmode=verify-ca");
    let accepted: [(String, &[_]); 8] = [
        (named(full), &trusting(&authority)),
        (named(""), &trusting(&authority)),
        (url(chain), &trusting(&authority)),
        (url("?sslmode=require"), &trusting(&authority)),
        // Without an authority these look at nothing; they keep out who only listens.
        (url("?sslmode=require"), &[]),
        (url("?sslmode=prefer"), &trusting(&another)),
        (url(""), &[]),
        // Who holds the password is shown to be who holds the certificate.
        (url("?sslmode=require&channel_binding=require"), &[]),
    ];
    for (url, sets) in accepted {
        let (let_in, said) = migrate(&url, sets);
        assert!(let_in, "{url}: {said}");
    }
    let refused: [(String, &[_], &str); 8] = [
        (url(full), &trusting(&authority), "not valid for name"),
        (url(""), &trusting(&authority), "not valid for name"),
        (named(full), &trusting(&another), "UnknownIssuer"),
        (url(chain), &trusting(&another), "UnknownIssuer"),
        (url("?sslmode=require"), &trusting(&another), "UnknownIssuer"),
        (named(full), &[], "UnknownIssuer"), // the system's own authorities
        (url("?sslmode=disable"), &trusting(&authority), "no encryption"),
        (url("?sslmode=allow"), &[], "not a PostgreSQL connection string"),
    ];
    for (url, sets, because) in refused {
        let (let_in, said) = migrate(&url, sets);
        assert!(!let_in && said.contains(because), "{url} {because}: {said}");
        assert!(!said.contains("superuser"), "no password: {said}");
    }
}

#[test]
fn a_database_without_tls_is_refused_by_who_requires_it() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let (let_in, said) = migrate(&format!("{}?sslmode=require", cluster.url("rag")), &[]);
    assert!(!let_in && said.contains("does not support TLS"), "{said}");
    let (let_in, said) = migrate(&format!("{}?sslmode=prefer", cluster.url("rag")), &[]);
    assert!(let_in, "{said}");
}

#[test]
fn a_database_that_asks_for_a_certificate_gets_it() {
    let (authority, clients) = (Authority::new("database"), Authority::new("clients"));
    let cluster = Cluster::with_tls(&authority.issue("database", &HOSTS), Some(&clients.file()), true);
    cluster.run("postgres", "CREATE DATABASE rag");
    let url = format!("{}?sslmode=verify-full", cluster.url("rag"));
    let (let_in, said) = migrate(&url, &trusting(&authority));
    assert!(!let_in && said.contains("certificate"), "{said}");
    let own = clients.issue("server", &[]);
    let shown = [
        ("database.tls.ca_file", authority.file().display().to_string()),
        ("database.tls.cert_file", own.cert.display().to_string()),
        ("database.tls.key_file", own.key.display().to_string()),
    ];
    let (let_in, said) = migrate(&url, &shown);
    assert!(let_in, "{said}");
}
