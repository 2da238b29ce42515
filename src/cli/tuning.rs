//! The options of a search that `search`, `ask` and `eval` share.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Tuning {
    /// Have the configured reranker order the results.
    #[arg(long)]
    pub(super) rerank: bool,
    /// Have the chat model add queries that mean the same.
    #[arg(long)]
    pub(super) rewrite: bool,
    /// Of results with nearly the same text show only the best.
    #[arg(long)]
    pub(super) collapse: bool,
    /// One result of each document.
    #[arg(long)]
    pub(super) by_document: bool,
    /// How much being unlike the results before it counts, 0 to 1.
    #[arg(long, value_name = "0..1")]
    pub(super) diversity: Option<f32>,
    /// Prefer new documents: the age in days at which half of the boost is left.
    #[arg(long, value_name = "DAYS")]
    pub(super) half_life: Option<f64>,
    /// The share of the score that age decides, 0 to 1.
    #[arg(long, value_name = "0..1", requires = "half_life")]
    pub(super) recency_weight: Option<f32>,
    /// The attribute that holds the date; without it the document's last change counts.
    #[arg(long, value_name = "ATTRIBUTE", requires = "half_life")]
    pub(super) recency_field: Option<String>,
    /// Stop before the texts hold more tokens.
    #[arg(long, value_name = "TOKENS")]
    pub(super) max_tokens: Option<u32>,
    /// A filter as JSON, e.g. '{"type":"eq","key":"lang","value":"en"}'.
    #[arg(long, value_name = "JSON")]
    pub(super) filter: Option<String>,
}

impl Tuning {
    /// Adds what was asked for to a request's body.
    pub(super) fn apply(&self, body: &mut Value) -> Result<()> {
        for (name, asked) in [("rerank", self.rerank), ("rewrite", self.rewrite), ("collapse", self.collapse)]
        {
            if asked {
                body[name] = json!(true);
            }
        }
        if self.by_document {
            body["group_by"] = json!("document");
        }
        if let Some(diversity) = self.diversity {
            body["diversity"] = json!(diversity);
        }
        if let Some(days) = self.half_life {
            body["recency"] = json!({ "half_life_days": days });
            if let Some(weight) = self.recency_weight {
                body["recency"]["weight"] = json!(weight);
            }
            if let Some(field) = &self.recency_field {
                body["recency"]["field"] = json!(field);
            }
        }
        if let Some(tokens) = self.max_tokens {
            body["max_tokens"] = json!(tokens);
        }
        if let Some(filter) = &self.filter {
            body["filters"] = serde_json::from_str(filter).context("--filter is not JSON")?;
        }
        Ok(())
    }
}
