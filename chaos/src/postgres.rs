//! Throw-away PostgreSQL clusters, with standbys, that fail as they are told.
//!
//! Every cluster runs from an installation of its own, so that its extension files may be changed too;
//! a standby shares its primary's. Calls block, may be made from any thread, an async one included, and
//! panic when PostgreSQL does not do what it is told within [`PATIENCE`]. Dropping a cluster ends it,
//! also a frozen one.

mod install;
mod lock;
mod process;

use crate::tls::Pair;
use install::{Install, run};
pub use lock::Lock;
use nix::sys::signal::Signal;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::{Config, NoTls, Row};

const SUPERUSER: &str = "postgres";
const PASSWORD: &str = "superuser's own";
/// How long PostgreSQL may take for anything asked of it here.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One PostgreSQL server over one data directory: a primary or a standby.
pub struct Cluster {
    install: Arc<Install>,
    name: String,
    port: u16,
    standbys: AtomicU32,
    child: Mutex<Option<Child>>,
}

impl Cluster {
    /// A new cluster that answers.
    #[must_use]
    pub fn start() -> Self {
        Self::new(Install::copy())
    }

    /// One that offers TLS with this certificate, and insists on it over TCP where `only`.
    #[must_use]
    pub fn with_tls(pair: &Pair, clients: Option<&Path>, only: bool) -> Self {
        let cluster = Self::new(Install::copy_with_tls());
        cluster.install.keep(pair);
        let file = |name: &str| cluster.install.path(name).display().to_string();
        cluster.set("ssl_cert_file", &file("server.crt"));
        cluster.set("ssl_key_file", &file("server.key"));
        if let Some(clients) = clients {
            fs::copy(clients, cluster.install.path("clients.crt")).expect("a copy");
            cluster.set("ssl_ca_file", &file("clients.crt"));
        }
        cluster.set("ssl", "on");
        if only {
            let shown = if clients.is_some() { " clientcert=verify-ca" } else { "" };
            let rules = format!("local all all scram-sha-256\nhostssl all all all scram-sha-256{shown}\n");
            fs::write(cluster.install.path("run/primary/pg_hba.conf"), rules).expect("its rules");
        }
        cluster.restart();
        cluster
    }

    fn new(install: Install) -> Self {
        let install = Arc::new(install);
        fs::write(install.path("password"), PASSWORD).expect("a password file");
        let mut initdb = install.program("initdb");
        initdb.args(["-D", "primary", "-U", SUPERUSER, "--pwfile", "../password", "-A", "scram-sha-256"]);
        run(initdb.args(["-E", "UTF8", "--no-locale", "--no-sync"]));
        Self::over(install, "primary")
    }

    /// A standby that streams from this cluster and answers reads. Other standbys may be made of it in
    /// turn, and of this cluster.
    #[must_use]
    pub fn standby(&self) -> Self {
        let number = self.standbys.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{}_standby{number}", self.name);
        let mut copy = self.install.program("pg_basebackup");
        copy.args(["-D", &name, "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", SUPERUSER]);
        copy.args(["-R", "-C", "-S", &name, "--checkpoint=fast", "--no-sync"]);
        run(copy.env("PGPASSWORD", PASSWORD));
        let standby = Self::over(Arc::clone(&self.install), &name);
        let streams = format!("SELECT 1 FROM pg_replication_slots WHERE slot_name = '{name}' AND active");
        await_that("the standby streams", || {
            self.rows("postgres", &streams).is_ok_and(|rows| !rows.is_empty())
        });
        standby
    }

    fn over(install: Arc<Install>, name: &str) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr()).expect("a port").port();
        let cluster = Self {
            install,
            name: name.to_owned(),
            port,
            standbys: AtomicU32::new(0),
            child: Mutex::new(None),
        };
        cluster.restart();
        cluster
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As superuser over the Unix socket.
    #[must_use]
    pub fn superuser(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.install.run_dir()).port(self.port).dbname(database);
        config.user(SUPERUSER).password(PASSWORD).connect_timeout(Duration::from_secs(5));
        config
    }

    /// One statement as superuser.
    pub fn rows(&self, database: &str, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        rows(&self.superuser(database), sql)
    }

    /// One statement as superuser that must succeed.
    pub fn run(&self, database: &str, sql: &str) {
        self.rows(database, sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The superuser's connection string over the Unix socket, in the notation of words.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let password = PASSWORD.replace('\'', "\\'");
        let host = self.install.run_dir();
        format!(
            "host={} port={} user={SUPERUSER} password='{password}' dbname={database}",
            host.display(),
            self.port
        )
    }

    #[must_use]
    pub fn tcp_url(&self, user: &str, password: &str, database: &str) -> String {
        tcp_url(&[self], user, password, database)
    }

    /// The superuser's connection string over TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.tcp_url(SUPERUSER, PASSWORD, database)
    }

    /// The superuser's connection string that names several clusters, in this order.
    #[must_use]
    pub fn url_of_all(clusters: &[&Self], database: &str) -> String {
        tcp_url(clusters, SUPERUSER, PASSWORD, database)
    }

    #[must_use]
    pub fn extension_file(&self, name: &str) -> PathBuf {
        self.install.path("install/share/postgresql/extension").join(name)
    }

    /// What the server wrote.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.install.path(&format!("{}.log", self.name))).unwrap_or_default()
    }

    /// Sets a parameter for good and tells the server; some need a [`Self::restart`] besides.
    pub fn set(&self, parameter: &str, value: &str) {
        self.run("postgres", &format!("ALTER SYSTEM SET {parameter} = '{}'", value.replace('\'', "''")));
        self.run("postgres", "SELECT pg_reload_conf()");
    }

    /// New transactions may not write, unless they insist.
    pub fn read_only(&self, on: bool) {
        self.set("default_transaction_read_only", if on { "on" } else { "off" });
        let wanted = format!("SELECT current_setting('default_transaction_read_only')::bool = {on}");
        await_that("the setting holds", || {
            self.rows("postgres", &wanted).is_ok_and(|rows| rows[0].get::<_, bool>(0))
        });
    }

    /// Every commit waits until a standby has applied it.
    pub fn synchronous(&self, on: bool) {
        self.set("synchronous_commit", if on { "remote_apply" } else { "on" });
        self.set("synchronous_standby_names", if on { "*" } else { "" });
    }

    /// Connections admitted, three of which are kept for the superuser; restarts the server.
    pub fn max_connections(&self, most: u32) {
        self.set("max_connections", &most.to_string());
        self.restart();
    }

    pub fn set_password(&self, role: &str, password: &str) {
        self.run("postgres", &format!("ALTER ROLE {role} PASSWORD '{}'", password.replace('\'', "''")));
    }

    /// Nobody else can read or write the table until the lock is dropped.
    #[must_use]
    pub fn lock(&self, database: &str, table: &str) -> Lock {
        Lock::take(self.superuser(database), table)
    }

    /// A standby becomes a primary.
    pub fn promote(&self) {
        self.run("postgres", "SELECT pg_promote(true, 20)");
        await_that("it is promoted", || {
            self.rows("postgres", "SELECT pg_is_in_recovery()").is_ok_and(|rows| !rows[0].get::<_, bool>(0))
        });
    }

    /// SIGSTOP to the server and every process of it: sockets stay open, nothing answers.
    pub fn freeze(&self) {
        process::signal_all(self.pid(), Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        process::signal_all(self.pid(), Signal::SIGCONT);
    }

    /// SIGKILL to the server and every process of it; [`Self::restart`] recovers from the log.
    pub fn kill9(&self) {
        if let Some(mut child) = self.child().take() {
            process::kill_all(&mut child);
        }
    }

    /// Ends the server at once if it runs, without recovery being needed, and starts it again.
    pub fn restart(&self) {
        self.stop(Signal::SIGINT);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.install.path(&format!("{}.log", self.name)));
        let mut postgres = self.install.program("postgres");
        postgres.args(["-D", &self.name, "-p", &self.port.to_string(), "-k"]).arg(self.install.run_dir());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=32MB"] {
            postgres.args(["-c", setting]);
        }
        let child = postgres.stdout(Stdio::null()).stderr(log.expect("a file for its log")).spawn();
        *self.child() = Some(child.expect("PostgreSQL runs"));
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.rows("postgres", "SELECT 1") {
            assert!(Instant::now() < deadline, "the cluster does not answer: {error:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&self, how: Signal) {
        let Some(mut child) = self.child().take() else { return };
        process::signal_all(child.id(), Signal::SIGCONT);
        process::send(child.id(), how);
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                return process::kill_all(&mut child);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn pid(&self) -> u32 {
        self.child().as_ref().expect("the cluster runs").id()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn tcp_url(clusters: &[&Cluster], user: &str, password: &str, database: &str) -> String {
    let hosts: Vec<_> = clusters.iter().map(|cluster| format!("127.0.0.1:{}", cluster.port)).collect();
    format!("postgres://{}:{}@{}/{database}", escape(user), escape(password), hosts.join(","))
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// One statement over a connection of its own; on a thread of its own, because a runtime may be running
/// on the caller's.
pub fn rows(config: &Config, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await?;
            let driver = tokio::spawn(connection);
            let rows = client.query(sql, &[]).await;
            drop(client);
            let _ = driver.await; // ends with the client
            rows
        })
    };
    std::thread::scope(|scope| scope.spawn(ask).join().expect("the statement ends"))
}

fn await_that(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
