//! Sole owner of what writes answers: the extractive engine, and a chat model when configured.
//!
//! * An engine writes deltas into a bounded channel; whoever reads slowly slows the engine, never
//!   fills memory.
//! * Engines mark what they rely on as `[n]`; nobody trusts the marks before the citations are
//!   verified against the passages (`src/rag/citations.rs`).
//! * A chat model that fails, or is silent for too long, is not asked for a while (circuit `generator`).
//! * Overload: admission is bounded. Cancel safety: dropping the call ends the generation and the
//!   connection behind it.

mod chat;
mod complete;
mod rewrite;
mod sse;

pub use complete::Completion;

use crate::live::{Live, Made};
use crate::remote::{self, ModelError};
use crate::resilience::{BreakerSettings, Circuit, Deadline, Pass};
use crate::supervise::{Handle, Lifeline, Request, Serve, Service, StartError, Tree};
use futures_util::future::LocalBoxFuture;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Of an answer that nobody reads.
const PROBE_TOKENS: u32 = 8;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorSettings {
    pub kind: GeneratorKind,
    pub base_url: Option<String>,
    pub model: Option<String>,
    pub api_key: Option<SecretString>,
    /// Until the first word, and between any two pieces of the reply.
    pub first_token_ms: u64,
    /// For a whole answer.
    pub timeout_ms: u64,
    pub max_output_tokens: u32,
    /// What the extractive engine must find of a question before it answers.
    pub min_support: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratorKind {
    Extractive,
    Openai,
}

impl GeneratorSettings {
    pub fn validate(&self) -> Result<(), String> {
        if self.kind == GeneratorKind::Openai && (self.base_url.is_none() || self.model.is_none()) {
            return Err("generator.kind = \"openai\" needs generator.base_url and generator.model".to_owned());
        }
        if !(0.0..=1.0).contains(&self.min_support) {
            return Err("generator.min_support must be within 0..=1".to_owned());
        }
        if self.first_token_ms == 0 {
            return Err("generator.first_token_ms must be at least 1".to_owned());
        }
        Ok(())
    }
}

/// A chunk an answer may rely on; `[1]` is the first of them.
#[derive(Debug, Clone)]
pub struct Passage {
    pub title: String,
    /// Title and headings above the text.
    pub context: String,
    pub text: String,
    /// The search score, best first.
    pub score: f32,
}

pub use rewrite::{LONGEST_REWRITE, MOST_REWRITES};

/// What was said before the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub speaker: Speaker,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    User,
    Assistant,
}

/// What to answer, and from what.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub question: String,
    /// Oldest first; for the chat model alone.
    pub history: Vec<Turn>,
    pub passages: Arc<[Passage]>,
    /// Inverse document frequency of the question's terms in the searched collections.
    pub term_weights: Arc<HashMap<String, f32>>,
    /// The searched collections' language.
    pub language: String,
    pub instructions: Option<String>,
    /// What the extractive engine must find of the question before it answers.
    pub min_support: f32,
    pub max_output_tokens: u32,
}

impl Prompt {
    /// What a chat model is given to read, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let passages = self.passages.iter().map(|passage| passage.title.len() + passage.text.len());
        let history = self.history.iter().map(|turn| turn.text.len());
        let instructions = self.instructions.as_ref().map_or(0, String::len);
        chat::SYSTEM.len() + self.question.len() + instructions + passages.chain(history).sum::<usize>()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// What writing took, and whether anything was missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    pub usage: Usage,
    /// Why sentences were chosen without comparing their meaning, where they were.
    pub uncompared: Option<&'static str>,
}

impl From<Usage> for Written {
    fn from(usage: Usage) -> Self {
        Self { usage, uncompared: None }
    }
}

/// Something that writes an answer with `[n]` marks; an empty answer is an abstention.
pub trait Engine {
    fn generate(
        &self,
        prompt: Prompt,
        deltas: mpsc::Sender<String>,
    ) -> LocalBoxFuture<'_, Result<Written, ModelError>>;
}

/// Which engine a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    Extractive,
    Model,
}

#[derive(Debug)]
struct Generate {
    prompt: Prompt,
    writer: Writer,
    deltas: mpsc::Sender<String>,
    /// How long to wait for the first word.
    patience: Duration,
}

impl Request for Generate {
    type Reply = Result<Written, ModelError>;
}

struct Generator {
    extractive: Rc<dyn Engine>,
    model: Made<GeneratorSettings, Option<chat::Chat>>,
}

impl Service for Generator {}

impl Serve<Generate> for Generator {
    async fn serve(self: Rc<Self>, generate: Generate, _: Deadline) -> Result<Written, ModelError> {
        let Generate { prompt, writer, deltas, patience } = generate;
        match (writer, self.model.get().as_ref()) {
            (Writer::Extractive, _) => self.extractive.generate(prompt, deltas).await,
            (Writer::Model, Some(model)) => {
                model.generate(&prompt, &deltas, patience).await.map(Written::from)
            }
            (Writer::Model, None) => Err(ModelError::NotConfigured),
        }
    }
}

#[derive(Clone)]
pub struct GeneratorHandle {
    handle: Handle<Generator>,
    settings: Live<GeneratorSettings>,
    circuit: Circuit,
}

impl GeneratorHandle {
    /// `extractive` builds the default engine, once for every incarnation.
    pub async fn start<F>(
        tree: &Tree,
        settings: &GeneratorSettings,
        extractive: F,
    ) -> Result<Self, StartError>
    where
        F: Fn() -> Rc<dyn Engine> + Send + Sync + 'static,
    {
        // Being slow is judged by the first word, which the engine bounds, never by an answer's length.
        let breaker = BreakerSettings { slow_call: Duration::MAX, ..BreakerSettings::default() };
        let settings = Live::new(settings.clone());
        let (live, extractive) = (settings.clone(), Arc::new(extractive));
        let factory = move |_: Lifeline| {
            let (live, extractive) = (live.clone(), Arc::clone(&extractive));
            async move { Ok(Generator { extractive: extractive(), model: Made::new(live, chat_model)? }) }
        };
        let handle = tree.start(tree.spec("generator", 64), factory).await?;
        Ok(Self { handle, settings, circuit: Circuit::new("generator", breaker) })
    }

    /// The configured chat model's name.
    #[must_use]
    pub fn model(&self) -> Option<String> {
        let settings = self.settings.get();
        if settings.kind == GeneratorKind::Openai { settings.model.clone() } else { None }
    }

    /// Uses other settings for every answer that begins from now on.
    ///
    /// # Errors
    /// What is wrong with them; the old ones stay.
    pub fn reconfigure(&self, settings: &GeneratorSettings) -> Result<(), String> {
        settings.validate()?;
        chat_model(settings)?;
        self.settings.set(settings.clone());
        Ok(())
    }

    /// The chat model's circuit, where one is configured.
    #[must_use]
    pub fn circuit(&self) -> Option<&Circuit> {
        (self.settings.get().kind == GeneratorKind::Openai).then_some(&self.circuit)
    }

    /// Writes into `deltas` until the answer is complete.
    ///
    /// A model that says nothing is given up with half of the deadline left.
    pub async fn generate(
        &self,
        prompt: Prompt,
        writer: Writer,
        deltas: mpsc::Sender<String>,
        deadline: Deadline,
    ) -> Result<Written, ModelError> {
        let pass = match (writer, self.circuit()) {
            (Writer::Model, Some(circuit)) => Some(circuit.admit()?),
            (Writer::Model | Writer::Extractive, _) => None,
        };
        let pass = match pass {
            Some(probe) if probe.is_probe() => {
                let handle = self.clone();
                tokio::spawn(async move { handle.probe(prompt, probe).await });
                return Err(ModelError::Open { retry_in: Duration::ZERO });
            }
            other => other,
        };
        let outcome = self.write(prompt, writer, deltas, deadline).await;
        if let Some(pass) = pass {
            remote::conclude(pass, &outcome);
        }
        outcome
    }

    async fn write(
        &self,
        prompt: Prompt,
        writer: Writer,
        deltas: mpsc::Sender<String>,
        deadline: Deadline,
    ) -> Result<Written, ModelError> {
        let patience = deadline.remaining() / 2;
        let generate = Generate { prompt, writer, deltas, patience };
        let timeout = Duration::from_millis(self.settings.get().timeout_ms);
        let called = self.handle.call(generate, deadline.capped(timeout)).await;
        called.map_err(ModelError::from).flatten()
    }

    /// Asks a model that may be back for a few words, beside the caller: nobody waits to find out.
    async fn probe(&self, prompt: Prompt, pass: Pass) {
        let (deltas, mut words) = mpsc::channel(1);
        let deadline = Deadline::within(Duration::from_millis(self.settings.get().timeout_ms));
        let prompt = Prompt { max_output_tokens: PROBE_TOKENS, ..prompt };
        let read = async { while words.recv().await.is_some() {} };
        let (outcome, ()) = tokio::join!(self.write(prompt, Writer::Model, deltas, deadline), read);
        remote::conclude(pass, &outcome);
    }
}

fn chat_model(settings: &GeneratorSettings) -> Result<Option<chat::Chat>, String> {
    (settings.kind == GeneratorKind::Openai).then(|| chat::Chat::new(settings)).transpose()
}
