//! A cluster that is made and migrated once for a build, and copied for each server: most of a first start is spent on
//! that. What a server itself does at its first start is done by each.

use super::binary;
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

/// Puts a copy where a server of this home looks for its cluster.
pub(super) fn furnish(home: &Path) {
    open(home);
    let data = home.join("data");
    fs::DirBuilder::new().mode(0o700).create(&data).expect("a directory for the data");
    copy(&template(), &data.join("postgres"));
}

/// PostgreSQL's user passes through to what is its own.
fn open(home: &Path) {
    fs::set_permissions(home, fs::Permissions::from_mode(0o711)).expect("a home that can be passed");
}

/// The one of this build, made by whichever test comes first.
fn template() -> PathBuf {
    let built = fs::metadata(env!("CARGO_BIN_EXE_mcp-rag")).and_then(|binary| binary.modified());
    let built = built.expect("the binary").duration_since(UNIX_EPOCH).expect("a time").as_nanos();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clusters");
    let template = all.join(built.to_string());
    fs::create_dir_all(&all).expect("a directory for clusters");
    let lock = File::create(all.join("lock")).expect("a lock");
    lock.lock().expect("the lock");
    if !template.exists() {
        forget(&all);
        let home = tempfile::tempdir().expect("a home");
        open(home.path());
        let mut migrate = binary(home.path());
        let made = migrate.arg("migrate").stdout(Stdio::null()).stderr(Stdio::inherit()).status();
        assert!(made.expect("the binary runs").success(), "no cluster to copy");
        let half = all.join("half");
        copy(&home.path().join("data/postgres").canonicalize().expect("a cluster"), &half);
        fs::rename(half, &template).expect("a template");
    }
    template
}

/// Those of earlier builds, and what a test that was ended left half made.
fn forget(all: &Path) {
    for old in fs::read_dir(all).expect("the clusters").flatten().filter(|old| old.path().is_dir()) {
        fs::remove_dir_all(old.path()).expect("an old cluster goes");
    }
}

/// With owners, modes and times.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(copied.success(), "{} was not copied", from.display());
}
