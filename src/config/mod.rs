//! Typed settings, read in layers and validated before any port is bound.
//!
//! Unknown keys are errors; secrets never appear in `Debug` output, logs or `config check`.

mod changes;
mod flags;
mod jwt;
mod layers;
mod mcp;
mod quotas;
mod report;
mod running;
mod server;
mod tracing;

pub use changes::{Loaded, Values};
pub(crate) use changes::{compare, fingerprint, merged};
pub use flags::{FlagSettings, LaunchDarklySettings, Provider};
pub use jwt::JwtSettings;
pub use layers::{Environment, Sources};
pub use mcp::McpSettings;
pub use quotas::QuotaSettings;
pub use report::{Line, report};
pub use running::{ConfigStatus, Running};
pub use server::{
    AdminSettings, AuthSettings, CorsSettings, LogFormat, LogSettings, ReloadSettings, ServerSettings,
    ServerTls,
};
pub use tracing::TracingSettings;

use mcp_rag_actors::cache::{CacheSettings, RedisSettings};
use mcp_rag_actors::embedder::EmbedderSettings;
use mcp_rag_actors::generator::GeneratorSettings;
use mcp_rag_actors::index::IndexSettings;
use mcp_rag_actors::reranker::RerankerSettings;
use mcp_rag_actors::store::{MOST_REPLICAS, StoreSettings};
use mcp_rag_actors::supervise::SupervisionSettings;
use mcp_rag_actors::webhook::WebhookSettings;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Everything that can be configured; `config/default.toml` documents each key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(skip)]
    pub environment: Environment,
    pub data_dir: PathBuf,
    pub secrets_dir: PathBuf,
    pub server: ServerSettings,
    pub admin: AdminSettings,
    pub log: LogSettings,
    pub tracing: TracingSettings,
    pub auth: AuthSettings,
    pub audit: AuditSettings,
    pub mcp: McpSettings,
    pub quotas: QuotaSettings,
    pub flags: FlagSettings,
    pub reload: ReloadSettings,
    pub supervision: SupervisionSettings,
    pub database: StoreSettings,
    pub redis: RedisSettings,
    pub cache: CacheSettings,
    pub embedder: EmbedderSettings,
    pub reranker: RerankerSettings,
    pub generator: GeneratorSettings,
    pub ingest: IngestSettings,
    pub files: FileSettings,
    pub webhooks: WebhookSettings,
    pub search: SearchSettings,
    pub index: IndexSettings,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestSettings {
    pub concurrency: usize,
    pub max_document_bytes: usize,
    /// Text of long documents that a worker has under way at once.
    pub long_text_bytes: usize,
    pub lease_ms: u64,
    /// Workers that may be lost at a task before it is given up.
    pub max_attempts: i32,
    /// How long a task may wait for something that is away.
    pub give_up_after_ms: u64,
    /// Processes that read PDF and Office documents, the memory of each, and how long one document may take.
    pub parser_processes: usize,
    pub parser_memory_mb: u64,
    pub parser_timeout_ms: u64,
    /// Questions to the chat model about chunks at once, and how long a document waits for a model that is away.
    pub context_calls: usize,
    pub context_wait_ms: u64,
    /// Whether the server itself works; `mcp-rag worker` always does.
    pub worker: bool,
}

/// The log of writes, uses of keys and denials.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// 0: for ever.
    pub retention_days: u16,
}

/// Files as OpenAI's clients upload them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Of one tenant, together.
    pub max_bytes: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchSettings {
    pub deadline_ms: u64,
    pub candidates: u16,
    /// The share of the true nearest chunks that a search of the index is to find.
    pub recall: f64,
    /// Candidates kept by every scan of an HNSW index; absent: as many as `recall` takes.
    pub ef_search: Option<u16>,
    /// Candidates of a space of bits that are compared again, for each that is wanted.
    pub oversampling: u16,
    /// What other queries by the chat model are worth waiting for.
    pub rewrite_timeout_ms: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("invalid configuration: {0}")]
pub struct ConfigError(pub String);

impl Settings {
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Loaded::load(sources).map(|loaded| loaded.settings)
    }

    /// Files that settings name and whose content is part of them, by key.
    pub(crate) fn files(&self) -> Vec<(String, &Path)> {
        let ServerTls { cert_file, key_file, client_ca_file } = &self.server.tls;
        let own = [("cert_file", cert_file), ("key_file", key_file), ("client_ca_file", client_ca_file)];
        let own = own.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)));
        let sections = [("database.tls", &self.database.tls), ("redis.tls", &self.redis.tls)];
        let others =
            sections.into_iter().flat_map(|(section, tls)| tls.files().map(move |file| (section, file)));
        own.map(|file| ("server.tls", file))
            .chain(others)
            .map(|(section, (name, path))| (format!("{section}.{name}"), path))
            .collect()
    }

    fn from_merged(merged: config::Config, environment: Environment) -> Result<Self, ConfigError> {
        let origins = report::origins(&merged);
        let mut settings: Self = merged
            .try_deserialize()
            .map_err(|error| ConfigError(format!("{error}; every key is listed in config/default.toml")))?;
        settings.environment = environment;
        settings.validate().map_err(|ConfigError(error)| {
            let named = |(key, _): &&(String, String)| error.contains(key.as_str());
            let from: Vec<_> =
                origins.iter().filter(named).map(|(key, from)| format!("{key}: {from}")).collect();
            if from.is_empty() {
                return ConfigError(error);
            }
            ConfigError(format!("{error} ({})", from.join(", ")))
        })?;
        Ok(settings)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let require = |holds: bool, message: &str| {
            if holds { Ok(()) } else { Err(ConfigError(message.to_owned())) }
        };
        require(
            self.server.port == 0 || self.server.port != self.admin.port,
            "server.port and admin.port must differ",
        )?;
        require(
            self.server.shutdown_timeout_ms >= self.server.request_timeout_ms.max(self.search.deadline_ms),
            "server.shutdown_timeout_ms must not be shorter than server.request_timeout_ms and \
             search.deadline_ms: a stop would lose requests that are in time",
        )?;
        let ServerSettings { max_in_flight, max_answers, max_streams, .. } = self.server;
        require(
            [max_in_flight, max_answers, max_streams].iter().all(|max| (1..=100_000).contains(max)),
            "server.max_in_flight, server.max_answers and server.max_streams must be within 1..=100000",
        )?;
        require(self.server.drain_delay_ms <= 300_000, "server.drain_delay_ms must be at most 300000")?;
        require((1..=1000).contains(&self.search.candidates), "search.candidates must be within 1..=1000")?;
        require(
            self.search.ef_search.is_none_or(|ef| (1..=1000).contains(&ef)),
            "search.ef_search must be within 1..=1000",
        )?;
        require(
            (0.5..=0.995).contains(&self.search.recall),
            "search.recall must be within 0.5..=0.995: compare with every chunk for more",
        )?;
        require((1..=100).contains(&self.search.oversampling), "search.oversampling must be within 1..=100")?;
        require((1..=256).contains(&self.ingest.concurrency), "ingest.concurrency must be within 1..=256")?;
        require(
            (1..=64).contains(&self.ingest.parser_processes),
            "ingest.parser_processes must be within 1..=64",
        )?;
        require(self.ingest.parser_memory_mb >= 256, "ingest.parser_memory_mb must be at least 256")?;
        require(
            (1 << 20..=1 << 40).contains(&self.ingest.long_text_bytes),
            "ingest.long_text_bytes must be within 1048576..=1099511627776",
        )?;
        require(self.ingest.parser_timeout_ms >= 1, "ingest.parser_timeout_ms must be at least 1")?;
        require(
            (1..=256).contains(&self.ingest.context_calls),
            "ingest.context_calls must be within 1..=256",
        )?;
        require(self.ingest.lease_ms >= 1000, "ingest.lease_ms must be at least 1000")?;
        require((1..=256).contains(&self.database.pool_size), "database.pool_size must be within 1..=256")?;
        require(
            self.database.replica_urls.len() <= MOST_REPLICAS,
            "database.replica_urls must not have more than 8 entries",
        )?;
        require(
            self.database.replica_urls.is_empty() || self.database.url.is_some(),
            "database.replica_urls needs database.url: the managed PostgreSQL has no replicas",
        )?;
        require(
            self.server.max_body_bytes <= self.server.max_upload_bytes,
            "server.max_body_bytes must not exceed server.max_upload_bytes",
        )?;
        require(
            self.ingest.max_document_bytes <= self.server.max_body_bytes,
            "ingest.max_document_bytes must not exceed server.max_body_bytes",
        )?;
        self.server.tls.validate().map_err(ConfigError)?;
        self.server.cors.validate().map_err(ConfigError)?;
        self.mcp.validate()?;
        self.auth.jwt.validate(self.environment)?;
        self.quotas.validate().map_err(ConfigError)?;
        self.flags.validate().map_err(ConfigError)?;
        self.log.validate().map_err(ConfigError)?;
        self.embedder.validate().map_err(ConfigError)?;
        self.reranker.validate().map_err(ConfigError)?;
        self.webhooks.validate().map_err(ConfigError)?;
        self.supervision.validate().map_err(ConfigError)?;
        self.tracing.validate().map_err(ConfigError)?;
        require(
            self.auth.key_ttl_ms <= 60_000 && self.auth.key_stale_ms <= 86_400_000,
            "auth.key_ttl_ms must be at most 60000 and auth.key_stale_ms at most 86400000",
        )?;
        self.generator.validate().map_err(ConfigError)?;
        self.index.validate().map_err(ConfigError)?;
        require(
            self.environment == Environment::Development
                || self.auth.token.is_some()
                || self.auth.keys_only
                || self.auth.jwt.is_on(),
            "auth.token is required outside development: mount a secret file `auth__token` in secrets_dir \
             or set MCP_RAG__AUTH__TOKEN; or set auth.keys_only and make an API key, or set auth.jwt.issuer",
        )
    }
}
