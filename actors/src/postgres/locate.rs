//! Finding PostgreSQL's binaries, in this order:
//!
//! 1. `database.embedded.bin_dir`, where a wrong one is an error at once;
//! 2. `MCP_RAG_POSTGRES_DIR`, a directory with `bin` in it;
//! 3. `.local/postgres`, made by `scripts/setup.sh`, in the current directory or above the program;
//! 4. PostgreSQL on PATH, by `pg_config`, or where Debian puts it.
//!
//! Each must be new enough and have a new enough pgvector beside it.
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// Oldest PostgreSQL the schema works on.
pub const MIN_MAJOR: u32 = 15;
/// Oldest pgvector the searches work on (iterative scans, `halfvec`).
pub const MIN_VECTOR: &str = "0.8.4";

/// A PostgreSQL installation that will do.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) bin_dir: PathBuf,
    pub(super) major: u32,
}

pub(super) fn locate(bin_dir: Option<&Path>) -> Result<Binaries, PostgresError> {
    let mut looked_at = String::new();
    let places = bin_dir.map_or_else(places, |dir| vec![dir.to_owned()]);
    for place in places {
        match examine(&place) {
            Ok(binaries) => return Ok(binaries),
            Err(why) => {
                let _ = write!(looked_at, "\n  {}: {why}", place.display());
            }
        }
    }
    if looked_at.is_empty() {
        looked_at.push_str(" .local/postgres and PATH, where there is none");
    }
    Err(PostgresError::NoBinaries { looked_at })
}

/// Existing candidates only, so that the error lists what a person can act on.
fn places() -> Vec<PathBuf> {
    if let Some(dir) = env::var_os("MCP_RAG_POSTGRES_DIR") {
        return vec![PathBuf::from(dir).join("bin")];
    }
    let mut all = Vec::new();
    let mut add = |dir: PathBuf| {
        if dir.join("postgres").is_file() && !all.contains(&dir) {
            all.push(dir);
        }
    };
    let program = env::current_exe().ok();
    let above_program = program.iter().flat_map(|path| path.ancestors().skip(1));
    let current = env::current_dir().ok();
    for dir in current.iter().map(PathBuf::as_path).chain(above_program) {
        add(dir.join(".local/postgres/bin"));
    }
    if let Some(path) = env::var_os("PATH") {
        env::split_paths(&path).for_each(&mut add);
    }
    if let Some(dir) = ask("pg_config".as_ref(), "--bindir") {
        add(dir.into());
    }
    if let Ok(entries) = fs::read_dir("/usr/lib/postgresql") {
        let mut majors: Vec<u32> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        majors.sort_unstable_by(|a, b| b.cmp(a));
        majors.iter().for_each(|major| add(format!("/usr/lib/postgresql/{major}/bin").into()));
    }
    all
}

fn examine(bin_dir: &Path) -> Result<Binaries, String> {
    for tool in ["postgres", "initdb"] {
        if !bin_dir.join(tool).is_file() {
            return Err(format!("no {tool} here"));
        }
    }
    let said = ask(&bin_dir.join("postgres"), "--version").ok_or("postgres does not run")?;
    let major = major_version(&said).ok_or_else(|| format!("unknown version: {said}"))?;
    if major < MIN_MAJOR {
        return Err(format!("PostgreSQL {major} is older than {MIN_MAJOR}"));
    }
    let control = share_dirs(bin_dir, major)
        .into_iter()
        .find_map(|share| fs::read_to_string(share.join("extension/vector.control")).ok())
        .ok_or_else(|| format!("PostgreSQL {major} without pgvector"))?;
    let version = default_version(&control).ok_or("vector.control names no version")?;
    if numbers(version) < numbers(MIN_VECTOR) {
        return Err(format!("pgvector {version} is older than {MIN_VECTOR}"));
    }
    // The child runs with another current directory.
    let bin_dir = std::path::absolute(bin_dir).map_err(|error| error.to_string())?;
    Ok(Binaries { bin_dir, major })
}

fn share_dirs(bin_dir: &Path, major: u32) -> Vec<PathBuf> {
    let asked = ask(&bin_dir.join("pg_config"), "--sharedir").map(PathBuf::from);
    let beside = ["../share/postgresql", "../share"].map(|dir| bin_dir.join(dir));
    let debian = PathBuf::from(format!("/usr/share/postgresql/{major}"));
    asked.into_iter().chain(beside).chain([debian]).collect()
}

fn ask(program: &Path, question: &str) -> Option<String> {
    let output = Command::new(program).arg(question).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

/// From `postgres (PostgreSQL) 18.4 (Debian 18.4-1)`.
fn major_version(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL) ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn default_version(control: &str) -> Option<&str> {
    let line = control.lines().find_map(|line| line.trim().strip_prefix("default_version"))?;
    Some(line.trim_start().strip_prefix('=')?.trim().trim_matches('\''))
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_binaries_say() {
        assert_eq!(major_version("postgres (PostgreSQL) 18.4"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 16beta1 (Debian 16)"), Some(16));
        assert_eq!(major_version("nonsense"), None);
        assert_eq!(default_version("comment = 'x'\ndefault_version = '0.8.5'\n"), Some("0.8.5"));
        assert!(numbers("0.8.10") > numbers("0.8.4") && numbers("0.7.9") < numbers("0.8.4"));
    }

    #[test]
    fn a_directory_without_binaries_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let text = locate(Some(dir.path())).unwrap_err().to_string();
        assert!(text.contains("no postgres here") && text.contains("setup.sh"), "{text}");
    }
}
