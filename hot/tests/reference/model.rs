//! The straightforward search: every document is looked at, every chunk is scored.

use mcp_rag_hot::dense::Dense;
use mcp_rag_hot::filter::{Comparison, Field, Filter, Scalar, Test, parse_time};
use mcp_rag_hot::{About, Change, Chunk, Document, Mode, Search, Sight};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) documents: BTreeMap<i64, Document>,
}

/// A chunk with its scores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) chunk: i64,
    pub(crate) score: f64,
    pub(crate) dense: Option<f64>,
    pub(crate) lexical: f64,
}

impl Model {
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(document) => drop(self.documents.insert(document.about.id, (**document).clone())),
            Change::Amend(about) => {
                if let Some(document) = self.documents.get_mut(&about.id) {
                    document.about = (**about).clone();
                }
            }
            Change::Delete(id) => drop(self.documents.remove(id)),
        }
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = (&About, &Chunk)> {
        self.documents
            .values()
            .flat_map(|document| document.chunks.iter().map(|chunk| (&document.about, chunk)))
    }

    /// What the search may find.
    pub(crate) fn allowed(&self, search: &Search<'_>) -> Vec<&Chunk> {
        let may = |about: &About| {
            sees(search.sight, about)
                && about.expires_at.is_none_or(|at| at > search.now)
                && search.filter.is_none_or(|filter| matches(filter, about, search.sight))
        };
        self.chunks().filter(|(about, _)| may(about)).map(|(_, chunk)| chunk).collect()
    }

    fn bm25(&self, search: &Search<'_>, chunk: &Chunk) -> f64 {
        let chunks = self.chunks().count() as f64;
        let terms: i64 = self.chunks().map(|(_, chunk)| i64::from(chunk.length)).sum();
        let count = |chunk: &Chunk, base| {
            chunk.keys.iter().find(|key| **key & !63 == base).map(|key| (key & 63) as f64)
        };
        let norm = 1.2 * (0.25 + 0.75 * f64::from(chunk.length) * chunks / terms.max(1) as f64);
        let score = |term: &mcp_rag_hot::Term| {
            let tf = count(chunk, term.base)?;
            let df = self.chunks().filter(|(_, chunk)| count(chunk, term.base).is_some()).count() as f64;
            Some(f64::from(term.count) * (1.0 + (chunks - df + 0.5) / (df + 0.5)).ln() * tf / (tf + norm))
        };
        search.terms.iter().filter_map(score).sum()
    }

    /// The score of every allowed chunk that the search's mode can find at all.
    pub(crate) fn scored(&self, search: &Search<'_>) -> Vec<Scored> {
        let all = self.allowed(search).into_iter().map(|chunk| Scored {
            chunk: chunk.id,
            score: 0.0,
            dense: search
                .vector
                .zip(chunk.vector.as_deref())
                .map(|(query, vector)| similarity(query, vector)),
            lexical: self.bm25(search, chunk),
        });
        let all: Vec<Scored> = all.collect();
        let dense = || all.iter().filter_map(|one| Some(Scored { score: one.dense?, ..*one })).collect();
        let lexical = || {
            all.iter()
                .filter(|one| one.lexical > 0.0)
                .map(|one| Scored { score: one.lexical, ..*one })
                .collect()
        };
        match search.mode {
            Mode::Dense => dense(),
            Mode::Hybrid if search.vector.is_some() => {
                fused(&top(dense(), search.candidates), &top(lexical(), search.candidates))
            }
            Mode::Lexical | Mode::Hybrid => lexical(),
        }
    }
}

pub(crate) fn top(mut all: Vec<Scored>, limit: usize) -> Vec<Scored> {
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
    all.truncate(limit);
    all
}

fn fused(near: &[Scored], found: &[Scored]) -> Vec<Scored> {
    let union: BTreeMap<i64, Scored> = near.iter().chain(found).map(|one| (one.chunk, *one)).collect();
    let scaled = |scores: Vec<Option<f64>>| {
        let least = scores.iter().flatten().copied().fold(f64::MAX, f64::min);
        let most = scores.iter().flatten().copied().fold(f64::MIN, f64::max);
        let one = move |score: Option<f64>| match score {
            None => 0.0,
            Some(score) if most > least => (score - least) / (most - least),
            Some(score) if score > 0.0 => 1.0,
            Some(_) => 0.0,
        };
        scores.into_iter().map(one).collect::<Vec<f64>>()
    };
    let dense = scaled(union.values().map(|one| one.dense).collect());
    let lexical = scaled(union.values().map(|one| Some(one.lexical)).collect());
    let scores = dense.into_iter().zip(lexical).map(|(dense, lexical)| (dense + lexical) / 2.0);
    union.values().zip(scores).map(|(one, score)| Scored { score, ..*one }).collect()
}

/// The engine's own of this one pair, so that both round alike.
fn similarity(query: &[f32], vector: &[f32]) -> f64 {
    let alone = Dense::new(query.len());
    alone.insert(0, vector).expect("a vector");
    f64::from(alone.exact(query, &[0]).expect("a query")[0].expect("there"))
}

fn sees(sight: Sight<'_>, about: &About) -> bool {
    about.acl.is_empty()
        || match sight {
            Sight::All => true,
            Sight::Public => false,
            Sight::Named(names) => about.acl.iter().any(|name| names.contains(&name.as_str())),
        }
}

/// What a filter means, read off the document.
pub(crate) fn matches(filter: &Filter, about: &About, sight: Sight<'_>) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches(part, about, sight)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, about, sight)),
        Filter::Not(inner) => !matches(inner, about, sight),
        Filter::Seen => sees(sight, about),
        Filter::Attribute(key, test) => {
            let attributes: Value = serde_json::from_str(&about.attributes).expect("JSON");
            attributes.get(key).is_some_and(|value| !value.is_null() && fulfils(value, test))
        }
        Filter::Field(field, test) => {
            let text = |text: &str| {
                *test != Test::Exists && fulfils(&text.into(), test)
                    || *test == Test::Exists && !text.is_empty()
            };
            match field {
                Field::Title => text(&about.title),
                Field::ExternalId => text(&about.external_id),
                Field::Uri => text(&about.uri),
                Field::MediaType => text(&about.media_type),
                Field::Acl => match test {
                    Test::Contains(name) => about.acl.iter().any(|one| *name == Scalar::Text(one.clone())),
                    Test::Exists => about.acl.iter().any(|one| !one.is_empty()),
                    Test::In(_) | Test::Range(..) => unreachable!("not asked of a list"),
                },
                Field::CreatedAt => time(about.created_at, test),
                Field::UpdatedAt => time(about.updated_at, test),
            }
        }
    }
}

fn time(at: i64, test: &Test) -> bool {
    let order = |scalar: &Scalar| match scalar {
        Scalar::Time(other) => Some(at.cmp(other)),
        Scalar::Text(_) | Scalar::Number(_) | Scalar::Bool(_) => None,
    };
    match test {
        Test::Exists => true,
        Test::In(values) => values.iter().any(|value| order(value) == Some(Ordering::Equal)),
        Test::Range(comparison, value) => order(value).is_some_and(|order| holds(*comparison, order)),
        Test::Contains(_) => false,
    }
}

fn fulfils(value: &Value, test: &Test) -> bool {
    let equal = |value: &Value, scalar: &Scalar| order(value, scalar) == Some(Ordering::Equal);
    match test {
        Test::Exists => true,
        Test::In(values) => values.iter().any(|one| equal(value, one)),
        Test::Contains(one) => value.as_array().is_some_and(|all| all.iter().any(|value| equal(value, one))),
        Test::Range(comparison, one) => order(value, one).is_some_and(|order| holds(*comparison, order)),
    }
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Gt => order.is_gt(),
        Comparison::Gte => order.is_ge(),
        Comparison::Lt => order.is_lt(),
        Comparison::Lte => order.is_le(),
    }
}

fn order(value: &Value, scalar: &Scalar) -> Option<Ordering> {
    match (value, scalar) {
        (Value::String(text), Scalar::Text(other)) => Some(text.as_bytes().cmp(other.as_bytes())),
        (Value::String(text), Scalar::Time(other)) => Some(parse_time(text)?.cmp(other)),
        (Value::Bool(truth), Scalar::Bool(other)) => Some(truth.cmp(other)),
        (Value::Number(x), Scalar::Number(y)) => match (x.as_i128(), y.as_i128()) {
            (Some(x), Some(y)) => Some(x.cmp(&y)),
            (_, _) => x.as_f64()?.partial_cmp(&y.as_f64()?),
        },
        (_, _) => None,
    }
}
