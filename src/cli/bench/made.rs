//! What a benchmark's data is made from: the recipe of its chunks, and questions with their embeddings.

use super::lab::Lab;
use super::requests::{self, Question};
use super::source::Source;
use super::synthetic::Recipe;
use crate::cli::ingest::progress;
use anyhow::Result;
use std::sync::Arc;

/// Chunks to each embedded sentence, at most while there are sentences. A larger collection tells of more
/// things, not of the same ones more often: with a fixed number of sentences a million chunks would crowd
/// around each as no real texts do.
const CHUNKS_PER_SENTENCE: usize = 20;
const FEWEST: usize = 3000;

pub(super) struct Made {
    pub(super) recipe: Arc<Recipe>,
    pub(super) questions: Vec<Question>,
}

impl Made {
    /// For so many chunks.
    pub(super) async fn from(lab: &Lab, source: &Source, chunks: u32) -> Result<Self> {
        let sentences = source.sentences()?;
        let texts = requests::texts(source, &sentences);
        let wanted = (chunks as usize / CHUNKS_PER_SENTENCE).max(FEWEST);
        let embedded = &sentences[..sentences.len().min(wanted)];
        let bar = progress((embedded.len() + texts.len()) as u64, "sentences embedded");
        let embeddings = Lab::embed(&lab.embedder, embedded, |count| bar.inc(count)).await?;
        let of_questions = Lab::embed(&lab.embedder, &texts, |count| bar.inc(count)).await?;
        bar.finish_and_clear();
        let questions = requests::questions(&texts, &of_questions);
        Ok(Self { recipe: Arc::new(Recipe::new(sentences, embeddings)), questions })
    }
}
