//! What a benchmark asks: bodies made before the clock runs, each of them good for any number of
//! requests that no cache has seen.

use super::dice::Dice;
use super::source::Source;
use super::synthetic::near;
use serde_json::{Value, json};

/// Distinct bodies per kind.
const BODIES: usize = 1000;
/// What another question adds to a question's vector, and how far both lie from real ones.
const OTHER: f32 = 0.2;
const NOISE: f32 = 0.05;

/// The ways of asking that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dense,
    Lexical,
    /// With the vector in the request, so that no embedder is in it.
    HybridVector,
    HybridText,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Dense, Self::Lexical, Self::HybridVector, Self::HybridText];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Dense => "dense, vector given",
            Self::Lexical => "lexical",
            Self::HybridVector => "hybrid, vector given",
            Self::HybridText => "hybrid, text only",
        }
    }
}

/// Where the number goes of a query that no embedder has seen.
const NUMBER: &str = "(number)";

/// One question: words, and a vector near those of real questions.
pub(super) struct Question {
    pub(super) text: String,
    pub(super) embedding: Vec<f32>,
}

/// The source's own questions, or parts of its sentences.
pub(super) fn texts(source: &Source, sentences: &[String]) -> Vec<String> {
    if !source.questions.is_empty() {
        return source.questions.clone();
    }
    let mut dice = Dice::new(41);
    let part = |dice: &mut Dice| {
        let words: Vec<&str> = sentences[dice.below(sentences.len())].split(' ').collect();
        let length = words.len().min(6 + dice.below(7));
        let start = dice.below(words.len() - length + 1);
        words[start..start + length].join(" ")
    };
    (0..300).map(|_| part(&mut dice)).collect()
}

/// Variations of real questions: their words in another order, their vectors moved a little.
pub(super) fn questions(texts: &[String], embeddings: &[Vec<f32>]) -> Vec<Question> {
    let mut dice = Dice::new(42);
    (0..BODIES)
        .map(|n| {
            let at = n % texts.len();
            let mut words: Vec<&str> = texts[at].split_whitespace().collect();
            dice.shuffle(&mut words);
            let other = &embeddings[dice.below(embeddings.len())];
            let mixed: Vec<f32> = embeddings[at].iter().zip(other).map(|(a, b)| a + b * OTHER).collect();
            Question { text: words.join(" "), embedding: near(&mixed, NOISE, &mut dice) }
        })
        .collect()
}

/// The body of a question without its closing brace; see [`unique`].
pub(super) fn open_body(kind: Kind, question: &Question, collection: &str, top_k: u16) -> String {
    let mut body = json!({"collections": [collection], "top_k": top_k});
    body["mode"] = Value::from(match kind {
        Kind::Dense => "dense",
        Kind::Lexical => "lexical",
        Kind::HybridVector | Kind::HybridText => "hybrid",
    });
    match kind {
        Kind::Dense => {}
        Kind::Lexical | Kind::HybridVector => body["query"] = Value::from(question.text.as_str()),
        Kind::HybridText => body["query"] = Value::from(text(question)),
    }
    if matches!(kind, Kind::Dense | Kind::HybridVector) {
        body["embedding"] = json!(shown(&question.embedding));
    }
    let mut text = body.to_string();
    text.pop();
    text
}

/// The numbers as model servers print them and `/v1/embeddings` does, in as few digits as tell them apart: widened as they
/// are, each would have seventeen.
pub(super) fn shown(vector: &[f32]) -> Vec<f64> {
    vector.iter().map(|x| x.to_string().parse().unwrap_or_else(|_| f64::from(*x))).collect()
}

/// The body that has a question embedded, without its closing brace.
pub(super) fn open_embedding(question: &Question) -> String {
    let mut text = json!({"model": "mcp-rag", "input_type": "query", "input": text(question)}).to_string();
    text.pop();
    text
}

/// A question that no embedder has seen, once it is [`numbered`].
pub(super) fn text(question: &Question) -> String {
    format!("{} {NUMBER}", question.text)
}

/// Whether a body has a place for the number. Looking for it in a vector's body costs the machine that is measured.
pub(super) fn takes_number(open: &str) -> bool {
    open.contains(NUMBER)
}

/// With the number where it goes, if anywhere.
pub(super) fn numbered(open: &str, number: u64) -> String {
    open.replacen(NUMBER, &number.to_string(), 1)
}

/// Closes a body so that it is unlike any other: a least score below every score changes the cache's
/// key and nothing else. In sixteenths, which single precision tells apart up to the least that is allowed.
/// A query that is to be embedded is another one, too.
pub(super) fn unique(open: &str, number: u64) -> String {
    closed(&numbered(open, number), number)
}

/// The same for a body that takes no number.
pub(super) fn closed(open: &str, number: u64) -> String {
    let least = 100.0 + number as f64 / 16.0;
    format!("{open},\"min_score\":-{least}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_closed_body_is_json_that_differs_only_in_a_least_score_no_result_is_below() {
        let question = Question { text: "what \"jumps\"".to_owned(), embedding: vec![0.5, 0.25, 0.1] };
        for kind in Kind::ALL {
            let open = open_body(kind, &question, "bench", 10);
            let read = |n| serde_json::from_str::<Value>(&unique(&open, n)).unwrap();
            let (first, second) = (read(1), read(2));
            assert_ne!(first, second, "{kind:?}");
            assert!(first["min_score"].as_f64().unwrap() < -1.0);
            assert_eq!(first["embedding"], second["embedding"]);
            if let Some(third) = first["embedding"][2].as_f64() {
                assert_eq!(third.to_string(), "0.1", "no digits that single precision has not");
            }
            assert_eq!(first["query"] != second["query"], kind == Kind::HybridText, "{kind:?}");
        }
    }
}
