use mcp_rag_minilm::{Encoding, Tokenizer};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// One text that waits for its vector.
pub(super) struct Item {
    pub(super) text: String,
    pub(super) reply: oneshot::Sender<Vec<f32>>,
}

/// A tokenised text and where its vector goes.
pub(super) type Ready = (Encoding, oneshot::Sender<Vec<f32>>);

/// Texts waiting for a thread. Bounded by the admission in front of it, not here.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    interactive: VecDeque<Item>,
    bulk: VecDeque<Item>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, items: impl IntoIterator<Item = Item>, interactive: bool) {
        let mut state = self.state();
        let State { interactive: queries, bulk, .. } = &mut *state;
        if interactive {
            queries.extend(items);
        } else {
            bulk.extend(items);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Ends every wait; what still waits is dropped, which its callers notice.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.interactive.clear();
        state.bulk.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks until there is work and fills `batch` up to about `max_tokens`; false once closed.
    ///
    /// Queries never share a pass with passages, so that they do not pay for them.
    pub(super) fn take(&self, batch: &mut Vec<Ready>, tokenizer: &Tokenizer, max_tokens: usize) -> bool {
        let mut tokens = 0;
        let mut kind = None;
        while tokens < max_tokens {
            let Some(item) = self.next(&mut kind) else { break };
            if item.reply.is_closed() {
                continue; // its caller has left
            }
            // Outside the lock: other threads take their share meanwhile.
            let encoding = tokenizer.encode(&item.text);
            tokens += encoding.len();
            batch.push((encoding, item.reply));
        }
        kind.is_some()
    }

    /// The first item is waited for and decides the kind; the rest are taken only if there.
    fn next(&self, kind: &mut Option<bool>) -> Option<Item> {
        let mut state = self.state();
        if let Some(interactive) = *kind {
            return if interactive { state.interactive.pop_front() } else { state.bulk.pop_front() };
        }
        loop {
            if state.closed {
                return None;
            }
            let (item, interactive) = match state.interactive.pop_front() {
                Some(item) => (Some(item), true),
                None => (state.bulk.pop_front(), false),
            };
            if item.is_some() {
                *kind = Some(interactive);
                return item;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
