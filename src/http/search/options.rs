//! The fields that ask for more than a plain search, as HTTP has them.

use crate::error::Error;
use crate::rag::consistency::Seen;
use crate::rag::search::MAX_QUERY_BYTES;
use crate::rag::search::cursor::Cursor;
use crate::rag::search::options::{MAX_QUERIES, Options, Recency};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use utoipa::ToSchema;

/// Longest name of an attribute.
const MAX_FIELD: usize = 256;
/// What age decides of a score unless the caller says otherwise.
const WEIGHT: f32 = 0.3;

/// One query, or several that are searched together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Queries {
    One(String),
    Many(Vec<String>),
}

// By hand, because an untagged enum's errors say nothing that helps.
impl<'de> Deserialize<'de> for Queries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Queries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a string, or a list of 1 to {MAX_QUERIES} strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<Queries, E> {
                Ok(Queries::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Queries, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    if texts.len() == MAX_QUERIES {
                        return Err(A::Error::invalid_length(texts.len() + 1, &self));
                    }
                    texts.push(text);
                }
                if texts.is_empty() {
                    Err(A::Error::invalid_length(0, &self))
                } else {
                    Ok(Queries::Many(texts))
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Queries {
    /// The first, and the others that differ from those before them.
    pub(super) fn split(self) -> (String, Vec<String>) {
        let mut texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        let first = texts.remove(0);
        let mut also: Vec<String> = Vec::new();
        for text in texts {
            let known = |other: &String| other.trim() == text.trim();
            if !known(&first) && !also.iter().any(known) {
                also.push(text);
            }
        }
        (first, also)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupBy {
    /// Of each document only the best chunk.
    Document,
}

/// New documents score higher: `score = (1 - weight) * scaled score + weight * 0.5^(age / half_life_days)`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecencyRequest {
    /// The age at which half of the boost is left.
    #[schema(exclusive_minimum = 0)]
    half_life_days: f64,
    /// 0.3 by default: the share of the score that age decides.
    #[schema(minimum = 0, maximum = 1)]
    weight: Option<f32>,
    /// An attribute with a date; the document's last change by default.
    #[schema(min_length = 1, max_length = 256)]
    field: Option<String>,
}

/// The fields as they came.
#[derive(Debug, Default)]
pub(in crate::http) struct Extras {
    pub(in crate::http) rewrite: bool,
    pub(in crate::http) collapse: bool,
    pub(in crate::http) group_by: Option<GroupBy>,
    pub(in crate::http) diversity: Option<f32>,
    pub(in crate::http) recency: Option<RecencyRequest>,
    pub(in crate::http) cursor: Option<String>,
    pub(in crate::http) consistency: Option<String>,
}

impl Extras {
    /// Valid options, or what is wrong; `embedding` and `text` say whether the search has them.
    pub(super) fn into_options(
        self,
        also: Vec<String>,
        embedding: bool,
        text: bool,
    ) -> Result<Options, Error> {
        if also.iter().any(|text| text.trim().is_empty()) {
            return Err(Error::invalid("query", "no `query` may be empty"));
        }
        if also.iter().map(String::len).sum::<usize>() > MAX_QUERY_BYTES {
            let message =
                format!("the queries after the first hold at most {MAX_QUERY_BYTES} bytes together");
            return Err(Error::invalid("query", message));
        }
        if embedding && (self.rewrite || !also.is_empty()) {
            let message = "`embedding` goes with one query: leave out `rewrite` and further queries";
            return Err(Error::invalid("embedding", message));
        }
        if self.rewrite && !text {
            return Err(Error::invalid("rewrite", "`rewrite` needs a `query`"));
        }
        if self.diversity.is_some_and(|diversity| !(0.0..=1.0).contains(&diversity)) {
            return Err(Error::invalid("diversity", "`diversity` is between 0 and 1"));
        }
        Ok(Options {
            also,
            rewrite: self.rewrite,
            collapse: self.collapse,
            by_document: self.group_by == Some(GroupBy::Document),
            diversity: self.diversity.unwrap_or_default(),
            recency: self.recency.map(RecencyRequest::into_recency).transpose()?,
            cursor: self.cursor.as_deref().map(Cursor::decode).transpose()?,
            seeing: self.consistency.as_deref().map(Seen::parse_all).transpose()?.unwrap_or_default(),
        })
    }
}

impl RecencyRequest {
    fn into_recency(self) -> Result<Recency, Error> {
        let wrong = |message| Err(Error::invalid("recency", message));
        if !self.half_life_days.is_finite() || self.half_life_days <= 0.0 {
            return wrong("`recency.half_life_days` is a number above 0");
        }
        let weight = self.weight.unwrap_or(WEIGHT);
        if !(0.0..=1.0).contains(&weight) {
            return wrong("`recency.weight` is between 0 and 1");
        }
        if self.field.as_ref().is_some_and(|field| field.is_empty() || field.len() > MAX_FIELD) {
            return wrong("`recency.field` names an attribute in 1 to 256 bytes");
        }
        Ok(Recency { half_life_days: self.half_life_days, weight, field: self.field })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_given_twice_is_searched_once() {
        let queries: Queries = serde_json::from_str(r#"["a", "b", " a", "b ", "c"]"#).expect("queries");
        assert_eq!(queries.split(), ("a".to_owned(), vec!["b".to_owned(), "c".to_owned()]));
        for wrong in ["[]", "1", "null", "{}", r#"["1","2","3","4","5","6","7","8","9"]"#, r#"["a",1]"#] {
            assert!(serde_json::from_str::<Queries>(wrong).is_err(), "{wrong}");
        }
    }
}
