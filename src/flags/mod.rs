//! Switches of risky stages, turned while the server runs (docs/adr/0033-feature-flags.md).
//!
//! * A request reads what is in memory and asks nobody; what changes meanwhile is for the next request.
//! * While a provider is away its last values stay; before it was ever there, those of the settings stand.
//! * [`watch`] tells of changes: in the log, the audit log and `mcp_rag_flags`.

#[cfg(feature = "launchdarkly")]
mod launchdarkly;
#[cfg(not(feature = "launchdarkly"))]
#[path = "without.rs"]
mod launchdarkly;
#[cfg(feature = "launchdarkly")]
mod transport;
mod watch;

pub(crate) use watch::watch;

use crate::config::{FlagSettings, Provider};
use launchdarkly::Remote;
use mcp_rag_actors::store::TenantId;
use serde::Serialize;

/// Why a stage that is switched off is named in `degraded`.
pub(crate) const SWITCHED_OFF: &str = "switched_off";

/// A stage with a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The second look at results.
    Reranker,
    /// Answers and other queries by the chat model.
    ChatModel,
    /// Searches in the space built for `[embedder.next]`, once it is complete, before it is activated for all.
    NextSpace,
    /// Results from before, and those that somebody else is just waiting for.
    Cache,
}

impl Flag {
    pub const ALL: [Self; 4] = [Self::Reranker, Self::ChatModel, Self::NextSpace, Self::Cache];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reranker => "reranker",
            Self::ChatModel => "chat_model",
            Self::NextSpace => "next_space",
            Self::Cache => "cache",
        }
    }
}

/// Every flag's value at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Switches {
    pub reranker: bool,
    pub chat_model: bool,
    pub next_space: bool,
    pub cache: bool,
}

impl Switches {
    #[must_use]
    pub fn is_on(self, flag: Flag) -> bool {
        match flag {
            Flag::Reranker => self.reranker,
            Flag::ChatModel => self.chat_model,
            Flag::NextSpace => self.next_space,
            Flag::Cache => self.cache,
        }
    }

    /// Each flag's value as somebody has it.
    #[cfg_attr(not(feature = "launchdarkly"), expect(dead_code, reason = "only a remote provider asks"))]
    fn each(mut ask: impl FnMut(Flag) -> bool) -> Self {
        Self {
            reranker: ask(Flag::Reranker),
            chat_model: ask(Flag::ChatModel),
            next_space: ask(Flag::NextSpace),
            cache: ask(Flag::Cache),
        }
    }
}

/// Who turns the switches. The file's values are settings; a remote provider's are kept here.
pub struct Flags {
    remote: Option<Remote>,
}

/// What `GET /v1/system` shows.
#[derive(Debug, Serialize)]
pub struct Status {
    provider: &'static str,
    /// Of a remote provider: `connecting`, `connected`, `away`, `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// For tenants without a rule of their own.
    values: Switches,
}

impl Flags {
    /// With a remote provider waits a moment for its first values.
    ///
    /// # Errors
    /// The provider's settings cannot be used; one that is away is no error.
    pub async fn start(settings: &FlagSettings) -> Result<Self, String> {
        let remote = match settings.provider {
            Provider::File => None,
            Provider::LaunchDarkly => Some(Remote::start(&settings.launchdarkly).await?),
        };
        if settings.is_away() {
            tracing::warn!("flags.file does not exist: flags have the values of the settings until it does");
        }
        Ok(Self { remote })
    }

    /// For one request of this tenant.
    #[must_use]
    pub fn of(&self, tenant: TenantId, settings: &FlagSettings) -> Switches {
        let given = settings.switches();
        self.remote.as_ref().map_or(given, |remote| remote.of(tenant, given))
    }

    /// For tenants without a rule of their own.
    #[must_use]
    pub fn in_general(&self, settings: &FlagSettings) -> Switches {
        let given = settings.switches();
        self.remote.as_ref().map_or(given, |remote| remote.in_general(given))
    }

    #[must_use]
    pub fn status(&self, settings: &FlagSettings) -> Status {
        let provider = if self.remote.is_some() { "launchdarkly" } else { "file" };
        let state = self.remote.as_ref().map(Remote::state);
        Status { provider, state, values: self.in_general(settings) }
    }
}
