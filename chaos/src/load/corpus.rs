//! Facts with one known place each, so that every answer can be checked.

use serde_json::json;
use std::collections::HashMap;

/// The collection that holds the facts, and the one that is written to.
pub const COLLECTION: &str = "kept";
pub const WRITES: &str = "writes";

#[derive(Debug)]
pub struct Fact {
    pub external_id: String,
    pub text: String,
    pub question: String,
}

#[derive(Debug)]
pub struct Corpus {
    pub facts: Vec<Fact>,
    by_id: HashMap<String, usize>,
}

const BEGINNINGS: [&str; 8] = ["Var", "Ost", "Kel", "Bran", "Lum", "Tor", "Mir", "Sel"];
const ENDINGS: [&str; 8] = ["holm", "wick", "mora", "stedt", "vale", "quay", "dorf", "nesse"];
const COLOURS: [&str; 5] = ["turquoise", "scarlet", "ivory", "amber", "violet"];
const ANIMALS: [&str; 5] = ["herons", "donkeys", "tortoises", "peacocks", "ferrets"];

impl Corpus {
    /// At most 64 facts: every one has a town of its own.
    #[must_use]
    pub fn new(facts: usize) -> Self {
        let facts: Vec<Fact> = (0..facts.min(BEGINNINGS.len() * ENDINGS.len())).map(fact).collect();
        let by_id = facts.iter().enumerate().map(|(at, fact)| (fact.external_id.clone(), at)).collect();
        Self { facts, by_id }
    }

    #[must_use]
    pub fn any(&self) -> &Fact {
        &self.facts[fastrand::usize(..self.facts.len())]
    }

    #[must_use]
    pub fn get(&self, external_id: &str) -> Option<&Fact> {
        self.by_id.get(external_id).map(|at| &self.facts[*at])
    }

    /// As a bulk upload.
    #[must_use]
    pub fn lines(&self) -> String {
        let line = |fact: &Fact| json!({"external_id": fact.external_id, "text": fact.text}).to_string();
        self.facts.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn fact(n: usize) -> Fact {
    let town = format!("{}{}", BEGINNINGS[n % 8], ENDINGS[(n / 8 + n) % 8]);
    let (colour, animals, year) = (COLOURS[n % 5], ANIMALS[(n / 5) % 5], 1700 + n);
    let (sentence, question) = match n % 3 {
        0 => (
            format!("The lighthouse of {town} was painted {colour} in {year}."),
            format!("In what colour was the lighthouse of {town} painted?"),
        ),
        1 => (
            format!("The mayor of {town} keeps {n} {animals} in the town hall."),
            format!("Which animals does the mayor of {town} keep in the town hall?"),
        ),
        _ => (
            format!("The bridge of {town} collapsed in {year} under a cart of {colour} pumpkins."),
            format!("When did the bridge of {town} collapse under a cart?"),
        ),
    };
    let text = format!("{sentence} Visitors reach {town} by a ferry that leaves every {} minutes.", 10 + n);
    Fact { external_id: format!("fact-{n}"), text, question }
}

#[cfg(test)]
mod tests {
    use super::Corpus;
    use std::collections::HashSet;

    #[test]
    fn every_fact_has_a_town_of_its_own() {
        let corpus = Corpus::new(64);
        let towns: HashSet<_> = corpus
            .facts
            .iter()
            .map(|fact| fact.text.split(" by a ferry").next().unwrap().rsplit(' ').next().unwrap())
            .collect();
        assert_eq!(towns.len(), 64);
    }
}
