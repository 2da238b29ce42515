//! Why somebody can or cannot see something. What counts is what the database answers for their eyes; the checks say
//! which of the rules it was.

use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use crate::identity::{Identity, Scope, Scopes};
use crate::rag::Caller;
use actix_web::HttpResponse;
use actix_web::web::{self, Data, Query, ServiceConfig};
use mcp_rag_actors::store::{
    About, ApiKey, ChunkId, EVERYONE, ExplainAccess, KeyId, ListKeys, Sight, Standing, StoreError,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const LIMIT: Duration = Duration::from_secs(10);
const MOST_PRINCIPALS: usize = 64;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/explain-access").route(web::get().to(explain)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// A chunk, as a search names it; or `collection` and `external_id`.
    #[param(pattern = "^chk_[0-9]{1,18}$")]
    chunk_id: Option<String>,
    #[param(pattern = "^[A-Za-z0-9._-]{1,128}$")]
    collection: Option<String>,
    external_id: Option<String>,
    /// Of this key instead of the caller's own credential; needs `admin`.
    #[param(pattern = "^key_[0-9]{1,18}$")]
    key: Option<String>,
    /// Of somebody who speaks for these, separated by commas; needs `admin`.
    principals: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    visible: bool,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `credential`, `scope`, `collections`, `published`, `expiry` or `acl`.
    check: &'static str,
    passes: bool,
    detail: String,
}

impl Check {
    fn new(check: &'static str, passes: bool, detail: impl Into<String>) -> Self {
        Self { check, passes, detail: detail.into() }
    }
}

/// Who is asked about.
struct Subject {
    identity: Identity,
    /// Why the credential lets nobody in, if so.
    ended: Option<&'static str>,
}

/// Explain why a credential can or cannot see a chunk or a document.
///
/// For the caller's own credential, or with `admin` for any key and any principals. Without `admin` what is not visible is not found.
#[utoipa::path(get, path = "/v1/explain-access", tag = "audit", params(ExplainQuery),
    responses((status = 200, body = Explanation), (status = 404)))]
pub(super) async fn explain(
    state: Data<State>,
    principal: Principal,
    query: Query<ExplainQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let caller = principal.caller(LIMIT);
    let admin = caller.identity.scopes.allow(Scope::Admin);
    let subject = subject(&state, &caller, &query).await?;
    let about = about(&state, &caller, &query).await?;
    let ask = ExplainAccess { tenant: caller.tenant, about };
    let sight = subject.identity.sight();
    let seen = match state.rag.store.seeing(sight.clone()).call(ask.clone(), caller.deadline).await {
        Ok(_) => true,
        Err(StoreError::NotFound(_)) => false,
        Err(error) => return Err(error.into()),
    };
    // What exists is told to administrators alone.
    let standing = state.rag.all.call(ask, caller.deadline).await?;
    let checks = checks(&subject, &standing, seen);
    let visible = checks.iter().all(|check| check.passes);
    if !visible && !admin {
        return Err(Error::not_found("chunk or document").into());
    }
    Ok(HttpResponse::Ok().json(Explanation { visible, checks }))
}

async fn about(state: &State, caller: &Caller, query: &ExplainQuery) -> Result<About, Error> {
    match (&query.chunk_id, &query.collection, &query.external_id) {
        (Some(chunk), None, None) => {
            let chunk: ChunkId = chunk.parse().map_err(|_| Error::not_found("chunk or document"))?;
            Ok(About::Chunk(chunk))
        }
        (None, Some(collection), Some(external_id)) if !external_id.contains('\0') => {
            let collection = state.rag.catalog.get(caller, collection).await?;
            Ok(About::Document(collection.id, external_id.clone()))
        }
        _ => Err(Error::invalid("chunk_id", "give `chunk_id`, or `collection` and `external_id`")),
    }
}

async fn subject(state: &State, caller: &Caller, query: &ExplainQuery) -> Result<Subject, Error> {
    let own = caller.identity.as_ref();
    if query.key.is_none() && query.principals.is_none() {
        return Ok(Subject { identity: own.clone(), ended: None });
    }
    own.require(Scope::Admin)?;
    match (&query.key, &query.principals) {
        (Some(key), None) => {
            let key = find_key(state, caller, key).await?;
            let over = key.expires_at.is_some_and(|end| end <= OffsetDateTime::now_utc());
            let ended = match (key.revoked_at.is_some(), over) {
                (true, _) => Some("the key is revoked"),
                (false, true) => Some("the key has expired"),
                (false, false) => None,
            };
            let identity = Identity {
                scopes: Scopes::read(key.scopes.iter().map(String::as_str)),
                collections: key.collections,
                principals: key.principals,
                ..own.clone()
            };
            Ok(Subject { identity, ended })
        }
        (None, Some(names)) => {
            let principals: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
            if principals.len() > MOST_PRINCIPALS || names.contains('\0') {
                let message = format!("`principals` are at most {MOST_PRINCIPALS} names");
                return Err(Error::invalid("principals", message));
            }
            let scopes = [Scope::Search].into_iter().collect();
            Ok(Subject {
                identity: Identity { scopes, collections: None, principals, ..own.clone() },
                ended: None,
            })
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(Error::invalid("key", "give `key` or `principals`, not both"))
        }
    }
}

/// By its place in the list, which is by id, newest first.
async fn find_key(state: &State, caller: &Caller, id: &str) -> Result<ApiKey, Error> {
    let id: KeyId = id.parse().map_err(|_| Error::not_found("key"))?;
    let list = ListKeys { tenant: caller.tenant, after: Some(KeyId(id.0.saturating_add(1))), limit: 1 };
    let keys = state.rag.store.call(list, caller.deadline).await?;
    keys.into_iter().find(|key| key.id == id).ok_or_else(|| Error::not_found("key"))
}

fn checks(Subject { identity, ended }: &Subject, standing: &Standing, seen: bool) -> Vec<Check> {
    let credential = Check::new("credential", ended.is_none(), ended.unwrap_or("the credential is good"));
    let may = identity.scopes.allow(Scope::Search);
    let scope =
        if may { "the credential has the scope `search`" } else { "the credential lacks the scope `search`" };
    let among = identity.sees_collection(&standing.collection);
    let collections = match (&identity.collections, among) {
        (None, _) => "the credential is not limited to collections",
        (Some(_), true) => "the document's collection is one of the credential's",
        (Some(_), false) => "the document's collection is not one of the credential's",
    };
    let published =
        if standing.published { "a version is searchable" } else { "no version is searchable yet" };
    let over = standing.expires_at.is_some_and(|end| end <= OffsetDateTime::now_utc());
    let expiry = match (standing.expires_at, over) {
        (None, _) => "the document does not expire",
        (Some(_), false) => "the document has not expired",
        (Some(_), true) => "the document has expired",
    };
    vec![
        credential,
        Check::new("scope", may, scope),
        Check::new("collections", among, collections),
        Check::new("published", standing.published, published),
        Check::new("expiry", !over, expiry),
        Check::new("acl", seen, acl(identity, standing)),
    ]
}

fn acl(identity: &Identity, standing: &Standing) -> String {
    if standing.acl.is_empty() {
        return "the document has no acl: it is everyone's".to_owned();
    }
    let names = standing.acl.join(", ");
    match identity.sight() {
        Sight::All if identity.scopes.allow(Scope::Admin) => "administrators see all".to_owned(),
        Sight::All => format!("the credential speaks for `{EVERYONE}`, which sees all"),
        Sight::Public => format!("the acl names {names}; the credential speaks for nobody"),
        Sight::Named(_) => {
            format!("the acl names {names}; the credential speaks for {}", identity.principals.join(", "))
        }
    }
}
