use super::ConfigError;
use serde::{Deserialize, Deserializer};

/// This machine's own names.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The Model Context Protocol at `/mcp`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpSettings {
    /// One message.
    pub max_request_bytes: usize,
    /// Names this server answers to; empty: see [`McpSettings::hosts`].
    #[serde(deserialize_with = "list")]
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call; empty: see [`McpSettings::origins`].
    #[serde(deserialize_with = "list")]
    pub allowed_origins: Vec<String>,
    /// Where clients reach this server: `https://rag.example.com`.
    pub public_url: Option<String>,
    /// Issuers of access tokens for it; empty: no OAuth metadata.
    #[serde(deserialize_with = "list")]
    pub authorization_servers: Vec<String>,
}

/// A list; or one string with entries apart by commas, as the environment and the command line have it.
pub(super) fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        List(Vec<String>),
        One(String),
    }
    Ok(match Form::deserialize(from)? {
        Form::List(list) => list,
        Form::One(text) => {
            text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
        }
    })
}

impl McpSettings {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let require = |holds: bool, message: &str| {
            if holds { Ok(()) } else { Err(ConfigError(message.to_owned())) }
        };
        let url = |text: &str| {
            text.parse::<http::Uri>().is_ok_and(|url| {
                matches!(url.scheme_str(), Some("http" | "https"))
                    && url.host().is_some()
                    && url.query().is_none()
            })
        };
        require(
            (1024..=64 << 20).contains(&self.max_request_bytes),
            "mcp.max_request_bytes must be within 1024..=67108864",
        )?;
        require(
            self.public_url.as_deref().is_none_or(|text| url(text) && !text.ends_with('/')),
            "mcp.public_url is an http or https URL without a slash at its end",
        )?;
        require(
            self.authorization_servers.iter().all(|text| url(text)),
            "mcp.authorization_servers holds http or https URLs",
        )?;
        require(
            self.authorization_servers.is_empty() || self.public_url.is_some(),
            "mcp.authorization_servers needs mcp.public_url: tokens are issued for it",
        )?;
        require(
            self.allowed_hosts.iter().all(|host| host.parse::<http::uri::Authority>().is_ok()),
            "mcp.allowed_hosts holds names, with a port or without: rag.example.com",
        )?;
        // One without a port would be accepted from any.
        let with_port = |text: &String| {
            let (scheme, rest) = text.split_once("://").unwrap_or_default();
            matches!(scheme, "http" | "https")
                && rest.rsplit_once(':').is_some_and(|(host, port)| {
                    host.parse::<http::uri::Authority>().is_ok()
                        && (port == "*" || port.parse::<u16>().is_ok())
                })
        };
        require(
            self.allowed_origins.iter().all(with_port),
            "mcp.allowed_origins holds origins with their port, or * for any: https://app.example.com:443",
        )
    }

    /// What access tokens for `/mcp` are issued for, where there is somebody who issues them.
    pub(crate) fn resource(&self) -> Option<String> {
        let url = self.public_url.as_ref().filter(|_| !self.authorization_servers.is_empty())?;
        Some(format!("{url}/mcp"))
    }

    /// The names that `Host` may hold; empty: any.
    ///
    /// Unless told otherwise this machine's and those of `public_url`. Where every call brings a credential any
    /// will do: a page that turned its own name into our address has none.
    pub(crate) fn hosts(&self, credential: bool) -> Vec<String> {
        if !self.allowed_hosts.is_empty() {
            return self.allowed_hosts.clone();
        }
        if credential {
            return Vec::new();
        }
        let own = self.public_url.as_deref().and_then(|url| url.parse::<http::Uri>().ok());
        let own = own.and_then(|url| url.host().map(str::to_owned));
        LOOPBACK.map(|name| name.trim_matches(['[', ']']).to_owned()).into_iter().chain(own).collect()
    }

    /// The origins of web pages that may call, beside requests that come from no page.
    ///
    /// Unless told otherwise pages of this machine, where no credential is needed, and none where one is.
    pub(crate) fn origins(&self, credential: bool) -> Vec<String> {
        if !self.allowed_origins.is_empty() || credential {
            return self.allowed_origins.clone();
        }
        let of_name = |name: &str| ["http", "https"].map(|scheme| format!("{scheme}://{name}:*"));
        LOOPBACK.into_iter().flat_map(of_name).collect()
    }
}
