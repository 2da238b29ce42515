use super::{Global, out};
use crate::config::report;
use anyhow::Result;
use serde_json::json;
use std::process::ExitCode;

pub(super) fn run(global: &Global) -> Result<ExitCode> {
    let lines = report(&global.sources())?;
    if global.json {
        let object: serde_json::Map<_, _> = lines
            .into_iter()
            .map(|(key, value, source)| (key, json!({"value": value, "source": source})))
            .collect();
        out(&serde_json::to_string_pretty(&object)?);
        return Ok(ExitCode::SUCCESS);
    }
    let width = lines.iter().map(|line| line.0.len()).max().unwrap_or(0);
    for (key, value, source) in lines {
        out(&format!("{key:width$} = {value}  # {source}"));
    }
    Ok(ExitCode::SUCCESS)
}
