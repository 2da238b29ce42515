//! Which scope each call under `/v1` needs: one table, asked before a body is read. What it does not name needs
//! `admin`, so that a route which is forgotten here is closed, not open; the OpenAPI document shows it, and a test
//! walks that document with credentials that lack the scope.

use crate::error::{Code, Error};
use crate::identity::{Identity, Scope};
use actix_web::http::Method;

/// Any one of these will do.
pub(super) type Needs = &'static [Scope];

const SEARCH: Needs = &[Scope::Search];
const INGEST: Needs = &[Scope::Ingest];
/// What whoever searches wants to see, and whoever ingests has to.
const EITHER: Needs = &[Scope::Search, Scope::Ingest];
const ADMIN: Needs = &[Scope::Admin];

/// For a path, or a pattern of one: `/v1/jobs/job_1`, `/v1/jobs/{id}`.
pub(super) fn needs(method: &Method, path: &str) -> Needs {
    if path == "/mcp" {
        return EITHER; // each message asks for what it needs
    }
    let route: Vec<&str> = path.strip_prefix("/v1/").unwrap_or_default().split('/').collect();
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match (reads, route.as_slice()) {
        (true, ["explain-access"])
        | (_, ["search" | "answers"] | ["chat", "completions"] | ["vector_stores", _, "search"])
        | (true, ["files", _, "content"] | ["vector_stores", _, "files", _, "content"])
        | (true, ["collections", _, "export"] | ["collections", _, "documents", _, "content"]) => SEARCH,
        (true, ["collections"] | ["collections", _] | ["jobs"] | ["jobs", _] | ["jobs", _, "events"])
        | (true, ["collections", _, "documents"] | ["collections", _, "documents", _])
        | (true, ["files"] | ["files", _] | ["vector_stores"] | ["vector_stores", _] | ["models", ..])
        | (true, ["vector_stores", _, "files"] | ["vector_stores", _, "files", _])
        | (
            true,
            ["vector_stores", _, "file_batches", _] | ["vector_stores", _, "file_batches", _, "files"],
        )
        | (_, ["embeddings"]) => EITHER,
        (
            false,
            ["collections"] | ["collections", _] | ["collections", _, "reindex" | "import" | "documents"],
        )
        | (false, ["collections", _, "documents", _] | ["jobs", _] | ["jobs", _, "retry"])
        | (false, ["files"] | ["files", _] | ["vector_stores"] | ["vector_stores", _])
        | (false, ["vector_stores", _, "files" | "file_batches"] | ["vector_stores", _, "files", _])
        | (false, ["vector_stores", _, "file_batches", _, "cancel"]) => INGEST,
        _ => ADMIN,
    }
}

/// Whether a call reaches what belongs to no collection, or to all: not for a key that is limited to some.
fn is_beyond_collections(method: &Method, path: &str) -> bool {
    let route: Vec<&str> = path.strip_prefix("/v1/").unwrap_or_default().split('/').collect();
    match route.as_slice() {
        ["files", ..] | ["vector_stores"] => true,
        // They put uploaded files in, whoever uploaded them.
        ["vector_stores", _, "files" | "file_batches"] => method == Method::POST,
        _ => false,
    }
}

/// # Errors
/// [`Code::Forbidden`], naming the scope that is missing.
pub(super) fn check(method: &Method, path: &str, identity: &Identity) -> Result<(), Error> {
    if identity.collections.is_some() && is_beyond_collections(method, path) {
        let message =
            "the credential is limited to collections, and this call is about files or stores of all";
        return Err(Error::new(Code::Forbidden, message));
    }
    let needs = needs(method, path);
    if needs.iter().any(|scope| identity.scopes.allow(*scope)) {
        return Ok(());
    }
    let names: Vec<_> = needs.iter().map(|scope| format!("`{}`", scope.as_str())).collect();
    let message = format!("the credential lacks the scope that this call needs: {}", names.join(" or "));
    Err(Error::new(Code::Forbidden, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_for_administrators() {
        for path in
            ["/v1/keys", "/v1/spaces/spc_1", "/v1/system", "/v1/nowhere", "/v1/%73earch", "/v1/jobs/1/x"]
        {
            assert_eq!(needs(&Method::GET, path), ADMIN, "{path}");
        }
        assert_eq!(needs(&Method::GET, "/v1/collections/a/documents/b%2Fc/content"), SEARCH);
        assert_eq!(needs(&Method::POST, "/v1/collections/a/documents/delete"), INGEST);
    }
}
