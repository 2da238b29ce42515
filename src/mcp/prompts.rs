//! Prompts that people pick: ways to work with documents that a model does well when told so.

use super::access::Scope;
use super::address::Address;
use super::call::Call;
use super::window::Place;
use super::{UNTRUSTED, meta_of};
use crate::error::Error;
use rmcp::model::{
    ContentBlock, EmbeddedResource, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage,
    ResourceContents, Role,
};
use serde_json::{Value, json};

pub(super) const ANSWER: &str = "answer_from_documents";
pub(super) const SUMMARIZE: &str = "summarize_document";
/// Longest argument.
const MAX_ARGUMENT: usize = 32 * 1024;
/// Of the document to be summarized.
const MAX_TOKENS: u32 = 12_000;

pub(super) fn all() -> Vec<Prompt> {
    let argument = |name: &str, description: &str, required| {
        PromptArgument::new(name).with_description(description).with_required(required)
    };
    let answer = vec![
        argument("question", "What you want to know.", true),
        argument("collection", "Where to look; everywhere by default.", false),
    ];
    let summarize = vec![
        argument("collection", "The document's collection.", true),
        argument("external_id", "The document's name in it.", true),
    ];
    vec![
        Prompt::new(
            ANSWER,
            Some("Answer a question from the documents alone, with citations."),
            Some(answer),
        )
        .with_title("Answer from documents"),
        Prompt::new(SUMMARIZE, Some("Summarize one document, section by section."), Some(summarize))
            .with_title("Summarize a document"),
    ]
}

pub(super) async fn get(name: &str, arguments: JsonObject, call: &Call) -> Result<GetPromptResult, Error> {
    match name {
        ANSWER => answer(&arguments),
        SUMMARIZE => summarize(&arguments, call).await,
        _ => Err(Error::invalid("name", "unknown prompt: prompts/list names all")),
    }
}

fn argument(arguments: &JsonObject, name: &'static str) -> Result<Option<String>, Error> {
    match arguments.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_ARGUMENT => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid(name, format!("`{name}` is text of at most {MAX_ARGUMENT} bytes"))),
    }
}

fn required(arguments: &JsonObject, name: &'static str) -> Result<String, Error> {
    argument(arguments, name)?.ok_or_else(|| Error::invalid(name, format!("`{name}` is required")))
}

fn answer(arguments: &JsonObject) -> Result<GetPromptResult, Error> {
    let question = required(arguments, "question")?;
    let place = match argument(arguments, "collection")? {
        Some(collection) => format!(" with `collections` set to {}", json!([collection])),
        None => String::new(),
    };
    let text = format!(
        "Answer the question at the end from my documents alone.\n\n\
         1. Call `search`{place}, with a few different wordings if the first finds little.\n\
         2. Where a passage is not enough, read on with `fetch`.\n\
         3. Answer briefly, and cite the `url` of each source where you use it.\n\
         4. If the documents do not answer the question, say so instead of guessing.\n\n\
         {UNTRUSTED}\n\nQuestion: {question}"
    );
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]))
}

async fn summarize(arguments: &JsonObject, call: &Call) -> Result<GetPromptResult, Error> {
    call.require(Scope::Search)?;
    let address = Address::of(&required(arguments, "collection")?, &required(arguments, "external_id")?);
    let (_, text) = call.document(&address).await?;
    let part = call.part(text, Place::After(0), MAX_TOKENS).await?;
    let rest = if part.span.end < part.whole {
        format!(
            " It is the beginning of a longer document: call `fetch` with the id {} for the rest before you summarize.",
            json!(address.id())
        )
    } else {
        String::new()
    };
    let task =
        format!("Summarize the document below, section by section, in its own language.{rest} {UNTRUSTED}");
    let mut fields = vec![("mcp-rag/untrusted", json!(true))];
    if !part.signals.is_empty() {
        fields.push(("mcp-rag/signals", json!(part.signals)));
    }
    let document = ResourceContents::text(part.text, address.uri()).with_meta(meta_of(fields));
    let document = ContentBlock::Resource(EmbeddedResource::new(document));
    Ok(GetPromptResult::new(vec![
        PromptMessage::new_text(Role::User, task),
        PromptMessage::new(Role::User, document),
    ]))
}
