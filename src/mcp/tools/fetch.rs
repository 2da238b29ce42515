use super::search::{title, url};
use super::{MAX_TOKENS, UNTRUSTED, arguments, json};
use crate::error::Error;
use crate::mcp::address::Address;
use crate::mcp::call::Call;
use crate::mcp::signals::Signal;
use crate::mcp::window::{self, Place};
use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

/// In one result.
pub(super) const MOST_TOKENS: u32 = 32_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    id: String,
    max_tokens: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Fetched {
    id: String,
    title: String,
    text: String,
    url: String,
    metadata: Value,
    truncated: bool,
    cursor: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signals: Vec<Signal>,
    notice: &'static str,
}

pub(super) async fn run(given: JsonObject, call: &Call) -> Result<Value, Error> {
    let Arguments { id, max_tokens, cursor } = arguments(given)?;
    let max_tokens = max_tokens.unwrap_or(MAX_TOKENS);
    if !(1..=MOST_TOKENS).contains(&max_tokens) {
        return Err(Error::invalid("max_tokens", format!("`max_tokens` is between 1 and {MOST_TOKENS}")));
    }
    let address = Address::parse(&id)?;
    let (document, whole) = call.document(&address).await?;
    let place = match (&cursor, &address.span) {
        (Some(cursor), _) => Place::After(window::read_cursor(cursor, &whole)?),
        (None, Some(span)) => Place::Around(span.clone()),
        (None, None) => Place::After(0),
    };
    let mark = window::mark(&whole);
    let part = call.part(whole, place, max_tokens).await?;
    let time = |at: time::OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    json(&Fetched {
        title: title(document.title, &document.external_id),
        url: url(&document.uri, &address),
        text: part.text,
        signals: part.signals,
        // Values are strings, as hosts expect them.
        metadata: json!({
            "collection": address.collection,
            "external_id": document.external_id,
            "media_type": document.media_type,
            "updated_at": time(document.updated_at),
            "span": format!("{}-{}", part.span.start, part.span.end),
            "length": part.whole.to_string(),
        }),
        truncated: part.span.len() < part.whole,
        cursor: (part.span.end < part.whole).then(|| window::cursor(part.span.end, mark)),
        notice: UNTRUSTED,
        id,
    })
}
