//! The cluster on disk: made once, checked and configured at every start.
//!
//! `initdb` works in a sibling directory that is renamed into place when complete, so that a
//! cluster either exists whole or not at all. The caller holds the data directory's lock.
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::account::{Account, effective_uid};
use super::error::{Doing, PostgresError};
use super::locate::Binaries;
use super::{SUPERUSER, place};

/// The first locale the C library knows is taken. Text is UTF-8 throughout; the locale only
/// decides what counts as a letter in full-text parsing.
const LOCALES: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "C"];
const HALF_MADE: &str = ".postgres-initdb-";
/// The socket's directory is private, so whoever reaches the socket may come in.
const ACCESS: &str = "# Written by mcp-rag at every start.\nlocal all all trust\n";

/// Makes the cluster if there is none, and refuses one that is not these binaries'.
pub(super) fn ensure(
    cluster: &Path,
    binaries: &Binaries,
    account: Option<&Account>,
) -> Result<(), PostgresError> {
    sweep(cluster)?;
    if !cluster.exists() {
        let started = std::time::Instant::now();
        create(cluster, binaries, account)?;
        tracing::info!(
            cluster = %cluster.display(),
            major = binaries.major,
            elapsed_ms = started.elapsed().as_millis(),
            "made a new PostgreSQL cluster"
        );
    }
    check(cluster, binaries)?;
    let owner = fs::metadata(cluster).doing("reading", cluster)?.uid();
    match account {
        Some(account) if owner != account.uid => account.own_tree(cluster),
        None if owner != effective_uid(None) => Err(PostgresError::Owner { path: cluster.to_owned(), owner }),
        _ => Ok(()),
    }
}

/// Writes `postgresql.conf` and `pg_hba.conf`, each whole.
pub(super) fn configure(
    cluster: &Path,
    parameters: &str,
    account: Option<&Account>,
) -> Result<(), PostgresError> {
    for (name, text) in [("postgresql.conf", parameters), ("pg_hba.conf", ACCESS)] {
        let path = cluster.join(name);
        let new = cluster.join(format!("{name}.new"));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .doing("writing", &new)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).doing("writing", &new)?;
        if let Some(account) = account {
            account.own(&new)?;
        }
        fs::rename(&new, &path).doing("renaming", &new)?;
    }
    Ok(())
}

/// The environment and user PostgreSQL's programs run with. Nothing of ours is inherited: the
/// environment may hold secrets, and `PG*` variables would change what the programs do.
pub(super) fn command(program: &Path, cwd: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(cwd).env_clear().stdin(Stdio::null());
    for kept in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.env("TZ", "UTC");
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}

fn check(cluster: &Path, binaries: &Binaries) -> Result<(), PostgresError> {
    let found = fs::read_to_string(cluster.join("PG_VERSION"))
        .map_err(|_| PostgresError::NotACluster { path: cluster.to_owned() })?;
    let found = found.trim();
    if found == binaries.major.to_string() {
        return Ok(());
    }
    Err(PostgresError::MajorVersion {
        cluster: cluster.to_owned(),
        found: found.to_owned(),
        expected: binaries.major,
        bin_dir: binaries.bin_dir.clone(),
    })
}

fn create(cluster: &Path, binaries: &Binaries, account: Option<&Account>) -> Result<(), PostgresError> {
    let parent = cluster.parent().unwrap_or(Path::new("/"));
    let half = parent.join(format!("{HALF_MADE}{}", std::process::id()));
    let mut said = String::new();
    for locale in LOCALES {
        fs::DirBuilder::new().mode(0o700).create(&half).doing("creating", &half)?;
        if let Some(account) = account {
            account.own(&half)?;
        }
        let mut initdb = command(&binaries.bin_dir.join("initdb"), &half, account);
        initdb.arg("--pgdata").arg(&half).args([
            "--username",
            SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--data-checksums",
            "--no-instructions",
            "--lc-messages=C",
        ]);
        initdb.arg(format!("--locale={locale}"));
        if binaries.major >= 17 {
            // Sorting and case that depend on no library: an upgraded libc cannot corrupt an index.
            initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
        }
        let output = initdb.output().doing("running initdb in", &half)?;
        if output.status.success() {
            fs::rename(&half, cluster).doing("renaming", &half)?;
            // The rename itself must survive a power cut.
            return fs::File::open(parent).and_then(|dir| dir.sync_all()).doing("syncing", parent);
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        fs::remove_dir_all(&half).doing("removing", &half)?;
        if !said.contains("locale") {
            break;
        }
    }
    Err(PostgresError::Initdb { said })
}

/// Removes what a killed `initdb` left. We hold the lock, so nobody is working there.
fn sweep(cluster: &Path) -> Result<(), PostgresError> {
    let Some(parent) = cluster.parent() else { return Ok(()) };
    for entry in fs::read_dir(parent).doing("reading", parent)? {
        let entry = entry.doing("reading", parent)?;
        if entry.file_name().as_encoded_bytes().starts_with(HALF_MADE.as_bytes()) {
            fs::remove_dir_all(entry.path()).doing("removing", &entry.path())?;
        }
    }
    Ok(())
}

/// What the cluster calls itself in process titles, so that its processes can be told apart.
pub(super) fn name(cluster: &Path) -> String {
    format!("mcp-rag-{}", place::id(cluster))
}
