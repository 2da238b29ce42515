use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;

/// What a credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Search, ask, and read documents.
    Search,
    /// Put documents and collections in, change and delete them.
    Ingest,
    /// Keys, embedding spaces, the server's own state, and all of the above.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Search, Self::Ingest, Self::Admin];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Ingest => "ingest",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Search => 1,
            Self::Ingest => 2,
            Self::Admin => 4,
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == name);
        known.ok_or_else(|| "a scope is search, ingest or admin".to_owned())
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub const ALL: Self = Self(7);

    /// Whether it has this scope, or `admin`, which is all of them.
    #[must_use]
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// Those that have a name of ours; others are another program's.
    pub fn read<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().filter_map(|name| name.parse().ok()).collect()
    }

    #[must_use]
    pub fn names(self) -> Vec<String> {
        let named = Scope::ALL.into_iter().filter(|scope| self.0 & scope.bit() != 0);
        named.map(|scope| scope.as_str().to_owned()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | scope.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_is_all_and_the_others_are_only_themselves() {
        for scope in Scope::ALL {
            assert!(Scopes::read(["admin"]).allow(scope));
            assert!(!Scopes::read(["other", ""]).allow(scope));
            for other in Scope::ALL {
                let only: Scopes = [other].into_iter().collect();
                assert_eq!(only.allow(scope), scope == other || other == Scope::Admin);
                assert_eq!(only.names(), [other.as_str()]);
            }
        }
    }
}
