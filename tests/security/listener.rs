//! The API over TLS.

use crate::mount::swap;
use crate::support::{Server, authorities, binary, eventually};
use mcp_rag_chaos::tls::{Authority, Pair};
use reqwest::blocking::{Client, ClientBuilder};
use reqwest::tls::Version;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

fn trusting(authority: &Authority) -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .tls_certs_only(authorities(&authority.file()))
}

fn status(client: ClientBuilder, url: &str) -> Result<u16, String> {
    let answer = client.build().expect("a client").get(format!("{url}/v1/collections")).send();
    // The innermost cause is what a person reads.
    answer.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}"))
}

#[test]
fn the_api_speaks_tls_1_2_and_1_3_to_who_trusts_its_authority_and_nothing_in_the_clear() {
    let authority = Authority::new("ours");
    let pair = authority.issue("right", &HOSTS);
    let mut server = Server::builder().tls(&pair.cert, &pair.key, &authority.file()).start();
    let url = server.url();
    assert!(url.starts_with("https://"), "{url}");
    server.create("kept");
    server.ingest("kept", &[("fox", "The quick brown fox jumps over the lazy dog.")]);
    assert_eq!(server.search_in("kept", "fox", "hybrid"), ["fox"]);
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let client = trusting(&authority).min_tls_version(version).max_tls_version(version);
        assert_eq!(status(client, &url), Ok(200));
    }
    let stranger = status(trusting(&Authority::new("another")), &url).expect_err("another authority");
    assert!(stranger.contains("UnknownIssuer"), "{stranger}");
    // In the clear nothing is answered, least of all a redirect that a credential would follow.
    let mut plain = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    plain.write_all(b"GET /v1/collections HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("written");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&answer));
    server.stop();
}

#[test]
fn a_certificate_for_another_host_is_what_it_is() {
    let authority = Authority::new("ours");
    let pair = authority.issue("elsewhere", &["elsewhere.example"]);
    let builder = Server::builder().tls(&pair.cert, &pair.key, &authority.file());
    let server = builder.set("mcp.allowed_hosts", "elsewhere.example").start();
    let refused = status(trusting(&authority), &server.url()).expect_err("another host");
    assert!(refused.contains("NotValidForName"), "{refused}");
    let named = trusting(&authority).resolve("elsewhere.example", ([127, 0, 0, 1], server.port()).into());
    assert_eq!(status(named, &format!("https://elsewhere.example:{}", server.port())), Ok(200));
}

#[test]
fn only_clients_with_a_certificate_get_in_where_one_is_asked_for() {
    let (authority, clients) = (Authority::new("ours"), Authority::new("clients"));
    let pair = authority.issue("right", &HOSTS);
    let builder = Server::builder().tls(&pair.cert, &pair.key, &authority.file());
    let server = builder.set("server.tls.client_ca_file", clients.file().display()).start();
    let showing = |pair: &Pair| {
        let pem =
            [std::fs::read(&pair.cert).expect("a file"), std::fs::read(&pair.key).expect("a file")].concat();
        trusting(&authority).identity(reqwest::Identity::from_pem(&pem).expect("an identity"))
    };
    assert!(status(trusting(&authority), &server.url()).is_err(), "without one");
    assert!(
        status(showing(&authority.issue("self-made", &[])), &server.url()).is_err(),
        "of another authority"
    );
    assert_eq!(status(showing(&clients.issue("worker", &[])), &server.url()), Ok(200));
}

#[test]
fn what_cannot_be_served_with_is_refused_before_anything_starts() {
    let authority = Authority::new("ours");
    let (one, two) = (authority.issue("one", &HOSTS), authority.issue("two", &HOSTS));
    let (code, said) = Server::builder().set("server.tls.cert_file", one.cert.display()).start_refused();
    assert!(code == Some(78) && said.contains("belong together"), "{code:?} {said}");
    let (code, said) = Server::builder().tls(&one.cert, &two.key, &authority.file()).start_refused();
    assert!(code == Some(78) && said.contains("server.tls.cert_file"), "{code:?} {said}");
    let (code, said) =
        Server::builder().tls(&one.cert, Path::new("/nowhere"), &authority.file()).start_refused();
    assert!(code == Some(78) && said.contains("server.tls.key_file /nowhere"), "{code:?} {said}");
    assert!(!said.contains("PostgreSQL"), "{said}");
}

#[test]
fn the_command_line_reaches_a_server_whose_authority_it_is_given() {
    let authority = Authority::new("ours");
    let pair = authority.issue("right", &HOSTS);
    let server = Server::builder().tls(&pair.cert, &pair.key, &authority.file()).start();
    server.create("kept");
    server.ingest("kept", &[("fox", "The quick brown fox jumps over the lazy dog.")]);
    let home = tempfile::tempdir().expect("a directory");
    let search = || {
        let mut command = binary(home.path());
        command.args(["search", "fox", "--collection", "kept", "--server", &server.url()]);
        command
    };
    let refused = search().output().expect("it runs");
    assert!(!refused.status.success());
    let found = search().arg("--ca-file").arg(authority.file()).output().expect("it runs");
    let said = String::from_utf8_lossy(&found.stdout);
    assert!(
        found.status.success() && said.contains("brown fox"),
        "{said} {}",
        String::from_utf8_lossy(&found.stderr)
    );
    let by_environment = search().env("MCP_RAG_CA_FILE", authority.file()).output().expect("it runs");
    assert!(by_environment.status.success());
}

/// Certificate and key behind links that are swapped together, as they are mounted.
struct Mounted(TempDir);

impl Mounted {
    fn new(pair: &Pair) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join("secrets")).expect("a folder");
        let mounted = Self(home);
        mounted.put(&pair.cert, &pair.key);
        mounted
    }

    fn put(&self, cert: &Path, key: &Path) {
        let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
        swap(self.0.path(), &[("tls.crt", &read(cert)), ("tls.key", &read(key))]);
    }

    fn pair(&self) -> Pair {
        let at = |name: &str| self.0.path().join("secrets").join(name);
        Pair { cert: at("tls.crt"), key: at("tls.key") }
    }
}

/// Asks until it is told to stop; the failures.
fn asking(
    client: Client,
    url: &str,
    (stop, asked): (&Arc<AtomicBool>, &Arc<AtomicUsize>),
) -> JoinHandle<Vec<String>> {
    let (url, stop, asked) = (format!("{url}/v1/collections"), Arc::clone(stop), Arc::clone(asked));
    std::thread::spawn(move || {
        let mut failures = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            match client.get(&url).send().and_then(|answer| answer.error_for_status()?.bytes()) {
                Ok(_) => drop(asked.fetch_add(1, Ordering::SeqCst)),
                Err(error) => failures.push(format!("{error:?}")),
            }
        }
        failures
    })
}

/// Until when the certificate in use is good, in Unix time.
fn ends(server: &Server) -> f64 {
    let metrics = server.admin("/metrics").text();
    let name = "mcp_rag_tls_certificate_expiry_timestamp_seconds ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().expect("a number")
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a clock").as_secs_f64()
}

#[test]
fn a_certificate_is_replaced_under_load_without_one_lost_request() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let (old, new) = (before.issue("old", &HOSTS), after.issue("new", &HOSTS));
    let mounted = Mounted::new(&old);
    let pair = mounted.pair();
    let builder = Server::builder().tls(&pair.cert, &pair.key, &before.file()).set("reload.interval_ms", 100);
    let server = builder.start();
    let url = server.url();
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let both = || {
        trusting(&before).tls_certs_only([authorities(&before.file()), authorities(&after.file())].concat())
    };
    let clients: Vec<_> = [0, 0, 8]
        .into_iter()
        .map(|idle| both().pool_max_idle_per_host(idle).build().expect("a client"))
        .map(|client| asking(client, &url, (&stop, &asked)))
        .collect();
    let more = |count: usize| {
        let goal = asked.load(Ordering::SeqCst) + count;
        eventually("more is answered", || asked.load(Ordering::SeqCst) >= goal);
    };
    more(50);
    assert!(ends(&server) > now(), "when it ends is told, so that somebody renews it");
    mounted.put(&new.cert, &new.key);
    eventually("new connections get the new certificate", || status(trusting(&after), &url) == Ok(200));
    assert!(status(trusting(&before), &url).is_err(), "and only that");
    more(50);
    // Half of the next pair: the one in use stays, and the log says why.
    let start = server.log().len();
    mounted.put(&old.cert, &new.key);
    let told = server.log().await_line(start, |line| line.message().starts_with("settings not reloaded"));
    assert!(told.raw.contains("server.tls.cert_file"), "{}", told.raw);
    assert_eq!(status(trusting(&after), &url), Ok(200));
    mounted.put(&old.cert, &old.key);
    eventually("the whole pair is taken over", || status(trusting(&before), &url) == Ok(200));
    more(50);
    stop.store(true, Ordering::SeqCst);
    let failures: Vec<_> = clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
    assert!(failures.is_empty(), "{} of {asked:?}: {:?}", failures.len(), failures.first());
}
