//! Read your writes, whichever server answers: what was written says how far its collection was then, and a search that
//! brings that along sees at least as much.

use super::{Caller, Rag};
use crate::error::Error;
use mcp_rag_actors::store::CollectionId;

/// Tokens that one search may bring along.
const MOST: usize = 64;

/// A collection at an epoch, or newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub collection: CollectionId,
    pub epoch: i64,
}

impl Seen {
    /// As clients keep it: `col_7.42`.
    #[must_use]
    pub fn token(self) -> String {
        format!("{}.{}", self.collection, self.epoch)
    }

    fn parse(text: &str) -> Option<Self> {
        let (collection, epoch) = text.trim().split_once('.')?;
        let digits = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { collection: collection.parse().ok()?, epoch: epoch.parse().ok().filter(|_| digits)? })
    }

    /// Several, separated by commas.
    ///
    /// # Errors
    /// `invalid` about the field `consistency`.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        let invalid = || {
            let message =
                "`consistency` is what a write answered with, or several of these separated by commas";
            Error::invalid("consistency", message)
        };
        let all: Option<Vec<Self>> = text.split(',').map(Self::parse).collect();
        all.filter(|all| all.len() <= MOST).ok_or_else(invalid)
    }
}

/// What of a collection must be seen, if anything.
pub(super) fn needed(seeing: &[Seen], of: CollectionId) -> Option<i64> {
    seeing.iter().filter(|one| one.collection == of).map(|one| one.epoch).max()
}

impl Rag {
    /// For whoever has just written to a collection, and knows that it is committed. None where it is gone by now, or where
    /// nobody can say: the write is done all the same.
    pub async fn consistency(&self, caller: &Caller, of: CollectionId) -> Option<String> {
        self.catalog.forget();
        let collections = self.catalog.all(caller).await.ok()?;
        let collection = collections.iter().find(|one| one.id == of)?;
        Some(Seen { collection: of, epoch: collection.epoch }.token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_is_one() {
        let one = Seen { collection: CollectionId(7), epoch: 42 };
        let other = Seen { collection: CollectionId(8), epoch: 0 };
        assert_eq!(one.token(), "col_7.42");
        assert_eq!(Seen::parse_all("col_7.42, col_8.0").expect("tokens"), [one, other]);
        assert_eq!(needed(&[one, other], CollectionId(7)), Some(42));
        for wrong in ["", "col_7", "col_7.", "col_7.-1", "7.42", "col_7.42,", "col_7.99999999999999999999"] {
            assert!(Seen::parse_all(wrong).is_err(), "{wrong}");
        }
    }
}
