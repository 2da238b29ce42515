//! Settings as they are mounted: secrets behind symbolic links that are swapped all at once, as
//! Kubernetes does it, and a folder of configuration.

use crate::support::{Builder, Server};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A folder that is to be a server's home.
pub(super) struct Mount {
    home: TempDir,
}

impl Mount {
    pub(super) fn new(secrets: &[(&str, &str)], config: &str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(home.path().join("secrets")).expect("a folder of secrets");
        fs::create_dir_all(home.path().join("config")).expect("a folder of settings");
        swap(home.path(), secrets);
        write(home.path(), config);
        Self { home }
    }

    /// Looks at the files often; all else as `builder` says.
    pub(super) fn start(self, builder: Builder) -> Server {
        builder.set("reload.interval_ms", 100).start_in(self.home)
    }

    pub(super) fn start_as_is(self, builder: Builder) -> Server {
        builder.start_in(self.home)
    }
}

/// Replaces every secret at once.
pub(super) fn swap(home: &Path, secrets: &[(&str, &str)]) {
    let dir = home.join("secrets");
    let version = format!("..{}", NEXT.fetch_add(1, Ordering::SeqCst));
    fs::create_dir(dir.join(&version)).expect("a version");
    for (name, value) in secrets {
        fs::write(dir.join(&version).join(name), value).expect("a secret");
        let link = dir.join(name);
        if !link.is_symlink() {
            symlink(PathBuf::from("..data").join(name), link).expect("a link");
        }
    }
    symlink(&version, dir.join("..next")).expect("a link");
    fs::rename(dir.join("..next"), dir.join("..data")).expect("the swap");
}

/// `default.toml` of the configuration folder, replaced as an editor does it.
pub(super) fn write(home: &Path, config: &str) {
    let dir = home.join("config");
    fs::write(dir.join("new"), config).expect("a file");
    fs::rename(dir.join("new"), dir.join("default.toml")).expect("the rename");
}
