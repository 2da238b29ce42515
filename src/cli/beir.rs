//! Retrieval sets in BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv` (or `qrels/SPLIT.tsv`), graded or not;
//! with expected answers in the queries, and `queries_unanswerable.jsonl`, also sets of questions.

use super::bench::dice::Dice;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) text: String,
}

/// Relevance by document for each query that has any.
pub(super) type Judgements = BTreeMap<String, HashMap<String, f64>>;

/// A query as a file has it.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(rename = "_id")]
    id: String,
    text: String,
    #[serde(default)]
    answers: Option<Vec<String>>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    answers: Option<Vec<String>>,
}

/// A query, with what is a right answer to it where that is known.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) answers: Option<Vec<String>>,
}

impl From<Asked> for Question {
    fn from(asked: Asked) -> Self {
        let answers = asked.answers.or(asked.metadata.and_then(|metadata| metadata.answers));
        Self { id: asked.id, text: asked.text, answers: answers.filter(|answers| !answers.is_empty()) }
    }
}

pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) corpus: Vec<Entry>,
    /// Those with judgements; of a set of questions those with expected answers.
    pub(super) queries: Vec<Question>,
    /// Questions that no document answers.
    pub(super) unanswerable: Vec<Question>,
    pub(super) judgements: Judgements,
}

impl Dataset {
    /// `answers`: as a set of questions.
    pub(super) fn read(folder: &Path, split: &str, answers: bool) -> Result<Self> {
        let corpus: Vec<Entry> = entries(&folder.join("corpus.jsonl"))?;
        let asked = |name: &str| -> Result<Vec<Question>> {
            Ok(entries::<Asked>(&folder.join(name))?.into_iter().map(Question::from).collect())
        };
        let mut queries = asked("queries.jsonl")?;
        let flat = folder.join("qrels.tsv");
        let qrels = if flat.exists() { flat } else { folder.join("qrels").join(format!("{split}.tsv")) };
        let judgements = if answers && !qrels.exists() { Judgements::new() } else { judgements(&qrels)? };
        let mut unanswerable = Vec::new();
        if answers {
            queries.retain(|query| query.answers.is_some());
            if folder.join("queries_unanswerable.jsonl").exists() {
                unanswerable = asked("queries_unanswerable.jsonl")?;
                unanswerable.iter_mut().for_each(|question| question.answers = None);
            }
        } else {
            queries.retain(|query| judgements.contains_key(&query.id));
        }
        if corpus.is_empty() || queries.is_empty() {
            let wanted = if answers { "questions with `answers`" } else { "judged queries" };
            bail!("{} holds no documents or no {wanted}", folder.display());
        }
        let name = folder.canonicalize()?.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { name: name.unwrap_or_default(), corpus, queries, unanswerable, judgements })
    }

    /// Keeps at most `limit` queries of each kind, always the same ones for a seed.
    pub(super) fn sample(&mut self, limit: usize, seed: u64) {
        for queries in [&mut self.queries, &mut self.unanswerable] {
            Dice::new(seed).shuffle(queries);
            queries.truncate(limit);
        }
    }
}

fn lines(path: &Path) -> Result<impl Iterator<Item = Result<(usize, String)>>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let shown = path.display().to_string();
    let line = move |(at, line): (usize, std::io::Result<String>)| {
        line.map(|line| (at + 1, line)).with_context(|| format!("{shown}:{}", at + 1))
    };
    Ok(BufReader::new(file).lines().enumerate().map(line))
}

fn entries<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut entries = Vec::new();
    for line in lines(path)? {
        let (at, line) = line?;
        if !line.trim().is_empty() {
            let entry = serde_json::from_str(&line);
            entries.push(entry.with_context(|| format!("{}:{at} is not a BEIR entry", path.display()))?);
        }
    }
    Ok(entries)
}

fn judgements(path: &Path) -> Result<Judgements> {
    let mut judgements = Judgements::new();
    for line in lines(path)? {
        let (at, line) = line?;
        let columns: Vec<&str> = line.split('\t').collect();
        let (query, document, score) = match columns[..] {
            [query, document, score] => (query, document, score),
            [query, _, document, score] => (query, document, score), // TREC's form
            _ if line.trim().is_empty() => continue,
            _ => bail!("{}:{at}: expected query-id, corpus-id and score", path.display()),
        };
        let Ok(score) = score.trim().parse::<f64>() else {
            if at == 1 {
                continue; // the header
            }
            bail!("{}:{at}: the score is not a number", path.display());
        };
        if score > 0.0 {
            judgements.entry(query.to_owned()).or_default().insert(document.to_owned(), score);
        }
    }
    Ok(judgements)
}
