//! Real text to make a benchmark's data from: a set in BEIR layout, or the project's own documents.

use crate::cli::beir::{Dataset, Entry};
use crate::cli::walk;
use anyhow::{Context, Result, bail};
use mcp_rag_text::sentences::sentences;
use std::path::Path;

/// Fewer make chunks that are too much alike to measure anything.
const FEWEST_SENTENCES: usize = 200;
const WORDS: std::ops::RangeInclusive<usize> = 4..=80;

pub(super) struct Source {
    pub(super) name: String,
    pub(super) documents: Vec<Entry>,
    /// Questions people asked about it; empty where there are none.
    pub(super) questions: Vec<String>,
}

impl Source {
    /// The set in `folder`, or the documents in the current directory.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self> {
        match folder {
            Some(folder) => {
                let Dataset { name, corpus, queries, .. } = Dataset::read(folder, "test", false)?;
                let questions = queries.into_iter().map(|query| query.text).collect();
                Ok(Self { name, documents: corpus, questions })
            }
            None => own_documents(),
        }
    }

    /// Its sentences of ordinary length.
    pub(super) fn sentences(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for document in &self.documents {
            for span in sentences(&document.text) {
                let sentence = document.text[span].split_whitespace().collect::<Vec<_>>().join(" ");
                if WORDS.contains(&sentence.split(' ').count()) {
                    found.push(sentence);
                }
            }
        }
        if found.len() < FEWEST_SENTENCES {
            bail!("{}: {} sentences are too few; give more text with --corpus", self.name, found.len());
        }
        Ok(found)
    }
}

fn own_documents() -> Result<Source> {
    let places: Vec<String> = ["docs", "README.md", "CONTRIBUTING.md", "migrations"]
        .into_iter()
        .filter(|place| Path::new(place).exists())
        .map(str::to_owned)
        .collect();
    if places.is_empty() {
        bail!("no documents here to make data from: name a set in BEIR layout with --corpus");
    }
    let mut documents = Vec::new();
    for file in walk::files(&places)? {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        documents.push(Entry { id: file.display().to_string(), title: String::new(), text });
    }
    Ok(Source { name: "the project's documents".to_owned(), documents, questions: Vec::new() })
}
