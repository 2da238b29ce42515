//! Which documents a caller may write: not those it may not see, before or after.

use super::accept::{Incoming, Rejected};
use crate::error::Error;
use crate::rag::{Caller, Rag};
use mcp_rag_actors::store::{Collection, HiddenNames, Sight};
use std::collections::HashSet;

const UNNAMED: &str =
    "`acl` names nobody whom the credential speaks for: it could not see the document again";
const TAKEN: &str = "a document of this name is there, and its acl does not name the credential";

impl Rag {
    /// Those that the caller may write, and the others. What is restricted meanwhile, the database refuses as a whole.
    pub(super) async fn writable(
        &self,
        collection: &Collection,
        documents: Vec<Incoming>,
        caller: &Caller,
    ) -> Result<(Vec<Incoming>, Vec<Rejected>), Error> {
        let sight = caller.identity.sight();
        if sight == Sight::All {
            return Ok((documents, Vec::new()));
        }
        let taken: HashSet<String> = if collection.restricted {
            let names = documents.iter().map(|document| document.external_id.clone()).collect();
            let hidden = HiddenNames { tenant: caller.tenant, collection: collection.id, names };
            self.seen_by(caller).call(hidden, caller.deadline).await?.into_iter().collect()
        } else {
            HashSet::new()
        };
        let (mut writable, mut refused) = (Vec::with_capacity(documents.len()), Vec::new());
        for document in documents {
            let reason = if !sight.sees(&document.acl) {
                UNNAMED
            } else if taken.contains(&document.external_id) {
                TAKEN
            } else {
                writable.push(document);
                continue;
            };
            refused.push(Rejected { line: document.line, error: reason.to_owned() });
        }
        Ok((writable, refused))
    }
}
