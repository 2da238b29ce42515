//! What a message asks for, as far as the entrance has to know: its place in the line, and what its caller must be
//! allowed to do.

use super::access::Scope;
use super::tools::Name;
use crate::http::admission::Class;
use crate::quotas::Budget;
use serde::Deserialize;
use std::borrow::Cow;

/// A JSON-RPC message at a glance; what is none is left to the service, which says what is wrong.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Params<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Scope(Scope),
}

impl<'a> Message<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    fn tool(&self) -> Option<Name> {
        (self.method == "tools/call").then(|| Name::of(&self.params.name)).flatten()
    }

    pub(super) fn class(&self) -> Class {
        match self.tool() {
            Some(Name::Ask) => Class::Answer,
            Some(Name::IngestDocument | Name::DeleteDocument) => Class::Write,
            Some(Name::Search | Name::Fetch | Name::ListCollections) | None => Class::Interactive,
        }
    }

    /// None for what is not counted.
    pub(super) fn budget(&self) -> Option<Budget> {
        match self.tool()? {
            Name::Search => Some(Budget::Search),
            Name::Ask => Some(Budget::Answers),
            Name::IngestDocument | Name::DeleteDocument => Some(Budget::Ingest),
            Name::Fetch | Name::ListCollections => None,
        }
    }

    /// Lists, prompts and the handshake are for everyone who may enter; what they show is the caller's own.
    pub(super) fn needs(&self) -> Needs {
        let reads = ["resources/read", "resources/list", "completion/complete"];
        match self.tool() {
            Some(tool) => Needs::Scope(tool.scope()),
            None if reads.contains(&&*self.method) => Needs::Scope(Scope::Search),
            None => Needs::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_placed_by_the_tool_it_calls() {
        let call = |name: &str| {
            format!(
                r#"{{"id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{{"a":[1]}}}}}}"#
            )
        };
        for (text, class, needs) in [
            (call("search"), Class::Interactive, Needs::Scope(Scope::Search)),
            (call("\\u0061sk"), Class::Answer, Needs::Scope(Scope::Search)),
            (call("ingest_document"), Class::Write, Needs::Scope(Scope::Ingest)),
            (call("delete_document"), Class::Write, Needs::Scope(Scope::Ingest)),
            (call("unknown"), Class::Interactive, Needs::Nothing),
            (
                r#"{"method":"prompts/get","params":{"name":"ask"}}"#.to_owned(),
                Class::Interactive,
                Needs::Nothing,
            ),
            (r#"{"method":"resources/read"}"#.to_owned(), Class::Interactive, Needs::Scope(Scope::Search)),
            ("[1,2".to_owned(), Class::Interactive, Needs::Nothing),
        ] {
            let message = Message::of(text.as_bytes());
            assert_eq!((message.class(), message.needs()), (class, needs), "{text}");
        }
    }

    #[test]
    fn fuzz_messages() {
        let seeds: [&[u8]; 3] = [
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"fox"}}}"#,
            br#"{"id":"\u0061","method":"resources/read","params":{"uri":"mcp-rag://documents/a/b"}}"#,
            br#"[{"method":"ping"}]"#,
        ];
        crate::fuzz::fuzz(&seeds, |bytes| {
            let message = Message::of(bytes);
            let _ = (message.class(), message.needs());
        });
    }
}
