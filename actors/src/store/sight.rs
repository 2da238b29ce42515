//! Which of a tenant's documents a call may see: row-level security reads it from the session
//! (`migrations/V18__document_acls.sql`), as it reads the tenant.

use super::Store;
use super::error::StoreError;
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use std::rc::Rc;
use std::sync::Arc;

/// Whom documents' acls must name to be seen; those that name nobody are everyone's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Sight {
    /// What is everyone's alone.
    #[default]
    Public,
    /// And what names one of these, as the session is told.
    Named(Arc<str>),
    All,
}

/// Sees every document, whomever it names.
pub const EVERYONE: &str = "*";
/// No principal has it in its name.
const SEPARATOR: char = '\u{1f}';

impl Sight {
    /// Of whoever speaks for these.
    #[must_use]
    pub fn of(principals: &[String]) -> Self {
        let mut names =
            principals.iter().filter(|name| !name.is_empty() && !name.contains(SEPARATOR)).peekable();
        if names.peek().is_none() {
            return Self::Public;
        }
        if names.clone().any(|name| name == EVERYONE) {
            return Self::All;
        }
        let names: Vec<&str> = names.map(String::as_str).collect();
        Self::Named(names.join("\u{1f}").into())
    }

    /// Whether a document with this acl is seen.
    #[must_use]
    pub fn sees(&self, acl: &[String]) -> bool {
        acl.is_empty()
            || match self {
                Self::Public => false,
                Self::Named(names) => names.split(SEPARATOR).any(|name| acl.iter().any(|one| one == name)),
                Self::All => true,
            }
    }

    /// Whom it speaks for, of those who are named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Public | Self::All => "",
            Self::Named(names) => names,
        };
        names.split(SEPARATOR).filter(|name| !name.is_empty())
    }

    /// As the session is told.
    pub(super) fn setting(&self) -> &str {
        match self {
            Self::Public => "",
            Self::Named(names) => names,
            Self::All => EVERYONE,
        }
    }
}

tokio::task_local! {
    static SIGHT: Sight;
}

/// Of the call that this task serves; what nobody asked for sees what is everyone's.
pub(super) fn current() -> Sight {
    SIGHT.try_with(Sight::clone).unwrap_or_default()
}

/// Another request, and what may be seen for it.
#[derive(Debug)]
pub(super) struct Seeing<M>(pub(super) Sight, pub(super) M);

impl<M: Request> Request for Seeing<M> {
    type Reply = M::Reply;

    fn priority(&self) -> Priority {
        self.1.priority()
    }

    fn repeat(&self) -> Option<Self> {
        self.1.repeat().map(|message| Self(self.0.clone(), message))
    }
}

impl<M, T> Serve<Seeing<M>> for Store
where
    M: Request<Reply = Result<T, StoreError>>,
    T: Send + 'static,
    Self: Serve<M>,
{
    fn serve(
        self: Rc<Self>,
        Seeing(sight, message): Seeing<M>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<T, StoreError>> {
        SIGHT.scope(sight, <Self as Serve<M>>::serve(self, message, deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whoever_speaks_for_nobody_sees_what_is_everyones() {
        assert_eq!(Sight::of(&[]), Sight::Public);
        assert_eq!(Sight::of(&[String::new()]), Sight::Public);
        assert_eq!(Sight::of(&["a".to_owned(), "*".to_owned()]), Sight::All);
        assert_eq!(current(), Sight::Public);
    }

    proptest! {
        #[test]
        fn a_name_is_seen_by_itself_alone_whatever_it_holds(
            names in proptest::collection::vec(".{0,4}", 0..4), acl in proptest::collection::vec(".{1,4}", 0..3),
        ) {
            let sight = Sight::of(&names);
            let named = names.iter().any(|name| name == "*" || acl.contains(name) && !name.contains(SEPARATOR));
            prop_assert_eq!(sight.sees(&acl), acl.is_empty() || named);
            prop_assert!(sight.setting().split(SEPARATOR).all(|one| one.is_empty() || names.iter().any(|name| name == one)));
        }
    }
}
