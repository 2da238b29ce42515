use super::key::KeySet;
use super::source::{Fetched, Source};
use super::{Place, Shared, State};
use crate::supervise::{Lifeline, Service};
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

/// The `jwks` service; its work is one task on its own arbiter.
pub(super) struct Keeper(JoinHandle<()>);

impl Service for Keeper {}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Keeper {
    pub(super) fn start(refresher: Refresher, lifeline: &Lifeline) -> Self {
        Self(lifeline.spawn(refresher.keep(lifeline.clone())))
    }
}

/// One incarnation's work.
pub(super) struct Refresher {
    pub(super) shared: Arc<Shared>,
    pub(super) source: Source,
}

impl Refresher {
    /// Looks whenever it is time, or somebody wants to know. Never ends.
    async fn keep(self, lifeline: Lifeline) {
        loop {
            let wanted = tokio::select! {
                () = sleep_until(self.due().into()) => false,
                () = self.shared.wanted.notified() => true,
            };
            let began = Instant::now();
            if wanted {
                let before = self.shared.state.borrow().wanted;
                if before.is_some_and(|at| at.elapsed() < self.shared.settings.cooldown) {
                    continue;
                }
                self.shared.state.send_modify(|state| state.wanted = Some(began));
            }
            lifeline.failpoint("fetch");
            self.look(began).await;
        }
    }

    fn due(&self) -> Instant {
        let (settings, state) = (&self.shared.settings, self.shared.state.borrow());
        let Some(attempted) = state.attempted else { return Instant::now() };
        let pause = match state.fetched {
            // Early enough for a second try.
            Some((_, good)) if !state.failed => good.mul_f64(0.75),
            _ => Duration::from_millis(self.shared.circuit.status().retry_in_ms.unwrap_or(0)),
        };
        (attempted + settings.cooldown).max(if state.failed {
            Instant::now() + pause
        } else {
            attempted + pause
        })
    }

    async fn look(&self, began: Instant) {
        let fetched = match self.shared.circuit.admit() {
            Ok(pass) => {
                let fetched = self.source.fetch().await.and_then(|fetched| {
                    let keys = KeySet::parse(&fetched.bytes).map_err(str::to_owned)?;
                    Ok((fetched, keys))
                });
                if fetched.is_ok() {
                    pass.succeed();
                } else {
                    pass.fail();
                }
                fetched
            }
            Err(open) => Err(open.to_string()),
        };
        let outcome = match &fetched {
            Ok((fetched, _)) if self.is_known(fetched) => "unchanged",
            Ok((_, keys)) => {
                tracing::info!(keys = keys.len(), "keys for credentials were taken over");
                "changed"
            }
            Err(error) => {
                tracing::warn!(%error, "keys for credentials cannot be fetched: the last good ones are kept");
                "failed"
            }
        };
        metrics::counter!("mcp_rag_jwks_fetches_total", "outcome" => outcome).increment(1);
        self.shared.state.send_modify(|state| self.take_over(state, fetched, began));
    }

    fn is_known(&self, fetched: &Fetched) -> bool {
        let state = self.shared.state.borrow();
        state.generation > 0 && hash(&fetched.bytes) == state.digest
    }

    fn take_over(&self, state: &mut State, fetched: Result<(Fetched, KeySet), String>, began: Instant) {
        state.attempted = Some(began);
        state.failed = fetched.is_err();
        let Ok((fetched, keys)) = fetched else { return };
        let settings = &self.shared.settings;
        let good = match settings.place {
            Place::Url(_) => {
                let longest = settings.longest.max(settings.cooldown);
                fetched.max_age.unwrap_or(longest).clamp(settings.cooldown, longest)
            }
            Place::File(_) => settings.cooldown,
        };
        state.fetched = Some((began, good));
        let digest = hash(&fetched.bytes);
        if state.generation == 0 || digest != state.digest {
            *state =
                State { keys: Arc::new(keys), digest, generation: state.generation + 1, ..state.clone() };
        }
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
