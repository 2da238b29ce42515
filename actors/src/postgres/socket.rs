//! The directory of the Unix socket: the only way in, so it is private (0700).
//!
//! A socket's path holds 107 bytes at most (103 on macOS), which a deep data directory exceeds.
//! The first of these that fits is taken: `<data_dir>/run`, `$XDG_RUNTIME_DIR/mcp-rag-<id>`,
//! `/tmp/mcp-rag-<uid>-<id>`.
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::account::{Account, effective_uid};
use super::error::{Doing, PostgresError};
use super::place;

const MAX_PATH: usize = if cfg!(target_os = "macos") { 103 } else { 107 };
pub(super) const PORT: u16 = 5432;

/// Chooses, makes and checks the directory.
pub(super) fn prepare(
    configured: Option<&Path>,
    data_dir: &Path,
    account: Option<&Account>,
) -> Result<PathBuf, PostgresError> {
    let uid = effective_uid(account);
    let dir = match configured {
        Some(dir) if fits(dir) => dir.to_owned(),
        Some(dir) => {
            return Err(PostgresError::Settings(format!(
                "socket_dir {} is too long for a Unix socket ({MAX_PATH} bytes with the socket's name)",
                dir.display()
            )));
        }
        None => candidates(data_dir, uid)
            .into_iter()
            .find(|dir| fits(dir) && account.is_none_or(|account| reachable(account, dir)))
            .unwrap_or_else(|| temporary(data_dir, uid)),
    };
    make_private(&dir, uid, account)?;
    Ok(dir)
}

fn candidates(data_dir: &Path, uid: u32) -> Vec<PathBuf> {
    let mut all = vec![data_dir.join("run")];
    // Somebody else's runtime directory is no place for a root server's child.
    if let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
        && fs::metadata(&runtime).is_ok_and(|meta| meta.is_dir() && meta.uid() == uid)
    {
        all.push(runtime.join(format!("mcp-rag-{}", place::id(data_dir))));
    }
    all.push(temporary(data_dir, uid));
    all
}

fn temporary(data_dir: &Path, uid: u32) -> PathBuf {
    Path::new("/tmp").join(format!("mcp-rag-{uid}-{}", place::id(data_dir)))
}

fn reachable(account: &Account, dir: &Path) -> bool {
    dir.parent().is_some_and(|parent| account.can_reach(parent))
}

fn fits(dir: &Path) -> bool {
    dir.as_os_str().len() + "/.s.PGSQL.5432".len() <= MAX_PATH
}

/// `/tmp` is everybody's: an existing directory is only used if it is a real one and ours.
fn make_private(dir: &Path, uid: u32, account: Option<&Account>) -> Result<(), PostgresError> {
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            if let Some(account) = account {
                account.own(dir)?;
            }
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).doing("creating", dir),
    }
    let meta = fs::symlink_metadata(dir).doing("reading", dir)?;
    if !meta.is_dir() {
        return Err(PostgresError::Settings(format!("{} is not a directory: remove it", dir.display())));
    }
    if meta.uid() != uid {
        // Left by a run as root before PostgreSQL's user was chosen differently.
        match account {
            Some(account) if !dir.starts_with("/tmp") => account.own(dir)?,
            _ => return Err(PostgresError::Owner { path: dir.to_owned(), owner: meta.uid() }),
        }
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).doing("closing", dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_data_directory_gets_a_short_private_socket_directory() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let dir = prepare(None, &deep, None).unwrap();
        assert!(fits(&dir), "{}", dir.display());
        assert!(!dir.starts_with(&deep));
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        fs::remove_dir(&dir).unwrap();
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", root.path().join("run")).unwrap();
        assert!(prepare(None, root.path(), None).is_err());
    }

    #[test]
    fn a_configured_directory_that_is_too_long_is_an_error() {
        let long = PathBuf::from("/tmp").join("s".repeat(110));
        assert!(prepare(Some(&long), Path::new("/tmp"), None).is_err());
    }
}
