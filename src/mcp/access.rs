//! What a caller may do here.

use crate::error::Error;
use crate::http::Principal;
pub(super) use crate::identity::Scope;

/// What of the scopes a client can ask for brings anything here.
pub(super) const SCOPES: [Scope; 2] = [Scope::Search, Scope::Ingest];

pub(super) fn may(principal: &Principal, scope: Scope) -> bool {
    principal.identity.scopes.allow(scope)
}

/// # Errors
/// [`crate::error::Code::Forbidden`], naming the scope that is missing.
pub(super) fn require(principal: &Principal, scope: Scope) -> Result<(), Error> {
    principal.identity.require(scope)
}
