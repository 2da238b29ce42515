//! Searches by text beside what makes their vectors.

use super::super::lab::STEP;
use super::super::requests::{self, Kind, Question, open_body};
use super::super::scale::COLLECTION;
use super::super::traffic::{self, Expect, Measured};
use super::TOP_K;
use crate::config::Settings;
use crate::rag::models::Models;
use anyhow::{Result, ensure};
use mcp_rag_actors::embedder::{Embed, EmbedderHandle, Purpose};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::supervise::Tree;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const GRACE: Duration = Duration::from_secs(5);
const EMBEDDINGS: &str = "/v1/embeddings";

/// Milliseconds at the median, of one client after the other; all three with texts of one kind, none twice.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(super) struct Text {
    pub(super) search: f64,
    /// The server's embeddings endpoint.
    pub(super) embedding: f64,
    /// The embedder in this process: no HTTP, one call after the other.
    pub(super) embedder: f64,
}

/// By turns, each for `measured`: what else the machine does changes all three.
pub(super) async fn measure(
    settings: &Settings,
    address: &str,
    questions: &[Question],
    measured: Duration,
) -> Result<Text> {
    let tree = Tree::default();
    let rounds = async {
        let embedder = Models::start(&tree, &settings.embedder).await?.first;
        let searches = |question: &Question| open_body(Kind::HybridText, question, COLLECTION, TOP_K);
        let searches = Arc::new(questions.iter().map(searches).collect::<Vec<String>>());
        let embeddings = Arc::new(questions.iter().map(requests::open_embedding).collect::<Vec<String>>());
        let warm_up = measured / 10;
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            let search = traffic::drive(address, &searches, Expect::Fresh, 1, warm_up, measured).await?;
            let embedding =
                traffic::drive_at(address, EMBEDDINGS, &embeddings, Expect::Numbered, 1, warm_up, measured);
            let embedding = embedding.await?;
            let embedder = alone(&embedder, questions, warm_up, measured).await?;
            all.push([search.p50_ms, embedding.p50_ms, embedder.p50_ms]);
        }
        anyhow::Ok(all)
    };
    let rounds = rounds.await;
    tree.stop(GRACE).await;
    let [search, embedding, embedder] = medians(&rounds?);
    Ok(Text { search, embedding, embedder })
}

async fn alone(
    embedder: &EmbedderHandle,
    questions: &[Question],
    warm_up: Duration,
    measured: Duration,
) -> Result<Measured> {
    let from = Instant::now() + warm_up;
    let mut millis = Vec::new();
    for question in questions.iter().cycle() {
        let texts = vec![requests::numbered(&requests::text(question), traffic::number())];
        let began = Instant::now();
        if began >= from + measured {
            break;
        }
        embedder.embed(Embed { texts, purpose: Purpose::Query }, Deadline::within(STEP)).await?;
        if began >= from {
            millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    ensure!(!millis.is_empty(), "nothing was embedded in time");
    Ok(Measured::of(millis, measured.as_secs_f64()))
}

fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| {
        let mut one: Vec<f64> = rounds.iter().map(|round| round[at]).collect();
        one.sort_by(f64::total_cmp);
        one.get(one.len() / 2).copied().unwrap_or_default()
    })
}
