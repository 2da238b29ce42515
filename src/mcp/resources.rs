//! Documents as resources.

use super::access::Scope;
use super::address::{Address, SCHEME, TEMPLATE};
use super::call::Call;
use super::error::protocol;
use super::meta_of;
use super::signals::signals;
use super::tools::{title, url};
use crate::error::Error;
use mcp_rag_actors::store::{Collection, CollectionId, Document, DocumentId, ListDocuments};
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ListResourcesResult, MetaObject, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate,
};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
/// Resources in one list, and the statements it may take to find as many.
const PAGE: usize = 50;
const MOST_STATEMENTS: usize = 8;
/// Of a document's text in one answer; what is cut off has a URI of its own.
const MOST_BYTES: usize = 1024 * 1024;
const MIME: &str = "text/plain";

pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new(TEMPLATE, "document")
        .with_title("A document")
        .with_description("The parsed text of a document, by its collection and external id.")
        .with_mime_type(MIME)
}

/// Collection by collection, documents in the order they came; the cursor is the last one.
pub(super) async fn list(cursor: Option<String>, call: &Call) -> Result<ListResourcesResult, Error> {
    call.require(Scope::Search)?;
    let caller = call.caller(LIMIT);
    let mut collections: Vec<Collection> = call.rag.catalog.all(&caller).await?.to_vec();
    collections.sort_by_key(|collection| collection.id);
    let mut after = cursor.as_deref().map(read_cursor).transpose()?;
    let mut resources = Vec::new();
    let mut statements = 0;
    let mut next = None;
    for collection in &collections {
        let begun = after.filter(|(id, _)| *id == collection.id).map(|(_, document)| document);
        if after.is_some_and(|(id, _)| collection.id < id) || collection.documents == 0 {
            continue;
        }
        if resources.len() == PAGE || statements == MOST_STATEMENTS {
            next = Some(format!("{}.{}", collection.id, DocumentId(0)));
            break;
        }
        after = None;
        statements += 1;
        let list = ListDocuments {
            tenant: caller.tenant,
            collection: collection.id,
            status: Some("ready".to_owned()),
            after: begun,
            before: None,
            descending: false,
            limit: i64::try_from(PAGE - resources.len()).unwrap_or_default(),
        };
        let mut documents = call.rag.seen_by(&caller).call(list, caller.deadline).await?;
        let more = documents.len() > PAGE - resources.len();
        documents.truncate(PAGE - resources.len());
        let last = documents.last().map(|document| document.id);
        resources.extend(documents.into_iter().map(|document| resource(collection, document)));
        if let (true, Some(last)) = (more, last) {
            next = Some(format!("{}.{last}", collection.id));
            break;
        }
    }
    let mut result = ListResourcesResult::with_all_items(resources).with_cache_scope(CacheScope::Private);
    result.next_cursor = next;
    Ok(result)
}

fn read_cursor(text: &str) -> Result<(CollectionId, DocumentId), Error> {
    let parsed = text
        .split_once('.')
        .and_then(|(collection, document)| Some((collection.parse().ok()?, document.parse().ok()?)));
    parsed.ok_or_else(|| Error::invalid("cursor", "`cursor` is not one that this list gave"))
}

fn resource(collection: &Collection, document: Document) -> Resource {
    let address = Address::of(&collection.name, &document.external_id);
    let meta = source(&address, &document);
    Resource::new(address.uri(), document.external_id.clone())
        .with_title(title(document.title, &document.external_id))
        .with_mime_type(MIME)
        .with_meta(meta)
}

/// Where a text comes from.
fn source(address: &Address, document: &Document) -> MetaObject {
    let source = json!({
        "collection": address.collection,
        "external_id": document.external_id,
        "url": url(&document.uri, address),
        "media_type": document.media_type,
    });
    meta_of([("mcp-rag/source", source)])
}

/// What is wrong, with the URI that it is about.
pub(super) fn error_of(error: Error, uri: &str) -> ErrorData {
    let mut error = protocol(error);
    if let Some(data) = error.data.as_mut() {
        data["uri"] = json!(uri);
    }
    error
}

/// The document's parsed text, from the bytes that the URI's fragment names, if it has one.
pub(super) async fn read(uri: &str, call: &Call) -> Result<ReadResourceResult, Error> {
    call.require(Scope::Search)?;
    if !uri.starts_with(SCHEME) {
        return Err(Error::not_found("resource"));
    }
    let address = Address::parse(uri)?;
    let (document, text) = call.document(&address).await?;
    let asked = address.span.clone().unwrap_or(0..text.len());
    let start = text.floor_char_boundary(asked.start);
    let end = asked.end.min(start.saturating_add(MOST_BYTES));
    let end = text.floor_char_boundary(end).max(start);
    let part = text.get(start..end).unwrap_or_default();
    let mut fields = source(&address, &document);
    let mut note = |key: &str, value| fields.insert(key.to_owned(), value);
    note("mcp-rag/untrusted", json!(true));
    let signals = signals(part);
    if !signals.is_empty() {
        note("mcp-rag/signals", json!(signals));
    }
    let end_asked = asked.end.min(text.len());
    if end < end_asked && end > start {
        let rest = Address { span: Some(end..end_asked), ..address.clone() };
        note("mcp-rag/truncated", json!(true));
        note("mcp-rag/next", json!(format!("{SCHEME}{}", rest.id())));
    }
    let contents = ResourceContents::text(part, uri).with_mime_type(MIME).with_meta(fields);
    Ok(ReadResourceResult::new(vec![contents]).with_cache_scope(CacheScope::Private))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_no_list_gave_is_refused() {
        assert_eq!(read_cursor("col_1.doc_5").ok(), Some((CollectionId(1), DocumentId(5))));
        for wrong in ["", "col_1", "col_1.5", "1.doc_5", "col_1.doc_5.x"] {
            assert!(read_cursor(wrong).is_err(), "{wrong}");
        }
    }
}
