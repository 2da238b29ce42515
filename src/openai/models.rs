//! What can be named as `model`: `mcp-rag` answers from all collections, `mcp-rag/notes` from one, and
//! `mcp-rag/notes,faq` from several; the embedding models by their own names.

use super::LIMIT;
use super::ids;
use crate::error::{Code, Error};
use crate::http::{ApiError, Principal, State};
use crate::rag::Caller;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use mcp_rag_actors::embedder::EmbedderHandle;
use mcp_rag_actors::store::Collection;
use serde::Serialize;
use utoipa::ToSchema;

/// Answers from the documents; as the model of embeddings, the first embedder.
pub(super) const OWN: &str = "mcp-rag";
const OWNER: &str = "mcp-rag";
/// 2026-11-01: clients want a time, and nothing here knows one.
const RELEASED: i64 = 1_793_491_200;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelView {
    id: String,
    /// `model`
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// `list`
    object: &'static str,
    data: Vec<ModelView>,
}

fn model(id: String, created: i64) -> ModelView {
    ModelView { id, object: "model", created, owned_by: OWNER }
}

/// The embedding models there are.
pub(super) fn embedders(state: &State) -> impl Iterator<Item = &EmbedderHandle> {
    std::iter::once(&state.rag.models.first).chain(&state.rag.models.second)
}

pub(super) fn unknown() -> Error {
    Error::new(Code::NotFound, "no such model: GET /v1/models lists them").about("model")
}

/// The collections that a model's name stands for: none for all of them.
pub(super) fn collections_of(name: &str) -> Result<Option<Vec<String>>, Error> {
    if name == OWN {
        return Ok(None);
    }
    let names = name.strip_prefix(OWN).and_then(|rest| rest.strip_prefix('/')).ok_or_else(unknown)?;
    let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) { Err(unknown()) } else { Ok(Some(names)) }
}

/// Collections by their names, or by the ids of vector stores; `param` is what names them.
pub(super) async fn named(
    state: &State,
    caller: &Caller,
    names: &[String],
    param: &'static str,
) -> Result<Vec<Collection>, Error> {
    let mut found: Vec<Collection> = Vec::with_capacity(names.len());
    for name in names {
        let collection = match state.rag.catalog.get(caller, name).await {
            Err(error) if error.code == Code::NotFound => match ids::store(name) {
                Ok(id) => state.rag.catalog.by_id(caller, id).await,
                Err(_) => Err(error),
            },
            other => other,
        };
        let collection = collection.map_err(|error| {
            if error.code != Code::NotFound {
                return error;
            }
            let message = "unknown collection: GET /v1/collections lists them, GET /v1/models as models";
            Error::new(Code::NotFound, message).about(param)
        })?;
        if found.iter().all(|known| known.id != collection.id) {
            found.push(collection);
        }
    }
    Ok(found)
}

/// List what can be named as `model`.
#[utoipa::path(get, path = "/v1/models", tag = "models", responses((status = 200, body = ModelList)))]
pub(crate) async fn list(state: Data<State>, principal: Principal) -> Result<HttpResponse, ApiError> {
    let collections = state.rag.catalog.all(&principal.caller(LIMIT)).await?;
    let mut data = vec![model(OWN.to_owned(), RELEASED)];
    data.extend(embedders(&state).map(|embedder| model(embedder.model().to_owned(), RELEASED)));
    data.extend(collections.iter().map(|collection| {
        model(format!("{OWN}/{}", collection.name), collection.created_at.unix_timestamp())
    }));
    Ok(HttpResponse::Ok().json(ModelList { object: "list", data }))
}

/// Get a model.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "models", params(("model" = String, Path)),
    responses((status = 200, body = ModelView), (status = 404)))]
pub(crate) async fn get(
    state: Data<State>,
    principal: Principal,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut created = RELEASED;
    if embedders(&state).all(|embedder| embedder.model() != name.as_str())
        && let Some(names) = collections_of(&name)?
    {
        let found = named(&state, &principal.caller(LIMIT), &names, "model").await?;
        let newest = found.iter().map(|collection| collection.created_at.unix_timestamp()).max();
        created = newest.unwrap_or(RELEASED);
    }
    Ok(HttpResponse::Ok().json(model(name.into_inner(), created)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_says_which_collections_it_answers_from() {
        assert_eq!(collections_of("mcp-rag").expect("known"), None);
        assert_eq!(collections_of("mcp-rag/a").expect("known"), Some(vec!["a".to_owned()]));
        assert_eq!(collections_of("mcp-rag/a, b").expect("known").expect("two").len(), 2);
        for wrong in ["", "gpt-5", "mcp-rags", "mcp-rag/", "mcp-rag/a,,b"] {
            assert_eq!(
                collections_of(wrong).expect_err("unknown").param.as_deref(),
                Some("model"),
                "{wrong}"
            );
        }
    }
}
