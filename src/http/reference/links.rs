//! What an answer's ids are good for: links of the OpenAPI document, by which clients and tests find their way.

use utoipa::openapi::Response;
use utoipa::openapi::link::LinkBuilder;

/// The operation and the status it answers with, and what is given to which operations.
type Links = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const PUT: &[(&str, &str)] =
    &[("name", "$request.path.name"), ("external_id", "$response.body#/document/external_id")];
const PUT_TO: &[&str] = &["documents_get", "documents_content", "documents_delete"];
const STORED: &[(&str, &str)] =
    &[("vector_store_id", "$response.body#/vector_store_id"), ("file_id", "$response.body#/id")];
const JOB: &[&str] = &["jobs_get", "jobs_events", "jobs_cancel", "jobs_retry"];

const LINKS: &[Links] = &[
    (
        "collections_create",
        "201",
        &[("name", "$response.body#/name")],
        &[
            "collections_get",
            "collections_update",
            "collections_reindex",
            "collections_delete",
            "documents_list",
            "documents_put",
            "documents_create_many",
            "documents_delete_matching",
            "documents_export",
            "documents_import",
        ],
    ),
    ("documents_put", "202", PUT, PUT_TO),
    ("documents_put", "201", PUT, PUT_TO),
    ("documents_put", "200", PUT, PUT_TO),
    ("documents_put", "202", &[("id", "$response.body#/job")], JOB),
    ("documents_create_many", "202", &[("id", "$response.body#/job")], JOB),
    ("documents_import", "202", &[("id", "$response.body#/job")], JOB),
    ("collections_reindex", "202", &[("id", "$response.body#/job")], JOB),
    ("jobs_list", "200", &[("id", "$response.body#/last_id")], JOB),
    ("keys_create", "201", &[("id", "$response.body#/id")], &["keys_rotate", "keys_revoke"]),
    (
        "spaces_list",
        "200",
        &[("id", "$response.body#/first_id")],
        &["spaces_get", "spaces_compare", "spaces_activate", "spaces_rollback"],
    ),
    (
        "files_create",
        "200",
        &[("file_id", "$response.body#/id")],
        &["files_get", "files_content", "files_delete"],
    ),
    (
        "vector_stores_create",
        "200",
        &[("vector_store_id", "$response.body#/id")],
        &[
            "vector_stores_get",
            "vector_stores_update",
            "vector_stores_search",
            "vector_stores_create_file",
            "vector_stores_list_files",
            "vector_stores_create_batch",
            "vector_stores_delete",
        ],
    ),
    (
        "vector_stores_create_file",
        "200",
        STORED,
        &[
            "vector_stores_get_file",
            "vector_stores_update_file",
            "vector_stores_file_content",
            "vector_stores_delete_file",
        ],
    ),
    (
        "vector_stores_create_batch",
        "200",
        &[("vector_store_id", "$response.body#/vector_store_id"), ("batch_id", "$response.body#/id")],
        &["vector_stores_get_batch", "vector_stores_list_batch", "vector_stores_cancel_batch"],
    ),
];

/// Gives a response its links.
pub(super) fn add(operation: Option<&str>, status: &str, response: &mut Response) {
    let from = LINKS.iter().filter(|(id, of, ..)| Some(*id) == operation && *of == status);
    for (_, _, parameters, targets) in from {
        for target in *targets {
            let mut link = LinkBuilder::new().operation_id(*target);
            for (name, expression) in *parameters {
                link = link.parameter(*name, *expression);
            }
            response.links.insert((*target).to_owned(), link.build().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LINKS;
    use serde_json::Value;

    #[test]
    fn links_lead_from_what_there_is_to_what_there_is() {
        let api: Value = serde_json::from_str(&crate::http::openapi_document()).expect("JSON");
        let operations =
            || {
                api["paths"].as_object().into_iter().flatten().flat_map(|(_, item)| {
                    item.as_object().into_iter().flatten().map(|(_, operation)| operation)
                })
            };
        let find =
            |id: &str| operations().find(|one| one["operationId"] == id).unwrap_or_else(|| panic!("{id}"));
        for (from, status, parameters, targets) in LINKS {
            let links = &find(from)["responses"][status]["links"];
            for target in *targets {
                assert!(links[target].is_object(), "{from} {status} {target}");
                let known = find(target)["parameters"].as_array().expect("parameters");
                for (name, _) in *parameters {
                    assert!(known.iter().any(|one| one["name"] == *name), "{target} has no {name}");
                }
            }
        }
    }
}
