//! Where the cluster and the binaries really lie.
//!
//! Normally the cluster is `<data_dir>/postgres` and the binaries are used where they were found.
//! A server started as root from a place closed to other users (`/root` is 0700) is different: the
//! unprivileged user PostgreSQL runs as could not get there. The data directory itself is ours to
//! open for that user's group. Somebody's home directory is not, so the cluster then lies in
//! `/var/lib/mcp-rag/<id>/postgres`, with a symbolic link from `<data_dir>/postgres` once it is
//! complete, and the binaries are copied beside it.
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::{Doing, PostgresError};
use super::locate::Binaries;

const SHELTER: &str = "/var/lib/mcp-rag";

/// The cluster's directory; not made yet, perhaps. The parent is.
pub(super) fn cluster(data_dir: &Path, account: Option<&Account>) -> Result<PathBuf, PostgresError> {
    let usual = data_dir.join("postgres");
    if usual.is_symlink() {
        // Never made anew: whoever removed the target should know that its data are gone.
        return usual.canonicalize().doing("following the link to the cluster", &usual);
    }
    if let Some(account) = account {
        open_for(account, data_dir)?;
    }
    match account {
        Some(account) if !usual.exists() && !account.can_reach(data_dir) => {
            let shelter = Path::new(SHELTER).join(id(data_dir));
            make_public_dir(&shelter)?;
            if !account.can_reach(&shelter) {
                return Err(unreachable(account, data_dir));
            }
            tracing::warn!(
                data_dir = %data_dir.display(),
                cluster = %shelter.join("postgres").display(),
                user = account.name,
                "PostgreSQL's user cannot reach the data directory; the cluster lies elsewhere"
            );
            Ok(shelter.join("postgres"))
        }
        Some(account) if !account.can_reach(data_dir) => Err(unreachable(account, data_dir)),
        _ => Ok(usual),
    }
}

/// Leaves the link in the data directory when the cluster lies elsewhere.
pub(super) fn link(data_dir: &Path, cluster: &Path) -> Result<(), PostgresError> {
    let usual = data_dir.join("postgres");
    if usual == cluster || usual.is_symlink() {
        return Ok(());
    }
    symlink(cluster, &usual).doing("linking", &usual)
}

/// Binaries the account can run: the ones found, or a copy of them.
pub(super) fn binaries(found: Binaries, account: Option<&Account>) -> Result<Binaries, PostgresError> {
    let Some(account) = account else { return Ok(found) };
    let real = found.bin_dir.canonicalize().doing("resolving", &found.bin_dir)?;
    if account.can_reach(&real) {
        return Ok(found);
    }
    let refuse = || unreachable(account, &found.bin_dir);
    // An installation of its own directory, as the set-up script makes it, and nothing bigger.
    let install = found.bin_dir.parent().filter(|dir| dir.join("share").exists()).ok_or_else(refuse)?;
    let stamp = fs::read_to_string(install.join(".stamp")).unwrap_or_default();
    let name = id(Path::new(&format!("{}\n{stamp}", real.display())));
    let copy = Path::new(SHELTER).join("bin").join(name);
    if !copy.exists() {
        make_public_dir(&Path::new(SHELTER).join("bin"))?;
        let half = copy.with_extension(std::process::id().to_string());
        copy_tree(install, &half)?;
        fs::rename(&half, &copy).doing("renaming", &half)?;
        tracing::info!(copy = %copy.display(), "copied PostgreSQL to where its user can run it");
    }
    if !account.can_reach(&copy) {
        return Err(refuse());
    }
    Ok(Binaries { bin_dir: copy.join("bin"), ..found })
}

/// 0700 root:root becomes 0710 root:<group>: PostgreSQL's user may pass through, nobody may look.
fn open_for(account: &Account, data_dir: &Path) -> Result<(), PostgresError> {
    let meta = fs::metadata(data_dir).doing("reading", data_dir)?;
    let parent = data_dir.parent().unwrap_or(data_dir);
    if meta.uid() != 0 || meta.mode() & 0o077 != 0 || !account.can_reach(parent) {
        return Ok(());
    }
    chown(data_dir, None, Some(account.gid)).doing("changing the group of", data_dir)?;
    let mode = fs::Permissions::from_mode(meta.mode() & 0o7700 | 0o010);
    fs::set_permissions(data_dir, mode).doing("opening", data_dir)
}

fn unreachable(account: &Account, path: &Path) -> PostgresError {
    PostgresError::Account {
        text: format!(
            "running as root, PostgreSQL runs as user {}, which cannot reach {}: choose a \
             directory other users may enter (such as /var/lib/mcp-rag), run as a normal user, or \
             set database.embedded.run_as",
            account.name,
            path.display()
        ),
    }
}

fn make_public_dir(dir: &Path) -> Result<(), PostgresError> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).doing("creating", dir)
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), PostgresError> {
    let meta = fs::symlink_metadata(from).doing("reading", from)?;
    if meta.is_symlink() {
        let target = fs::read_link(from).doing("reading", from)?;
        return symlink(target, to).doing("linking", to);
    }
    if !meta.is_dir() {
        return fs::copy(from, to).map(drop).doing("copying", from);
    }
    make_public_dir(to)?;
    for entry in fs::read_dir(from).doing("reading", from)? {
        let entry = entry.doing("reading", from)?;
        copy_tree(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// A short name for a path, the same for ever (FNV-1a): it ends up in file names.
pub(super) fn id(path: &Path) -> String {
    let hash = path.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_path_never_changes() {
        assert_eq!(id(Path::new("")), "cbf29ce484222325");
        assert_eq!(id(Path::new("a")), "af63dc4c8601ec8c");
    }

    #[test]
    fn without_another_account_the_cluster_lies_in_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(cluster(dir.path(), None).unwrap(), dir.path().join("postgres"));
    }

    #[test]
    fn a_link_to_a_vanished_cluster_is_an_error_and_not_a_fresh_start() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/nowhere/at/all", dir.path().join("postgres")).unwrap();
        assert!(cluster(dir.path(), None).is_err());
    }
}
