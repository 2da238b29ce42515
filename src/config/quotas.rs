use crate::quotas::Limits;
use serde::Deserialize;

/// How much may be asked for, unless something else was set for a key or a tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaSettings {
    /// Servers that share the limits: what one grants for itself is its part of them.
    pub replicas: u32,
    /// Of each credential.
    pub key: Limits,
    /// Of each tenant.
    pub tenant: Limits,
}

impl QuotaSettings {
    pub(super) fn validate(&self) -> Result<(), String> {
        if !(1..=1000).contains(&self.replicas) {
            return Err("quotas.replicas must be within 1..=1000".to_owned());
        }
        let named =
            |limits: Limits, path: &str| limits.check(path).map_err(|error| error.message.into_owned());
        named(self.key, "quotas.key")?;
        named(self.tenant, "quotas.tenant")
    }
}
