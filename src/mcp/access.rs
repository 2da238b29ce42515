//! What a caller may do here.

use crate::error::Error;
use crate::http::Principal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Search,
    Ingest,
}

impl Scope {
    pub(super) const ALL: [Self; 2] = [Self::Search, Self::Ingest];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Ingest => "ingest",
        }
    }
}

/// The one credential there is may do everything.
pub(super) fn may(_principal: &Principal, scope: Scope) -> bool {
    match scope {
        Scope::Search | Scope::Ingest => true,
    }
}

pub(super) fn require(principal: &Principal, scope: Scope) -> Result<(), Error> {
    if may(principal, scope) { Ok(()) } else { Err(Error::not_found("tool")) }
}
