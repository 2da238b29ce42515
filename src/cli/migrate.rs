use super::{Global, out};
use crate::app::migrate;
use crate::config::Settings;
use anyhow::Result;
use serde_json::json;
use std::process::ExitCode;

pub(super) async fn run(global: &Global, settings: Settings) -> Result<ExitCode> {
    let done = migrate(settings).await?;
    if global.json {
        out(&json!({"postgres": done.postgres, "pgvector": done.pgvector, "applied": done.applied})
            .to_string());
    } else if done.applied.is_empty() {
        out(&format!(
            "PostgreSQL {} with pgvector {}: the schema is up to date",
            done.postgres, done.pgvector
        ));
    } else {
        out(&format!("PostgreSQL {} with pgvector {}: applied", done.postgres, done.pgvector));
        for migration in done.applied {
            out(&format!("  {migration}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
