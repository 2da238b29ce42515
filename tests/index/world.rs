//! One database, a server that keeps copies in memory, and one that asks PostgreSQL.

use crate::support::{PATIENCE, Server};
use mcp_rag_chaos::postgres::Cluster;
use serde_json::{Value, json};
use std::time::Instant;

pub(crate) struct World {
    pub(crate) hot: Server,
    pub(crate) cold: Server,
    pub(crate) cluster: Cluster,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// For one in which actors panic on purpose.
    pub(crate) fn storm() -> Self {
        Self::with(&[("supervision.intensity", "100000")])
    }

    /// With further settings of the one that keeps copies.
    pub(crate) fn with(sets: &[(&str, &str)]) -> Self {
        let cluster = Cluster::start();
        cluster.run("postgres", "CREATE DATABASE rag");
        let builder = || Server::builder().env("MCP_RAG__DATABASE__URL", cluster.url("rag"));
        let cold = builder().start();
        let hot = builder().set("index.memory_bytes", 1 << 28).set("index.min_searches", 1);
        let hot = if cfg!(feature = "failpoints") { hot.allow_panics() } else { hot };
        let hot = sets.iter().fold(hot, |hot, (key, value)| hot.set(key, value)).start();
        Self { hot, cold, cluster }
    }
}

/// How a search was carried out.
pub(crate) fn plan(found: &Value) -> Option<&str> {
    found["timings"]["plan"].as_str()
}

/// Searches until the collections are searched in memory, with a question that nobody has asked before.
pub(crate) fn warm(server: &Server, collections: &[&str]) {
    let began = Instant::now();
    for n in 0.. {
        let asked = json!({"query": format!("warming up {n}"), "collections": collections});
        if plan(&server.search(&asked)) == Some("hot") {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "never searched in memory\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Documents about a few subjects, with attributes; some are for some.
pub(crate) fn documents(count: usize) -> Vec<Value> {
    const SUBJECTS: [&str; 8] =
        ["whales", "lighthouses", "glaciers", "railways", "orchards", "volcanoes", "violins", "harbours"];
    let document = |n: usize| {
        let (one, other) = (SUBJECTS[n % 8], SUBJECTS[(n / 8 + 3) % 8]);
        let mut text =
            format!("The {one} of the north are older than {n} years.\n\nNear the {other} nobody sleeps.");
        for m in 0..n % 5 {
            text.push_str(&format!(
                "\n\nPart {m} is about {one} and {} again, number {}.",
                SUBJECTS[(n + m) % 8],
                n * 7 + m
            ));
        }
        json!({
            "external_id": format!("d{n}"), "title": format!("{one} {n}"), "text": text,
            "attributes": {"n": n, "kind": one, "tags": [one, other], "day": format!("2026-01-{:02}", n % 28 + 1)},
        })
    };
    (0..count).map(document).collect()
}
