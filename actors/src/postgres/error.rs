//! What can keep the managed PostgreSQL from running, each with its remedy.
use std::path::{Path, PathBuf};

/// Shown to the person who starts the server: cause first, then what to do.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error("database.embedded: {0}")]
    Settings(String),

    #[error(
        "another mcp-rag (pid {pid}) is using the data directory {data_dir}: stop it, or give this \
         one its own data_dir"
    )]
    DataDirInUse { data_dir: PathBuf, pid: String },

    #[error(
        "no server keeps a PostgreSQL on the data directory {data_dir}: start `mcp-rag serve` on it first, \
         or set database.url to a running server"
    )]
    NobodyServes { data_dir: PathBuf },

    #[error(
        "no usable PostgreSQL found: run scripts/setup.sh, or set database.embedded.bin_dir to a \
         PostgreSQL {min_major} or newer with pgvector {min_vector} or newer, or set database.url \
         to a running server. Looked at:{looked_at}",
        min_major = super::locate::MIN_MAJOR,
        min_vector = super::locate::MIN_VECTOR
    )]
    NoBinaries { looked_at: String },

    #[error(
        "the cluster in {cluster} was made by PostgreSQL {found}, the binaries in {bin_dir} are \
         {expected}: set database.embedded.bin_dir to PostgreSQL {found}'s, or carry the data over \
         with pg_dump or pg_upgrade, or move {cluster} away to start afresh"
    )]
    MajorVersion { cluster: PathBuf, found: String, expected: u32, bin_dir: PathBuf },

    #[error(
        "{path} exists but is not a PostgreSQL cluster (no PG_VERSION): move it away, or choose \
         another data_dir"
    )]
    NotACluster { path: PathBuf },

    #[error(
        "{path} belongs to user id {owner}, not to this user: run as its owner or as root, or change its owner"
    )]
    Owner { path: PathBuf, owner: u32 },

    #[error("{text}")]
    Account { text: String },

    #[error(
        "a PostgreSQL server (pid {pid}) left over from an earlier run still uses {cluster} and \
         does not stop: end process {pid}, then start again"
    )]
    LeftOver { cluster: PathBuf, pid: u32 },

    #[error("initdb failed: {said}")]
    Initdb { said: String },

    #[error("PostgreSQL ended while starting ({reason}); it said: {said}")]
    EndedAtStart { reason: super::ExitReason, said: String },

    #[error(
        "PostgreSQL did not accept connections within {seconds} s (raise \
         database.embedded.start_timeout_secs if it is recovering a long WAL); it said: {said}"
    )]
    NotReady { seconds: u64, said: String },

    #[error("preparing roles and database: {0}")]
    Bootstrap(#[from] tokio_postgres::Error),

    #[error("{doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
}

/// Adds what was being done, and to which path, to an I/O error.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, PostgresError>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, PostgresError> {
        self.map_err(|source| PostgresError::Io { doing, path: path.to_owned(), source })
    }
}

impl<T> Doing<T> for nix::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, PostgresError> {
        self.map_err(std::io::Error::from).doing(doing, path)
    }
}
