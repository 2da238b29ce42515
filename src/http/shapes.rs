//! What the OpenAPI document says of values that a Rust type alone does not: the form of names and ids, how long lists
//! are, what a filter looks like. What is said here is checked where the value is read.

mod filter;

pub(crate) use filter::Filter;

use super::search::options::Queries;
use crate::rag::search::MAX_QUERY_BYTES;
use crate::rag::search::options::MAX_QUERIES;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// Somewhere in it is something to see.
const VISIBLE: &str = r"\S";
/// Without control characters, and not `*`, which means everyone.
const PRINCIPAL: &str = r"^([^*\x00-\x1f\x7f-\x9f]|[^\x00-\x1f\x7f-\x9f]{2,})$";
/// With the bits of the last character that carry nothing as zeros.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// A field of the document, or an attribute.
const FILTER_KEY: &str = r"^([^$\x00]|\$\$|\$(title|external_id|uri|media_type|created_at|updated_at|acl)$)";

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn visible(most: usize) -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(most)).pattern(Some(VISIBLE))
}

fn list(items: ObjectBuilder, least: usize, most: usize) -> ArrayBuilder {
    ArrayBuilder::new().items(items).min_items(Some(least)).max_items(Some(most))
}

/// A prefix and a number, as ids are.
pub(super) fn id(prefix: &str) -> ObjectBuilder {
    text().pattern(Some(format!("^{prefix}[0-9]{{1,18}}$")))
}

/// Pairs of few short strings, as OpenAI has them.
fn pairs(value: impl Into<AdditionalProperties<Schema>>) -> ObjectBuilder {
    let key = text().min_length(Some(1)).max_length(Some(64)).build();
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .max_properties(Some(16))
        .property_names(Some(Schema::Object(key)))
        .additional_properties(Some(value))
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {$(
        $(#[$doc])*
        #[derive(serde::Deserialize)]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                Schema::from($schema).into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

shapes! {
    CollectionNames = list(collection_name(), 1, 100).build();
    /// In a key: collections that need not be there yet.
    KeyCollections = list(visible(128), 1, 100).build();
    Principals = list(visible(256), 0, 64).build();
    Acl = list(text().min_length(Some(1)).max_length(Some(512)).pattern(Some(PRINCIPAL)), 0, 256).build();
    Question = visible(MAX_QUERY_BYTES).build();
    Questions = list(visible(MAX_QUERY_BYTES), 0, 100).build();
    Inputs = list(text().min_length(Some(1)).pattern(Some(VISIBLE)), 1, 2048).build();
    Input = text().min_length(Some(1)).pattern(Some(VISIBLE)).build();
    FileId = id("file-").build();
    FileIds = list(id("file-"), 0, 2000).build();
    Base64 = text().pattern(Some(BASE64)).content_encoding("base64").build();
    /// Pairs of strings: at most 16.
    Metadata = pairs(text().max_length(Some(512))).build();
    /// Pairs of a key and a string, a number or a boolean: at most 16.
    Attributes = pairs(Schema::from(
        OneOfBuilder::new()
            .item(text().max_length(Some(512)))
            .item(ObjectBuilder::new().schema_type(Type::Number))
            .item(ObjectBuilder::new().schema_type(Type::Boolean))
            .build(),
    ))
    .build();
    /// Any JSON object.
    JsonObject = ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
        .build();
    FilterKey = text().min_length(Some(1)).max_length(Some(256)).pattern(Some(FILTER_KEY)).build();
}

fn collection_name() -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(128)).pattern(Some("^[A-Za-z0-9._-]+$"))
}

impl PartialSchema for Queries {
    fn schema() -> RefOr<Schema> {
        let many = list(visible(MAX_QUERY_BYTES), 1, MAX_QUERIES);
        OneOfBuilder::new().item(visible(MAX_QUERY_BYTES)).item(many).into()
    }
}

impl ToSchema for Queries {}

/// A parameter that many operations have, as the operation's path says what it is.
pub(super) fn parameter(path: &str, name: &str) -> Option<ObjectBuilder> {
    let before = |placeholder: &str| path.split(placeholder).next().unwrap_or_default();
    Some(match name {
        "name" => collection_name(),
        "external_id" => external_id(),
        "id" if before("{id}").ends_with("/jobs/") => id("job_"),
        "id" if before("{id}").ends_with("/keys/") => id("key_"),
        "id" => id("spc_"),
        "vector_store_id" => id("vs_"),
        "file_id" if path.starts_with("/v1/files") => id("file-"),
        "file_id" => id("file-(doc)?"),
        "batch_id" => id("vsfb_"),
        "model" => text().pattern(Some("^[A-Za-z0-9._/,:@-]+$")),
        "after" | "before" => id(match path.rsplit('/').next().unwrap_or_default() {
            "collections" => "col_",
            "documents" => "doc_",
            "jobs" => "job_",
            "keys" => "key_",
            "audit" => "aud_",
            "vector_stores" => "vs_",
            _ if path.starts_with("/v1/files") => "file-",
            _ if path.starts_with("/v1/vector_stores/") => "file-(doc)?",
            _ => return None,
        }),
        _ => return None,
    })
}

/// Bytes that are no UTF-8 arrive as U+FFFD, which is refused; the database holds no NUL.
fn external_id() -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(512)).pattern(Some(r"^[^\x00\uFFFD]+$"))
}

/// Parameters that only some of the lists that are read alike have.
pub(super) fn has_parameter(path: &str, name: &str) -> bool {
    match name {
        "filter" => path.ends_with("/files") && path.starts_with("/v1/vector_stores/"),
        "purpose" => path == "/v1/files",
        _ => true,
    }
}

/// How many a page of a list holds at most.
pub(super) fn longest_page(path: &str) -> usize {
    if path == "/v1/files" { 10_000 } else { 100 }
}
