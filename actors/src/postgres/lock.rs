//! One server per data directory.
//!
//! An exclusive `flock` on `<data_dir>/mcp-rag.lock`, held for the life of the process. The kernel
//! releases it however the process ends, so there is no stale lock to clear; the file stays, since
//! removing it would let two processes lock two different files of that name. Child processes do
//! not inherit it (close-on-exec).
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::{Doing, PostgresError};

/// Proof that no other mcp-rag uses this data directory.
#[derive(Debug)]
pub struct DataDirLock {
    data_dir: PathBuf,
    _file: Flock<File>,
}

impl DataDirLock {
    /// Creates the directory if need be and locks it, or says at once who holds it.
    pub fn acquire(data_dir: &Path) -> Result<Self, PostgresError> {
        fs::create_dir_all(data_dir).doing("creating", data_dir)?;
        // Absolute from here on: the child runs with another current directory.
        let data_dir = data_dir.canonicalize().doing("resolving", data_dir)?;
        let path = data_dir.join("mcp-rag.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .doing("opening", &path)?;
        let mut holder = String::new();
        (&mut file).take(32).read_to_string(&mut holder).doing("reading", &path)?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => {
                let pid = match holder.trim() {
                    "" => "unknown".to_owned(),
                    pid => pid.to_owned(),
                };
                return Err(PostgresError::DataDirInUse { data_dir, pid });
            }
            Err((_, errno)) => return Err(errno).doing("locking", &path),
        };
        // The content only serves the error message above.
        file.set_len(0).doing("writing", &path)?;
        std::io::Seek::rewind(&mut *file).doing("writing", &path)?;
        writeln!(file, "{}", std::process::id()).doing("writing", &path)?;
        Ok(Self { data_dir, _file: file })
    }

    /// The locked directory, absolute and without symbolic links.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_first_ones_pid_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirLock::acquire(dir.path()).unwrap();
        let refused = DataDirLock::acquire(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        assert!(refused.contains("data_dir"), "{refused}");
        drop(first);
        DataDirLock::acquire(dir.path()).unwrap();
    }
}
