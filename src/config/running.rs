use super::Settings;
use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::{Choice, ConstantTimeEq};
use time::OffsetDateTime;

/// Replaced secrets of a kind accepted at once; the oldest gives way.
const MAX_RETIRED: usize = 8;

/// The settings a running server works with: one whole snapshot at any time, replaced as a whole.
pub struct Running {
    current: ArcSwap<Settings>,
    /// Tokens of before, and secrets of JSON Web Tokens.
    tokens: Retired,
    secrets: Retired,
    status: Mutex<ConfigStatus>,
}

/// What `GET /v1/system` shows.
#[derive(Debug, Clone, Serialize)]
pub struct ConfigStatus {
    /// 1 at the start, one more with every change that was taken over.
    pub generation: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub loaded_at: OffsetDateTime,
    /// Keys that have changed and take effect with the next start.
    pub pending_restart: Vec<String>,
}

impl Running {
    pub fn new(settings: Settings) -> Self {
        let status =
            ConfigStatus { generation: 1, loaded_at: OffsetDateTime::now_utc(), pending_restart: Vec::new() };
        Self {
            current: ArcSwap::from_pointee(settings),
            tokens: Retired::default(),
            secrets: Retired::default(),
            status: Mutex::new(status),
        }
    }

    /// Take it once per request: the next call may find other settings.
    pub fn get(&self) -> Arc<Settings> {
        self.current.load_full()
    }

    pub fn status(&self) -> ConfigStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the token is the current one, or one that was replaced less than `auth.overlap_ms`
    /// ago.
    pub fn accepts(&self, presented: Option<&[u8]>, now: Instant) -> bool {
        let settings = self.current.load();
        let Some(current) = &settings.auth.token else { return false };
        let Some(presented) = presented else { return false };
        // Hashes have one length, and every token is compared, so that the time tells nothing.
        let presented = Sha256::digest(presented);
        let same = |token: &SecretString| Sha256::digest(token.expose_secret()).ct_eq(&presented);
        let retired = self.tokens.0.load();
        let valid = retired.iter().filter(|(_, until)| now < *until);
        valid.fold(same(current), |accepted: Choice, (token, _)| accepted | same(token)).into()
    }

    /// Looks for something with `auth.jwt.secret`, and then with those that were replaced less than `auth.overlap_ms` ago.
    pub fn find_token_secret<T>(
        &self,
        now: Instant,
        find: impl FnMut(&SecretString) -> Option<T>,
    ) -> Option<T> {
        let (settings, retired) = (self.current.load(), self.secrets.0.load());
        let valid = retired.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        settings.auth.jwt.secret.iter().chain(valid).find_map(find)
    }

    /// Takes over a snapshot that differs; only the watcher calls it, one call at a time.
    pub(crate) fn adopt(&self, settings: Settings, now: Instant) {
        let before = self.current.load();
        let until = now + Duration::from_millis(settings.auth.overlap_ms);
        self.tokens.replace(&before.auth.token, &settings.auth.token, until, now);
        self.secrets.replace(&before.auth.jwt.secret, &settings.auth.jwt.secret, until, now);
        // After the old token is accepted as a retired one, so that no request falls between.
        self.current.store(Arc::new(settings));
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.generation += 1;
        status.loaded_at = OffsetDateTime::now_utc();
    }

    pub(crate) fn await_restart(&self, keys: Vec<String>) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).pending_restart = keys;
    }
}

/// Secrets of before, each until its time.
#[derive(Default)]
struct Retired(ArcSwap<Vec<(SecretString, Instant)>>);

impl Retired {
    fn replace(&self, old: &Option<SecretString>, new: &Option<SecretString>, until: Instant, now: Instant) {
        let (Some(old), Some(new)) = (old, new) else { return };
        if old.expose_secret() == new.expose_secret() {
            return;
        }
        let mut retired: Vec<_> = self.0.load().iter().filter(|(_, until)| now < *until).cloned().collect();
        retired.push((old.clone(), until));
        retired.drain(..retired.len().saturating_sub(MAX_RETIRED));
        self.0.store(Arc::new(retired));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn settings(token: &str, overlap_ms: u64) -> Settings {
        let flags =
            vec![("auth.token".into(), token.into()), ("auth.overlap_ms".into(), overlap_ms.to_string())];
        Settings::load(&Sources { flags, ..Sources::default() }).expect("valid")
    }

    #[test]
    fn a_replaced_token_is_accepted_until_the_overlap_is_over_and_not_a_moment_longer() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let running = Running::new(settings("one", 1000));
        let accepts = |token: &str, ms| running.accepts(Some(token.as_bytes()), at(ms));
        assert!(accepts("one", 0) && !accepts("two", 0) && !running.accepts(None, began));
        running.adopt(settings("two", 1000), at(0));
        assert!(accepts("two", 0) && accepts("one", 999) && !accepts("one", 1000));
        running.adopt(settings("three", 1000), at(500));
        assert!(
            accepts("one", 900) && accepts("two", 1499) && !accepts("two", 1500) && accepts("three", 9999)
        );
        // A stolen token: without an overlap it ends at once.
        running.adopt(settings("four", 0), at(5000));
        assert!(!accepts("three", 5000) && accepts("four", 5000));
        assert_eq!(running.status().generation, 4);
    }

    #[test]
    fn replaced_tokens_are_bounded() {
        let now = Instant::now();
        let running = Running::new(settings("t0", 60_000));
        for n in 1..=20 {
            running.adopt(settings(&format!("t{n}"), 60_000), now);
        }
        let accepted = (0..=20).filter(|n| running.accepts(Some(format!("t{n}").as_bytes()), now)).count();
        assert_eq!(accepted, MAX_RETIRED + 1);
    }
}
