//! What PostgreSQL says, kept in `<data_dir>/logs/postgres.log`.
//!
//! Bounded: past 8 MiB the file becomes `postgres.log.1`, replacing the one before. The last few
//! kilobytes stay in memory for error messages. The thread ends when the last process that holds
//! the pipe ends.
use std::fs::{self, File, OpenOptions};
use std::io::{PipeReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::{Doing, PostgresError};

const MAX_FILE: u64 = 8 << 20;
const TAIL: usize = 4 << 10;

/// The last words, shared with whoever reports an unexpected end.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    fn add(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(bytes);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }

    /// At most the last five lines.
    pub(super) fn text(&self) -> String {
        let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&tail);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return "nothing".to_owned();
        }
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

/// Copies the pipe into the file on a thread of its own.
pub(super) fn follow(mut pipe: PipeReader, dir: &Path) -> Result<Tail, PostgresError> {
    fs::create_dir_all(dir).doing("creating", dir)?;
    let mut file = Rotating::open(dir.join("postgres.log"))?;
    let tail = Tail::default();
    let words = tail.clone();
    std::thread::Builder::new()
        .name("postgres-log".into())
        .spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                words.add(&buffer[..read]);
                // A full disk must not stop the reading: PostgreSQL would block on the pipe.
                let _ = file.write(&buffer[..read]);
            }
        })
        .doing("starting the log thread for", dir)?;
    Ok(tail)
}

struct Rotating {
    path: PathBuf,
    file: File,
    written: u64,
}

impl Rotating {
    fn open(path: PathBuf) -> Result<Self, PostgresError> {
        let file = Self::append(&path).doing("opening", &path)?;
        let written = file.metadata().map_or(0, |meta| meta.len());
        Ok(Self { path, file, written })
    }

    fn append(path: &Path) -> std::io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.written >= MAX_FILE {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            self.file = Self::append(&self.path)?;
            self.written = 0;
        }
        self.file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_by_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Rotating::open(dir.path().join("postgres.log")).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            log.write(&chunk).unwrap();
        }
        let sizes: Vec<u64> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size <= MAX_FILE + (1 << 20)));
    }

    #[test]
    fn the_tail_keeps_the_last_lines_only() {
        let tail = Tail::default();
        for line in 0..10_000 {
            tail.add(format!("line {line}\n").as_bytes());
        }
        assert_eq!(tail.text(), "line 9995 | line 9996 | line 9997 | line 9998 | line 9999");
    }
}
