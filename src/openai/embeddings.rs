//! Vectors of texts, as the documents have them.

use super::body;
use super::models::{OWN, embedders, unknown};
use crate::error::{Code, Error};
use crate::http::shapes::{Input, Inputs};
use crate::http::{ApiError, Principal, State};
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_rag_actors::embedder::{Embed, EmbedderHandle, EmbedderKind, MAX_TEXTS, Purpose, Tokenizer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

const MOST_INPUTS: usize = 2048;
const MOST_TOKENS: usize = 300_000;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingRequest {
    /// A text, or up to 2,048.
    #[schema(value_type = TextOrTexts)]
    input: Value,
    /// One of `GET /v1/models` that embeds; `mcp-rag` is the first of them.
    model: String,
    /// Only what the model has.
    #[schema(minimum = 1, maximum = 16_000)]
    dimensions: Option<usize>,
    #[serde(default)]
    encoding_format: Encoding,
    /// What the vectors are for, where the model tells the two apart: `passage` by default.
    #[serde(default)]
    input_type: InputType,
    /// Embed the beginning of a text that is longer than the model reads, instead of an error.
    #[serde(default)]
    truncate: bool,
    /// Ignored.
    #[serde(rename = "user")]
    _user: Option<String>,
}

/// The form of an input; `texts` reads it.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum TextOrTexts {
    One(#[schema(inline)] Input),
    Many(#[schema(inline)] Inputs),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Float,
    /// Little-endian 32-bit floats.
    Base64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum InputType {
    #[default]
    #[serde(alias = "document")]
    Passage,
    Query,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmbeddingList {
    /// `list`
    object: &'static str,
    data: Vec<EmbeddingView>,
    model: String,
    usage: EmbeddingUsage,
}

#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingView {
    /// `embedding`
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize, ToSchema)]
struct EmbeddingUsage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl Vector {
    fn of(numbers: Vec<f32>, encoding: Encoding) -> Self {
        match encoding {
            Encoding::Float => Self::Numbers(numbers),
            Encoding::Base64 => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                Self::Base64(STANDARD.encode(bytes))
            }
        }
    }
}

/// The texts of an input, or what is wrong with it.
fn texts(input: Value) -> Result<Vec<String>, Error> {
    let wrong = |message: &'static str| Error::invalid("input", message);
    let items = match input {
        Value::String(text) => vec![Value::String(text)],
        Value::Array(items) => items,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(wrong("`input` is a text or a list of texts"));
        }
    };
    if items.is_empty() || items.len() > MOST_INPUTS {
        return Err(Error::invalid("input", format!("`input` holds 1 to {MOST_INPUTS} texts")));
    }
    let text = |item: Value| match item {
        Value::String(text) if text.trim().is_empty() => Err(wrong("no text of `input` may be empty")),
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => Err(wrong(
            "`input` holds tokens, which are numbers of another model's tokenizer: send texts \
             (in LangChain: check_embedding_ctx_length=False)",
        )),
        Value::Null | Value::Bool(_) | Value::Object(_) => Err(wrong("`input` is a text or a list of texts")),
    };
    items.into_iter().map(text).collect()
}

/// The tokens of all texts; `most` is what the model reads of each, where that is known and to be kept to.
fn count(
    tokenizer: &Tokenizer,
    texts: &[String],
    most: Option<usize>,
    truncate: bool,
) -> Result<usize, Error> {
    let mut total = 0;
    for (at, text) in texts.iter().enumerate() {
        // The two that are put around every text included.
        let tokens = tokenizer.count(text) + 2;
        let read = match most {
            Some(most) if tokens > most && !truncate => {
                let message = format!(
                    "`input[{at}]` has {tokens} tokens and the model reads {most}: send shorter texts, or \
                     `truncate: true` for the beginning alone"
                );
                return Err(Error::invalid("input", message));
            }
            Some(most) => tokens.min(most),
            None => tokens,
        };
        total += read;
    }
    if total > MOST_TOKENS {
        return Err(Error::invalid("input", format!("`input` holds at most {MOST_TOKENS} tokens together")));
    }
    Ok(total)
}

/// The embedder of a name, and whether it is the model in this process, whose length is known.
fn embedder<'a>(state: &'a State, name: &str) -> Result<(&'a EmbedderHandle, bool), Error> {
    let settings = state.rag.settings();
    let settings = &settings.embedder;
    let found = embedders(state).enumerate().find(|(_, one)| name == OWN || one.model() == name);
    let (at, embedder) = found.ok_or_else(unknown)?;
    let kind = if at == 0 { Some(settings.kind) } else { settings.next().map(|next| next.kind) };
    Ok((embedder, kind == Some(EmbedderKind::Local)))
}

/// Embed texts.
#[utoipa::path(post, path = "/v1/embeddings", tag = "embeddings",
    request_body(content = EmbeddingRequest, example = json!({"model": "mcp-rag", "input": ["The quick brown fox."]})),
    responses((status = 200, body = EmbeddingList), (status = 404, description = "no such model")))]
pub(crate) async fn create(
    state: Data<State>,
    principal: Principal,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let new: EmbeddingRequest = body::long(&state, &request, payload).await?;
    let caller = &principal.caller(Duration::from_millis(state.rag.settings().server.request_timeout_ms));
    let (embedder, local) = embedder(&state, &new.model)?;
    if new.dimensions.is_some_and(|wanted| wanted != embedder.dimensions()) {
        let message = format!(
            "`dimensions`: the vectors of {} have {}, and are not made to be cut",
            embedder.model(),
            embedder.dimensions()
        );
        return Err(Error::invalid("dimensions", message).into());
    }
    let texts = texts(new.input)?;
    let tokenizer = embedder.tokenizer().clone();
    let most = local.then(|| tokenizer.max_tokens());
    // Millions of characters take a while: not on a thread that serves others.
    let counting = web::block(move || (count(&tokenizer, &texts, most, new.truncate), texts));
    let (tokens, texts) = counting.await.map_err(|_| Error::new(Code::Internal, "an internal error"))?;
    let tokens = tokens?;
    let purpose = match new.input_type {
        InputType::Passage => Purpose::Passage,
        InputType::Query => Purpose::Query,
    };
    let mut data = Vec::with_capacity(texts.len());
    for batch in texts.chunks(MAX_TEXTS) {
        let vectors = embedder.embed(Embed { texts: batch.to_vec(), purpose }, caller.deadline).await?;
        for vector in vectors {
            let embedding = Vector::of(vector, new.encoding_format);
            data.push(EmbeddingView { object: "embedding", index: data.len(), embedding });
        }
    }
    let usage = EmbeddingUsage { prompt_tokens: tokens, total_tokens: tokens };
    Ok(HttpResponse::Ok().json(EmbeddingList {
        object: "list",
        data,
        model: embedder.model().to_owned(),
        usage,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_input_is_texts_and_nothing_else() {
        assert_eq!(texts(json!("a")).expect("one"), ["a"]);
        assert_eq!(texts(json!(["a", "b"])).expect("two"), ["a", "b"]);
        let many: Vec<&str> = vec!["a"; MOST_INPUTS + 1];
        for wrong in [json!(null), json!([]), json!(""), json!(["a", " "]), json!({"a": 1}), json!(many)] {
            assert_eq!(texts(wrong).expect_err("refused").param.as_deref(), Some("input"));
        }
        for tokens in [json!([1, 2]), json!([[1, 2], [3]])] {
            assert!(texts(tokens).expect_err("refused").message.contains("tokenizer"));
        }
    }

    #[test]
    fn base64_holds_little_endian_floats() {
        let Vector::Base64(text) = Vector::of(vec![1.0, -2.5], Encoding::Base64) else { panic!("base64") };
        assert_eq!(STANDARD.decode(text).expect("base64"), [0, 0, 128, 63, 0, 0, 32, 192]);
    }
}
