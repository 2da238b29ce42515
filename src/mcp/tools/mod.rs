//! The tools: each reads its arguments, calls the pipeline that REST calls, and shapes the result.
//!
//! A result is one text that holds JSON, and the same JSON as structured content.

mod ask;
mod collections;
mod definitions;
mod documents;
mod fetch;
mod search;

pub(super) use definitions::{all, definition};
pub(super) use search::{title, url};

use super::UNTRUSTED;
use super::access::{self, Scope};
use super::call::Call;
use super::error::of_tool;
use crate::error::Error;
use crate::http::{self, body::read_value};
use actix_web::http::StatusCode;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Tokens of documents' text in one result, unless the caller says otherwise: clients warn of much more.
const MAX_TOKENS: u32 = 6000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Search,
    Fetch,
    Ask,
    ListCollections,
    IngestDocument,
    DeleteDocument,
}

impl Name {
    const ALL: [Self; 6] = [
        Self::Search,
        Self::Fetch,
        Self::Ask,
        Self::ListCollections,
        Self::IngestDocument,
        Self::DeleteDocument,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Fetch => "fetch",
            Self::Ask => "ask",
            Self::ListCollections => "list_collections",
            Self::IngestDocument => "ingest_document",
            Self::DeleteDocument => "delete_document",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.as_str() == name)
    }

    pub(super) fn scope(self) -> Scope {
        match self {
            Self::Search | Self::Fetch | Self::Ask | Self::ListCollections => Scope::Search,
            Self::IngestDocument | Self::DeleteDocument => Scope::Ingest,
        }
    }
}

/// Runs a tool for a caller who may.
pub(super) async fn run(tool: Name, arguments: Option<JsonObject>, call: &Call) -> CallToolResult {
    let arguments = arguments.unwrap_or_default();
    let target = target(&arguments);
    let outcome = async {
        access::require(&call.principal, tool.scope())?;
        match tool {
            Name::Search => search::run(arguments, call).await,
            Name::Fetch => fetch::run(arguments, call).await,
            Name::Ask => ask::run(arguments, call).await,
            Name::ListCollections => collections::run(arguments, call).await,
            Name::IngestDocument => documents::ingest(arguments, call).await,
            Name::DeleteDocument => documents::delete(arguments, call).await,
        }
    };
    let outcome = outcome.await;
    let label = outcome.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok");
    metrics::counter!("mcp_rag_mcp_tool_calls_total", "tool" => tool.as_str(), "outcome" => label)
        .increment(1);
    let status = outcome.as_ref().map_or_else(|error| http::error::status(error.code), |_| StatusCode::OK);
    call.tell(&format!("MCP {}", tool.as_str()), target, status, tool.scope() == Scope::Ingest).await;
    match outcome {
        Ok(value) => done(value),
        Err(error) => of_tool(&error),
    }
}

/// What the arguments name: a document, or where one is to go.
fn target(arguments: &JsonObject) -> String {
    let named =
        ["id", "collection", "external_id"].into_iter().filter_map(|name| arguments.get(name)?.as_str());
    named.collect::<Vec<_>>().join("/")
}

fn done(value: Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    result
}

/// Arguments, or what is wrong with them and where.
fn arguments<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Error> {
    read_value(Value::Object(arguments))
}

/// A result as JSON; nothing of ours fails to be JSON.
fn json(result: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(result).map_err(|error| Error::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_found_by_its_name_and_no_other_is() {
        for tool in Name::ALL {
            assert_eq!(Name::of(tool.as_str()), Some(tool));
        }
        assert_eq!((Name::of(""), Name::of("Search")), (None, None));
    }
}
