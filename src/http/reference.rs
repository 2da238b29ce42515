//! What every operation of the OpenAPI document has in common: a unique id, the credential, the
//! errors it may answer with.

mod links;

use super::access::{Needs, needs};
use super::idempotency::is_remembered;
use super::quotas;
use super::shapes;
use actix_web::http::Method;
use serde::Serialize;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayItems, Components, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, RefOr, Response};
use utoipa::{Modify, ToSchema};

/// The body of every error.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": {"message": "`top_k` is between 1 and 100", "type": "invalid_request_error",
    "param": "top_k", "code": "invalid_request"}}))]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// For people: what is wrong and what to do.
    message: String,
    /// The family that OpenAI's clients know, such as `invalid_request_error`.
    #[serde(rename = "type")]
    family: String,
    /// The field or parameter at fault.
    param: Option<String>,
    /// For programs: one of the codes in `docs/API.md`.
    code: String,
}

const LIMITED: &str = "a limit of the credential or of its tenant is used up: repeat after `Retry-After`";

/// Errors that any operation under `/v1` may answer with.
const COMMON: [(&str, &str); 6] = [
    ("400", "the request is wrong; `param` names the field"),
    ("401", "no valid credential (outside the development profile)"),
    ("403", "the credential lacks the scope that this call needs"),
    ("500", "a fault of the server; its log has the cause under the `x-request-id`"),
    ("503", "overloaded, or a dependency is away: repeat after `Retry-After`"),
    ("504", "it took longer than its time limit"),
];

/// Of those with a body.
const WITH_BODY: [(&str, &str); 2] =
    [("408", "the body took too long to arrive"), ("413", "the body, or what it holds, is too large")];

pub(super) struct Common;

impl Modify for Common {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
        components.add_security_scheme("api_key", key);
        refer_to_items(components);
        for (path, item) in &mut api.paths.paths {
            let guarded = path.starts_with("/v1/");
            let named = path.contains('{');
            for (method, operation) in operations(item) {
                let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
                let id = operation.operation_id.take().unwrap_or_default();
                operation.operation_id = Some(if tag == id { id } else { format!("{tag}_{id}") });
                specify(operation, path);
                if guarded {
                    complete(operation, named, needs(&method, path));
                    if quotas::budget(&method, path).is_some() {
                        let limited = || Response::new(LIMITED).into();
                        operation.responses.responses.entry("429".to_owned()).or_insert_with(limited);
                    }
                }
                if method != Method::GET && is_remembered(path) {
                    repeatable(operation);
                }
                for (status, response) in &mut operation.responses.responses {
                    if let RefOr::T(response) = response {
                        describe(status, response, guarded);
                        links::add(operation.operation_id.as_deref(), status, response);
                    }
                }
            }
        }
    }
}

/// A page's items are what they are elsewhere: one type for who generates a client, not one for each list.
fn refer_to_items(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        let Some((_, item)) = name.split_once('_') else { continue };
        if let RefOr::T(Schema::Object(page)) = schema
            && let Some(RefOr::T(Schema::Array(data))) = page.properties.get_mut("data")
        {
            data.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
        }
    }
}

/// Leaves out that in the development profile no credential is needed.
pub(super) fn demand_credentials(api: &mut OpenApi) {
    let none = SecurityRequirement::default();
    for operation in api.paths.paths.values_mut().flat_map(operations).map(|(_, operation)| operation) {
        operation.security.iter_mut().for_each(|all| all.retain(|one| *one != none));
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [
        (Method::GET, get),
        (Method::PUT, put),
        (Method::POST, post),
        (Method::DELETE, delete),
        (Method::PATCH, patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What parameters of these names are like here.
fn specify(operation: &mut Operation, path: &str) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters.retain(|parameter| match parameter {
        RefOr::T(parameter) => shapes::has_parameter(path, &parameter.name),
        RefOr::Ref(_) => true,
    });
    for parameter in parameters.iter_mut() {
        let RefOr::T(parameter) = parameter else { continue };
        if let Some(known) = shapes::parameter(path, &parameter.name) {
            parameter.schema = Some(known.into());
        }
        if let ("limit", Some(RefOr::T(Schema::Object(limit)))) =
            (parameter.name.as_str(), &mut parameter.schema)
        {
            limit.maximum = Some(shapes::longest_page(path).into());
        }
    }
}

/// A write that may be sent again.
fn repeatable(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("sent again with the same key and bytes it is answered again, and done once"))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255))
                .pattern(Some(r"^[!-~]([\t -~]*[!-~])?$")),
        ))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(key));
    let reused = Response::new("the `Idempotency-Key` was used for another request");
    operation.responses.responses.entry("422".to_owned()).or_insert_with(|| reused.into());
    let running =
        Response::new("a request with this `Idempotency-Key` is under way: repeat after `Retry-After`");
    operation.responses.responses.entry("409".to_owned()).or_insert_with(|| running.into());
}

fn complete(operation: &mut Operation, named: bool, needs: Needs) {
    let none = SecurityRequirement::default(); // the development profile
    // Any one scope will do, so each is an alternative of its own.
    let any = needs.iter().flat_map(|scope| {
        ["bearer", "api_key"].map(|scheme| SecurityRequirement::new(scheme, [scope.as_str()]))
    });
    operation.security = Some(std::iter::once(none).chain(any).collect());
    let responses = &mut operation.responses.responses;
    for (status, meaning) in COMMON {
        let common = || Response::new(meaning).into();
        responses.entry(status.to_owned()).or_insert_with(common);
    }
    if operation.request_body.is_some() {
        for (status, meaning) in WITH_BODY {
            responses.entry(status.to_owned()).or_insert_with(|| Response::new(meaning).into());
        }
    }
    if named {
        responses.entry("404".to_owned()).or_insert_with(|| Response::new("").into());
    }
}

fn describe(status: &str, response: &mut Response, guarded: bool) {
    if response.description.is_empty() {
        let common = COMMON.iter().find(|(common, _)| *common == status).map(|(_, meaning)| *meaning);
        let meaning = common.unwrap_or(match status {
            "404" => "nothing has that name",
            _ => "done",
        });
        meaning.clone_into(&mut response.description);
    }
    if guarded && status >= "400" && response.content.is_empty() {
        let content = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        response.content.insert("application/json".to_owned(), content.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use std::collections::HashSet;

    #[test]
    fn every_operation_has_a_unique_id_a_summary_and_documented_errors() {
        let api: Value = serde_json::from_str(&super::super::openapi_document()).expect("JSON");
        let mut ids = HashSet::new();
        for (path, item) in api["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let id = operation["operationId"].as_str().expect("an id");
                assert!(ids.insert(id.to_owned()), "{id} twice");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                for (status, response) in operation["responses"].as_object().expect("responses") {
                    assert_ne!(response["description"], "", "{method} {path} {status}");
                }
                if path.starts_with("/v1/") {
                    let schema = &operation["responses"]["400"]["content"]["application/json"]["schema"];
                    assert_eq!(schema["$ref"], "#/components/schemas/ErrorBody", "{method} {path}");
                }
            }
        }
    }
}
