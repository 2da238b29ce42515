use super::queue::Queue;
use crate::supervise::Lifeline;
use mcp_rag_minilm::{Encoding, Model, Scratch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Starts the threads that embed until the queue is closed.
pub(super) fn start(
    threads: usize,
    batch_tokens: usize,
    model: &Model,
    queue: &Arc<Queue>,
    lifeline: &Lifeline,
) -> std::io::Result<()> {
    for index in 0..threads {
        let (model, queue, lifeline) = (model.clone(), Arc::clone(queue), lifeline.clone());
        std::thread::Builder::new().name(format!("embed-{index}")).spawn(move || {
            let embedding = AssertUnwindSafe(|| embed_until_closed(&model, &queue, batch_tokens));
            if catch_unwind(embedding).is_err() {
                lifeline.fail("an embedding thread panicked");
            }
        })?;
    }
    Ok(())
}

fn embed_until_closed(model: &Model, queue: &Queue, batch_tokens: usize) {
    let mut scratch = Scratch::default();
    let mut batch = Vec::new();
    while queue.take(&mut batch, model.tokenizer(), batch_tokens) {
        let (encodings, replies): (Vec<Encoding>, Vec<_>) = batch.drain(..).unzip();
        metrics::histogram!("mcp_rag_embedder_batch_texts")
            .record(f64::from(u32::try_from(replies.len()).unwrap_or(u32::MAX)));
        for (vector, reply) in model.embed(&mut scratch, &encodings).into_iter().zip(replies) {
            let _ = reply.send(vector); // its caller may have left meanwhile
        }
    }
}
