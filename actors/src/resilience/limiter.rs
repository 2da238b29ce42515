use super::LimiterSettings;
use super::gradient::Gradient;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// How an admitted call ended, for the limit's sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was worked on; its latency counts.
    Done,
    /// Turned away for want of room, or out of time: the limit is too high.
    Dropped,
    /// Its latency says nothing: a cached answer, the client's error, a stream.
    Ignored,
}

/// An adaptive bound on calls at once, shared by all who make them.
///
/// Overload: [`Limiter::try_acquire`] refuses at once and never waits. Admission is one atomic step; only
/// ending a call takes a short lock.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    in_flight: AtomicUsize,
    limit: AtomicUsize,
    gradient: Mutex<Gradient>,
}

impl Limiter {
    #[must_use]
    pub fn new(settings: LimiterSettings) -> Self {
        let gradient = Gradient::new(settings);
        let (in_flight, limit) = (AtomicUsize::new(0), AtomicUsize::new(gradient.limit()));
        Self(Arc::new(Inner { in_flight, limit, gradient: Mutex::new(gradient) }))
    }

    /// A place for one call, if there is one.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Token> {
        self.try_acquire_share(1.0)
    }

    /// The same for callers that may fill only a share of the limit (0–1), so that others find the rest
    /// free. At least one place.
    #[must_use]
    pub fn try_acquire_share(&self, share: f64) -> Option<Token> {
        let limit = ((self.limit() as f64 * share) as usize).max(1);
        let free = |in_flight: usize| (in_flight < limit).then_some(in_flight + 1);
        self.0.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, free).ok()?;
        Some(Token { limiter: self.clone(), began: Instant::now() })
    }

    /// A place for a call that must never be refused (a health probe); it counts like any other.
    pub fn acquire_always(&self) -> Token {
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
        Token { limiter: self.clone(), began: Instant::now() }
    }

    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Relaxed)
    }
}

/// A place in flight.
///
/// # Cancel safety
/// Dropping it frees the place; the call then counts as [`CallOutcome::Ignored`].
#[derive(Debug)]
#[must_use]
pub struct Token {
    limiter: Limiter,
    began: Instant,
}

impl Token {
    /// Frees the place and lets the limit learn from the call.
    pub fn finish(self, outcome: CallOutcome) {
        let dropped = match outcome {
            CallOutcome::Ignored => return,
            CallOutcome::Done => false,
            CallOutcome::Dropped => true,
        };
        let inner = &self.limiter.0;
        let now = Instant::now();
        let in_flight = inner.in_flight.load(Ordering::Relaxed);
        let mut gradient = inner.gradient.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = gradient.sample(now, now - self.began, in_flight, dropped);
        inner.limit.store(limit, Ordering::Relaxed);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.limiter.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_are_in_flight_and_every_end_frees_a_place() {
        let settings = LimiterSettings { initial: 8, min: 8, max: 8, ..LimiterSettings::default() };
        let limiter = Limiter::new(settings);
        let mut tokens: Vec<Token> = std::iter::from_fn(|| limiter.try_acquire()).take(100).collect();
        assert_eq!((tokens.len(), limiter.in_flight()), (8, 8));
        drop(tokens.pop());
        for outcome in [CallOutcome::Done, CallOutcome::Dropped, CallOutcome::Ignored] {
            tokens.pop().expect("a token").finish(outcome);
        }
        assert_eq!(limiter.in_flight(), 4);
        // Of eight places half may go to those with a share of a half.
        assert!(limiter.try_acquire_share(0.5).is_none());
        assert!(limiter.try_acquire().is_some());
        let always: Vec<Token> = (0..20).map(|_| limiter.acquire_always()).collect();
        assert_eq!(limiter.in_flight(), 4 + always.len());
        drop((tokens, always));
        assert_eq!(limiter.in_flight(), 0);
    }
}
