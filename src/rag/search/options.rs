//! What a search may be asked for beyond its query: valid by construction where HTTP reads it.

use super::cursor::Cursor;
use crate::rag::consistency::Seen;

/// Queries of one search, the first included.
pub const MAX_QUERIES: usize = 8;

/// All off by default; then a search is one statement and nothing after it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Further queries, searched beside the first.
    pub also: Vec<String>,
    /// Have the chat model add queries that mean the same.
    pub rewrite: bool,
    /// Of results with nearly the same text only the best stays.
    pub collapse: bool,
    /// Of each document only the best chunk stays.
    pub by_document: bool,
    /// 0..=1: how much being unlike the results before it counts, beside the score.
    pub diversity: f32,
    pub recency: Option<Recency>,
    /// Go on after what this says was given.
    pub cursor: Option<Cursor>,
    /// Writes that must be seen.
    pub seeing: Vec<Seen>,
}

/// New documents score higher.
#[derive(Debug, Clone, PartialEq)]
pub struct Recency {
    /// The age at which half of the boost is left.
    pub half_life_days: f64,
    /// 0..=1: the share of the score that age decides.
    pub weight: f32,
    /// A date attribute; the time of the document's last change without it.
    pub field: Option<String>,
}

impl Options {
    /// Whether the order of the statement is not yet the order of the answer, so that more candidates than
    /// `top_k` are worth having.
    pub(super) fn refines(&self) -> bool {
        self.collapse || self.by_document || self.diversity > 0.0 || self.recency.is_some()
    }
}
