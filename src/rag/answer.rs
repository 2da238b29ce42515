//! Answer: search → passages → generate → verify every citation → abstain when nothing supports.

use super::citations::{Verified, Verifier};
use super::search::{Degradation, SearchQuery, SearchResponse, SearchResult, Span};
use super::{Caller, Rag};
use crate::error::{Code, Error};
use mcp_rag_actors::generator::{Passage, Prompt, Turn, Usage, Writer, Written};
use mcp_rag_actors::remote::ModelError;
use mcp_rag_actors::store::TermWeights;
use mcp_rag_actors::supervise::CallError;
use mcp_rag_actors::trace::TARGET;
use mcp_rag_text::language::Language;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tracing::{Instrument, info_span, instrument};
use utoipa::ToSchema;

/// What is said when the documents do not answer.
pub const ABSTENTION: &str = "The documents do not answer this question.";
/// What the weights of the question's terms are worth waiting for.
const WEIGHING: Duration = Duration::from_millis(500);
/// In which a successor of a writer that ended is usually there.
const SUCCESSOR: Duration = Duration::from_millis(100);
/// For passing on what a writer that failed had written.
const FLUSH: Duration = Duration::from_millis(100);
/// The model's name where there is none.
const EXTRACTIVE: &str = "extractive";
/// Deltas on their way to a slow reader.
const BUFFERED: usize = 32;

#[derive(Debug, Clone)]
pub struct AnswerQuery {
    pub question: String,
    /// What was said before it, oldest first: for the chat model, which writes, and not for the search.
    pub history: Vec<Turn>,
    pub search: SearchQuery,
    pub instructions: Option<String>,
    /// In place of `generator.min_support`.
    pub min_support: Option<f32>,
    pub max_output_tokens: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    pub id: String,
    /// The text, with `[n]` where citation `n` supports it.
    pub answer: String,
    pub citations: Vec<Citation>,
    /// True when the documents do not answer the question.
    pub abstained: bool,
    pub degraded: Vec<Degradation>,
    #[schema(value_type = Object)]
    pub usage: Usage,
    /// `extractive`, or the chat model's name.
    pub model: String,
    /// Citations that the model made up and that were removed.
    pub removed_citations: usize,
}

/// A claim of the answer and the bytes that support it, verified against the chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Citation {
    /// The number in the answer's `[n]`.
    pub index: usize,
    pub chunk_id: String,
    pub external_id: String,
    pub collection: String,
    pub title: String,
    pub uri: String,
    /// Exactly the document's bytes at `span`.
    pub quote: String,
    pub span: Span,
    /// Bytes of `answer` that the quote supports.
    pub start: usize,
    pub end: usize,
}

/// What a streaming caller sees, in order.
#[derive(Debug)]
pub enum Event {
    Search(Box<SearchResponse>),
    Delta(String),
    Citation(Box<Citation>),
}

/// Where events go; `None` collects them into the [`Answer`] alone.
type Events = Option<mpsc::Sender<Event>>;

impl Rag {
    /// # Cancel safety
    /// Dropping the future, or the receiver of `events`, ends the generation.
    #[instrument(target = TARGET, skip_all)]
    pub async fn answer(&self, query: AnswerQuery, caller: &Caller, events: Events) -> Result<Answer, Error> {
        let began = Instant::now();
        if let (false, Some(withheld)) = (query.search.allow_degraded, self.withheld(caller).await) {
            return Err(withheld.degradation(EXTRACTIVE).forbidden());
        }
        let found = self.search(query.search.clone(), caller).await?;
        let mut degraded = found.degraded.clone();
        let (prompt, unweighted) = self.prompt(&query, &found, caller).await?;
        lack(unweighted, &query, &mut degraded)?;
        let languages = vec![Language::from_setting(&prompt.language); prompt.passages.len()];
        let results = found.results.clone();
        emit(&events, Event::Search(Box::new(found))).await?;
        let blank = || Verifier::new(Arc::clone(&prompt.passages), languages.clone());
        let mut verifier = blank();
        let mut model = EXTRACTIVE.to_owned();
        let mut usage = Usage::default();
        let withheld = self.withheld(caller).await;
        lack(withheld.map(|withheld| withheld.degradation(EXTRACTIVE)), &query, &mut degraded)?;
        if let Some(name) = self.generator.model().filter(|_| withheld.is_none()) {
            model = name;
            let written = self.write(&prompt, Writer::Model, caller, &mut verifier, &results, &events).await;
            match written {
                Ok(written) => usage = written.usage,
                // What nobody has seen yet can be taken back.
                Err(Failure::Generator(error)) if events.is_none() || verifier.answer.is_empty() => {
                    let away = Degradation::new("generator", error.reason(), "extractive");
                    lack(Some(away), &query, &mut degraded)?;
                    match error {
                        // Told once, when it opened.
                        ModelError::Open { .. } => {}
                        error => tracing::warn!(%error, "the chat model failed; answering extractively"),
                    }
                    verifier = blank();
                    EXTRACTIVE.clone_into(&mut model);
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        if model == EXTRACTIVE {
            let writing = self.write_extractively(&prompt, caller, &mut verifier, blank, &results, &events);
            let written = writing.await?;
            let away = written.uncompared.map(|reason| Degradation::new("embedder", reason, "lexical"));
            lack(away, &query, &mut degraded)?;
        }
        let abstained = verifier.citations.is_empty();
        if abstained && verifier.answer.trim().is_empty() {
            verifier.answer = ABSTENTION.to_owned();
            emit(&events, Event::Delta(ABSTENTION.to_owned())).await?;
        }
        metrics::counter!("mcp_rag_answers_total", "model" => model.clone(), "abstained" => abstained.to_string())
            .increment(1);
        metrics::histogram!("mcp_rag_answer_seconds").record(began.elapsed().as_secs_f64());
        let citations = verifier.citations.iter().filter_map(|one| citation(one, &results)).collect();
        Ok(Answer {
            id: format!("ans_{}", uuid::Uuid::new_v4().simple()),
            answer: verifier.answer,
            citations,
            abstained,
            degraded,
            usage,
            model,
            removed_citations: verifier.invented,
        })
    }

    async fn prompt(
        &self,
        query: &AnswerQuery,
        found: &SearchResponse,
        caller: &Caller,
    ) -> Result<(Prompt, Option<Degradation>), Error> {
        let switches = self.switches(caller.tenant);
        let named = query.search.collections.as_deref();
        let collections = self.catalog.select(caller, named, &[], switches).await?.collections;
        let best = found.results.first().map_or(1.0, |result| result.score).max(f32::EPSILON);
        let passages = found.results.iter().map(|result| Passage {
            title: result.title.clone(),
            context: context(result),
            text: result.text.clone(),
            score: (result.score / best).clamp(0.0, 1.0),
        });
        // Answers work in one language: that of the collection most results come from.
        let first = found.results.first().map(|result| result.collection.as_str());
        let home = collections.iter().find(|collection| Some(collection.name.as_str()) == first);
        let language = home.map_or_else(|| "en".to_owned(), |collection| collection.language.clone());
        let weights = match home {
            Some(collection) => {
                let weigh = TermWeights {
                    tenant: caller.tenant,
                    collection: collection.id,
                    terms: mcp_rag_text::analyze::analyze(&query.question, Language::from_setting(&language)),
                };
                match self.index.weights(weigh.tenant, weigh.collection, &weigh.terms) {
                    Some(weights) => Ok(weights),
                    None => {
                        self.store.call(weigh, caller.deadline.capped(WEIGHING)).await.map_err(Error::from)
                    }
                }
            }
            None => Ok(HashMap::default()),
        };
        // Without weights every term counts alike; an answer is still possible.
        let away = |error: &Error| Degradation::new("database", error.code.as_str(), "unweighted");
        let unweighted = weights.as_ref().err().map(away);
        let prompt = Prompt {
            question: query.question.clone(),
            history: query.history.clone(),
            passages: passages.collect(),
            term_weights: Arc::new(weights.unwrap_or_default()),
            language,
            instructions: query.instructions.clone(),
            min_support: query.min_support.unwrap_or(self.settings().generator.min_support),
            max_output_tokens: query.max_output_tokens,
        };
        Ok((prompt, unweighted))
    }

    /// Begins anew with its successor when the writer's actor ends before anybody has seen a word.
    async fn write_extractively(
        &self,
        prompt: &Prompt,
        caller: &Caller,
        verifier: &mut Verifier,
        blank: impl Fn() -> Verifier,
        results: &[SearchResult],
        events: &Events,
    ) -> Result<Written, Failure> {
        let mut begun = 0;
        loop {
            match self.write(prompt, Writer::Extractive, caller, verifier, results, events).await {
                Err(Failure::Generator(ModelError::Call(error)))
                    if worth_another(&error, begun) && (events.is_none() || verifier.answer.is_empty()) =>
                {
                    begun += 1;
                    *verifier = blank();
                    tokio::time::sleep(SUCCESSOR).await;
                }
                written => return written,
            }
        }
    }

    /// Runs one writer and passes on what is verified.
    async fn write(
        &self,
        prompt: &Prompt,
        writer: Writer,
        caller: &Caller,
        verifier: &mut Verifier,
        results: &[SearchResult],
        events: &Events,
    ) -> Result<Written, Failure> {
        if prompt.passages.is_empty() {
            return Ok(Written::default()); // nothing to answer from
        }
        let (deltas, mut written) = mpsc::channel(BUFFERED);
        let meter = match writer {
            Writer::Model => Some(self.quotas.spending.meter(&caller.identity, prompt.bytes())),
            Writer::Extractive => None,
        };
        let span = info_span!(target: TARGET, "generate", ?writer);
        let generating = self.generator.generate(prompt.clone(), writer, deltas, caller.deadline);
        let generating = generating.instrument(span);
        let verifying = async {
            while let Some(delta) = written.recv().await {
                if let Some(meter) = &meter {
                    meter.wrote(delta.len());
                }
                let known = verifier.citations.len();
                let text = verifier.push(&delta);
                if !text.is_empty() {
                    emit(events, Event::Delta(text)).await?;
                }
                for new in &verifier.citations[known..] {
                    if let Some(citation) = citation(new, results) {
                        emit(events, Event::Citation(Box::new(citation))).await?;
                    }
                }
            }
            let rest = verifier.finish();
            if rest.is_empty() { Ok(()) } else { emit(events, Event::Delta(rest)).await }
        };
        tokio::pin!(generating, verifying);
        let (written, verified) = tokio::select! {
            verified = &mut verifying => {
                verified?; // nobody reads any more: the writer is dropped
                (generating.await, Ok(()))
            }
            written = &mut generating => {
                // A writer whose thread is stuck keeps its end of the channel: no waiting for that.
                let verified = match &written {
                    Ok(_) => verifying.await,
                    Err(_) => tokio::time::timeout(FLUSH, verifying).await.unwrap_or(Ok(())),
                };
                (written, verified)
            }
        };
        if let Some(meter) = &meter {
            meter.ended(&written.as_ref().map(|written| written.usage));
        }
        verified?;
        Ok(written?)
    }
}

/// Notes what the answer lacks, once per stage, or refuses it to whom that is not good enough.
fn lack(
    away: Option<Degradation>,
    query: &AnswerQuery,
    degraded: &mut Vec<Degradation>,
) -> Result<(), Error> {
    let Some(away) = away.filter(|away| degraded.iter().all(|known| known.stage != away.stage)) else {
        return Ok(());
    };
    if !query.search.allow_degraded {
        return Err(away.forbidden());
    }
    metrics::counter!("mcp_rag_degraded_responses_total", "stage" => away.stage.clone()).increment(1);
    degraded.push(away);
    Ok(())
}

/// What never began may be begun again; what was lost may itself have been the cause, so only once.
fn worth_another(error: &CallError, begun: u32) -> bool {
    match error {
        CallError::Down { .. } | CallError::NotStarted => begun < 3,
        CallError::Lost => begun == 0,
        CallError::Overloaded | CallError::Timeout | CallError::Draining => false,
    }
}

enum Failure {
    Generator(ModelError),
    Gone(Error),
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Generator(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Gone(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Gone(error) => error,
            Failure::Generator(error) => error.into(),
        }
    }
}

async fn emit(events: &Events, event: Event) -> Result<(), Error> {
    match events {
        Some(events) => {
            events.send(event).await.map_err(|_| Error::new(Code::Unavailable, "the client has gone"))
        }
        None => Ok(()),
    }
}

fn context(result: &SearchResult) -> String {
    std::iter::once(&result.title).chain(&result.headings).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn citation(verified: &Verified, results: &[SearchResult]) -> Option<Citation> {
    let result = results.get(verified.passage)?;
    let quote = result.text.get(verified.quote.clone())?;
    let offset = |at: usize| i32::try_from(at).ok().map(|at| result.span.start + at);
    Some(Citation {
        index: verified.passage + 1,
        chunk_id: result.chunk_id.clone(),
        external_id: result.external_id.clone(),
        collection: result.collection.clone(),
        title: result.title.clone(),
        uri: result.uri.clone(),
        quote: quote.to_owned(),
        span: Span { start: offset(verified.quote.start)?, end: offset(verified.quote.end)? },
        start: verified.claim.start,
        end: verified.claim.end,
    })
}
