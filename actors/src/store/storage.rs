//! How a space keeps its vectors, and how a search compares them.

use pgvector::{HalfVector, Vector};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Half precision, in the table and in the index.
    #[default]
    Halfvec,
    /// Full precision in both.
    Vector,
    /// Half precision in the table; the index holds one bit a number, and what it finds is compared again.
    Bit,
}

/// The expressions of the dense leg.
pub(super) struct Expressions {
    /// Compared exactly; no index serves it.
    pub(super) exact: String,
    /// The order that the index serves.
    pub(super) indexed: String,
    /// The cosine distance by what `indexed` found, if it is not that already.
    pub(super) rerank: Option<String>,
}

impl Storage {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Halfvec => "halfvec",
            Self::Vector => "vector",
            Self::Bit => "bit",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "vector" => Self::Vector,
            "bit" => Self::Bit,
            _ => Self::Halfvec,
        }
    }

    /// What pgvector's index and a page of the table hold.
    #[must_use]
    pub fn most_dimensions(self) -> usize {
        match self {
            Self::Halfvec | Self::Bit => 4000,
            Self::Vector => 2000,
        }
    }

    /// Its column in `embeddings` and in `staged_embeddings`.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Halfvec | Self::Bit => "embedding",
            Self::Vector => "full_embedding",
        }
    }

    pub(super) fn sql_type(self) -> &'static str {
        match self {
            Self::Halfvec | Self::Bit => "halfvec",
            Self::Vector => "vector",
        }
    }

    pub(super) fn parameter(self, vector: &[f32]) -> Box<dyn ToSql + Sync> {
        match self {
            Self::Halfvec | Self::Bit => Box::new(HalfVector::from_f32_slice(vector)),
            Self::Vector => Box::new(Vector::from(vector.to_vec())),
        }
    }

    pub(super) fn parameters<'v>(self, vectors: impl Iterator<Item = &'v [f32]>) -> Box<dyn ToSql + Sync> {
        match self {
            Self::Halfvec | Self::Bit => {
                Box::new(vectors.map(HalfVector::from_f32_slice).collect::<Vec<_>>())
            }
            Self::Vector => Box::new(vectors.map(|one| Vector::from(one.to_vec())).collect::<Vec<_>>()),
        }
    }

    pub(super) fn read(self, row: &Row, at: usize) -> Option<Vec<f32>> {
        match self {
            Self::Halfvec | Self::Bit => {
                let vector: Option<HalfVector> = row.get(at);
                vector.map(|vector| vector.to_vec().into_iter().map(f32::from).collect())
            }
            Self::Vector => row.get::<_, Option<Vector>>(at).map(|vector| vector.to_vec()),
        }
    }

    /// `vector` is the query's placeholder. Only the casts match the index.
    pub(super) fn expressions(self, vector: &str, dimensions: i32) -> Expressions {
        let (column, of) = (self.column(), self.sql_type());
        let query = self.query(vector, dimensions);
        let exact = format!("e.{column} <=> {query}");
        match self {
            Self::Halfvec | Self::Vector => Expressions {
                exact,
                indexed: format!("e.{column}::{of}({dimensions}) <=> {query}"),
                rerank: None,
            },
            Self::Bit => Expressions {
                indexed: format!(
                    "binary_quantize(e.embedding)::bit({dimensions}) <~> binary_quantize({query})::bit({dimensions})"
                ),
                rerank: Some(exact.clone()),
                exact,
            },
        }
    }

    pub(super) fn query(self, vector: &str, dimensions: i32) -> String {
        format!("{vector}::{}({dimensions})", self.sql_type())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_reads_back_what_it_is_called() {
        for storage in [Storage::Halfvec, Storage::Vector, Storage::Bit] {
            assert_eq!(Storage::parse(storage.as_str()), storage);
        }
    }

    #[test]
    fn only_bits_are_compared_twice() {
        assert!(Storage::Halfvec.expressions("$1", 3).rerank.is_none());
        assert!(Storage::Vector.expressions("$1", 3).rerank.is_none());
        assert_eq!(
            Storage::Bit.expressions("$1", 3).rerank.as_deref(),
            Some("e.embedding <=> $1::halfvec(3)")
        );
    }
}
