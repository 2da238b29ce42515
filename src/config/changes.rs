//! Which settings differ between what runs and what the files say now, and which of them may.

use super::layers::{Sources, secrets_in};
use super::{ConfigError, Settings};
use config::{Value, ValueKind};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What takes effect without a restart: whole sections end with a dot.
const RELOADABLE: [&str; 23] = [
    "auth.jwt.secret",
    "auth.overlap_ms",
    "auth.token",
    "database.replica_urls",
    "database.tls.",
    "database.url",
    "embedder.api_key",
    "embedder.next.api_key",
    "flags.cache",
    "flags.chat_model",
    "flags.next_space",
    "flags.reranker",
    "generator.",
    "ingest.concurrency",
    "log.level",
    "quotas.",
    "redis.tls.",
    "redis.url",
    "reranker.api_key",
    "search.",
    "server.tls.cert_file",
    "server.tls.key_file",
    "webhooks.secret",
];
/// Reloadable, but not to be given or taken away: that changes what the server consists of, or, for
/// the token and the certificate, whether it is protected at all.
const ALWAYS_OR_NEVER: [&str; 6] = [
    "auth.jwt.secret",
    "auth.token",
    "database.url",
    "redis.url",
    "server.tls.cert_file",
    "server.tls.key_file",
];

/// Every key with a hash of its value, so that a comparison holds no secret.
pub type Values = BTreeMap<String, [u8; 32]>;

/// Settings with what they were made of.
pub struct Loaded {
    pub settings: Settings,
    pub values: Values,
}

impl Loaded {
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let merged = sources.merge()?;
        let mut values = Values::new();
        hash("", &merged.cache, &mut values);
        let settings = Settings::from_merged(merged, sources.environment)?;
        // A setting that names a file has changed when the file has.
        for (key, path) in settings.files() {
            let mut digest = Sha256::new();
            digest_file(&mut digest, path);
            values.insert(key, digest.finalize().into());
        }
        Ok(Self { settings, values })
    }
}

fn hash(prefix: &str, value: &Value, values: &mut Values) {
    if let ValueKind::Table(table) = &value.kind {
        for (key, inner) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            hash(&path, inner, values);
        }
    } else {
        values.insert(prefix.to_owned(), Sha256::digest(value.to_string()).into());
    }
}

/// Keys whose values differ: those that take effect now, and those that need a restart.
pub(crate) fn compare(before: &Values, after: &Values) -> (Vec<String>, Vec<String>) {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| before.get(*key) != after.get(*key));
    let reloads = |key: &String| {
        let known =
            RELOADABLE.iter().any(|name| key == name || (name.ends_with('.') && key.starts_with(name)));
        let both = before.contains_key(key) && after.contains_key(key);
        known && (both || !ALWAYS_OR_NEVER.contains(&key.as_str()))
    };
    keys.into_iter().cloned().partition(reloads)
}

/// The running settings with the reloadable ones of `new`.
pub(crate) fn merged(running: &Settings, new: &Settings, pending: &[String]) -> Settings {
    let mut settings = running.clone();
    let waits = |key: &str| pending.iter().any(|pending| pending == key);
    settings.auth.overlap_ms = new.auth.overlap_ms;
    if !waits("auth.token") {
        settings.auth.token.clone_from(&new.auth.token);
    }
    if !waits("auth.jwt.secret") {
        settings.auth.jwt.secret.clone_from(&new.auth.jwt.secret);
    }
    if !waits("redis.url") {
        settings.redis.url.clone_from(&new.redis.url);
    }
    settings.redis.tls.clone_from(&new.redis.tls);
    if !waits("server.tls.cert_file") {
        settings.server.tls.cert_file.clone_from(&new.server.tls.cert_file);
        settings.server.tls.key_file.clone_from(&new.server.tls.key_file);
    }
    settings.log.level.clone_from(&new.log.level);
    settings.embedder.api_key.clone_from(&new.embedder.api_key);
    settings.embedder.next.api_key.clone_from(&new.embedder.next.api_key);
    settings.reranker.api_key.clone_from(&new.reranker.api_key);
    settings.webhooks.secret.clone_from(&new.webhooks.secret);
    settings.flags.turn(&new.flags);
    settings.quotas = new.quotas.clone();
    settings.generator = new.generator.clone();
    settings.search = new.search.clone();
    settings.ingest.concurrency = new.ingest.concurrency;
    settings
}

/// A hash of every file the settings come from, by content: a mounted secret is replaced by swapping
/// symbolic links, which leaves no trace in times or sizes to rely on.
pub(crate) fn fingerprint(sources: &Sources, secrets_dir: &Path, named: &[PathBuf]) -> [u8; 32] {
    let mut digest = Sha256::new();
    let secrets = secrets_in(secrets_dir);
    for path in sources.config_files().iter().chain(&secrets).chain(named) {
        digest_file(&mut digest, path);
    }
    digest.finalize().into()
}

fn digest_file(digest: &mut Sha256, path: &Path) {
    digest.update(path.as_os_str().as_encoded_bytes());
    match std::fs::read(path) {
        Ok(content) => digest.update(Sha256::digest(content)),
        Err(error) => digest.update(error.kind().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Sha256::digest(value).into())).collect()
    }

    #[test]
    fn changes_are_told_apart_by_whether_they_need_a_restart() {
        let before = values(&[("auth.token", "a"), ("server.port", "1"), ("search.candidates", "5")]);
        let after = values(&[("auth.token", "b"), ("server.port", "2"), ("search.candidates", "5")]);
        assert_eq!(compare(&before, &after), (vec!["auth.token".into()], vec!["server.port".into()]));
        let after = values(&[("auth.token", "a"), ("generator.api_key", "k"), ("search.candidates", "6")]);
        let (now, pending) = compare(&before, &after);
        assert_eq!(now, ["generator.api_key", "search.candidates"]);
        assert_eq!(pending, ["server.port"]);
    }

    #[test]
    fn a_token_or_a_database_that_vanishes_or_appears_waits_for_a_restart() {
        let (with, without) = (values(&[("auth.token", "a"), ("database.url", "u")]), values(&[]));
        for (before, after) in [(&with, &without), (&without, &with)] {
            let (now, pending) = compare(before, after);
            assert!(now.is_empty(), "{now:?}");
            assert_eq!(pending, ["auth.token", "database.url"]);
        }
    }
}
