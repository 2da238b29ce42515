//! Answers as completions: what is the same in one piece and in a stream.

use super::super::search::file_of;
use crate::http::State;
use crate::rag::answer::{Answer, Citation};
use crate::rag::ingest::filename_of;
use crate::rag::search::Degradation;
use actix_web::HttpRequest;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What all parts of one completion have in common.
pub(super) struct Head {
    id: String,
    created: i64,
    model: String,
    /// `http://host:port`, as the client has called it.
    base: String,
    prompt_tokens: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Completion {
    id: String,
    /// `chat.completion`
    object: &'static str,
    created: i64,
    model: String,
    choices: Vec<Choice>,
    usage: UsageView,
    mcp_rag: Extra,
}

#[derive(Debug, Serialize, ToSchema)]
struct Choice {
    index: u32,
    message: AnswerMessage,
    #[schema(value_type = Option<Object>)]
    logprobs: Value,
    /// `stop`
    finish_reason: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct AnswerMessage {
    /// `assistant`
    role: &'static str,
    /// The text, with `[n]` where a passage supports it.
    content: String,
    refusal: Option<String>,
    annotations: Vec<Annotation>,
}

/// `url_citation`: a part of the answer, and where it is from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Annotation {
    #[serde(rename = "type")]
    kind: &'static str,
    url_citation: UrlCitation,
}

#[derive(Debug, Serialize, ToSchema)]
struct UrlCitation {
    /// Characters of `content` that the source supports, the end not included.
    start_index: usize,
    end_index: usize,
    title: String,
    /// The document's own, or that of its content here.
    url: String,
    /// The words of the source.
    quote: String,
    file_id: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct UsageView {
    prompt_tokens: usize,
    completion_tokens: usize,
    total_tokens: usize,
}

/// What a completion of OpenAI's has no place for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Extra {
    /// True when the documents do not answer the question.
    abstained: bool,
    /// Stages that were away and what took their place; empty when all is well.
    degraded: Vec<Degradation>,
    /// `extractive`, or the chat model's name.
    answered_by: String,
    /// Citations that the model made up and that were removed.
    removed_citations: usize,
    /// The citations as `POST /v1/answers` has them, with bytes instead of characters.
    citations: Vec<Citation>,
}

/// The place of a byte of a text, in characters.
fn characters(text: &str, bytes: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

impl Head {
    pub(super) fn new(request: &HttpRequest, model: String, prompt_tokens: usize) -> Self {
        let info = request.connection_info();
        Self {
            id: format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()),
            created: OffsetDateTime::now_utc().unix_timestamp(),
            model,
            base: format!("{}://{}", info.scheme(), info.host()),
            prompt_tokens,
        }
    }

    /// `said` holds the answer at least up to the citation.
    pub(super) fn annotation(&self, citation: &Citation, said: &str) -> Annotation {
        let uploaded = filename_of(&citation.external_id);
        let (_, filename) = file_of(&citation.external_id, "");
        let base = &self.base;
        let url = match uploaded {
            _ if !citation.uri.is_empty() => citation.uri.clone(),
            Some((id, _)) => format!("{base}/v1/files/{id}/content"),
            None => {
                let (collection, id) = (escaped(&citation.collection), escaped(&citation.external_id));
                format!("{base}/v1/collections/{collection}/documents/{id}/content")
            }
        };
        Annotation {
            kind: "url_citation",
            url_citation: UrlCitation {
                start_index: characters(said, citation.start),
                end_index: characters(said, citation.end),
                title: if citation.title.is_empty() { filename } else { citation.title.clone() },
                url,
                quote: citation.quote.clone(),
                file_id: uploaded.map(|(id, _)| id.to_string()),
            },
        }
    }

    /// What a chat model has counted, or else our own count.
    pub(super) fn usage(&self, state: &State, answer: &Answer) -> UsageView {
        let counted = |tokens: u32| usize::try_from(tokens).unwrap_or(usize::MAX);
        let (prompt_tokens, completion_tokens) =
            if answer.usage.prompt_tokens == 0 && answer.usage.completion_tokens == 0 {
                (self.prompt_tokens, state.rag.embedder.tokenizer().count(&answer.answer))
            } else {
                (counted(answer.usage.prompt_tokens), counted(answer.usage.completion_tokens))
            };
        UsageView { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }

    pub(super) fn completion(self, state: &State, answer: Answer) -> Completion {
        let usage = self.usage(state, &answer);
        let annotations =
            answer.citations.iter().map(|citation| self.annotation(citation, &answer.answer)).collect();
        let message =
            AnswerMessage { role: "assistant", content: answer.answer.clone(), refusal: None, annotations };
        Completion {
            id: self.id,
            object: "chat.completion",
            created: self.created,
            model: self.model,
            choices: vec![Choice { index: 0, message, logprobs: Value::Null, finish_reason: "stop" }],
            usage,
            mcp_rag: Extra::of(answer),
        }
    }

    /// A piece of a stream.
    pub(super) fn chunk(&self, delta: &Value, finish_reason: Option<&'static str>) -> Value {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        self.chunk_of(&json!([choice]))
    }

    pub(super) fn chunk_of(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

impl Extra {
    pub(super) fn of(answer: Answer) -> Self {
        Self {
            abstained: answer.abstained,
            degraded: answer.degraded,
            answered_by: answer.model,
            removed_citations: answer.removed_citations,
            citations: answer.citations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_in_characters() {
        let text = "Ä fox – 狐 jumps";
        for (bytes, _) in text.char_indices() {
            assert_eq!(characters(text, bytes), text[..bytes].chars().count());
        }
        assert_eq!(characters(text, text.len()), text.chars().count());
    }
}
