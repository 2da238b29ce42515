//! API keys while the database that knows them is away, and across replicas of the server.

use crate::support::{Reply, Server, eventually};
use crate::tools::document;
use mcp_rag_chaos::postgres::Cluster;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn start(cluster: &Cluster) -> Server {
    Server::builder()
        .token("operator")
        .env("MCP_RAG__DATABASE__URL", cluster.url("rag"))
        .set("auth.key_ttl_ms", 500)
        .start()
}

fn key(server: &Server) -> (String, String) {
    let made = server.post("/v1/keys", &json!({"name": "reader", "scopes": ["search"]})).ok(201);
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("id"), text("secret"))
}

fn search(server: &Server, secret: &str, query: &Value) -> Reply {
    let client = reqwest::blocking::Client::new();
    let request = client.post(format!("{}/v1/search", server.url())).bearer_auth(secret).json(query);
    Reply::read(request.send().expect("an answer"))
}

#[test]
fn known_keys_go_on_without_the_database_unknown_ones_are_told_to_wait_and_revocations_reach_every_server() {
    let cluster = Cluster::start();
    cluster.run("postgres", "CREATE DATABASE rag");
    let (mut one, mut two) = (start(&cluster), start(&cluster));
    one.create("kept");
    one.ingest_json("kept", &(0..5).map(|n| document(n, 0)).collect::<Vec<_>>());
    let ((id, known), (_, unknown)) = (key(&one), key(&one));
    let query = json!({"query": "which violin records the tides", "collections": ["kept"]});
    for server in [&one, &two] {
        search(server, &known, &query).ok(200);
    }

    one.delete(&format!("/v1/keys/{id}")).ok(200);
    search(&one, &known, &query).error(401, "unauthorized");
    let began = Instant::now();
    eventually("the other server knows too", || search(&two, &known, &query).status == 401);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

    let (_, known) = key(&one);
    let before = search(&one, &known, &query).ok(200);
    cluster.kill9();
    // Longer than a look-up is good for.
    std::thread::sleep(Duration::from_millis(700));
    eventually("what is cached is answered to a key that is known", || {
        let reply = search(&one, &known, &query);
        assert!(![401, 403].contains(&reply.status), "{}", reply.text());
        reply.status == 200 && reply.json()["results"] == before["results"]
    });
    eventually("a key that is not known costs no wait", || {
        let began = Instant::now();
        search(&one, &unknown, &query).error(503, "unavailable");
        began.elapsed() < Duration::from_millis(200)
    });
    search(&one, "wrong", &query).error(401, "unauthorized");
    cluster.restart();
    eventually("both are known again", || {
        [&known, &unknown].iter().all(|secret| search(&one, secret, &query).status == 200)
    });
    one.stop();
    two.stop();
}
