//! What arrives when. All of it follows from the seed; bodies are made when they are sent, so that a long
//! run needs little memory.

use crate::cli::bench::dice::Dice;
use crate::cli::client::segment;
use serde_json::{Value, json};
use std::collections::HashSet;

pub(super) const LIBRARY: &str = "library";
/// Where writes go; one search in twenty looks there too, and finds its cache emptied by each of them.
pub(super) const NOTES: &str = "notes";
/// Notes are written again and again.
const MOST_NOTES: usize = 2_000;
const TOP_K: u16 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// A popular question, some far more than others.
    Repeated,
    /// A question nobody has asked before: it is embedded, and no cache has it.
    New,
    /// A search among some of the documents; every other one is new.
    Filtered,
    Answer,
    /// A document's state.
    Read,
    /// A note, new or changed.
    Write,
}

impl Class {
    /// Each with its share of a thousand requests.
    pub(super) const MIX: [(Self, usize); 6] = [
        (Self::Repeated, 850),
        (Self::New, 50),
        (Self::Filtered, 40),
        (Self::Answer, 5),
        (Self::Read, 50),
        (Self::Write, 5),
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Repeated => "repeated searches",
            Self::New => "new searches",
            Self::Filtered => "filtered searches",
            Self::Answer => "answers",
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

/// What requests are made from.
pub(super) struct Topics {
    pub(super) popular: Vec<String>,
    pub(super) sentences: Vec<String>,
    /// Ids of the library's documents.
    pub(super) documents: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
}

pub(super) struct Plan {
    topics: Topics,
    /// Seconds from the start, ascending, and the class.
    due: Vec<(f64, Class)>,
    seed: u64,
    /// Sums of 1/rank, for drawing a popular question by Zipf's law.
    weights: Vec<f64>,
}

/// By a document's place in the corpus.
pub(super) fn attributes(at: usize) -> Value {
    json!({"shelf": format!("shelf-{}", at % 10), "year": 1990 + at % 35})
}

impl Plan {
    pub(super) fn new(topics: Topics, rate: u32, seconds: f64, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut due = Vec::with_capacity((f64::from(rate) * seconds * 1.01) as usize);
        let mut at = 0.0;
        loop {
            // Independent arrivals: the gaps are distributed exponentially.
            at -= f64::from(1.0 - dice.unit()).ln() / f64::from(rate);
            if at >= seconds {
                break;
            }
            let mut place = dice.below(1000);
            let class = Class::MIX.into_iter().find(|(_, share)| {
                let here = place < *share;
                place = place.wrapping_sub(*share);
                here
            });
            due.push((at, class.map_or(Class::Repeated, |(class, _)| class)));
        }
        let weights = topics
            .popular
            .iter()
            .enumerate()
            .scan(0.0, |sum, (at, _)| {
                *sum += 1.0 / (at + 1) as f64;
                Some(*sum)
            })
            .collect();
        Self { topics, due, seed, weights }
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn due(&self, request: usize) -> Option<(f64, Class)> {
        self.due.get(request).copied()
    }

    /// How many different notes these requests write.
    pub(super) fn notes(&self, requests: impl Iterator<Item = usize>) -> usize {
        let writes = requests.filter(|at| self.due[*at].1 == Class::Write);
        writes.map(|at| self.note(&mut self.dice(at))).collect::<HashSet<_>>().len()
    }

    fn dice(&self, request: usize) -> Dice {
        Dice::new(self.seed ^ ((request as u64 + 1) << 20))
    }

    fn note(&self, dice: &mut Dice) -> usize {
        dice.below(MOST_NOTES)
    }

    pub(super) fn request(&self, number: usize) -> Request {
        let mut dice = self.dice(number);
        let class = self.due[number].1;
        let search = |mut body: Value, dice: &mut Dice| {
            body["top_k"] = TOP_K.into();
            let everywhere = dice.below(20) == 0;
            body["collections"] = if everywhere { json!([LIBRARY, NOTES]) } else { json!([LIBRARY]) };
            Request { method: "POST", path: "/v1/search".to_owned(), body: body.to_string() }
        };
        match class {
            Class::Repeated => search(json!({"query": self.popular(&mut dice)}), &mut dice),
            Class::New => search(json!({"query": self.fresh(&mut dice)}), &mut dice),
            Class::Filtered => {
                let new = dice.below(2) == 0;
                let query = if new { self.fresh(&mut dice) } else { self.popular(&mut dice).to_owned() };
                let filter = if dice.below(2) == 0 {
                    json!({"type": "eq", "key": "shelf", "value": format!("shelf-{}", dice.below(10))})
                } else {
                    json!({"type": "gte", "key": "year", "value": 1990 + dice.below(35)})
                };
                search(json!({"query": query, "filters": filter}), &mut dice)
            }
            Class::Answer => {
                let body = json!({"question": self.popular(&mut dice), "collections": [LIBRARY]});
                Request { method: "POST", path: "/v1/answers".to_owned(), body: body.to_string() }
            }
            Class::Read => {
                let id = segment(&self.topics.documents[dice.below(self.topics.documents.len())]);
                let path = format!("/v1/collections/{LIBRARY}/documents/{id}");
                Request { method: "GET", path, body: String::new() }
            }
            Class::Write => {
                let path = format!("/v1/collections/{NOTES}/documents/note-{}", self.note(&mut dice));
                let sentence =
                    |dice: &mut Dice| &self.topics.sentences[dice.below(self.topics.sentences.len())];
                let text = format!("{} {} Note {number}.", sentence(&mut dice), sentence(&mut dice));
                let body = json!({"title": "A note", "text": text}).to_string();
                Request { method: "PUT", path, body }
            }
        }
    }

    fn popular(&self, dice: &mut Dice) -> &str {
        let drawn = f64::from(dice.unit()) * self.weights.last().copied().unwrap_or_default();
        let at = self.weights.partition_point(|sum| *sum <= drawn);
        &self.topics.popular[at.min(self.topics.popular.len() - 1)]
    }

    /// Words of a sentence and of a question, in an order of their own.
    fn fresh(&self, dice: &mut Dice) -> String {
        let sentence = &self.topics.sentences[dice.below(self.topics.sentences.len())];
        let question = &self.topics.popular[dice.below(self.topics.popular.len())];
        let mut words: Vec<&str> =
            sentence.split_whitespace().take(8).chain(question.split_whitespace()).collect();
        dice.shuffle(&mut words);
        words.truncate(12);
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let topics = Topics {
            popular: (0..50).map(|n| format!("what is known of number {n} and its kin")).collect(),
            sentences: (0..500).map(|n| format!("sentence {n} tells of many things and of {n}")).collect(),
            documents: vec!["a/b".to_owned(), "c".to_owned()],
        };
        Plan::new(topics, 1000, 20.0, 7)
    }

    #[test]
    fn requests_arrive_at_the_rate_in_the_mix_and_in_order() {
        let plan = plan();
        assert!((19_000..21_000).contains(&plan.len()), "{}", plan.len());
        assert!(plan.due.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(Class::MIX.iter().map(|(_, share)| share).sum::<usize>(), 1000);
        for (class, share) in Class::MIX {
            let count = plan.due.iter().filter(|(_, one)| *one == class).count();
            assert!(count.abs_diff(share * 20) < 40 + share * 4, "{class:?}: {count}");
        }
    }

    #[test]
    fn a_request_is_the_same_every_time_and_new_questions_are_new() {
        let plan = plan();
        let mut fresh = HashSet::new();
        let mut asked = 0;
        for at in 0..plan.len() {
            let request = plan.request(at);
            assert_eq!(request, plan.request(at));
            if plan.due[at].1 == Class::New {
                asked += 1;
                fresh.insert(request.body);
            }
        }
        assert!(fresh.len() * 100 >= asked * 99, "{} of {asked}", fresh.len());
    }
}
