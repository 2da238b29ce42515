//! The chat model: finds the passages' sentences that share most words with the question, quotes them
//! and cites them. Asked about a chunk of a document, it says how the document begins.

use super::words;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Sentences it quotes at most.
const SENTENCES: usize = 2;

pub(super) fn event(delta: &str) -> String {
    json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": delta}}]})
        .to_string()
}

pub(super) fn completion(body: &Value) -> Value {
    json!({
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": deltas(body).concat()}}],
        "usage": {"prompt_tokens": 120, "completion_tokens": 24},
    })
}

/// The answer in pieces of a few words.
pub(super) fn deltas(body: &Value) -> Vec<String> {
    let text = answer(prompt(body));
    let pieces: Vec<&str> = text.split_inclusive(' ').collect();
    pieces.chunks(4).map(<[&str]>::concat).collect()
}

/// What the user says: numbered passages, then `Question: …`.
fn prompt(body: &Value) -> &str {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    messages
        .iter()
        .rev()
        .find(|message| message["role"] == "user")
        .map_or("", |message| message["content"].as_str().unwrap_or_default())
}

fn answer(prompt: &str) -> String {
    if let Some(document) = prompt.strip_prefix("<document>\n") {
        let first: Vec<&str> = document.split_whitespace().take(6).collect();
        return format!("This is about {}.", first.join(" "));
    }
    let (passages, question) = prompt.rsplit_once("Question: ").unwrap_or((prompt, ""));
    let asked: HashSet<String> = words(question).collect();
    let passages = numbered(passages);
    let mut best: Vec<(usize, usize, &str)> = Vec::new();
    for (number, text) in &passages {
        for sentence in text.split_inclusive(". ").map(str::trim).filter(|sentence| sentence.len() > 20) {
            let common = words(sentence).filter(|word| asked.contains(word)).collect::<HashSet<_>>().len();
            best.push((common, *number, sentence));
        }
    }
    best.sort_by_key(|(common, number, _)| (std::cmp::Reverse(*common), *number));
    let Some((most, ..)) = best.first().copied().filter(|(common, ..)| *common > 0) else {
        return "NO_ANSWER".to_owned();
    };
    let chosen = best.iter().take(SENTENCES).filter(|(common, ..)| *common == most);
    let quoted = chosen.map(|(_, number, sentence)| {
        format!("{} [{number}].", sentence.trim_end_matches(|c: char| c == '.' || c.is_whitespace()))
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// `[1] title`, its text on the lines after it, a blank line, and so on.
fn numbered(passages: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for line in passages.lines() {
        let number = line.strip_prefix('[').and_then(|rest| rest.split_once("] ").or(rest.split_once(']')));
        match number.and_then(|(number, _)| number.parse().ok()) {
            Some(number) if number == found.len() + 1 => found.push((number, String::new())),
            _ => {
                if let Some((_, text)) = found.last_mut() {
                    text.push_str(line);
                    text.push(' ');
                }
            }
        }
    }
    found
}
