use anyhow::{Context, Result, bail};
use mcp_rag_text::parse::MediaType;
use std::path::{Path, PathBuf};

/// Folders nested deeper than this are a mistake, such as a loop of links.
const MAX_DEPTH: usize = 64;

/// The ingestible files behind paths, folders and glob patterns, each once, in order.
pub(super) fn files(paths: &[String]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for given in paths {
        let path = Path::new(given);
        if path.is_dir() {
            folder(path, 0, &mut found)?;
        } else if path.exists() {
            // Named by hand: an unknown ending is an error rather than skipped.
            MediaType::from_path(path).map_err(|error| anyhow::anyhow!("{given}: {error}"))?;
            found.push(path.to_owned());
        } else {
            let before = found.len();
            for matched in glob::glob(given).with_context(|| format!("{given} is not a pattern"))? {
                let matched = matched?;
                if matched.is_dir() {
                    folder(&matched, 0, &mut found)?;
                } else if MediaType::from_path(&matched).is_ok() {
                    found.push(matched);
                }
            }
            if found.len() == before {
                bail!("{given}: no such file, folder or pattern with files that can be ingested");
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Hidden files and folders are left out, as are links, which may lead anywhere.
fn folder(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if depth > MAX_DEPTH {
        bail!("{} is nested too deeply", path.display());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            folder(&entry.path(), depth + 1, found)?;
        } else if kind.is_file() && MediaType::from_path(&entry.path()).is_ok() {
            found.push(entry.path());
        }
    }
    Ok(())
}
