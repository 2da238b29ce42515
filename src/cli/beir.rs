//! Retrieval sets in BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv` (or `qrels/test.tsv`).

use anyhow::{Context, Result, bail};
use serde::Deserialize;
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

pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) corpus: Vec<Entry>,
    /// Those with judgements.
    pub(super) queries: Vec<Entry>,
    pub(super) judgements: Judgements,
}

impl Dataset {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let corpus = entries(&folder.join("corpus.jsonl"))?;
        let mut queries = entries(&folder.join("queries.jsonl"))?;
        let flat = folder.join("qrels.tsv");
        let qrels = if flat.exists() { flat } else { folder.join("qrels/test.tsv") };
        let judgements = judgements(&qrels)?;
        queries.retain(|query| judgements.contains_key(&query.id));
        if corpus.is_empty() || queries.is_empty() {
            bail!("{} holds no documents or no judged queries", folder.display());
        }
        let name = folder.canonicalize()?.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { name: name.unwrap_or_default(), corpus, queries, judgements })
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

fn entries(path: &Path) -> Result<Vec<Entry>> {
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
