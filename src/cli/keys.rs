//! `mcp-rag keys` and `mcp-rag tenants`: who may call.
//!
//! With `--server` keys are those of the caller's own tenant. Without it they are made in the database itself, beside
//! a server that runs or not: that is how the first key of a tenant comes to be.

use super::client::{Client, segment};
use super::{Global, out};
use crate::app::Bare;
use crate::config::Settings;
use crate::identity::{DEFAULT_TENANT, Scope, Scopes, Secret};
use crate::quotas::Limits;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::{
    ApiKey, CreateKey, KeyId, LimitKey, ListKeys, NewKey, RevokeKey, RotateKey, Tenant, TenantId,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const LIMIT: Duration = Duration::from_secs(10);
const PAGE: i64 = 100;
const MAX_DAYS: u32 = 3650;

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key and print it: it is not shown again.
    Create(Create),
    /// List the keys, newest first.
    List(Of),
    /// Have a key let nobody in any more.
    Revoke {
        id: String,
        #[command(flatten)]
        of: Of,
    },
    /// Set how much a key may ask for, in place of what is configured.
    Limit {
        id: String,
        #[command(flatten)]
        limits: Limited,
        #[command(flatten)]
        of: Of,
    },
    /// Make a key that replaces another one, and print it.
    Rotate {
        id: String,
        /// Seconds for which the old key is still accepted.
        #[arg(long, default_value_t = 3600)]
        overlap: u32,
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What it is for.
    name: String,
    /// search, ingest or admin; may be repeated.
    #[arg(long = "scope", required = true, value_parser = clap::value_parser!(Scope))]
    scopes: Vec<Scope>,
    /// The only collections it sees; may be repeated.
    #[arg(long = "collection", value_name = "NAME")]
    collections: Vec<String>,
    /// Whom it speaks for, such as user:alice; may be repeated.
    #[arg(long = "principal", value_name = "NAME")]
    principals: Vec<String>,
    /// Days until it ends.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    expires_in: Option<u32>,
    #[command(flatten)]
    limits: Limited,
    #[command(flatten)]
    of: Of,
}

/// Limits in place of the configured ones.
#[derive(Debug, Args)]
pub(super) struct Limited {
    /// As in [quotas.key]: search_per_second=50; 0 for none; may be repeated.
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = pair)]
    limits: Vec<(String, u64)>,
}

fn pair(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("a limit is NAME=NUMBER")?;
    let value = value.parse().map_err(|_| "a limit is a whole number, 0 for none".to_owned())?;
    Ok((name.to_owned(), value))
}

impl Limited {
    fn value(self) -> Result<Value> {
        let value: Value = self.limits.into_iter().collect();
        let limits: Limits = serde_json::from_value(value)?;
        limits.check("limits")?;
        Ok(json!(limits))
    }
}

#[derive(Debug, Args)]
pub(super) struct Of {
    /// Whose keys, in the database itself.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Tenants {
    /// Make a tenant, in the database itself.
    Create { name: String },
    /// Set how much a tenant may ask for, in place of what is configured; without --limit: as configured.
    Limit {
        name: String,
        #[command(flatten)]
        limits: Limited,
    },
    /// List the tenants.
    List,
}

impl Keys {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let (body, text) = if global.server.is_some() {
            let client = Client::open(global, settings).await?;
            let told = self.ask(&client).await;
            client.close().await;
            told?
        } else {
            let bare = Bare::start(settings).await?;
            let told = self.act(&bare).await;
            bare.stop().await;
            told?
        };
        out(&if global.json { body.to_string() } else { text });
        Ok(ExitCode::SUCCESS)
    }

    fn of(&self) -> &Of {
        match self {
            Self::Create(create) => &create.of,
            Self::List(of) | Self::Revoke { of, .. } | Self::Rotate { of, .. } | Self::Limit { of, .. } => of,
        }
    }

    /// Over a running server.
    async fn ask(self, client: &Client) -> Result<(Value, String)> {
        if self.of().tenant.is_some() {
            bail!("--tenant is for the database itself: a server knows the tenant from the credential");
        }
        let (method, path, body) = match self {
            Self::Create(create) => (Method::POST, "/v1/keys".to_owned(), Some(create.body()?)),
            Self::List(_) => {
                let mut all = Vec::new();
                let mut path = format!("/v1/keys?limit={PAGE}");
                loop {
                    let mut page = client.json(Method::GET, &path, None).await?;
                    all.extend(page["data"].as_array_mut().map(std::mem::take).unwrap_or_default());
                    let Some(last) = page["last_id"].as_str().filter(|_| page["has_more"] == true) else {
                        break;
                    };
                    path = format!("/v1/keys?limit={PAGE}&after={last}");
                }
                let text = lines(&all);
                return Ok((json!({ "data": all }), text));
            }
            Self::Limit { id, limits, .. } => {
                let body = json!({ "limits": limits.value()? });
                (Method::PATCH, format!("/v1/keys/{}", segment(&id)), Some(body))
            }
            Self::Revoke { id, .. } => (Method::DELETE, format!("/v1/keys/{}", segment(&id)), None),
            Self::Rotate { id, overlap, .. } => {
                let body = json!({ "overlap_seconds": overlap });
                (Method::POST, format!("/v1/keys/{}/rotate", segment(&id)), Some(body))
            }
        };
        let key = client.json(method, &path, body.as_ref()).await?;
        let text = told(&key);
        Ok((key, text))
    }

    /// In the database itself.
    async fn act(self, bare: &Bare) -> Result<(Value, String)> {
        let tenant = tenant(bare, self.of().tenant.as_deref()).await?;
        let within = Deadline::within(LIMIT);
        let (key, secret) = match self {
            Self::Create(create) => {
                let secret = Secret::new()?;
                let key = create.into_new(&secret)?;
                (bare.store.call(CreateKey { tenant, key }, within).await?, Some(secret))
            }
            Self::List(_) => {
                let (mut all, mut after) = (Vec::new(), None);
                loop {
                    let list = ListKeys { tenant, after, limit: PAGE };
                    let page = bare.store.call(list, Deadline::within(LIMIT)).await?;
                    let more = page.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
                    all.extend(page.into_iter().take(usize::try_from(PAGE).unwrap_or(usize::MAX)));
                    after = all.last().map(|key: &ApiKey| key.id);
                    if !more {
                        break;
                    }
                }
                let all: Vec<Value> = all.iter().map(view).collect();
                let text = lines(&all);
                return Ok((json!({ "data": all }), text));
            }
            Self::Limit { id, limits, .. } => {
                let limit = LimitKey { tenant, id: self::id(&id)?, limits: limits.value()? };
                (bare.store.call(limit, within).await?, None)
            }
            Self::Revoke { id, .. } => {
                (bare.store.call(RevokeKey { tenant, id: self::id(&id)? }, within).await?, None)
            }
            Self::Rotate { id, overlap, .. } => {
                let secret = Secret::new()?;
                let rotate = RotateKey {
                    tenant,
                    id: self::id(&id)?,
                    prefix: secret.prefix.clone(),
                    hash: secret.hash(),
                    overlap: Duration::from_secs(overlap.into()),
                    expires_at: None,
                };
                (bare.store.call(rotate, within).await?.key, Some(secret))
            }
        };
        let mut body = view(&key);
        if let Some(secret) = secret {
            body["secret"] = secret.expose().into();
        }
        let text = told(&body);
        Ok((body, text))
    }
}

impl Create {
    fn expires_at(&self) -> Option<OffsetDateTime> {
        self.expires_in.map(|days| OffsetDateTime::now_utc() + time::Duration::days(days.into()))
    }

    fn limited(&self) -> Option<Vec<String>> {
        Some(self.collections.clone()).filter(|names| !names.is_empty())
    }

    fn body(self) -> Result<Value> {
        let expires_at = self.expires_at().map(|end| end.format(&Rfc3339)).transpose()?;
        let mut body = json!({"name": self.name, "scopes": self.scopes, "principals": self.principals});
        body["limits"] = self.limits.value()?;
        if !self.collections.is_empty() {
            body["collections"] = self.collections.into();
        }
        if let Some(expires_at) = expires_at {
            body["expires_at"] = expires_at.into();
        }
        Ok(body)
    }

    fn into_new(self, secret: &Secret) -> Result<NewKey> {
        if self.scopes.contains(&Scope::Admin) && !self.collections.is_empty() {
            bail!("a key with the scope `admin` cannot be limited to collections");
        }
        Ok(NewKey {
            prefix: secret.prefix.clone(),
            hash: secret.hash(),
            scopes: self.scopes.iter().copied().collect::<Scopes>().names(),
            collections: self.limited(),
            expires_at: self.expires_at(),
            name: self.name,
            principals: self.principals,
            limits: self.limits.value()?,
        })
    }
}

impl Tenants {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        if global.server.is_some() {
            bail!("tenants are made in the database itself: leave --server out");
        }
        let bare = Bare::start(settings).await?;
        let told = self.act(&bare).await;
        bare.stop().await;
        let (body, text) = told?;
        out(&if global.json { body.to_string() } else { text });
        Ok(ExitCode::SUCCESS)
    }

    async fn act(self, bare: &Bare) -> Result<(Value, String)> {
        let view = |tenant: &Tenant| json!({"id": tenant.id.to_string(), "name": tenant.name, "limits": tenant.limits});
        match self {
            Self::Create { name } => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) {
                    bail!("a tenant's name is 1 to 128 letters, digits, `-`, `_` and `.`");
                }
                let made = bare.create_tenant(&name).await?;
                let tenant = made.with_context(|| format!("there is a tenant {name} already"))?;
                Ok((view(&tenant), format!("{} {}", tenant.id, tenant.name)))
            }
            Self::Limit { name, limits } => {
                let limited = bare.limit_tenant(&name, &limits.value()?).await?;
                let tenant = limited.with_context(|| format!("there is no tenant {name}"))?;
                Ok((view(&tenant), format!("{} {} {}", tenant.id, tenant.name, tenant.limits)))
            }
            Self::List => {
                let all = bare.tenants().await?;
                let text: Vec<_> =
                    all.iter().map(|one| format!("{:<10} {}", one.id.to_string(), one.name)).collect();
                Ok((json!({"data": all.iter().map(view).collect::<Vec<_>>()}), text.join("\n")))
            }
        }
    }
}

/// By its name; the operator's without one.
pub(super) async fn tenant(bare: &Bare, name: Option<&str>) -> Result<TenantId> {
    let Some(name) = name else { return Ok(DEFAULT_TENANT) };
    let all = bare.tenants().await?;
    let found = all.iter().find(|tenant| tenant.name == name);
    Ok(found.with_context(|| format!("there is no tenant {name}: mcp-rag tenants create {name}"))?.id)
}

fn id(text: &str) -> Result<KeyId> {
    text.parse().with_context(|| format!("{text} is no key's id"))
}

/// As the server shows it.
fn view(key: &ApiKey) -> Value {
    let time = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
    json!({
        "id": key.id.to_string(), "name": key.name, "prefix": key.prefix, "scopes": key.scopes,
        "collections": key.collections, "principals": key.principals, "created_at": time(Some(key.created_at)),
        "expires_at": time(key.expires_at), "revoked_at": time(key.revoked_at),
        "last_used_at": time(key.last_used_at), "rotated_from": key.rotated_from.map(|id| id.to_string()), "limits": key.limits,
    })
}

fn told(key: &Value) -> String {
    match key["secret"].as_str() {
        Some(secret) => format!("{}\n{secret}\nthis is the only time that it is shown", line(key)),
        None => line(key),
    }
}

fn lines(keys: &[Value]) -> String {
    if keys.is_empty() {
        return "no keys yet: mcp-rag keys create NAME --scope search".to_owned();
    }
    keys.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn line(key: &Value) -> String {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let names = |name: &str| {
        let names = key[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(",")
    };
    let mut line =
        format!("{:<8} mrag_{} {} [{}]", text("id"), text("prefix"), text("name"), names("scopes"));
    let limits =
        key["limits"].as_object().filter(|limits| !limits.is_empty()).map(|limits| json!(limits).to_string());
    for (label, shown) in [
        ("limited to", limits.unwrap_or_default()),
        ("only", names("collections")),
        ("as", names("principals")),
        ("until", text("expires_at")),
        ("revoked", text("revoked_at")),
        ("used", text("last_used_at")),
    ] {
        if !shown.is_empty() {
            line.push_str(&format!(", {label} {shown}"));
        }
    }
    line
}
