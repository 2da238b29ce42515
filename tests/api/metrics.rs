//! What monitoring relies on: every documented metric is there at the first scrape, what the database holds is told,
//! and a scraper that asks for OpenMetrics gets it.

use crate::support::{Server, eventually};
use reqwest::Method;
use std::collections::BTreeSet;

/// Documented metrics of what a plain server does not have: replicas, TLS, requests over MCP, a reranker of its own,
/// settings that changed, batches that nobody has asked for yet.
const LATER: [&str; 6] = [
    "mcp_rag_config_last_reload_timestamp_seconds",
    "mcp_rag_database_replica_lag_seconds",
    "mcp_rag_embedder_batch_texts",
    "mcp_rag_mcp_tool_calls_total",
    "mcp_rag_reranker_batch_texts",
    "mcp_rag_tls_certificate_expiry_timestamp_seconds",
];

/// The value of the only series whose line begins so.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series}: {text}")).parse().expect("a number")
}

fn families(text: &str) -> BTreeSet<&str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|family| family.split(' ').next()).collect()
}

#[test]
fn every_documented_metric_is_there_at_the_first_scrape() {
    let server = Server::start();
    let text = server.admin("/metrics").text();
    let exposed = families(&text);
    let documents = std::fs::read_to_string("docs/OPERATIONS.md").expect("the document");
    let rows = documents.lines().filter(|line| line.starts_with("| `mcp_rag_"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`'));
    let documented: BTreeSet<_> = names.filter(|name| name.starts_with("mcp_rag_")).collect();
    assert!(documented.len() > 40, "the table was not found: {documented:?}");
    let missing: BTreeSet<_> = documented.difference(&exposed).copied().collect();
    let (known, surprising): (Vec<_>, Vec<_>) = missing.into_iter().partition(|name| LATER.contains(name));
    assert!(surprising.is_empty(), "an alert on these would be blind until the first event: {surprising:?}");
    assert_eq!(known, LATER, "there from the start, so no longer an exception");
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
        assert!(value(&text, name) > 0.0);
    }
}

#[test]
fn what_waits_and_what_there_is_is_told_without_a_tenants_name() {
    let mut server = Server::builder().set("ingest.worker", false).start();
    server.create("waiting");
    let lines =
        "{\"external_id\":\"one\",\"text\":\"A fox.\"}\n{\"external_id\":\"two\",\"text\":\"A dog.\"}\n";
    server.ndjson("waiting", lines).ok(202);
    let oldest = "mcp_rag_queue_oldest_task_seconds{class=\"bulk\"}";
    let due = "mcp_rag_queue_tasks{class=\"bulk\",state=\"due\"}";
    // Looked at anew when it starts, and every 15 seconds.
    server.restart();
    eventually("the queue is looked at", || value(&server.admin("/metrics").text(), due) >= 2.0);
    assert!(value(&server.admin("/metrics").text(), oldest) > 0.0);

    let server = server.restarted_with(&[("ingest.worker", "true")]);
    eventually("both are searchable", || server.get("/v1/collections/waiting").ok(200)["chunks"] == 2);
    let server = server.restarted_with(&[]);
    eventually("the database is looked at", || {
        value(&server.admin("/metrics").text(), "mcp_rag_chunks") >= 2.0
    });
    let text = server.admin("/metrics").text();
    assert_eq!(value(&text, "mcp_rag_largest_tenant_chunks"), value(&text, "mcp_rag_chunks"));
    assert_eq!((value(&text, due), value(&text, oldest)), (0.0, 0.0));
    for name in ["database_bytes", "database_cache_bytes", "vector_index_bytes", "data_dir_available_bytes"] {
        assert!(value(&text, &format!("mcp_rag_{name}")) > 0.0, "{name}");
    }
    let connections = value(&text, "mcp_rag_database_connections");
    assert!(connections >= 1.0 && connections < value(&text, "mcp_rag_database_max_connections"));
    let pool = |what: &str| value(&text, &format!("mcp_rag_database_pool_{what}{{server=\"writer\"}}"));
    assert!(pool("size") >= 1.0 && pool("in_use") <= pool("size") && pool("waiting") == 0.0);
}

#[test]
fn whoever_asks_for_openmetrics_gets_it_and_nobody_else() {
    let server = Server::start();
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let client = reqwest::blocking::Client::new();
    let scrape = |accept: &str| {
        let url = format!("{}/metrics", server.admin_url());
        let reply = client.request(Method::GET, url).header("accept", accept).send().expect("an answer");
        let kind = reply.headers()["content-type"].to_str().expect("text").to_owned();
        (kind, reply.text().expect("text"))
    };
    let (kind, open) = scrape(accept);
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(open.ends_with("\n# EOF\n") && !open.contains("\n\n"), "{open}");
    assert!(open.contains("# TYPE mcp_rag_http_requests counter\nmcp_rag_http_requests_total{"), "{open}");
    let (kind, plain) = scrape("*/*");
    assert!(kind.starts_with("text/plain; version=0.0.4") && !plain.contains("# EOF"), "{kind}");
    assert!(!open.contains("trace_id") && !plain.contains("trace_id"), "traces are off");
}
