//! Sole owner of the connections to whoever publishes the keys that sign credentials, and of the keys.
//!
//! * The keys lie beside the handle, so that verifying a signature costs no hop and a restart forgets nothing.
//! * They are fetched anew in the background before their time is up. While that fails the last good ones are kept,
//!   for [`JwksSettings::stale`]; then none are there, and nobody knows whether a credential is good.
//! * A key that is not known may be a new one: it is looked for at once, by one fetch for all who wait. No two such
//!   fetches begin within [`JwksSettings::cooldown`], however many keys are invented.
//! * Overload: [`MOST_WAITING`] calls wait for a fetch; more are refused.
//! * Cancel safety: the fetch is the actor's own and goes on without those who wait for it.

mod key;
mod refresh;
mod source;

pub use key::{Algorithm, Signed};

use crate::resilience::{Backoff, BreakerSettings, Circuit, Deadline};
use crate::supervise::{Handle, Lifeline, StartError, Tree};
use key::{KeySet, Verdict};
use refresh::{Keeper, Refresher};
use source::{Source, read_file};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};

const NAME: &str = "jwks";
const MOST_WAITING: usize = 1024;

/// Where the keys are, and how often they are asked for.
#[derive(Debug, Clone)]
pub struct JwksSettings {
    pub place: Place,
    /// Of one fetch.
    pub timeout: Duration,
    /// How long fetched keys are good at most, whatever their issuer says, and where it says nothing.
    pub longest: Duration,
    /// Between two fetches for keys that are not known, and between two others, at least; a file is looked at as often.
    pub cooldown: Duration,
    /// How long the last good keys are kept while no newer ones can be had.
    pub stale: Duration,
}

#[derive(Debug, Clone)]
pub enum Place {
    Url(String),
    File(PathBuf),
}

/// Why a signature is not known to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    #[error("the key is not known")]
    Unknown,
    #[error("the signature is wrong")]
    Signature,
    /// The key may be a new one, and whoever would know is away.
    #[error("the keys cannot be had now")]
    Away,
    #[error("too many wait for the keys")]
    Overloaded,
}

/// What is known of the keys, beside the handle.
#[derive(Debug)]
struct Shared {
    settings: JwksSettings,
    circuit: Circuit,
    state: watch::Sender<State>,
    /// Somebody has met a key that is not known.
    wanted: Notify,
    waiting: Semaphore,
}

#[derive(Debug, Clone, Default)]
struct State {
    keys: Arc<KeySet>,
    digest: [u8; 32],
    /// Of the keys: changes with them.
    generation: u64,
    /// When they were seen last, and for how long that is good.
    fetched: Option<(Instant, Duration)>,
    /// When the last look that is over began, and whether it failed.
    attempted: Option<Instant>,
    failed: bool,
    /// When the last look began that was for a key that is not known.
    wanted: Option<Instant>,
}

impl State {
    /// Whether the keys may still be used.
    fn is_good(&self, stale: Duration) -> bool {
        self.fetched.is_some_and(|(at, good)| at.elapsed() < good.max(stale))
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct JwksHandle {
    shared: Arc<Shared>,
    _handle: Handle<Keeper>,
}

impl JwksHandle {
    /// Starts without keys where an issuer is away: until they are there, credentials cannot be checked.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no set of keys: a mistake to show.
    pub async fn start(tree: &Tree, settings: JwksSettings) -> Result<Self, StartError> {
        let refused = |error: String| StartError { name: NAME, error };
        let source = match &settings.place {
            Place::Url(url) => Source::of_url(url, settings.timeout).map_err(refused)?,
            Place::File(path) => Source::File(path.clone()),
        };
        // The factory's own failures would be retried; this one is told before anything is started.
        if let Source::File(path) = &source {
            let checked = read_file(path).and_then(|read| KeySet::parse(&read.bytes).map_err(str::to_owned));
            checked.map_err(|error| refused(format!("the file of keys cannot be used: {error}")))?;
        }
        let breaker = BreakerSettings {
            consecutive_failures: 3,
            slow_call: settings.timeout,
            open: Backoff { base: settings.cooldown, max: settings.cooldown.max(Duration::from_secs(60)) },
            ..BreakerSettings::default()
        };
        let shared = Arc::new(Shared {
            circuit: Circuit::new(NAME, breaker),
            state: watch::Sender::default(),
            wanted: Notify::new(),
            waiting: Semaphore::new(MOST_WAITING),
            settings,
        });
        let kept = Arc::clone(&shared);
        let factory = move |lifeline: Lifeline| {
            let refresher = Refresher { shared: Arc::clone(&kept), source: source.clone() };
            std::future::ready(Ok(Keeper::start(refresher, &lifeline)))
        };
        let handle = tree.start(tree.spec(NAME, 1), factory).await?;
        Ok(Self { shared, _handle: handle })
    }

    #[must_use]
    pub fn circuit(&self) -> &Circuit {
        &self.shared.circuit
    }

    /// Which keys are in use, for those who remember what these verified; none while there are none.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        let state = self.shared.state.borrow();
        state.is_good(self.shared.settings.stale).then_some(state.generation)
    }

    /// The generation of the keys that verify it.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was begun for it goes on.
    pub async fn verify(&self, signed: &Signed<'_>, deadline: Deadline) -> Result<u64, JwksError> {
        let (asked, stale) = (Instant::now(), self.shared.settings.stale);
        let mut state = self.shared.state.borrow().clone();
        let mut last = false;
        loop {
            let verdict = if state.is_good(stale) { state.keys.verify(signed) } else { Verdict::Unknown };
            match verdict {
                Verdict::Good => return Ok(state.generation),
                Verdict::Bad => return Err(JwksError::Signature),
                // Without an answer from the issuer nobody can say that a key is wrong.
                Verdict::Unknown if last && (state.failed || !state.is_good(stale)) => {
                    return Err(JwksError::Away);
                }
                Verdict::Unknown if last => return Err(JwksError::Unknown),
                Verdict::Unknown => (state, last) = self.newer(&state, asked, deadline).await?,
            }
        }
    }

    /// Other keys than those seen, or the same and that there are no others.
    async fn newer(
        &self,
        seen: &State,
        asked: Instant,
        deadline: Deadline,
    ) -> Result<(State, bool), JwksError> {
        let mut news = self.shared.state.subscribe();
        let now = news.borrow_and_update().clone();
        if now.generation != seen.generation {
            return Ok((now, false));
        }
        let recent = now.wanted.filter(|at| at.elapsed() < self.shared.settings.cooldown);
        // A look that began before the question says nothing about it, but for one that others wait for.
        let since = recent.unwrap_or(asked);
        if now.attempted.is_some_and(|at| at >= since) {
            return Ok((now, true));
        }
        if recent.is_none() {
            if self.shared.circuit.is_open() {
                return Err(JwksError::Away);
            }
            self.shared.wanted.notify_one();
        }
        let _place = self.shared.waiting.try_acquire().map_err(|_| JwksError::Overloaded)?;
        let looked = |state: &State| {
            state.generation != seen.generation || state.attempted.is_some_and(|at| at >= since)
        };
        match tokio::time::timeout_at(deadline.instant().into(), news.wait_for(looked)).await {
            Ok(Ok(state)) => Ok((state.clone(), state.attempted.is_some_and(|at| at >= since))),
            Ok(Err(_)) | Err(_) => Err(JwksError::Away),
        }
    }
}
