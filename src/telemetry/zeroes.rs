//! Counters that are there from the start.
//!
//! A counter that appears with its first event never shows an increase for it, so an alert on the first lost entry
//! of the audit log or the first degraded response would be silent. Where the labels are a closed set, all of them
//! begin at zero; what belongs to an actor or a circuit begins with it.

use metrics::{counter, gauge, histogram};

const STAGES: [&str; 5] = ["cache", "database", "embedder", "reranker", "generator"];

pub fn register() {
    for name in [
        "mcp_rag_audit_dropped_total",
        "mcp_rag_expired_documents_total",
        "mcp_rag_index_changes_total",
        "mcp_rag_index_evictions_total",
        "mcp_rag_index_reconciliations_total",
        "mcp_rag_llm_tokens_total",
        "mcp_rag_search_repeats_total",
    ] {
        counter!(name).absolute(0);
    }
    for (name, label, values) in [
        ("mcp_rag_degraded_responses_total", "stage", &STAGES[..]),
        ("mcp_rag_http_shed_total", "priority", &["search", "interactive", "write", "answer", "stream"]),
        ("mcp_rag_ingested_documents_total", "outcome", &["ready", "failed", "put_off", "waits"]),
        ("mcp_rag_chunk_contexts_total", "outcome", &["asked", "known", "missing"]),
        ("mcp_rag_webhooks_total", "outcome", &["delivered", "put_off", "failed"]),
        ("mcp_rag_trace_spans_total", "outcome", &["exported", "failed", "dropped"]),
        ("mcp_rag_config_reloads_total", "outcome", &["applied", "refused", "failed"]),
        ("mcp_rag_embedder_query_cache_total", "outcome", &["hit", "miss"]),
        ("mcp_rag_database_cancellations_total", "outcome", &["cancelled", "failed"]),
        ("mcp_rag_database_reads_total", "route", &["writer", "replica", "standin"]),
        ("mcp_rag_database_hedges_total", "winner", &["first", "second"]),
        ("mcp_rag_index_searches_total", "outcome", &["hot", "absent", "behind"]),
        (
            "mcp_rag_index_builds_total",
            "outcome",
            &["built", "away", "memory", "space", "gone", "differs", "damaged"],
        ),
        ("mcp_rag_index_loads_total", "outcome", &["loaded", "refused", "away"]),
        ("mcp_rag_index_drops_total", "reason", &["memory", "space", "gone", "differs", "damaged", "broken"]),
        ("mcp_rag_jwks_fetches_total", "outcome", &["changed", "unchanged", "failed"]),
        (
            "mcp_rag_tokens_total",
            "outcome",
            &["accepted", "unavailable", "expired", "signature", "unknown_key"],
        ),
    ] {
        for value in values {
            counter!(name, label => *value).absolute(0);
        }
    }
    for budget in ["search", "answers", "ingest"] {
        for level in ["local", "shared", "fallback"] {
            for outcome in ["admitted", "limited"] {
                let labels = [("budget", budget), ("level", level), ("outcome", outcome)];
                counter!("mcp_rag_quota_requests_total", &labels).absolute(0);
            }
        }
    }
    for level in ["local", "redis"] {
        for outcome in ["hit", "miss", "error", "skipped"] {
            counter!("mcp_rag_cache_requests_total", "level" => level, "outcome" => outcome).absolute(0);
        }
    }
    for abstained in ["true", "false"] {
        counter!("mcp_rag_answers_total", "model" => "extractive", "abstained" => abstained).absolute(0);
    }
    // What the objectives are about: a first request shows as an increase too, and the first failed one.
    for route in ["/v1/search", "/v1/answers"] {
        for status in ["200", "500", "503", "504"] {
            let labels = [("method", "POST"), ("route", route), ("status", status)];
            counter!("mcp_rag_http_requests_total", &labels).absolute(0);
        }
        let _ = histogram!("mcp_rag_http_request_seconds", "route" => route);
    }
    for mode in ["hybrid", "dense", "lexical"] {
        let _ = histogram!("mcp_rag_search_seconds", "mode" => mode);
    }
    let _ = histogram!("mcp_rag_answer_seconds");
    let _ = histogram!("mcp_rag_index_build_seconds");
    for name in [
        "mcp_rag_index_bytes",
        "mcp_rag_index_collections",
        "mcp_rag_index_epochs_behind",
        "mcp_rag_index_lag_seconds",
    ] {
        gauge!(name).set(0.0);
    }
}
