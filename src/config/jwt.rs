use super::mcp::list;
use super::{ConfigError, Environment};
use mcp_rag_actors::jwks::{JwksSettings, Place};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

const ALGORITHMS: [&str; 4] = ["HS256", "RS256", "ES256", "EdDSA"];
/// RFC 7518, section 3.2: as long as the hash.
const MIN_SECRET: usize = 32;

/// JSON Web Tokens as credentials: in force with an issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    pub issuer: Option<String>,
    #[serde(deserialize_with = "list")]
    pub audience: Vec<String>,
    /// For HS256.
    pub secret: Option<SecretString>,
    pub jwks_url: Option<String>,
    pub jwks_file: Option<PathBuf>,
    #[serde(deserialize_with = "list")]
    pub algorithms: Vec<String>,
    pub leeway_ms: u64,
    /// From `iat` to `exp`; 0: any.
    pub max_lifetime_ms: u64,
    /// Of every token; absent: each names its own.
    pub tenant: Option<String>,
    pub tenant_claim: String,
    pub scope_claim: String,
    /// In front of each scope of ours.
    pub scope_prefix: Option<String>,
    pub groups_claim: String,
    pub collections_claim: String,
    pub jwks_timeout_ms: u64,
    pub jwks_max_age_ms: u64,
    pub jwks_cooldown_ms: u64,
    pub jwks_stale_ms: u64,
}

impl JwtSettings {
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.issuer.is_some()
    }

    /// Whether tokens signed so are accepted; whether there is a key for it is another matter.
    #[must_use]
    pub fn allows(&self, algorithm: &str) -> bool {
        ALGORITHMS.contains(&algorithm)
            && (self.algorithms.is_empty() || self.algorithms.iter().any(|one| one == algorithm))
    }

    /// Where the issuer's keys are, if it has any.
    #[must_use]
    pub fn jwks(&self) -> Option<JwksSettings> {
        let url = self.jwks_url.clone().map(Place::Url);
        let place = url.or_else(|| self.jwks_file.clone().map(Place::File)).filter(|_| self.is_on())?;
        Some(JwksSettings {
            place,
            timeout: Duration::from_millis(self.jwks_timeout_ms),
            longest: Duration::from_millis(self.jwks_max_age_ms),
            cooldown: Duration::from_millis(self.jwks_cooldown_ms),
            stale: Duration::from_millis(self.jwks_stale_ms),
        })
    }

    pub(super) fn validate(&self, environment: Environment) -> Result<(), ConfigError> {
        let require = |holds: bool, message: &str| {
            if holds { Ok(()) } else { Err(ConfigError(message.to_owned())) }
        };
        let (secret, keys) = (self.secret.is_some(), self.jwks_url.is_some() || self.jwks_file.is_some());
        require(
            self.is_on() || !(secret || keys),
            "auth.jwt.issuer is required with auth.jwt.secret, auth.jwt.jwks_url and auth.jwt.jwks_file",
        )?;
        if !self.is_on() {
            return Ok(());
        }
        let text = |text: &String| !text.is_empty() && text.len() <= 1024;
        require(self.issuer.as_ref().is_some_and(text), "auth.jwt.issuer is 1 to 1024 bytes")?;
        require(
            (1..=16).contains(&self.audience.len()) && self.audience.iter().all(text),
            "auth.jwt.audience is required with auth.jwt.issuer: what tokens for this server have in `aud`, 1 to 16",
        )?;
        require(
            secret || keys,
            "auth.jwt.issuer needs a key: auth.jwt.secret, auth.jwt.jwks_url or auth.jwt.jwks_file",
        )?;
        require(
            self.secret.as_ref().is_none_or(|secret| secret.expose_secret().len() >= MIN_SECRET),
            "auth.jwt.secret must have at least 32 bytes",
        )?;
        require(
            self.jwks_url.is_none() || self.jwks_file.is_none(),
            "auth.jwt.jwks_url and auth.jwt.jwks_file cannot both be set",
        )?;
        self.check_url(environment)?;
        let usable = |name: &String| match name.as_str() {
            "HS256" => secret,
            name => keys && ALGORITHMS.contains(&name),
        };
        require(
            self.algorithms.iter().all(usable),
            "auth.jwt.algorithms are HS256, which needs auth.jwt.secret, and RS256, ES256 and EdDSA, which need \
             auth.jwt.jwks_url or auth.jwt.jwks_file",
        )?;
        let claims = [&self.tenant_claim, &self.scope_claim, &self.groups_claim, &self.collections_claim];
        require(
            claims.into_iter().chain(&self.tenant).all(text),
            "auth.jwt.tenant, auth.jwt.tenant_claim, auth.jwt.scope_claim, auth.jwt.groups_claim and \
             auth.jwt.collections_claim are names",
        )?;
        require(self.leeway_ms <= 300_000, "auth.jwt.leeway_ms must be at most 300000")?;
        require(
            (100..=30_000).contains(&self.jwks_timeout_ms)
                && (100..=3_600_000).contains(&self.jwks_cooldown_ms)
                && (self.jwks_cooldown_ms..=86_400_000).contains(&self.jwks_max_age_ms)
                && self.jwks_stale_ms <= 604_800_000,
            "auth.jwt.jwks_timeout_ms must be within 100..=30000, auth.jwt.jwks_cooldown_ms within 100..=3600000, \
             auth.jwt.jwks_max_age_ms between that and 86400000, and auth.jwt.jwks_stale_ms at most 604800000",
        )
    }

    /// Over plain HTTP anybody on the way could name keys of their own.
    fn check_url(&self, environment: Environment) -> Result<(), ConfigError> {
        let Some(url) = &self.jwks_url else { return Ok(()) };
        let development = environment == Environment::Development;
        let good = url.parse::<http::Uri>().is_ok_and(|url| {
            let scheme = url.scheme_str();
            (scheme == Some("https") || development && scheme == Some("http"))
                && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        });
        if good {
            return Ok(());
        }
        let message = "auth.jwt.jwks_url is an https URL without a user name; http is for development alone";
        Err(ConfigError(message.to_owned()))
    }
}
