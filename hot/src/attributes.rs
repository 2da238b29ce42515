//! What documents can be selected by: the slots of each value of each attribute, of each name of an acl, and of those
//! that expire. A filter becomes a set of slots, so how many match is known before anything is searched.

mod number;
mod read;
mod select;
mod set;

use crate::Bitmap;
use crate::change::About;
use number::Number;
use read::Value;
pub(crate) use select::{Scope, text};
use set::Set;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Default)]
pub(crate) struct Attributes {
    keys: HashMap<Box<str>, Key>,
    media_types: BTreeMap<Box<str>, Set>,
    /// By each name that acls hold.
    principals: BTreeMap<Box<str>, Set>,
    /// What is not everyone's.
    restricted: Bitmap,
    /// By the time at which they end.
    expiring: BTreeMap<i64, Set>,
}

/// One attribute.
#[derive(Debug, Default)]
struct Key {
    /// Not null.
    there: Set,
    own: Values,
    /// Of lists.
    elements: Values,
}

#[derive(Debug, Default)]
struct Values {
    words: BTreeMap<Box<str>, Set>,
    /// Words that are times.
    times: BTreeMap<i64, Set>,
    numbers: BTreeMap<Number, Set>,
    /// False and true.
    bools: [Set; 2],
}

impl Attributes {
    /// Adds a document's slots, ascending.
    pub(crate) fn insert(&mut self, about: &About, slots: &[u32]) {
        read::read(&about.attributes, |key, own, elements| {
            let key = self.keys.entry(key.into_boxed_str()).or_default();
            key.there.insert(slots);
            own.into_iter().for_each(|value| key.own.insert(value, slots));
            elements.into_iter().for_each(|value| key.elements.insert(value, slots));
        });
        self.media_types.entry(about.media_type.as_str().into()).or_default().insert(slots);
        for name in &about.acl {
            self.principals.entry(name.as_str().into()).or_default().insert(slots);
        }
        if !about.acl.is_empty() {
            for slot in slots {
                self.restricted.insert(*slot);
            }
        }
        if let Some(at) = about.expires_at {
            self.expiring.entry(at).or_default().insert(slots);
        }
    }

    /// Takes out what [`insert`](Self::insert) added.
    pub(crate) fn remove(&mut self, about: &About, slots: &[u32]) {
        read::read(&about.attributes, |name, own, elements| {
            let Some(key) = self.keys.get_mut(name.as_str()) else { return };
            key.there.remove(slots);
            own.into_iter().for_each(|value| key.own.remove(value, slots));
            elements.into_iter().for_each(|value| key.elements.remove(value, slots));
            if key.there.is_empty() {
                self.keys.remove(name.as_str());
            }
        });
        without(&mut self.media_types, about.media_type.as_str(), slots);
        for name in &about.acl {
            without(&mut self.principals, name.as_str(), slots);
        }
        for slot in slots {
            self.restricted.remove(*slot);
        }
        if let Some(at) = about.expires_at {
            without(&mut self.expiring, &at, slots);
        }
    }

    /// Near enough to hold a budget by.
    pub(crate) fn memory_bytes(&self) -> usize {
        let keys = self.keys.iter().map(|(name, key)| {
            name.len()
                + size_of::<Key>()
                + key.there.memory_bytes()
                + key.own.memory_bytes()
                + key.elements.memory_bytes()
        });
        keys.sum::<usize>()
            + words(&self.media_types)
            + words(&self.principals)
            + self.restricted.memory_bytes()
            + tree(&self.expiring)
    }
}

impl Values {
    fn insert(&mut self, value: Value, slots: &[u32]) {
        match value {
            Value::Word(word, time) => {
                time.into_iter().for_each(|at| self.times.entry(at).or_default().insert(slots));
                self.words.entry(word.into_boxed_str()).or_default().insert(slots);
            }
            Value::Number(number) => self.numbers.entry(number).or_default().insert(slots),
            Value::Bool(truth) => self.bools[usize::from(truth)].insert(slots),
        }
    }

    fn remove(&mut self, value: Value, slots: &[u32]) {
        match value {
            Value::Word(word, time) => {
                without(&mut self.words, word.as_str(), slots);
                time.into_iter().for_each(|at| without(&mut self.times, &at, slots));
            }
            Value::Number(number) => without(&mut self.numbers, &number, slots),
            Value::Bool(truth) => self.bools[usize::from(truth)].remove(slots),
        }
    }

    fn memory_bytes(&self) -> usize {
        words(&self.words)
            + tree(&self.times)
            + tree(&self.numbers)
            + self.bools.iter().map(Set::memory_bytes).sum::<usize>()
    }
}

fn without<K, Q>(sets: &mut BTreeMap<K, Set>, key: &Q, slots: &[u32])
where
    K: std::borrow::Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    if let Some(set) = sets.get_mut(key) {
        set.remove(slots);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

/// A B-tree's nodes are two thirds full.
fn tree<K>(sets: &BTreeMap<K, Set>) -> usize {
    sets.values().map(|set| size_of::<(K, Set)>() * 3 / 2 + set.memory_bytes()).sum()
}

fn words(sets: &BTreeMap<Box<str>, Set>) -> usize {
    tree(sets) + sets.keys().map(|word| word.len()).sum::<usize>()
}
