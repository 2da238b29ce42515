//! Identifiers as the outside sees them: a prefix and a number (`doc_42`).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with `{0}`")]
pub struct InvalidId(&'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix)
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or(InvalidId($prefix))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A tenant; row-level security binds every statement to exactly one.
    TenantId, "ten_");
id!(CollectionId, "col_");
id!(DocumentId, "doc_");
id!(ChunkId, "chk_");
id!(JobId, "job_");
id!(TaskId, "task_");
id!(SpaceId, "spc_");
id!(KeyId, "key_");
id!(
    /// Of the audit log.
    EntryId, "aud_");
id!(
    /// An uploaded file.
    FileId, "file-");
id!(
    /// Files put into a vector store together.
    BatchId, "vsfb_");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_shows_and_refuses_everything_else() {
        assert_eq!("doc_42".parse(), Ok(DocumentId(42)));
        assert_eq!(DocumentId(42).to_string(), "doc_42");
        for wrong in ["42", "col_42", "doc_", "doc_-1", "doc_99999999999999999999", "doc_4 2"] {
            assert!(wrong.parse::<DocumentId>().is_err(), "{wrong}");
        }
    }
}
