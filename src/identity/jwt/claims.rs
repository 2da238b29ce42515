//! What a token claims, once its signature is known to be good.

use super::refusal::Refusal;
use crate::config::JwtSettings;
use crate::identity::{Scope, Scopes};
use serde_json::{Map, Value};

/// Groups of one token. More is no identity but a directory.
const MOST_GROUPS: usize = 256;
const MOST_COLLECTIONS: usize = 100;
const MAX_NAME: usize = 256;

/// Whom a token speaks for.
#[derive(Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) subject: String,
    /// A name, or an id.
    pub(super) tenant: String,
    pub(super) scopes: Scopes,
    pub(super) collections: Option<Vec<String>>,
    pub(super) principals: Vec<String>,
    /// What the token was issued for.
    pub(super) audience: Vec<String>,
    /// When it is over, the leeway included, in seconds since 1970.
    pub(super) until: f64,
}

const SUBJECT: Refusal = Refusal::Malformed("the token's `sub` is no text of 1 to 256 bytes");
const TIMES: Refusal =
    Refusal::Malformed("the token's `exp` is missing, or `exp`, `nbf` or `iat` is no time");
const SCOPES: Refusal = Refusal::Malformed("the token's scopes are neither a text nor a list of texts");
const GROUPS: Refusal = Refusal::Malformed("the token's groups are no list of at most 256 names");
const COLLECTIONS: Refusal =
    Refusal::Malformed("the token's collections are no list of 1 to 100 names, or come with `admin`");
const TENANT: Refusal = Refusal::Malformed("the token names no tenant");

impl Claims {
    /// `now` in seconds since 1970.
    pub(super) fn check(payload: &[u8], settings: &JwtSettings, now: f64) -> Result<Self, Refusal> {
        let claims: Map<String, Value> = serde_json::from_slice(payload)
            .map_err(|_| Refusal::Malformed("the token's claims are no JSON object"))?;
        let until = in_time(&claims, settings, now)?;
        if claims.get("iss").and_then(Value::as_str) != settings.issuer.as_deref() {
            return Err(Refusal::Issuer);
        }
        let audience = match claims.get("aud") {
            Some(aud) => listed(aud, usize::MAX).ok_or(Refusal::Audience)?,
            None => return Err(Refusal::Audience),
        };
        let subject = claims.get("sub").and_then(Value::as_str).filter(|sub| is_name(sub)).ok_or(SUBJECT)?;
        let tenant = settings.tenant.as_deref();
        let tenant = tenant.or_else(|| claims.get(&settings.tenant_claim)?.as_str());
        let tenant = tenant.filter(|tenant| is_name(tenant)).ok_or(TENANT)?;
        let scopes = scopes(&claims, settings)?;
        let collections = match claims.get(&settings.collections_claim) {
            None => None,
            Some(names) => Some(listed(names, MOST_COLLECTIONS).ok_or(COLLECTIONS)?),
        };
        // It could make itself a key without the limit.
        let unlimited = scopes.allow(Scope::Admin);
        if collections.as_ref().is_some_and(|names| names.is_empty() || unlimited) {
            return Err(COLLECTIONS);
        }
        let groups = match claims.get(&settings.groups_claim) {
            None => Vec::new(),
            Some(groups) => listed(groups, MOST_GROUPS).ok_or(GROUPS)?,
        };
        let groups = groups.into_iter().map(|group| format!("group:{group}"));
        Ok(Self {
            principals: std::iter::once(format!("user:{subject}")).chain(groups).collect(),
            subject: subject.to_owned(),
            tenant: tenant.to_owned(),
            scopes,
            collections,
            audience,
            until,
        })
    }
}

fn in_time(claims: &Map<String, Value>, settings: &JwtSettings, now: f64) -> Result<f64, Refusal> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(TIMES),
    };
    let (exp, nbf, iat) = (time("exp")?.ok_or(TIMES)?, time("nbf")?, time("iat")?);
    let leeway = settings.leeway_ms as f64 / 1000.0;
    if now >= exp + leeway {
        return Err(Refusal::Expired);
    }
    if nbf.into_iter().chain(iat).any(|from| now + leeway < from) {
        return Err(Refusal::NotYet);
    }
    let longest = settings.max_lifetime_ms as f64 / 1000.0;
    if settings.max_lifetime_ms > 0 && iat.is_none_or(|iat| exp - iat > longest) {
        return Err(Refusal::TooLong);
    }
    Ok(exp + leeway)
}

fn scopes(claims: &Map<String, Value>, settings: &JwtSettings) -> Result<Scopes, Refusal> {
    let mut named: Vec<&str> = Vec::new();
    match claims.get(&settings.scope_claim) {
        None | Some(Value::Null) => {}
        Some(Value::String(words)) => named.extend(words.split(' ')),
        Some(Value::Array(words)) => {
            for word in words {
                named.push(word.as_str().ok_or(SCOPES)?);
            }
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => return Err(SCOPES),
    }
    let prefix = settings.scope_prefix.as_deref().unwrap_or_default();
    Ok(Scopes::read(named.into_iter().filter_map(|name| name.strip_prefix(prefix))))
}

/// One name, or a list of them.
fn listed(value: &Value, most: usize) -> Option<Vec<String>> {
    let names = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(names) if names.len() <= most => names,
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    let name = |name: &Value| name.as_str().filter(|name| is_name(name)).map(str::to_owned);
    names.iter().map(name).collect()
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests;
