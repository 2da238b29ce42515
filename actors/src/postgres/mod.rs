//! The managed PostgreSQL: the real server as a child process, on a private Unix socket.
//!
//! **Ownership.** Whoever holds [`ManagedPostgres`] owns the child; the process as a whole owns the
//! data directory by [`DataDirLock`], which it takes once and keeps across restarts of the child.
//!
//! **Invariants.** At most one server per data directory. A cluster exists whole or not at all. No
//! network port is opened. A commit that was acknowledged is on disk. On Linux the child ends when
//! this process ends, however it ends; elsewhere the next start ends it.
//!
//! **Overload.** `max_connections` bounds what the database admits; pools stay below it. Log files
//! are bounded. Every wait is bounded, the start's by `start_timeout_secs`.
//!
//! The [`actor`] alone knows actors: it starts a child, awaits [`ManagedPostgres::exited`]
//! and fails when it resolves, and its supervisor starts the next one, which recovers from the WAL.
mod account;
mod actor;
mod bootstrap;
mod cluster;
mod error;
mod join;
mod locate;
mod lock;
mod log;
mod machine;
mod place;
mod process;
mod remains;
mod settings;
mod socket;
mod tuning;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_postgres::Config;

pub use actor::{Connections, supervise};
pub use error::PostgresError;
pub use join::join;
pub use locate::{MIN_MAJOR, MIN_VECTOR};
pub use lock::DataDirLock;
pub use process::ExitReason;
pub use settings::PostgresSettings;

/// The database the server uses.
pub const DATABASE: &str = "mcp_rag";
/// Owns the database and runs migrations.
pub const OWNER: &str = "mcp_rag_owner";
/// Serves requests; bound by row-level security.
pub const APP: &str = "mcp_rag_app";
const SUPERUSER: &str = "postgres";

/// A PostgreSQL that accepts connections, until [`Self::exited`] resolves.
#[derive(Debug)]
pub struct ManagedPostgres {
    child: process::Child,
    socket_dir: PathBuf,
    cluster: PathBuf,
    bin_dir: PathBuf,
    major: u32,
}

/// Starts PostgreSQL on the locked data directory, making the cluster if there is none, and
/// returns once it accepts connections and has its roles and database.
///
/// # Cancel safety
/// Dropping the future shuts down a child that was already spawned; the next start is fine.
pub async fn start(
    settings: &PostgresSettings,
    lock: &DataDirLock,
) -> Result<ManagedPostgres, PostgresError> {
    settings.validate().map_err(PostgresError::Settings)?;
    let began = Instant::now();
    let limit = Duration::from_secs(settings.start_timeout_secs);
    let (settings, data_dir) = (settings.clone(), lock.data_dir().to_owned());
    // Files, initdb and waiting for left-over processes: not for an arbiter's thread.
    let prepared = tokio::task::spawn_blocking(move || prepare(&settings, &data_dir));
    let mut postgres = match prepared.await {
        Ok(prepared) => prepared?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    postgres.ready(limit).await?;
    bootstrap::run(&postgres.socket_dir).await?;
    tracing::info!(
        pid = postgres.pid(),
        major = postgres.major,
        bin_dir = %postgres.bin_dir.display(),
        cluster = %postgres.cluster.display(),
        socket_dir = %postgres.socket_dir.display(),
        elapsed_ms = began.elapsed().as_millis(),
        "PostgreSQL is ready"
    );
    Ok(postgres)
}

fn prepare(settings: &PostgresSettings, data_dir: &Path) -> Result<ManagedPostgres, PostgresError> {
    let account = account::choose(settings.run_as.as_deref(), &data_dir.join("postgres"))?;
    let account = account.as_ref();
    let found = locate::locate(settings.bin_dir.as_deref())?;
    let binaries = place::binaries(found, account)?;
    let cluster = place::cluster(data_dir, account)?;
    let socket_dir = socket::prepare(settings.socket_dir.as_deref(), data_dir, account)?;

    remains::clear(&cluster, &socket_dir, account::effective_uid(account))?;
    cluster::ensure(&cluster, &binaries, account)?;
    place::link(data_dir, &cluster)?;
    let machine = machine::measure(settings.memory_mb);
    let computed = tuning::parameters(machine, settings.max_connections);
    let fixed = process::fixed_parameters(&cluster, &socket_dir);
    cluster::configure(&cluster, &tuning::render(&computed, &fixed, &settings.parameters), account)?;

    let child = process::Child::spawn(&binaries, &cluster, &data_dir.join("logs"), account)?;
    let (bin_dir, major) = (binaries.bin_dir, binaries.major);
    Ok(ManagedPostgres { child, socket_dir, cluster, bin_dir, major })
}

impl ManagedPostgres {
    /// The server process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// PostgreSQL's major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Where `pg_dump`, `psql` and the like of this version are.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// Where the socket is: the `host` of a connection string.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Connects as the owner of the database: migrations.
    pub fn owner_config(&self) -> Config {
        bootstrap::config(&self.socket_dir, OWNER, DATABASE)
    }

    /// Connects as the role that serves requests.
    pub fn app_config(&self) -> Config {
        bootstrap::config(&self.socket_dir, APP, DATABASE)
    }

    /// Resolves when PostgreSQL ends without [`Self::stop`].
    ///
    /// # Cancel safety
    /// Yes: waiting changes nothing.
    pub async fn exited(&mut self) -> ExitReason {
        self.child.ended().await
    }

    /// Its last words, for the log line about an unexpected end.
    pub fn last_words(&self) -> String {
        self.child.tail.text()
    }

    /// A fast shutdown: open transactions are rolled back, a checkpoint is written. Past `within`
    /// it is cut short, and the next start recovers from the WAL.
    pub async fn stop(mut self, within: Duration) -> ExitReason {
        self.child.stop(within).await
    }

    /// Accepting connections is the condition; the pauses only pace the attempts.
    async fn ready(&mut self, limit: Duration) -> Result<(), PostgresError> {
        let config = bootstrap::config(&self.socket_dir, SUPERUSER, "postgres");
        let accepting = async {
            let mut pause = Duration::from_millis(5);
            while bootstrap::connect(&config).await.is_err() {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(50));
            }
        };
        let in_time = tokio::select! {
            in_time = tokio::time::timeout(limit, accepting) => in_time,
            reason = self.child.ended() => {
                // Its last lines may still be in the pipe.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err(PostgresError::EndedAtStart { reason, said: self.last_words() });
            }
        };
        if in_time.is_ok() {
            return Ok(());
        }
        let said = self.last_words();
        self.child.stop(Duration::from_secs(10)).await;
        Err(PostgresError::NotReady { seconds: limit.as_secs(), said })
    }
}
