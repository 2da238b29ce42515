use super::queue::{Item, Queue};
use crate::remote::ModelError;
use crate::supervise::{CallError, Lifeline};
use mcp_rag_minilm::{Encoding, Scratch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A model, as the threads see it.
pub(crate) trait Compute: Clone + Send + 'static {
    type Input: Send + 'static;
    type Output: Send + 'static;
    /// Of the threads.
    const NAME: &'static str;
    /// The histogram of how many inputs share a pass.
    const BATCHES: &'static str;

    fn encode(&self, input: &Self::Input) -> Encoding;
    /// One output for each encoding, in their order.
    fn compute(&self, scratch: &mut Scratch, batch: &[Encoding]) -> Vec<Self::Output>;
}

/// The way to the threads, which end with it.
pub(crate) struct Threads<M: Compute>(Arc<Queue<M>>);

impl<M: Compute> Threads<M> {
    /// # Errors
    /// If the system has no thread to spare.
    pub(crate) fn start(
        model: &M,
        count: usize,
        batch_tokens: usize,
        lifeline: &Lifeline,
    ) -> Result<Self, String> {
        // Made first: those that started end with it when another one cannot.
        let threads = Self(Arc::new(Queue::default()));
        for index in 0..count {
            let (model, queue, lifeline) = (model.clone(), Arc::clone(&threads.0), lifeline.clone());
            let computing = move || {
                let computing = AssertUnwindSafe(|| compute_until_closed(&model, &queue, batch_tokens));
                if catch_unwind(computing).is_err() {
                    lifeline.fail(format!("a thread \"{}\" panicked", M::NAME));
                }
            };
            let thread = std::thread::Builder::new().name(format!("{}-{index}", M::NAME)).spawn(computing);
            thread.map_err(|error| format!("no thread to compute on: {error}"))?;
        }
        Ok(threads)
    }

    /// One output for each input, in their order.
    ///
    /// # Cancel safety
    /// Dropping the future withdraws the inputs that no thread has taken yet.
    pub(crate) async fn compute(
        &self,
        inputs: impl IntoIterator<Item = M::Input>,
        urgent: bool,
    ) -> Result<Vec<M::Output>, ModelError> {
        let (items, answers): (Vec<_>, Vec<_>) = inputs
            .into_iter()
            .map(|input| {
                let (reply, answer) = oneshot::channel();
                (Item { input, reply }, answer)
            })
            .unzip();
        self.0.push(items, urgent);
        let mut outputs = Vec::with_capacity(answers.len());
        for answer in answers {
            outputs.push(answer.await.map_err(|_| CallError::Lost)?);
        }
        Ok(outputs)
    }
}

impl<M: Compute> Drop for Threads<M> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn compute_until_closed<M: Compute>(model: &M, queue: &Queue<M>, batch_tokens: usize) {
    let mut scratch = Scratch::default();
    let mut batch = Vec::new();
    while queue.take(&mut batch, model, batch_tokens) {
        let (encodings, replies): (Vec<Encoding>, Vec<_>) = batch.drain(..).unzip();
        metrics::histogram!(M::BATCHES).record(f64::from(u32::try_from(replies.len()).unwrap_or(u32::MAX)));
        for (output, reply) in model.compute(&mut scratch, &encodings).into_iter().zip(replies) {
            let _ = reply.send(output); // its caller may have left meanwhile
        }
    }
}
