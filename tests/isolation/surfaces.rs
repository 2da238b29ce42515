//! Ways to ask: every surface that could give something away, asked about a document of anyone's.

use crate::support::calls::segment;
use crate::world::{Caller, Document};
use reqwest::Method;
use serde_json::{Value, json};

/// One request.
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// Whether whoever sees the document is sure to be shown it.
    pub(crate) shows: bool,
    /// A method of MCP, with its parameters as the body.
    pub(crate) mcp: Option<&'static str>,
}

fn get(path: String, shows: bool) -> Question {
    Question { method: Method::GET, path, body: None, shows, mcp: None }
}

fn post(path: &str, body: Value, shows: bool) -> Question {
    Question { method: Method::POST, path: path.to_owned(), body: Some(body), shows, mcp: None }
}

fn mcp(method: &'static str, params: Value, shows: bool) -> Question {
    Question { method: Method::POST, path: "/mcp".to_owned(), body: Some(params), shows, mcp: Some(method) }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn tool(name: &str, arguments: Value, shows: bool) -> Question {
    mcp("tools/call", json!({"name": name, "arguments": arguments}), shows)
}

pub(crate) const KINDS: usize = 30;

/// The `kind`th way to ask about a document; `other` is an id of something that may be anyone's.
pub(crate) fn question(kind: usize, caller: &Caller, document: &Document, other: usize) -> Question {
    let Document { collection, external_id, probe, .. } = document;
    let at = format!("/v1/collections/{collection}/documents/{}", segment(external_id));
    // With one collection there is no question which of many documents are among the first.
    let within = json!([collection]);
    let search = |mode: &str| json!({"query": probe, "mode": mode, "top_k": 20, "collections": within});
    let id = format!("{collection}/{external_id}");
    match kind {
        0 => post("/v1/search", search("lexical"), true),
        1 => post("/v1/search", search("hybrid"), true),
        2 => post("/v1/search", search("dense"), false),
        3 => post("/v1/search", json!({"query": probe, "top_k": 100}), false),
        4 => {
            let filters = json!({"type": "eq", "key": "probe", "value": probe});
            let body = json!({"query": "anything at all", "mode": "dense", "filters": filters, "collections": within});
            post("/v1/search", body, true)
        }
        5 => post("/v1/answers", json!({"question": format!("what is the {probe} about")}), false),
        6 => get(at, true),
        7 => get(format!("{at}/content"), true),
        8 => get(format!("/v1/collections/{collection}/documents?limit=100"), true),
        9 => get(format!("/v1/collections/{collection}/export?vectors=true"), caller.only.is_none()),
        10 => get("/v1/collections".to_owned(), false),
        11 => get("/v1/jobs?limit=100".to_owned(), false),
        12 => get(format!("/v1/jobs/job_{other}"), false),
        13 => get(
            format!("/v1/explain-access?collection={collection}&external_id={}", segment(external_id)),
            false,
        ),
        14 => get(format!("/v1/explain-access?chunk_id=chk_{other}"), false),
        15 => get("/v1/audit?limit=100".to_owned(), false),
        16 => get("/v1/keys?limit=100".to_owned(), false),
        17 => get("/v1/vector_stores?limit=100".to_owned(), false),
        18 => post(&format!("/v1/vector_stores/vs_{}/search", other % 8), json!({"query": probe}), false),
        19 => get(format!("/v1/vector_stores/vs_{}/files?limit=100", other % 8), false),
        20 => get(format!("/v1/vector_stores/vs_{}/files/file-doc{other}/content", other % 8), false),
        21 => {
            let messages = json!([{"role": "user", "content": format!("what is the {probe} about")}]);
            post("/v1/chat/completions", json!({"model": "mcp-rag", "messages": messages}), false)
        }
        22 => get("/v1/models".to_owned(), false),
        23 => tool("search", json!({"query": probe}), false),
        24 => tool("fetch", json!({"id": id}), true),
        25 => tool("ask", json!({"question": format!("what is the {probe} about")}), false),
        26 => tool("list_collections", json!({}), false),
        27 => mcp("resources/list", json!({}), false),
        28 => mcp(
            "completion/complete",
            json!({"ref": {"type": "ref/resource", "uri": "mcp-rag://{collection}/{+document}"},
                "argument": {"name": "document", "value": ""}, "context": {"arguments": {"collection": collection}}}),
            false,
        ),
        // Nothing is deleted: what would be is counted.
        _ => {
            let filter = json!({"type": "eq", "key": "probe", "value": probe});
            let body = json!({"filter": filter, "dry_run": true});
            post(&format!("/v1/collections/{collection}/documents/delete"), body, false)
        }
    }
}
