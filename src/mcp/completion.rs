//! What is offered while people type the arguments of a resource's template or a prompt.

use super::access::Scope;
use super::address::TEMPLATE;
use super::call::Call;
use super::prompts::{ANSWER, SUMMARIZE};
use crate::error::{Code, Error};
use mcp_rag_actors::store::CompleteExternalId;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};
use std::time::Duration;

/// Who types waits no longer.
const LIMIT: Duration = Duration::from_secs(1);
/// A longer name is none.
const MAX_TYPED: usize = 512;

pub(super) async fn complete(request: CompleteRequestParams, call: &Call) -> Result<CompleteResult, Error> {
    call.require(Scope::Search)?;
    let (argument, typed) = (request.argument.name.as_str(), request.argument.value.as_str());
    let known: &[&str] = match &request.r#ref {
        Reference::Resource(template) if template.uri == TEMPLATE => &["collection", "external_id"],
        Reference::Prompt(prompt) if prompt.name == SUMMARIZE => &["collection", "external_id"],
        Reference::Prompt(prompt) if prompt.name == ANSWER => &["question", "collection"],
        _ => {
            return Err(Error::invalid("ref", "`ref` is neither a template nor a prompt of this server"));
        }
    };
    if !known.contains(&argument) {
        return Err(Error::invalid("argument.name", "there is no argument of this name"));
    }
    if typed.len() > MAX_TYPED || typed.contains('\0') {
        return Ok(result(Vec::new()));
    }
    match argument {
        "collection" => collections(typed, call).await,
        "external_id" => {
            let context = request.context.as_ref().and_then(|context| context.get_argument("collection"));
            match context {
                Some(collection) => documents(collection, typed, call).await,
                None => Ok(result(Vec::new())),
            }
        }
        _ => Ok(result(Vec::new())),
    }
}

async fn collections(typed: &str, call: &Call) -> Result<CompleteResult, Error> {
    let all = call.rag.catalog.all(&call.caller(LIMIT)).await?;
    let begins = |name: &str| name.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed));
    let mut names: Vec<String> =
        all.iter().map(|collection| collection.name.clone()).filter(|name| begins(name)).collect();
    names.sort_unstable();
    Ok(result(names))
}

async fn documents(collection: &str, typed: &str, call: &Call) -> Result<CompleteResult, Error> {
    let caller = call.caller(LIMIT);
    let collection = match call.rag.catalog.get(&caller, collection).await {
        Ok(collection) => collection.id,
        // Not typed to its end yet.
        Err(error) if error.code == Code::NotFound => return Ok(result(Vec::new())),
        Err(error) => return Err(error),
    };
    let limit = i64::try_from(CompletionInfo::MAX_VALUES + 1).unwrap_or(i64::MAX);
    let complete = CompleteExternalId { tenant: caller.tenant, collection, prefix: typed.to_owned(), limit };
    Ok(result(call.rag.seen_by(&caller).call(complete, caller.deadline).await?))
}

/// As many as the protocol allows, and whether there are more.
fn result(mut names: Vec<String>) -> CompleteResult {
    let more = names.len() > CompletionInfo::MAX_VALUES;
    names.truncate(CompletionInfo::MAX_VALUES);
    CompleteResult::new(CompletionInfo::with_pagination(names, None, more).unwrap_or_default())
}
