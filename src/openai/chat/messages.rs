//! A conversation: what is asked last, what was said before, what the answer is to keep to.

use super::request::ChatRequest;
use crate::error::Error;
use crate::http::State;
use mcp_rag_actors::generator::{Speaker, Turn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The newest of what was said before the question; older is left out.
const MOST_TURNS: usize = 20;
const MOST_HISTORY: usize = 32 * 1024;
const MAX_INSTRUCTIONS: usize = 32 * 1024;
const MOST_MESSAGES: usize = 1000;

/// Of a message only its role and text count; what else it may carry comes from earlier answers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Message {
    #[schema(value_type = Role)]
    role: String,
    /// Text, or a list of `{"type": "text", "text"}`.
    #[schema(value_type = Option<Content>)]
    content: Option<Value>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "for the OpenAPI document")]
enum Role {
    System,
    Developer,
    User,
    Assistant,
}

/// The forms of a message's text; `Message::text` reads them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the OpenAPI document")]
enum Content {
    Text(String),
    Parts(Vec<TextPart>),
}

#[derive(Serialize, ToSchema)]
struct TextPart {
    #[serde(rename = "type")]
    #[schema(pattern = "^text$")]
    kind: String,
    text: String,
}

/// What a conversation comes to.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) question: String,
    pub(super) history: Vec<Turn>,
    pub(super) instructions: Option<String>,
}

fn wrong(at: usize, message: &str) -> Error {
    Error::invalid(format!("messages[{at}]"), format!("`messages[{at}]`: {message}"))
}

impl Message {
    fn text(&self, at: usize) -> Result<String, Error> {
        let parts = match &self.content {
            None | Some(Value::Null) => return Ok(String::new()),
            Some(Value::String(text)) => return Ok(text.clone()),
            Some(Value::Array(parts)) => parts,
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return Err(wrong(at, "`content` is text, or a list of parts of text"));
            }
        };
        let text = |part: &Value| match (part["type"].as_str(), part["text"].as_str()) {
            (Some("text"), Some(text)) => Ok(text.to_owned()),
            (_, _) => Err(wrong(at, "only parts of the type `text` can be read")),
        };
        let texts: Vec<String> = parts.iter().map(text).collect::<Result<_, Error>>()?;
        Ok(texts.join("\n"))
    }
}

pub(super) fn read(messages: Vec<Message>) -> Result<Said, Error> {
    if messages.is_empty() || messages.len() > MOST_MESSAGES {
        return Err(Error::invalid("messages", format!("`messages` holds 1 to {MOST_MESSAGES}")));
    }
    let last = messages.len() - 1;
    let (mut instructions, mut turns, mut question) = (Vec::new(), Vec::new(), String::new());
    for (at, message) in messages.into_iter().enumerate() {
        let text = message.text(at)?;
        match message.role.as_str() {
            "system" | "developer" => instructions.push(text),
            "user" if at == last => question = text,
            "user" => turns.push(Turn { speaker: Speaker::User, text }),
            "assistant" if at < last => turns.push(Turn { speaker: Speaker::Assistant, text }),
            "tool" | "function" => return Err(wrong(at, "there are no tools here")),
            "assistant" => {}
            _ => return Err(wrong(at, "`role` is system, developer, user or assistant")),
        }
    }
    if question.trim().is_empty() {
        return Err(Error::invalid("messages", "the last message is the user's question, and not empty"));
    }
    let instructions = instructions.join("\n");
    if instructions.len() > MAX_INSTRUCTIONS {
        let message = format!("system messages hold at most {MAX_INSTRUCTIONS} bytes together");
        return Err(Error::invalid("messages", message));
    }
    turns.retain(|turn| !turn.text.trim().is_empty());
    Ok(Said {
        question,
        history: newest(turns),
        instructions: Some(instructions).filter(|text| !text.trim().is_empty()),
    })
}

/// As many of the last turns as there is room for, whole.
fn newest(mut turns: Vec<Turn>) -> Vec<Turn> {
    let mut room = MOST_HISTORY;
    let fits = |turn: &&Turn| {
        let left = room.checked_sub(turn.text.len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let kept = turns.iter().rev().take(MOST_TURNS).take_while(fits).count();
    turns.split_off(turns.len() - kept)
}

/// What a conversation has by our own count, where no chat model counts.
pub(super) fn tokens(state: &State, request: &ChatRequest) -> usize {
    let texts = request.messages.iter().enumerate().filter_map(|(at, message)| message.text(at).ok());
    texts.map(|text| state.rag.embedder.tokenizer().count(&text)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(messages: &Value) -> Result<Said, Error> {
        read(serde_json::from_value(messages.clone()).expect("messages"))
    }

    #[test]
    fn the_last_message_is_the_question_and_the_others_are_its_context() {
        let said = said(&json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "The fox.", "annotations": [], "refusal": null},
            {"role": "developer", "content": [{"type": "text", "text": "In English."}]},
            {"role": "user", "content": [{"type": "text", "text": "Why"}, {"type": "text", "text": "there?"}]},
        ]))
        .expect("a conversation");
        assert_eq!(said.question, "Why\nthere?");
        assert_eq!(said.instructions.as_deref(), Some("Be brief.\nIn English."));
        let speakers: Vec<Speaker> = said.history.iter().map(|turn| turn.speaker).collect();
        assert_eq!(speakers, [Speaker::User, Speaker::Assistant]);
    }

    #[test]
    fn what_is_no_conversation_is_refused() {
        for wrong in [
            json!([]),
            json!([{"role": "assistant", "content": "Hello."}]),
            json!([{"role": "user", "content": "  "}]),
            json!([{"role": "tool", "content": "x"}, {"role": "user", "content": "y"}]),
            json!([{"role": "wizard", "content": "y"}]),
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
            json!([{"role": "user", "content": 1}]),
        ] {
            let param = said(&wrong).expect_err("refused").param.unwrap_or_default();
            assert!(param.starts_with("messages"), "{wrong}");
        }
    }

    #[test]
    fn of_a_long_conversation_the_newest_is_kept() {
        let turn = |text: String| Turn { speaker: Speaker::User, text };
        let kept = newest((0..100).map(|n| turn(n.to_string())).collect());
        assert_eq!((kept.len(), kept[0].text.as_str()), (MOST_TURNS, "80"));
        let kept =
            newest(vec![turn("old".to_owned()), turn("x".repeat(MOST_HISTORY)), turn("new".to_owned())]);
        assert_eq!(kept.len(), 1, "a turn is kept whole or not at all");
    }
}
