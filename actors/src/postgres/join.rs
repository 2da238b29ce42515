//! Using the managed PostgreSQL of another process of this user: that of the server on the same data directory.

use super::error::PostgresError;
use super::{APP, Connections, DATABASE, OWNER, bootstrap};
use std::path::{Path, PathBuf};

/// How to reach the PostgreSQL that a server keeps on this data directory.
pub fn join(data_dir: &Path) -> Result<Connections, PostgresError> {
    let nobody = || PostgresError::NobodyServes { data_dir: data_dir.to_owned() };
    let pid_file = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid")).map_err(|_| nobody())?;
    // The fifth line is where the first socket is.
    let socket_dir =
        pid_file.lines().nth(4).map(PathBuf::from).filter(|dir| dir.is_dir()).ok_or_else(nobody)?;
    Ok(Connections {
        owner: bootstrap::config(&socket_dir, OWNER, DATABASE),
        app: bootstrap::config(&socket_dir, APP, DATABASE),
        bin_dir: PathBuf::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_the_error_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = join(dir.path()).unwrap_err().to_string();
        assert!(error.contains("mcp-rag serve") && error.contains("database.url"), "{error}");
    }
}
