use super::Compute;
use mcp_rag_minilm::Encoding;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// One input that waits for its output.
pub(super) struct Item<M: Compute> {
    pub(super) input: M::Input,
    pub(super) reply: oneshot::Sender<M::Output>,
}

/// A tokenised input and where its output goes.
pub(super) type Ready<M> = (Encoding, oneshot::Sender<<M as Compute>::Output>);

/// Inputs waiting for a thread. Bounded by the admission in front of it, not here.
pub(super) struct Queue<M: Compute> {
    state: Mutex<State<M>>,
    changed: Condvar,
}

struct State<M: Compute> {
    urgent: VecDeque<Item<M>>,
    bulk: VecDeque<Item<M>>,
    closed: bool,
}

impl<M: Compute> Default for Queue<M> {
    fn default() -> Self {
        let state = State { urgent: VecDeque::new(), bulk: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<M: Compute> Queue<M> {
    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, items: impl IntoIterator<Item = Item<M>>, urgent: bool) {
        let mut state = self.state();
        let State { urgent: ahead, bulk, .. } = &mut *state;
        let line = if urgent { ahead } else { bulk };
        let before = line.len();
        line.extend(items);
        let added = line.len() - before;
        drop(state);
        // A thread that finds nothing to do would only take time from the one that does.
        if added == 1 { self.changed.notify_one() } else { self.changed.notify_all() }
    }

    /// Ends every wait; what still waits is dropped, which its callers notice.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.urgent.clear();
        state.bulk.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks until there is work and fills `batch` up to about `max_tokens`; false once closed.
    ///
    /// Urgent inputs never share a pass with others, so that they do not pay for them.
    pub(super) fn take(&self, batch: &mut Vec<Ready<M>>, model: &M, max_tokens: usize) -> bool {
        let mut tokens = 0;
        let mut kind = None;
        while tokens < max_tokens {
            let Some(item) = self.next(&mut kind) else { break };
            if item.reply.is_closed() {
                continue; // its caller has left
            }
            // Outside the lock: other threads take their share meanwhile.
            let encoding = model.encode(&item.input);
            tokens += encoding.len();
            batch.push((encoding, item.reply));
        }
        kind.is_some()
    }

    /// The first item is waited for and decides the kind; the rest are taken only if there.
    fn next(&self, kind: &mut Option<bool>) -> Option<Item<M>> {
        let mut state = self.state();
        if let Some(urgent) = *kind {
            return if urgent { state.urgent.pop_front() } else { state.bulk.pop_front() };
        }
        loop {
            if state.closed {
                return None;
            }
            let (item, urgent) = match state.urgent.pop_front() {
                Some(item) => (Some(item), true),
                None => (state.bulk.pop_front(), false),
            };
            if item.is_some() {
                *kind = Some(urgent);
                return item;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
