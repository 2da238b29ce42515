//! What a credential costs, as shares of one bare route. Not a test: run it by name, with a build for use.

use super::issuer::Issuer;
use super::sign::Signer;
use super::{TOKEN, with};
use crate::support::Server;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const REQUESTS: usize = 2000;
const SECRET: &str = "a shared secret of at least thirty-two bytes";

/// One connection, without what a client of comfort adds.
struct Wire(BufReader<TcpStream>);

impl Wire {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, path: &str, credential: &str) -> Duration {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {credential}\r\n\r\n");
        let began = Instant::now();
        self.0.get_mut().write_all(request.as_bytes()).expect("sent");
        let (mut line, mut length) = (String::new(), 0);
        while self.0.read_line(&mut line).expect("a line") > 2 {
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            line.clear();
        }
        self.0.read_exact(&mut vec![0; length]).expect("a body");
        began.elapsed()
    }
}

#[test]
#[ignore = "a measurement: it needs the machine for itself"]
fn what_each_kind_of_credential_costs() {
    let signers = [Signer::rsa("r"), Signer::p256("e"), Signer::ed25519("d")];
    let issuer = Issuer::start(&signers.each_ref());
    let server = with(&issuer).env("MCP_RAG__AUTH__JWT__SECRET", SECRET).start();
    let made = server.post("/v1/keys", &json!({"name": "k", "scopes": ["search"]})).ok(201);
    let key = made["secret"].as_str().expect("a secret").to_owned();
    let secret = Signer::secret(SECRET);
    // Forbidden as soon as the credential is known, so that nothing else is measured.
    let (bare, guarded) = ("/health/live", "/v1/nowhere");
    let mut wire = Wire::open(&server);
    let mut ask = |path: &str, credential: &str| wire.ask(path, credential);
    let again = |token: String| move |_: usize| token.clone();
    let fresh = |signer: &Signer, round: usize| -> Vec<String> {
        (0..REQUESTS).map(|n| signer.token(&json!({"jti": format!("{round}-{n}")}))).collect()
    };
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    for round in 0..ROUNDS {
        let mut row = |name: &str, path: &str, credential: &dyn Fn(usize) -> String| {
            let credentials: Vec<String> = (0..REQUESTS).map(credential).collect();
            let mut times: Vec<Duration> = credentials.iter().map(|one| ask(path, one)).collect();
            times.sort();
            let p50 = times[REQUESTS / 2].as_secs_f64() * 1e6;
            match rows.iter_mut().find(|row| row.0 == name) {
                Some(row) => row.1.push(p50),
                None => rows.push((name.to_owned(), vec![p50])),
            }
        };
        row("bare route", bare, &again(TOKEN.to_owned()));
        row("operator's token", guarded, &again(TOKEN.to_owned()));
        row("API key", guarded, &again(key.clone()));
        for signer in signers.iter().chain([&secret]) {
            row(&format!("{} again", signer.algorithm()), guarded, &again(signer.token(&json!({}))));
            let tokens = fresh(signer, round);
            row(&format!("{} new", signer.algorithm()), guarded, &|n| tokens[n].clone());
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let base = median(rows[0].1.clone());
    for (name, values) in rows {
        let p50 = median(values);
        eprintln!("{name:20} p50 {p50:8.1} µs   {:.3} of the bare route", p50 / base);
    }
}
