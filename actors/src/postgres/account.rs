//! Who PostgreSQL runs as. It refuses to run as root, so a root server hands it to another user.
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use nix::unistd::{Uid, User, geteuid};

use super::error::{Doing, PostgresError};

/// An unprivileged user; only present when this process is root.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
}

/// The user id PostgreSQL will run under, given the account, if any.
pub(super) fn effective_uid(account: Option<&Account>) -> u32 {
    account.map_or_else(|| geteuid().as_raw(), |account| account.uid)
}

/// In this order: the configured user, the owner of the existing cluster, `postgres`, `nobody`.
/// `None` when this process is not root, because then the child simply runs as we do.
pub(super) fn choose(run_as: Option<&str>, cluster: &Path) -> Result<Option<Account>, PostgresError> {
    let owner = fs::metadata(cluster).ok().map(|meta| meta.uid());
    if !geteuid().is_root() {
        return match owner {
            Some(owner) if owner != geteuid().as_raw() => {
                Err(PostgresError::Owner { path: cluster.to_owned(), owner })
            }
            _ => Ok(None),
        };
    }
    let refuse = |text: String| PostgresError::Account { text };
    if let Some(name) = run_as {
        let account = named(name).ok_or_else(|| {
            refuse(format!("database.embedded.run_as: there is no user {name} on this machine"))
        })?;
        if account.uid == 0 {
            return Err(refuse("database.embedded.run_as: PostgreSQL refuses to run as root".into()));
        }
        return Ok(Some(account));
    }
    if let Some(owner) = owner.filter(|owner| *owner != 0) {
        let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
        let gid = fs::metadata(cluster).map_or(owner, |meta| meta.gid());
        return Ok(Some(user.map_or(Account { uid: owner, gid, name: owner.to_string() }, account)));
    }
    ["postgres", "nobody"].into_iter().find_map(named).map(Some).ok_or_else(|| {
        refuse(
            "running as root, and neither user postgres nor nobody exists for PostgreSQL to run as: \
             set database.embedded.run_as"
                .into(),
        )
    })
}

fn named(name: &str) -> Option<Account> {
    User::from_name(name).ok().flatten().map(account)
}

fn account(user: User) -> Account {
    Account { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name }
}

impl Account {
    /// Whether this user can reach `path`: every directory on the way lets it through.
    /// Access control lists are not read, so the answer errs on the side of "no".
    pub(super) fn can_reach(&self, path: &Path) -> bool {
        path.ancestors().all(|step| {
            fs::metadata(step).is_ok_and(|meta| {
                let bits = match () {
                    () if meta.uid() == self.uid => meta.mode() >> 6,
                    () if meta.gid() == self.gid => meta.mode() >> 3,
                    () => meta.mode(),
                };
                bits & 0o1 != 0
            })
        })
    }

    /// Hands over one directory or file.
    pub(super) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        chown(path, Some(self.uid), Some(self.gid)).doing("changing the owner of", path)
    }

    /// Hands over a cluster made under another user. Symbolic links (tablespaces) are not followed.
    pub(super) fn own_tree(&self, path: &Path) -> Result<(), PostgresError> {
        let meta = fs::symlink_metadata(path).doing("reading", path)?;
        if meta.is_symlink() || meta.uid() == self.uid && !meta.is_dir() {
            return Ok(());
        }
        self.own(path)?;
        if meta.is_dir() {
            for entry in fs::read_dir(path).doing("reading", path)? {
                self.own_tree(&entry.doing("reading", path)?.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_closed_to_others_is_out_of_reach() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        let stranger = Account { uid: 4_000_000, gid: 4_000_000, name: "stranger".into() };
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(stranger.can_reach(&inner));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.can_reach(&inner));
    }
}
