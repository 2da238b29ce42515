use super::{arguments, json};
use crate::error::Error;
use crate::mcp::call::Call;
use mcp_rag_actors::store::CollectionId;
use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
/// Collections in one result.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    collections: Vec<View>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct View {
    name: String,
    description: String,
    language: String,
    documents: i64,
    chunks: i64,
}

pub(super) async fn run(given: JsonObject, call: &Call) -> Result<Value, Error> {
    let Arguments { cursor } = arguments(given)?;
    let after: Option<CollectionId> = cursor
        .map(|text| {
            text.parse().map_err(|_| Error::invalid("cursor", "`cursor` is not one that this tool gave"))
        })
        .transpose()?;
    let caller = call.caller(LIMIT);
    let mut all = call.rag.catalog.all(&caller).await?.to_vec();
    all.retain(|collection| after.is_none_or(|after| collection.id > after));
    all.sort_by_key(|collection| collection.id);
    let more = all.len() > PAGE;
    all.truncate(PAGE);
    let cursor = all.last().filter(|_| more).map(|last| last.id.to_string());
    let all = call.rag.catalog.counted(&caller, all).await?;
    let view = |collection: mcp_rag_actors::store::Collection| View {
        name: collection.name,
        description: collection.description,
        language: collection.language,
        documents: collection.documents,
        chunks: collection.chunks,
    };
    json(&Listed { collections: all.into_iter().map(view).collect(), cursor })
}
