//! API keys. A secret is in the answer to the request that made it, and nowhere else: these writes are not remembered
//! for an `Idempotency-Key`, since that would keep it.

use super::audited::Made;
use super::body::{Json, object};
use super::page::{NewestQuery, Page, cursor, page_size};
use super::shapes::{KeyCollections, Principals};
use super::{ApiError, Principal, State, resource};
use crate::error::{Code, Error};
use crate::identity::{Scope, Scopes, Secret};
use crate::quotas::Limits;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};
use mcp_rag_actors::store::{
    ApiKey, CreateKey, KeyId, LimitKey, ListKeys, NewKey, RevokeKey, RotateKey, Rotated,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;

const LIMIT: Duration = Duration::from_secs(10);
const MAX_NAME: usize = 128;
const MAX_COLLECTIONS: usize = 100;
const MAX_PRINCIPALS: usize = 64;
const MAX_PRINCIPAL: usize = 256;
const MAX_OVERLAP: u32 = 30 * 86_400;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/keys").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/keys/{id}").route(web::patch().to(limit)).route(web::delete().to(revoke)))
        .service(resource("/keys/{id}/rotate").route(web::post().to(rotate)));
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRequest {
    /// For people.
    #[schema(min_length = 1, max_length = 128, pattern = r"\S")]
    name: String,
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// Names of the only collections that exist for it; all of the tenant's if absent. Not with `admin`.
    #[schema(inline, value_type = Option<KeyCollections>)]
    collections: Option<Vec<String>>,
    /// Whom it speaks for, as documents' `acl` name them: `user:alice`, `group:eng`.
    #[serde(default)]
    #[schema(value_type = Principals)]
    principals: Vec<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// In place of the configured ones (`[quotas.key]`).
    #[serde(default, deserialize_with = "object")]
    limits: Limits,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitRequest {
    /// In place of all that were set before; `{}`: as configured.
    #[serde(deserialize_with = "object")]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// How long the old key is still accepted: up to 30 days; an hour by default.
    #[schema(minimum = 0, maximum = 2_592_000)]
    overlap_seconds: Option<u32>,
    /// Of the new key; as the old one's if absent.
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyView {
    id: String,
    name: String,
    /// Of the secret: what tells keys apart.
    prefix: String,
    scopes: Vec<String>,
    collections: Option<Vec<String>>,
    principals: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    /// A few seconds behind.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    /// The key that this one replaces.
    rotated_from: Option<String>,
    /// In place of the configured ones.
    #[schema(value_type = Limits)]
    limits: Value,
}

/// A key with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecretView {
    #[serde(flatten)]
    key: KeyView,
    /// To be sent as `Authorization: Bearer`.
    secret: String,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes,
            collections: key.collections,
            principals: key.principals,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            rotated_from: key.rotated_from.map(|id| id.to_string()),
            limits: key.limits,
        }
    }
}

fn id(text: &str) -> Result<KeyId, ApiError> {
    text.parse().map_err(|_| Error::not_found("key").into())
}

fn check_end(expires_at: Option<OffsetDateTime>) -> Result<(), Error> {
    if expires_at.is_some_and(|end| end <= OffsetDateTime::now_utc()) {
        return Err(Error::invalid("expires_at", "`expires_at` is in the past"));
    }
    Ok(())
}

fn secret() -> Result<Secret, Error> {
    Secret::new().map_err(|error| Error::new(Code::Internal, error.to_string()))
}

impl KeyRequest {
    fn check(&self) -> Result<(), Error> {
        let text =
            |text: &str, most: usize| !text.trim().is_empty() && text.len() <= most && !text.contains('\0');
        if !text(&self.name, MAX_NAME) {
            return Err(Error::invalid("name", format!("`name` is 1 to {MAX_NAME} bytes of text")));
        }
        if self.scopes.is_empty() {
            return Err(Error::invalid("scopes", "`scopes` names at least one of search, ingest and admin"));
        }
        if let Some(names) = &self.collections {
            if names.is_empty()
                || names.len() > MAX_COLLECTIONS
                || !names.iter().all(|name| text(name, MAX_NAME))
            {
                let message =
                    format!("`collections` holds 1 to {MAX_COLLECTIONS} names; leave it out for all");
                return Err(Error::invalid("collections", message));
            }
            // It could make itself a key without the limit.
            if self.scopes.contains(&Scope::Admin) {
                return Err(Error::invalid("collections", "a key with the scope `admin` cannot be limited"));
            }
        }
        if self.principals.len() > MAX_PRINCIPALS
            || !self.principals.iter().all(|one| text(one, MAX_PRINCIPAL))
        {
            let message =
                format!("`principals` holds at most {MAX_PRINCIPALS} names of 1 to {MAX_PRINCIPAL} bytes");
            return Err(Error::invalid("principals", message));
        }
        self.limits.check("limits")?;
        check_end(self.expires_at)
    }

    fn into_new(self, secret: &Secret) -> NewKey {
        NewKey {
            name: self.name,
            prefix: secret.prefix.clone(),
            hash: secret.hash(),
            scopes: self.scopes.into_iter().collect::<Scopes>().names(),
            collections: self.collections,
            principals: self.principals,
            expires_at: self.expires_at,
            limits: json!(self.limits),
        }
    }
}

fn shown(key: ApiKey, secret: &Secret) -> HttpResponse {
    let made = Made(key.id.to_string());
    let view = SecretView { key: key.into(), secret: secret.expose().to_owned() };
    let mut response = HttpResponse::build(StatusCode::CREATED).json(view);
    response.extensions_mut().insert(made);
    response
}

/// Make an API key. Its secret is in this answer alone.
#[utoipa::path(post, path = "/v1/keys", tag = "keys",
    request_body(content = KeyRequest, example = json!({"name": "search of the intranet", "scopes": ["search"], "collections": ["notes"]})),
    responses((status = 201, body = SecretView), (status = 409, description = "the tenant has too many keys")))]
pub(super) async fn create(
    state: Data<State>,
    principal: Principal,
    Json(new): Json<KeyRequest>,
) -> Result<HttpResponse, ApiError> {
    new.check()?;
    let secret = secret()?;
    let caller = principal.caller(LIMIT);
    let create = CreateKey { tenant: caller.tenant, key: new.into_new(&secret) };
    let key = state.rag.store.call(create, caller.deadline).await?;
    Ok(shown(key, &secret))
}

/// List keys, newest first.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(NewestQuery), responses((status = 200, body = Page<KeyView>)))]
pub(super) async fn list(
    state: Data<State>,
    principal: Principal,
    query: Query<NewestQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let after: Option<KeyId> = cursor("after", query.after.as_ref())?;
    let caller = principal.caller(LIMIT);
    let list = ListKeys { tenant: caller.tenant, after, limit: i64::try_from(limit).unwrap_or(100) };
    let keys = state.rag.store.call(list, caller.deadline).await?;
    let views = keys.into_iter().map(KeyView::from).collect();
    Ok(HttpResponse::Ok().json(Page::of(views, limit, |view: &KeyView| view.id.clone())))
}

/// Set how much a key may ask for, in place of the configured limits.
///
/// On this server at once, on others within `auth.key_ttl_ms`.
#[utoipa::path(patch, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    request_body(content = LimitRequest, example = json!({"limits": {"search_per_second": 50, "llm_tokens_per_day": 200_000}})),
    responses((status = 200, body = KeyView), (status = 404)))]
pub(super) async fn limit(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
    Json(request): Json<LimitRequest>,
) -> Result<HttpResponse, ApiError> {
    request.limits.check("limits")?;
    let caller = principal.caller(LIMIT);
    let limit = LimitKey { tenant: caller.tenant, id: id(&path)?, limits: json!(request.limits) };
    let key = state.rag.store.call(limit, caller.deadline).await?;
    state.rag.quotas.forget(caller.tenant, key.id).await;
    Ok(HttpResponse::Ok().json(KeyView::from(key)))
}

/// Revoke a key: it lets nobody in any more.
///
/// On this server at once, on others within `auth.key_ttl_ms`.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 200, body = KeyView), (status = 404)))]
pub(super) async fn revoke(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let caller = principal.caller(LIMIT);
    let revoke = RevokeKey { tenant: caller.tenant, id: id(&path)? };
    let key = state.rag.store.call(revoke, caller.deadline).await?;
    state.gate.forget(&key.prefix).await;
    Ok(HttpResponse::Ok().json(KeyView::from(key)))
}

/// Replace a key by a new one that may do the same; the old one ends after the overlap.
#[utoipa::path(post, path = "/v1/keys/{id}/rotate", tag = "keys", params(("id" = String, Path)),
    request_body(content = RotateRequest, example = json!({"overlap_seconds": 3600})),
    responses((status = 201, body = SecretView), (status = 404),
        (status = 409, description = "it is revoked, expired, or replaced already")))]
pub(super) async fn rotate(
    state: Data<State>,
    principal: Principal,
    path: Path<String>,
    Json(request): Json<RotateRequest>,
) -> Result<HttpResponse, ApiError> {
    let overlap = request.overlap_seconds.unwrap_or(3600);
    if overlap > MAX_OVERLAP {
        let message = format!("`overlap_seconds` is at most {MAX_OVERLAP}");
        return Err(Error::invalid("overlap_seconds", message).into());
    }
    check_end(request.expires_at)?;
    let secret = secret()?;
    let caller = principal.caller(LIMIT);
    let rotate = RotateKey {
        tenant: caller.tenant,
        id: id(&path)?,
        prefix: secret.prefix.clone(),
        hash: secret.hash(),
        overlap: Duration::from_secs(overlap.into()),
        expires_at: request.expires_at,
    };
    let Rotated { key, replaced } = state.rag.store.call(rotate, caller.deadline).await?;
    state.gate.forget(&replaced.prefix).await;
    Ok(shown(key, &secret))
}
