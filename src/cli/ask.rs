use super::client::Client;
use super::search::collections;
use super::tuning::Tuning;
use super::{Global, out};
use crate::config::Settings;
use crate::rag::answer::Answer;
use anyhow::Result;
use clap::Args;
use console::style;
use reqwest::Method;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Ask {
    question: String,
    /// Collections to answer from; all by default.
    #[arg(long, short)]
    collection: Vec<String>,
    /// How much of the question must be found before it is answered, 0 to 1.
    #[arg(long, value_name = "0..1")]
    min_support: Option<f32>,
    #[command(flatten)]
    tuning: Tuning,
}

impl Ask {
    pub(super) async fn run(self, global: &Global, settings: Settings) -> Result<ExitCode> {
        let mut body = json!({
            "question": self.question,
            "collections": collections(&self.collection),
            "min_support": self.min_support,
        });
        self.tuning.apply(&mut body)?;
        let client = Client::open(global, settings).await?;
        let answer = client.json(Method::POST, "/v1/answers", Some(&body)).await;
        client.close().await;
        let answer = answer?;
        if global.json {
            out(&serde_json::to_string_pretty(&answer)?);
            return Ok(ExitCode::SUCCESS);
        }
        print(&serde_json::from_value(answer)?);
        Ok(ExitCode::SUCCESS)
    }
}

fn print(answer: &Answer) {
    if answer.abstained {
        out(&style(&answer.answer).yellow().to_string());
        return;
    }
    out(&answer.answer);
    out("");
    let mut shown = Vec::new();
    for citation in &answer.citations {
        let title = if citation.title.is_empty() { &citation.external_id } else { &citation.title };
        let line = format!(
            "{} {}  {}",
            style(format!("[{}]", citation.index)).bold(),
            style(title).cyan(),
            style(format!(
                "{}/{} [{}..{}]",
                citation.collection, citation.external_id, citation.span.start, citation.span.end
            ))
            .dim()
        );
        if !shown.contains(&line) {
            out(&line);
            shown.push(line);
        }
    }
    for stage in &answer.degraded {
        out(&style(format!("degraded: {} ({}), used {}", stage.stage, stage.reason, stage.fallback))
            .yellow()
            .to_string());
    }
    out(&style(format!("every citation verified against its source · {}", answer.model)).dim().to_string());
}
