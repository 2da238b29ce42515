//! A document as the parsers read it: `convert FILE`.

use mcp_rag_text::parse::{MediaType, ParseLimits, parse};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        println!("usage: convert FILE");
        return ExitCode::FAILURE;
    };
    let converted = MediaType::from_path(&path).map_err(|error| error.to_string()).and_then(|media_type| {
        let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
        parse(&bytes, media_type, &ParseLimits::default()).map_err(|error| error.to_string())
    });
    match converted {
        Ok(parsed) => {
            println!("{}", parsed.text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
