//! Who calls, and what they may do: settled once, where a request enters, from its credential alone.
//!
//! * [`Identity`] is what every surface works with, whichever credential it came from.
//! * [`Gate`] tells whose a credential is: the operator's token, an API key ([`keys`]), or a JSON Web Token ([`jwt`]).
//! * [`Secret`] is a key's own text, which exists when it is made and in the hands of who was given it.

mod gate;
mod jwt;
mod keys;
mod scope;
mod secret;

pub use gate::Gate;
pub(crate) use gate::unauthorized;
pub use jwt::Door;
pub use scope::{Scope, Scopes};
pub use secret::Secret;

use crate::error::{Code, Error};
use mcp_rag_actors::store::{KeyId, Sight, TenantId};
use std::sync::Arc;

/// The tenant of the development profile and of the operator's token.
pub const DEFAULT_TENANT: TenantId = TenantId(1);

/// Which credential somebody came with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// None, in the development profile.
    None,
    /// `auth.token`.
    Token,
    Key(KeyId),
    /// A token of the issuer that `auth.jwt` names: whom it is about.
    Jwt {
        subject: String,
    },
    /// The server itself, at work in the background.
    Server,
}

impl Credential {
    /// Its name among those of its tenant; none for who is nobody's caller.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        match self {
            Self::None => Some("open".to_owned()),
            Self::Token => Some("token".to_owned()),
            Self::Key(id) => Some(id.to_string()),
            Self::Jwt { subject } => Some(format!("jwt:{}", subject.replace('\0', ""))),
            Self::Server => None,
        }
    }
}

/// Somebody of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub tenant: TenantId,
    pub credential: Credential,
    pub scopes: Scopes,
    /// Names of the collections that exist for them; none: all of the tenant's.
    pub collections: Option<Vec<String>>,
    /// Whom they speak for, as documents' acls name them.
    pub principals: Vec<String>,
}

impl Identity {
    /// Whoever runs the server.
    fn operator(credential: Credential) -> Self {
        Self {
            tenant: DEFAULT_TENANT,
            credential,
            scopes: Scopes::ALL,
            collections: None,
            principals: Vec::new(),
        }
    }

    /// The server itself, for a tenant.
    #[must_use]
    pub fn server(tenant: TenantId) -> Arc<Self> {
        Arc::new(Self { tenant, ..Self::operator(Credential::Server) })
    }

    /// About the bytes it takes.
    fn weight(&self) -> u32 {
        let names = self.collections.iter().flatten().chain(&self.principals);
        let bytes = 512 + names.map(|name| 32 + name.len()).sum::<usize>();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// # Errors
    /// [`Code::Forbidden`], naming the scope that is missing.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        Err(Error::new(Code::Forbidden, format!("the credential lacks the scope `{}`", scope.as_str())))
    }

    /// Which documents they may see. Administrators see all: they could give themselves any name.
    #[must_use]
    pub fn sight(&self) -> Sight {
        if self.scopes.allow(Scope::Admin) { Sight::All } else { Sight::of(&self.principals) }
    }

    /// Whether a collection of this name exists as far as they are concerned.
    #[must_use]
    pub fn sees_collection(&self, name: &str) -> bool {
        self.collections.as_ref().is_none_or(|names| names.iter().any(|one| one == name))
    }
}
