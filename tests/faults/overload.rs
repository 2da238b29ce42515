//! More than the machine can do: refused early and politely, and nobody who behaves suffers.

use crate::support::{Server, eventually};
use crate::tools::{document, lines};
use reqwest::Method;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::{Config, NoTls};

/// Nobody can read the chunks while this lives, so that searches stay in flight for as long as wanted.
struct Hold {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Hold {
    fn of(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut config = Config::new();
        config.host_path(server.socket_dir()).user("mcp_rag_owner").dbname("mcp_rag");
        let client = runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await.expect("the database answers");
            tokio::spawn(connection);
            client.batch_execute("BEGIN; LOCK TABLE chunks").await.expect("the lock");
            client
        });
        Self { runtime, client }
    }

    fn release(self) {
        self.runtime.block_on(self.client.batch_execute("ROLLBACK")).expect("released");
    }
}

fn search(n: usize) -> String {
    let body = json!({"query": format!("harbour tides number {n}"), "mode": "lexical"}).to_string();
    format!(
        "POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn send(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    stream.write_all(request.as_bytes()).expect("it is sent");
    stream
}

/// One answer of a connection that stays open; small ones come in one piece.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 64 * 1024];
    let read = stream.read(&mut bytes).expect("an answer");
    String::from_utf8_lossy(&bytes[..read]).to_lowercase()
}

fn work(server: &Server) -> (u64, u64) {
    let lane = server.get("/v1/system").ok(200)["admission"]["lanes"][0].clone();
    assert_eq!(lane["lane"], "work");
    (lane["in_flight"].as_u64().expect("a number"), lane["limit"].as_u64().expect("a number"))
}

fn gauge(server: &Server, name: &str) -> f64 {
    let text = server.admin("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

fn filled(set: impl FnOnce(crate::support::Builder) -> crate::support::Builder) -> Server {
    let server = set(Server::builder()).start();
    server.create("docs");
    server.ingest_json("docs", &(0..20).map(|n| document(n, 0)).collect::<Vec<_>>());
    server
}

#[test]
fn beyond_its_limit_a_server_refuses_at_once_and_says_when_to_come_back() {
    let server = filled(|it| it.set("server.max_in_flight", 8).set("database.pool_size", 16));
    let (_, limit) = work(&server);
    let known = json!({"query": "what is known already"});
    server.search(&known);
    let hold = Hold::of(&server);
    let mut held: Vec<TcpStream> = (0..limit / 2).map(|n| send(&server, &search(n as usize))).collect();
    eventually("half of the places are taken", || work(&server).0 == limit / 2);
    // Writes may fill only half of the lane, which is taken.
    let mut refused_write =
        send(&server, "DELETE /v1/collections/nothing HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let refused = answer(&mut refused_write);
    assert!(refused.starts_with("http/1.1 503") && refused.contains("\"overloaded\""), "{refused}");
    held.extend((limit / 2..limit).map(|n| send(&server, &search(n as usize))));
    eventually("all places are taken", || work(&server).0 == limit);

    let began = Instant::now();
    let mut stream = send(&server, &search(1000));
    for n in 1001..1101 {
        let refused = answer(&mut stream);
        assert!(refused.starts_with("http/1.1 503") && refused.contains("\"overloaded\""), "{refused}");
        let after = refused.split("retry-after: ").nth(1).and_then(|rest| rest.chars().next());
        assert!(matches!(after, Some('1'..='3')), "{refused}");
        assert!(!refused.contains("connection: close"), "the connection stays usable: {refused}");
        stream.write_all(search(n).as_bytes()).expect("it is still open");
    }
    let each = began.elapsed() / 100;
    assert!(each < Duration::from_millis(50), "a refusal takes {each:?}");
    assert_eq!(server.search(&known)["cached"], true, "what costs no work is answered");
    assert_eq!(server.get("/health/live").status, 200);
    assert_eq!(server.get("/openapi.json").status, 200);
    let shed = server.get("/v1/system").ok(200)["admission"]["shed"].clone();
    assert!(shed["search"].as_u64() >= Some(100) && shed["write"] == 1, "{shed}");
    assert!(gauge(&server, "mcp_rag_http_shed_total{priority=\"search\"}") >= 100.0);

    hold.release();
    for mut stream in held {
        let found = answer(&mut stream);
        assert!(found.starts_with("http/1.1 200"), "who was let in is answered: {found}");
    }
    eventually("every place is free again", || work(&server).0 == 0);
    server.search(&json!({"query": "tides"}));
}

#[test]
fn a_clients_own_deadline_ends_the_work_in_time() {
    let server = filled(|it| it);
    let ask = |timeout: &str| {
        let began = Instant::now();
        let request = server.request(Method::POST, "/v1/search").header("x-request-timeout-ms", timeout);
        let reply = request.json(&json!({"query": "tides", "mode": "lexical"})).send().expect("an answer");
        (crate::support::Reply::read(reply), began.elapsed())
    };
    for nonsense in ["soon", "0", "-5", "1.5", ""] {
        let (reply, _) = ask(nonsense);
        assert_eq!(reply.error(400, "invalid_request")["param"], "x-request-timeout-ms", "{nonsense}");
    }
    assert_eq!(ask("60000").0.status, 200, "the route's own limit is the upper one");
    let hold = Hold::of(&server);
    let reply = server.request(Method::POST, "/v1/search").header("x-request-timeout-ms", "300");
    let began = Instant::now();
    let reply = reply.json(&json!({"query": "apples", "mode": "lexical"})).send().expect("an answer");
    let took = began.elapsed();
    crate::support::Reply::read(reply).error(504, "deadline_exceeded");
    assert!((Duration::from_millis(290)..Duration::from_secs(3)).contains(&took), "{took:?}");
    eventually("nobody works on it any more", || {
        gauge(&server, "mcp_rag_actor_in_flight{actor=\"store\"}") == 0.0 && work(&server).0 == 0
    });
    hold.release();
}

#[test]
fn a_client_that_hangs_up_takes_its_work_with_it() {
    let server = filled(|it| it.set("search.deadline_ms", 25_000));
    let hold = Hold::of(&server);
    let stream = send(&server, &search(0));
    eventually("it is worked on", || gauge(&server, "mcp_rag_actor_in_flight{actor=\"store\"}") == 1.0);
    let began = Instant::now();
    drop(stream);
    eventually("nobody works on it any more", || {
        gauge(&server, "mcp_rag_actor_in_flight{actor=\"store\"}") == 0.0 && work(&server).0 == 0
    });
    assert!(began.elapsed() < Duration::from_secs(10), "not the deadline: {:?}", began.elapsed());
    hold.release();
}

#[test]
fn clients_that_dribble_heads_and_bodies_hold_nobody_up() {
    let server = filled(|it| {
        it.set("server.max_in_flight", 8)
            .set("server.body_timeout_ms", 3000)
            .set("server.read_timeout_ms", 3000)
    });
    let body = "POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answers = "POST /v1/answers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let upload = "POST /v1/collections/docs/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ncontent-length: 100\r\n\r\n{";
    let mut slow: Vec<TcpStream> = ["GET /v1/colle", body, answers, upload]
        .iter()
        .cycle()
        .take(400)
        .map(|part| send(&server, part))
        .collect();
    for n in 0..20 {
        let began = Instant::now();
        server.search(&json!({"query": format!("harbour number {n}")}));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        for stream in &mut slow {
            let _ = stream.write_all(b"x");
        }
    }
    assert_eq!(work(&server).0, 0, "an unread body holds no place");
    for mut stream in slow {
        let mut told = String::new();
        let _ = stream.read_to_string(&mut told); // may be reset: it was still writing
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    }
    server.ingest("docs", &[("late", "still well")]);
}

#[test]
fn of_two_thousand_clients_at_once_each_gets_an_answer_or_a_refusal() {
    let server = filled(|it| it.set("server.max_in_flight", 50));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let port = server.port();
    let began = Instant::now();
    let ended: Vec<(u16, Duration)> = runtime.expect("a runtime").block_on(async {
        let client = |n: usize| async move {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            let request =
                search(n).replace("host: localhost\r\n", "host: localhost\r\nconnection: close\r\n");
            stream.write_all(request.as_bytes()).await.expect("it is sent");
            let sent = Instant::now();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("an answer and an end");
            let text = String::from_utf8_lossy(&answer).into_owned();
            let status: u16 = text[9..12].parse().expect("a status");
            match status {
                200 => assert!(text.contains("\"results\""), "{text}"),
                503 => assert!(text.contains("overloaded") && text.contains("retry-after: "), "{text}"),
                _ => panic!("{text}"),
            }
            (status, sent.elapsed())
        };
        let clients: Vec<_> = (0..2000).map(|n| tokio::spawn(client(n))).collect();
        let mut ended = Vec::new();
        for client in clients {
            let outcome = tokio::time::timeout(Duration::from_secs(50), client).await;
            ended.push(outcome.expect("no client hangs").expect("a whole answer"));
        }
        ended
    });
    let answered = ended.iter().filter(|(status, _)| *status == 200).count();
    println!("answered {answered}, refused {}, in {:?}", ended.len() - answered, began.elapsed());
    assert!(answered >= 25, "{answered}");
    let began = Instant::now();
    server.search(&json!({"query": "normal again"}));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(work(&server).0, 0);
    let receipt = server.ndjson("docs", &lines((0..5).map(|n| document(n, 1)))).ok(202);
    server.await_job(receipt["job"].as_str().expect("a job"));
}
