//! A wall clock that can be moved: a small library, loaded before libc's, adds an offset that is read
//! from a file. Monotonic clocks stay true, as they do when a real machine's time is set.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SOURCE: &str = include_str!("clock.c");

pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// Needs a C compiler, as building this project does.
    pub(super) fn build(home: &Path) -> Result<Self> {
        let (source, library, offset) = (home.join("clock.c"), home.join("clock.so"), home.join("offset"));
        fs::write(&source, SOURCE)?;
        fs::write(&offset, "0\n")?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let output = compiler.output().context("cc does not run")?;
        ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { library, offset })
    }

    pub(super) fn envs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("CHAOS_CLOCK", self.offset.display().to_string()),
        ]
    }

    /// The server's time is the true one and so many seconds more, or less. Holds for its children too.
    pub async fn jump(&self, seconds: i64) -> Result<()> {
        fs::write(&self.offset, format!("{seconds}\n"))?;
        // Each process looks every 50 ms.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    }
}
