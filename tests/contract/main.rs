//! The OpenAPI document against a real server: a fuzzer that believes every word of it, clients generated from it, and
//! the snippets of docs/CLIENTS.md (`scripts/setup-contract.sh` installs what they need).

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what only other tests use")]
mod support;

mod clients;
mod fuzz;
mod page;

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const TOKEN: &str = "contract-test-5d1f0a9c";

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Something that `scripts/setup-contract.sh` has installed.
fn installed(what: &str) -> PathBuf {
    let path = checkout().join(".local/contract").join(what);
    assert!(path.exists(), "run scripts/setup-contract.sh first: {} is missing", path.display());
    path
}

/// Runs a command to its end: what it printed. All of it is shown when it fails.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{:?} ended with {}\n{said}{}",
        command.get_program(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
