use super::ConfigError;
use super::layers::{Named, invalid, text};
use crate::flags::{Flag, Switches};
use config::{Config, Value};
use secrecy::SecretString;
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Switches of risky stages, and who may turn them while the server runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagSettings {
    pub provider: Provider,
    /// Lines such as `reranker = false`, over everything else.
    pub file: Option<PathBuf>,
    pub reranker: bool,
    pub chat_model: bool,
    pub next_space: bool,
    pub cache: bool,
    pub launchdarkly: LaunchDarklySettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    File,
    LaunchDarkly,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchDarklySettings {
    pub sdk_key: Option<SecretString>,
    /// Of a relay proxy, in place of LaunchDarkly's own servers.
    pub base_url: Option<String>,
    /// In front of each flag's name.
    pub prefix: String,
    /// How long a start waits for the first values.
    pub wait_ms: u64,
}

impl FlagSettings {
    /// What stands where no provider says otherwise.
    pub fn switches(&self) -> Switches {
        let Self { reranker, chat_model, next_space, cache, .. } = *self;
        Switches { reranker, chat_model, next_space, cache }
    }

    /// Takes over the values alone.
    pub(crate) fn turn(&mut self, new: &Self) {
        let Switches { reranker, chat_model, next_space, cache } = new.switches();
        *self = Self { reranker, chat_model, next_space, cache, ..self.clone() };
    }

    /// Whether the file that has the last word is not there.
    pub(crate) fn is_away(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !file.exists())
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        let LaunchDarklySettings { sdk_key, wait_ms, .. } = &self.launchdarkly;
        if self.provider == Provider::LaunchDarkly && sdk_key.is_none() {
            return Err("flags.launchdarkly.sdk_key is required with flags.provider = \"launchdarkly\": mount a secret \
                        file `flags__launchdarkly__sdk_key` in secrets_dir"
                .to_owned());
        }
        if *wait_ms > 60_000 {
            return Err("flags.launchdarkly.wait_ms must be at most 60000".to_owned());
        }
        Ok(())
    }
}

/// The file's values as the last layer; none while there is no file.
pub(super) fn layer(path: &Path) -> Result<Named, ConfigError> {
    let told = |error: &dyn std::fmt::Display| ConfigError(format!("flags file {}: {error}", path.display()));
    let content = match std::fs::read_to_string(path) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(told(&error)),
    };
    let parsed = Config::builder().add_source(text(&content)).build().map_err(invalid);
    let table = parsed.and_then(|config| config.cache.into_table().map_err(invalid));
    let origin = format!("flags file {}", path.display());
    let mut values = config::Map::new();
    for (name, value) in table.map_err(|error| told(&error.0))? {
        if Flag::ALL.iter().all(|flag| flag.as_str() != name) {
            let known: Vec<_> = Flag::ALL.iter().map(|flag| flag.as_str()).collect();
            return Err(told(&format!("`{name}` is no flag; there are {}", known.join(", "))));
        }
        let on = value.into_bool().map_err(|_| told(&format!("`{name}` must be true or false")))?;
        values.insert(format!("flags.{name}"), Value::new(Some(&origin), on));
    }
    Ok(Named::new(values))
}
