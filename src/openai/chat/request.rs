//! What a chat completion may be asked for: what changes the answer is used or refused, the rest is ignored by name.

use super::messages::{self, Message};
use crate::error::{Code, Error};
use crate::http::body;
use crate::http::search::options::Queries;
use crate::http::search::{Degrade, SearchRequest};
use crate::http::shapes::{CollectionNames, Filter};
use crate::rag::answer::AnswerQuery;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Passages an answer is built from, as of `POST /v1/answers`.
const PASSAGES: u16 = 8;
const MAX_COLLECTIONS: usize = 100;

/// Taste of a model that is not there to be set, and bookkeeping of OpenAI's.
const IGNORED: [&str; 18] = [
    "frequency_penalty",
    "logit_bias",
    "metadata",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "temperature",
    "top_p",
    "user",
    "verbosity",
];

/// Whether a field asks for nothing beyond a plain answer in text; none for one that is not of this kind.
fn asks_nothing(field: &str, value: &Value) -> Option<bool> {
    let nothing = match field {
        "n" => value == 1,
        "tools" | "functions" => value.as_array().is_some_and(Vec::is_empty),
        "tool_choice" | "function_call" => value == "none" || value == "auto",
        "response_format" => value["type"] == "text",
        "logprobs" => value == false,
        "top_logprobs" => value == 0,
        "modalities" => *value == json!(["text"]),
        "audio" | "web_search_options" => false,
        _ => return None,
    };
    Some(nothing || value.is_null())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatRequest {
    /// `mcp-rag` for all collections, `mcp-rag/notes` for one, `mcp-rag/notes,faq` for several.
    pub(super) model: String,
    /// The last one, by the user, is the question; those before it are for the chat model alone.
    #[schema(min_items = 1, max_items = 1000)]
    pub(super) messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    #[schema(minimum = 1, maximum = 4_294_967_295_i64, format = Int64)]
    max_tokens: Option<u32>,
    #[schema(minimum = 1, maximum = 4_294_967_295_i64, format = Int64)]
    max_completion_tokens: Option<u32>,
    /// With the model `mcp-rag`: names of collections, or ids of vector stores.
    #[schema(inline, value_type = Option<CollectionNames>)]
    pub(super) collections: Option<Vec<String>>,
    /// Passages to answer from: 8 by default.
    #[schema(minimum = 1, maximum = 100)]
    top_k: Option<u16>,
    /// Conditions on `attributes`, as in a search.
    #[schema(value_type = Option<Filter>)]
    filters: Option<Value>,
    /// Leave out passages that score lower.
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    min_score: Option<f32>,
    rerank: Option<bool>,
    /// Have the chat model add queries that mean the same as the question.
    rewrite: Option<bool>,
    degrade: Option<Degrade>,
    /// How much of the question the extractive engine must find before it answers.
    #[schema(minimum = 0, maximum = 1)]
    min_support: Option<f32>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
    /// Ignored.
    #[serde(rename = "include_obfuscation")]
    _include_obfuscation: Option<bool>,
}

pub(super) fn check_names(names: &[String]) -> Result<(), Error> {
    if names.is_empty() || names.len() > MAX_COLLECTIONS {
        let message = format!("`collections` holds 1 to {MAX_COLLECTIONS} names; left out it means all");
        return Err(Error::invalid("collections", message));
    }
    Ok(())
}

impl ChatRequest {
    pub(super) fn read(mut fields: Map<String, Value>) -> Result<Self, Error> {
        fields.retain(|name, _| !IGNORED.contains(&name.as_str()));
        let refused = fields.iter().find(|(name, value)| asks_nothing(name, value) == Some(false));
        if let Some((name, _)) = refused {
            let message = format!("`{name}`: answers are one plain text from the documents; leave it out");
            return Err(Error::invalid(name.clone(), message));
        }
        fields.retain(|name, value| asks_nothing(name, value).is_none());
        let rest = serde_json::to_vec(&fields);
        body::parse(&rest.map_err(|error| Error::new(Code::InvalidRequest, error.to_string()))?)
    }

    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or_default()
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.is_some_and(|options| options.include_usage)
    }

    /// `collections`: none for all.
    pub(super) fn into_query(self, collections: Option<Vec<String>>) -> Result<AnswerQuery, Error> {
        let max_output_tokens = self.max_completion_tokens.or(self.max_tokens);
        if max_output_tokens == Some(0) {
            return Err(Error::invalid("max_tokens", "`max_tokens` is at least 1"));
        }
        if self.min_support.is_some_and(|support| !(0.0..=1.0).contains(&support)) {
            return Err(Error::invalid("min_support", "`min_support` is between 0 and 1"));
        }
        let said = messages::read(self.messages)?;
        let search = SearchRequest {
            query: Some(Queries::One(said.question.clone())),
            collections,
            top_k: self.top_k,
            filters: self.filters,
            min_score: self.min_score,
            rerank: self.rerank.unwrap_or_default(),
            rewrite: self.rewrite.unwrap_or_default(),
            degrade: self.degrade.unwrap_or_default(),
            ..SearchRequest::default()
        };
        Ok(AnswerQuery {
            search: search.into_query("messages", PASSAGES)?,
            question: said.question,
            history: said.history,
            instructions: said.instructions,
            min_support: self.min_support,
            max_output_tokens: max_output_tokens.unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(extra: &Value) -> Result<ChatRequest, Error> {
        let mut fields = json!({"model": "mcp-rag", "messages": [{"role": "user", "content": "Why?"}]});
        for (name, value) in extra.as_object().into_iter().flatten() {
            fields[name] = value.clone();
        }
        ChatRequest::read(fields.as_object().cloned().expect("an object"))
    }

    #[test]
    fn fields_of_a_chat_model_are_ignored_refused_or_unknown() {
        let usual = json!({"temperature": 0.2, "n": 1, "tools": [], "tool_choice": "auto", "logprobs": null,
            "response_format": {"type": "text"}, "stream_options": {"include_usage": true}});
        assert!(read(&usual).expect("nothing beyond an answer").wants_usage());
        for (extra, param) in [
            (json!({"n": 2}), "n"),
            (json!({"tools": [{"type": "function"}]}), "tools"),
            (json!({"response_format": {"type": "json_object"}}), "response_format"),
            (json!({"max_tokens": "x"}), "max_tokens"),
        ] {
            let error = read(&extra).expect_err("refused");
            assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)));
        }
        assert_eq!(read(&json!({"temprature": 1})).expect_err("refused").code, Code::UnknownField);
    }

    #[test]
    fn fuzz_chat_completions() {
        let seeds: [&[u8]; 2] = [
            br#"{"model":"mcp-rag","messages":[{"role":"system","content":"Be short."},{"role":"user","content":[{"type":"text","text":"Why?"}]}],"stream":true,"stream_options":{"include_usage":true},"temperature":0.2}"#,
            br#"{"model":"a","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null}],"collections":["notes"],"filters":{"type":"eq","key":"a","value":1}}"#,
        ];
        crate::fuzz::fuzz(&seeds, |bytes| {
            if let Ok(Value::Object(fields)) = serde_json::from_slice(bytes)
                && let Ok(request) = ChatRequest::read(fields)
            {
                let _ = (request.streams(), request.wants_usage());
                let _ = request.into_query(None);
            }
        });
    }
}
