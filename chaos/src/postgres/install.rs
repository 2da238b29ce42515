//! A PostgreSQL installation of our own and the programs in it.

use crate::tls::Pair;
use crate::workspace;
use nix::unistd::Uid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Removed with everything in it when the last cluster that runs from it is gone.
pub(super) struct Install {
    home: TempDir,
    account: Option<(u32, u32)>,
}

impl Install {
    pub(super) fn copy() -> Self {
        let own = || workspace().join(".local/postgres");
        Self::copy_of(&std::env::var_os("MCP_RAG_POSTGRES_DIR").map_or_else(own, PathBuf::from))
    }

    /// The one that was built with TLS: `scripts/setup-tls.sh` brings it.
    pub(super) fn copy_with_tls() -> Self {
        Self::copy_of(&workspace().join(".local/postgres-tls"))
    }

    fn copy_of(from: &Path) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("its rights");
        run(Command::new("cp").arg("-a").arg(from).arg(home.path().join("install")));
        let install = Self { account: account(), home };
        install.folder("run");
        install
    }

    /// A new folder that PostgreSQL's user owns.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::create_dir(&path).expect("a folder");
        if let Some((uid, gid)) = self.account {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).expect("its owner");
        }
        path
    }

    /// Certificate and key as PostgreSQL wants them.
    pub(super) fn keep(&self, pair: &Pair) {
        pair.copy_to(self.home.path(), self.account);
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Of both PostgreSQL's sockets and its programs' working files.
    pub(super) fn run_dir(&self) -> PathBuf {
        self.path("run")
    }

    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.home.path().join("install/bin").join(name));
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.run_dir()).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }
}

pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// PostgreSQL refuses to run as root: another user then, `postgres` or else `nobody`.
fn account() -> Option<(u32, u32)> {
    if !Uid::effective().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users of this machine");
    ["postgres", "nobody"].into_iter().find_map(|name| {
        let user = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = user.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}
