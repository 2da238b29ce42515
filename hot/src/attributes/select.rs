//! A filter and a caller's sight as a set of slots.

use super::number::Number;
use super::set::Set;
use super::{Attributes, Key, Values};
use crate::Bitmap;
use crate::documents::Documents;
use crate::filter::{Comparison, Field, Filter, Scalar, Test};
use crate::sight::Sight;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What a search may find, of which it selects.
pub(crate) struct Scope<'a> {
    pub(crate) documents: &'a Documents,
    pub(crate) sight: Sight<'a>,
}

impl Attributes {
    /// The slots that match, are seen and have not expired at `now`; none where that is all of the visible ones.
    pub(crate) fn allowed(&self, filter: Option<&Filter>, scope: &Scope<'_>, now: i64) -> Option<Bitmap> {
        let hidden = self.hidden(scope.sight);
        let mut expired = self.expiring.range(..=now).map(|(_, set)| set).peekable();
        if filter.is_none() && hidden.is_none() && expired.peek().is_none() {
            return None;
        }
        let mut allowed = match filter {
            Some(filter) => self.matching(filter, scope),
            None => scope.documents.visible().clone(),
        };
        if let Some(hidden) = hidden {
            allowed.subtract(&hidden);
        }
        expired.for_each(|set| set.take_from(&mut allowed));
        Some(allowed)
    }

    /// What is not for the caller, if there is any such.
    fn hidden(&self, sight: Sight<'_>) -> Option<Bitmap> {
        let names = match sight {
            Sight::All => return None,
            Sight::Public => &[][..],
            Sight::Named(names) => names,
        };
        if self.restricted.is_empty() {
            return None;
        }
        let mut hidden = self.restricted.clone();
        for set in names.iter().filter_map(|name| self.principals.get(*name)) {
            set.take_from(&mut hidden);
        }
        Some(hidden)
    }

    fn matching(&self, filter: &Filter, scope: &Scope<'_>) -> Bitmap {
        let mut found = Bitmap::default();
        match filter {
            Filter::And(parts) => {
                let mut parts = parts.iter();
                match parts.next() {
                    Some(first) => found = self.matching(first, scope),
                    None => return scope.documents.visible().clone(),
                }
                for part in parts {
                    if found.is_empty() {
                        break;
                    }
                    found.intersect(&self.matching(part, scope));
                }
            }
            Filter::Or(parts) => parts.iter().for_each(|part| found.unite(&self.matching(part, scope))),
            Filter::Not(inner) => {
                found = scope.documents.visible().clone();
                found.subtract(&self.matching(inner, scope));
            }
            Filter::Seen => {
                found = scope.documents.visible().clone();
                self.hidden(scope.sight).iter().for_each(|hidden| found.subtract(hidden));
            }
            Filter::Attribute(key, test) => {
                if let Some(key) = self.keys.get(key.as_str()) {
                    key.select(test, &mut found);
                }
            }
            Filter::Field(field, test) => self.field(*field, test, scope.documents, &mut found),
        }
        found
    }

    fn field(&self, field: Field, test: &Test, documents: &Documents, found: &mut Bitmap) {
        match field {
            Field::MediaType => select_words(&self.media_types, test, found),
            Field::Acl => select_words(&self.principals, test, found),
            Field::Title => documents.scan(found, |document| fulfils(document.title(), test)),
            Field::Uri => documents.scan(found, |document| fulfils(document.uri(), test)),
            Field::ExternalId => match test {
                Test::In(names) => names.iter().for_each(|name| documents.named(name, found)),
                Test::Contains(name) => documents.named(name, found),
                Test::Range(..) | Test::Exists => {
                    documents.scan(found, |document| fulfils(document.external_id(), test));
                }
            },
            Field::CreatedAt => documents.scan(found, |document| is_at(document.created_at(), test)),
            Field::UpdatedAt => documents.scan(found, |document| is_at(document.updated_at(), test)),
        }
    }
}

impl Key {
    fn select(&self, test: &Test, found: &mut Bitmap) {
        match test {
            Test::Exists => self.there.add_to(found),
            Test::In(values) => values.iter().for_each(|value| self.own.equal(value, found)),
            Test::Contains(time @ Scalar::Time(_)) => self.own.equal(time, found),
            Test::Contains(value) => self.elements.equal(value, found),
            Test::Range(comparison, value) => self.own.range(*comparison, value, found),
        }
    }
}

impl Values {
    fn equal(&self, value: &Scalar, found: &mut Bitmap) {
        let set = match value {
            Scalar::Text(word) => self.words.get(word.as_str()),
            Scalar::Number(number) => {
                Number::parse(&number.to_string()).and_then(|number| self.numbers.get(&number))
            }
            Scalar::Bool(truth) => Some(&self.bools[usize::from(*truth)]),
            Scalar::Time(at) => self.times.get(at),
        };
        set.into_iter().for_each(|set| set.add_to(found));
    }

    fn range(&self, comparison: Comparison, value: &Scalar, found: &mut Bitmap) {
        match value {
            Scalar::Text(word) => select_range(&self.words, comparison, word.as_str(), found),
            Scalar::Number(number) => {
                if let Some(number) = Number::parse(&number.to_string()) {
                    select_range(&self.numbers, comparison, &number, found);
                }
            }
            Scalar::Time(at) => select_range(&self.times, comparison, at, found),
            Scalar::Bool(truth) => [false, true]
                .into_iter()
                .filter(|one| comparison.holds(one, truth))
                .for_each(|one| self.bools[usize::from(one)].add_to(found)),
        }
    }
}

fn select_range<K, Q>(sets: &BTreeMap<K, Set>, comparison: Comparison, value: &Q, found: &mut Bitmap)
where
    K: std::borrow::Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    let bounds = match comparison {
        Comparison::Gt => (Bound::Excluded(value), Bound::Unbounded),
        Comparison::Gte => (Bound::Included(value), Bound::Unbounded),
        Comparison::Lt => (Bound::Unbounded, Bound::Excluded(value)),
        Comparison::Lte => (Bound::Unbounded, Bound::Included(value)),
    };
    sets.range::<Q, _>(bounds).for_each(|(_, set)| set.add_to(found));
}

/// A field that few values are known of.
fn select_words(words: &BTreeMap<Box<str>, Set>, test: &Test, found: &mut Bitmap) {
    match test {
        Test::Exists => {
            words.iter().filter(|(word, _)| !word.is_empty()).for_each(|(_, set)| set.add_to(found));
        }
        Test::In(values) => {
            let sets = values.iter().filter_map(text).filter_map(|word| words.get(word));
            sets.for_each(|set| set.add_to(found));
        }
        Test::Contains(value) => {
            text(value).and_then(|word| words.get(word)).into_iter().for_each(|set| set.add_to(found));
        }
        Test::Range(comparison, value) => {
            text(value).into_iter().for_each(|word| select_range(words, *comparison, word, found));
        }
    }
}

/// Of a field, other values than texts match nothing.
pub(crate) fn text(value: &Scalar) -> Option<&str> {
    match value {
        Scalar::Text(text) => Some(text),
        Scalar::Number(_) | Scalar::Bool(_) | Scalar::Time(_) => None,
    }
}

fn fulfils(field: &str, test: &Test) -> bool {
    match test {
        Test::Exists => !field.is_empty(),
        Test::In(values) => values.iter().filter_map(text).any(|word| word == field),
        Test::Contains(value) => text(value) == Some(field),
        Test::Range(comparison, value) => text(value).is_some_and(|word| comparison.holds(field, word)),
    }
}

fn is_at(field: i64, test: &Test) -> bool {
    let time = |value: &Scalar| match value {
        Scalar::Time(at) => Some(*at),
        Scalar::Text(_) | Scalar::Number(_) | Scalar::Bool(_) => None,
    };
    match test {
        Test::Exists => true,
        Test::In(values) => values.iter().filter_map(time).any(|at| at == field),
        Test::Range(comparison, value) => time(value).is_some_and(|at| comparison.holds(&field, &at)),
        Test::Contains(_) => false,
    }
}

impl Comparison {
    fn holds<T: Ord + ?Sized>(self, value: &T, with: &T) -> bool {
        match self {
            Self::Gt => value > with,
            Self::Gte => value >= with,
            Self::Lt => value < with,
            Self::Lte => value <= with,
        }
    }
}
