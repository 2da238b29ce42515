//! The default engine: the best supported sentences of the passages, each cited, or nothing.

use futures_util::future::LocalBoxFuture;
use mcp_rag_actors::embedder::{Embed, EmbedderHandle, Purpose};
use mcp_rag_actors::generator::{Engine, Prompt, Written};
use mcp_rag_actors::remote::ModelError;
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_text::extract::{self, Policy, Question, candidates, choose};
use mcp_rag_text::language::Language;
use std::time::Duration;
use tokio::sync::mpsc;

/// Sentences whose meaning is compared with the question's; the others rank by their terms alone.
const COMPARED: usize = 16;
/// The comparison improves an answer; it is not worth a long wait.
const COMPARE_WITHIN: Duration = Duration::from_secs(2);

pub struct Extractive {
    pub embedder: EmbedderHandle,
}

impl Engine for Extractive {
    fn generate(
        &self,
        prompt: Prompt,
        deltas: mpsc::Sender<String>,
    ) -> LocalBoxFuture<'_, Result<Written, ModelError>> {
        Box::pin(async move {
            let (sentences, uncompared) = self.sentences(&prompt).await;
            for sentence in sentences {
                if deltas.send(sentence).await.is_err() {
                    break; // nobody reads any more
                }
            }
            Ok(Written { uncompared, ..Written::default() })
        })
    }
}

/// A sentence as a person would quote it: without its line breaks and its list marker.
fn one_line(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let is_marker = |word: &str| {
        matches!(word, "-" | "*" | "+" | ">")
            || word.strip_suffix('.').is_some_and(|digits| digits.parse::<u16>().is_ok())
    };
    let marked = words.len() > 1 && words.first().is_some_and(|word| is_marker(word));
    words[usize::from(marked)..].join(" ")
}

impl Extractive {
    /// The answer's sentences; and why their meaning was not compared with the question's, if it was not.
    async fn sentences(&self, prompt: &Prompt) -> (Vec<String>, Option<&'static str>) {
        let language = Language::from_setting(&prompt.language);
        // A term that no document holds weighs most: then the passages cannot answer.
        let unknown = prompt.term_weights.values().copied().fold(1.0_f32, f32::max);
        let idf = |term: &str| prompt.term_weights.get(term).copied().unwrap_or(unknown);
        let question = Question::new(&prompt.question, language, idf);
        let passages: Vec<extract::Passage<'_>> = prompt
            .passages
            .iter()
            .map(|passage| extract::Passage {
                text: &passage.text,
                context: &passage.context,
                score: passage.score,
            })
            .collect();
        let found = candidates(&question, &passages);
        let cosines = self.cosines(prompt, &found, &passages).await;
        let policy = Policy { min_support: prompt.min_support, ..Policy::default() };
        let uncompared = cosines.as_ref().err().map(ModelError::reason);
        let chosen = choose(&found, &passages, cosines.ok().as_deref(), &policy);
        let quote = |selected: &extract::Selected| {
            let text = passages[selected.passage].text.get(selected.span.clone()).unwrap_or_default();
            format!("{} [{}]", one_line(text), selected.passage + 1)
        };
        let chosen = chosen.unwrap_or_default();
        let sentences = chosen
            .iter()
            .enumerate()
            .map(|(at, one)| if at == 0 { quote(one) } else { format!("\n{}", quote(one)) })
            .collect();
        (sentences, uncompared)
    }

    /// How near each of the likeliest sentences is to the question; NaN where it was not compared.
    async fn cosines(
        &self,
        prompt: &Prompt,
        found: &[extract::Candidate],
        passages: &[extract::Passage<'_>],
    ) -> Result<Vec<f32>, ModelError> {
        let mut likely: Vec<usize> = (0..found.len()).collect();
        let rank = |at: &usize| found[*at].support + passages[found[*at].passage].score;
        likely.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        likely.truncate(COMPARED);
        let mut texts = vec![prompt.question.clone()];
        texts.extend(
            likely.iter().map(|at| passages[found[*at].passage].text[found[*at].span.clone()].to_owned()),
        );
        let embed = Embed { texts, purpose: Purpose::Query };
        let vectors = self.embedder.embed(embed, Deadline::within(COMPARE_WITHIN)).await?;
        let mut cosines = vec![f32::NAN; found.len()];
        let Some((question, sentences)) = vectors.split_first() else { return Ok(cosines) };
        for (at, sentence) in likely.into_iter().zip(sentences) {
            cosines[at] = question.iter().zip(sentence).map(|(a, b)| a * b).sum();
        }
        Ok(cosines)
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_quoted_sentence_loses_its_line_breaks_and_its_list_marker() {
        assert_eq!(
            one_line("- While it is away,\n  a search goes on."),
            "While it is away, a search goes on."
        );
        assert_eq!(one_line("12. Restart it."), "Restart it.");
        assert_eq!(one_line("-"), "-");
        assert_eq!(one_line("2024 was warm."), "2024 was warm.");
    }
}
