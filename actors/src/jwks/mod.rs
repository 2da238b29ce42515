//! Sole owner of the connections to whoever publishes the keys that sign credentials, and of the keys.
//!
//! * The keys lie beside the handle, so that verifying a signature costs no hop and a restart forgets nothing.
//! * They are fetched anew in the background before their time is up. While that fails the last good ones are kept,
//!   for [`JwksSettings::stale`]; then none are there, and nobody knows whether a credential is good.
//! * A key that is not known may be a new one: they are looked for at once, by one fetch for all who wait, and no
//!   two fetches begin within [`JwksSettings::cooldown`], however many keys are invented.
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
    /// Between two fetches, at least; a file is looked at as often.
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
    attempts: u64,
    attempted: Option<Instant>,
    failed: bool,
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
        let state = self.shared.state.borrow().clone();
        let verdict = if state.is_good(self.shared.settings.stale) {
            state.keys.verify(signed)
        } else {
            Verdict::Unknown
        };
        match verdict {
            Verdict::Good => Ok(state.generation),
            Verdict::Bad => Err(JwksError::Signature),
            Verdict::Unknown => {
                let newer = self.newer(&state, deadline).await?;
                match newer.keys.verify(signed) {
                    Verdict::Good => Ok(newer.generation),
                    Verdict::Bad => Err(JwksError::Signature),
                    Verdict::Unknown => Err(JwksError::Unknown),
                }
            }
        }
    }

    /// The keys after one more look.
    async fn newer(&self, seen: &State, deadline: Deadline) -> Result<State, JwksError> {
        let settings = &self.shared.settings;
        let mut news = self.shared.state.subscribe();
        let now = news.borrow_and_update().clone();
        let answer = |state: State| {
            // Without an answer from the issuer nobody can say that a key is wrong.
            if state.failed || !state.is_good(settings.stale) { Err(JwksError::Away) } else { Ok(state) }
        };
        if now.generation != seen.generation {
            return answer(now);
        }
        if now.attempted.is_some_and(|at| at.elapsed() < settings.cooldown) {
            return answer(now);
        }
        if self.shared.circuit.is_open() {
            return Err(JwksError::Away);
        }
        let _place = self.shared.waiting.try_acquire().map_err(|_| JwksError::Overloaded)?;
        self.shared.wanted.notify_one();
        let looked = news.wait_for(|state| state.attempts > now.attempts);
        match tokio::time::timeout_at(deadline.instant().into(), looked).await {
            Ok(Ok(state)) => answer(state.clone()),
            Ok(Err(_)) | Err(_) => Err(JwksError::Away),
        }
    }
}
