use super::ConfigError;
use config::{Config, ConfigBuilder, File, FileFormat, FileSourceString, builder::DefaultState};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const DEFAULTS: &str = include_str!("../../config/default.toml");
const SHIPPED: [(Environment, &str); 3] = [
    (Environment::Development, include_str!("../../config/development.toml")),
    (Environment::Staging, include_str!("../../config/staging.toml")),
    (Environment::Production, include_str!("../../config/production.toml")),
];
/// Secret files above this size are a mistake, not a secret.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Environment {
    #[default]
    Development,
    Staging,
    Production,
}

impl Environment {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        SHIPPED
            .iter()
            .map(|(environment, _)| *environment)
            .find(|environment| environment.as_str() == name)
            .ok_or_else(|| format!("unknown environment `{name}`: development, staging or production"))
    }
}

/// Where the settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub environment: Environment,
    /// Files here override the compiled-in ones.
    pub config_dir: Option<PathBuf>,
    /// `key=value` pairs from the command line, the last layer.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    pub(super) fn merge(&self) -> Result<Config, ConfigError> {
        let mut builder = self.files();
        // The secrets folder is itself a setting, so the layers below it are read first.
        let so_far = self.with_outer_layers(builder.clone())?;
        let secrets = so_far.get_string("secrets_dir").map_err(invalid)?;
        for (key, value, path) in secret_files(Path::new(&secrets))? {
            builder = builder.add_source(named(&[(key, value)], &format!("secret file {}", path.display())));
        }
        let merged = self.with_outer_layers(builder.clone())?;
        let Ok(flags) = merged.get_string("flags.file") else { return Ok(merged) };
        // What is turned while the server runs has the last word, over the environment too.
        let outer = self.outer_layers(builder).add_source(super::flags::layer(Path::new(&flags))?);
        outer.build().map_err(invalid)
    }

    fn files(&self) -> ConfigBuilder<DefaultState> {
        let shipped = SHIPPED.iter().find(|(environment, _)| *environment == self.environment);
        let mut builder = Config::builder().add_source(text(DEFAULTS));
        if let Some((_, content)) = shipped {
            builder = builder.add_source(text(content));
        }
        for file in self.config_files() {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml).required(false));
        }
        builder
    }

    /// Of the configuration folder, whether they exist or not.
    pub(super) fn config_files(&self) -> Vec<PathBuf> {
        let names = ["default", self.environment.as_str()];
        let file = |dir: &PathBuf| names.map(|name| dir.join(name).with_extension("toml")).to_vec();
        self.config_dir.as_ref().map(file).unwrap_or_default()
    }

    fn with_outer_layers(&self, builder: ConfigBuilder<DefaultState>) -> Result<Config, ConfigError> {
        self.outer_layers(builder).build().map_err(invalid)
    }

    fn outer_layers(&self, builder: ConfigBuilder<DefaultState>) -> ConfigBuilder<DefaultState> {
        let environment = config::Environment::with_prefix("MCP_RAG")
            .prefix_separator("__")
            .separator("__")
            .ignore_empty(true);
        builder.add_source(environment).add_source(named(&self.flags, "command line"))
    }
}

pub(super) fn invalid(error: config::ConfigError) -> ConfigError {
    match error {
        // Without the lines the parser quotes: there may be a secret in them.
        config::ConfigError::FileParse { uri, cause } => {
            let cause = cause.to_string();
            let place = cause.lines().next().unwrap_or_default();
            ConfigError(format!("{}: {place}", uri.as_deref().unwrap_or("a settings file")))
        }
        other => ConfigError(other.to_string()),
    }
}

pub(super) fn text(content: &str) -> File<FileSourceString, FileFormat> {
    File::from_str(content, FileFormat::Toml)
}

/// A layer of single values that remembers what to call itself in `config check`.
#[derive(Debug, Clone)]
pub(super) struct Named {
    values: config::Map<String, config::Value>,
}

impl Named {
    pub(super) fn new(values: config::Map<String, config::Value>) -> Self {
        Self { values }
    }
}

impl config::Source for Named {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok(self.values.clone())
    }
}

fn named(values: &[(String, String)], origin: &str) -> Named {
    let origin = origin.to_owned();
    let value = |value: &String| config::Value::new(Some(&origin), value.as_str());
    Named { values: values.iter().map(|(key, text)| (key.clone(), value(text))).collect() }
}

/// The files of a folder of secrets, in a fixed order. Kubernetes keeps its own bookkeeping in dot
/// files beside them.
pub(super) fn secrets_in(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new(); // no secrets mounted
    };
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')) && path.is_file()
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(named).collect();
    files.sort();
    files
}

/// Each file named like a setting (`database__url`) as `(key, value, path)`.
fn secret_files(dir: &Path) -> Result<Vec<(String, String, PathBuf)>, ConfigError> {
    let mut secrets = Vec::new();
    for path in secrets_in(dir) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let unreadable = |error: String| ConfigError(format!("secret file {}: {error}", path.display()));
        let size = path.metadata().map_err(|error| unreadable(error.to_string()))?.len();
        if size > MAX_SECRET_BYTES {
            return Err(unreadable(format!("{size} bytes is too large for a secret")));
        }
        let value = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let value = value.trim_end().to_owned();
        // Most likely still being written; an empty token would let everyone in.
        if value.is_empty() {
            return Err(unreadable("it is empty".to_owned()));
        }
        secrets.push((name.to_lowercase().replace("__", "."), value, path));
    }
    Ok(secrets)
}
