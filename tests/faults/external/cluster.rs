//! A throw-away cluster with an installation of its own, so that its extension files can be changed.

use crate::tools::{free_port, sql_on};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::Config;

const SUPERUSER: &str = "postgres";
const PASSWORD: &str = "superuser's own";

pub(super) struct Cluster {
    child: Child,
    port: u16,
    home: TempDir,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("its rights");
        let install = std::env::var_os("MCP_RAG_POSTGRES_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/postgres"), PathBuf::from);
        run(Command::new("cp").arg("-a").arg(install).arg(home.path().join("install")));
        fs::create_dir(home.path().join("run")).expect("a directory for its files");
        fs::write(home.path().join("run/password"), PASSWORD).expect("a password file");
        let account = account(home.path());
        if let Some((uid, gid)) = account {
            run(Command::new("chown").arg("-R").arg(format!("{uid}:{gid}")).arg(home.path().join("run")));
        }
        let program = |name: &str| {
            let mut command = Command::new(home.path().join("install/bin").join(name));
            if let Some((uid, gid)) = account {
                command.uid(uid).gid(gid);
            }
            command.current_dir(home.path().join("run")).env("LC_ALL", "C").stdin(Stdio::null());
            command
        };
        let mut initdb = program("initdb");
        initdb.args(["-D", "data", "-U", SUPERUSER, "--pwfile", "password", "-A", "scram-sha-256"]);
        run(initdb.args(["-E", "UTF8", "--no-locale", "--no-sync"]));
        let port = free_port();
        let log = fs::File::create(home.path().join("log")).expect("a file for its log");
        let mut postgres = program("postgres");
        postgres.args(["-D", "data", "-p", &port.to_string(), "-k"]).arg(home.path().join("run"));
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=32MB"] {
            postgres.args(["-c", setting]);
        }
        let child = postgres.stdout(Stdio::null()).stderr(log).spawn().expect("PostgreSQL runs");
        let cluster = Self { child, port, home };
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = sql_on(&cluster.superuser("postgres"), "SELECT 1") {
            let log = || fs::read_to_string(cluster.home.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the cluster does not answer: {error:?}\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        cluster
    }

    pub(super) fn superuser(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.home.path().join("run")).port(self.port).dbname(database);
        config.user(SUPERUSER).password(PASSWORD);
        config
    }

    /// As superuser.
    pub(super) fn run(&self, database: &str, sql: &str) {
        sql_on(&self.superuser(database), sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The superuser's connection string over the Unix socket, in the notation of words.
    pub(super) fn socket_url(&self, database: &str) -> String {
        let password = PASSWORD.replace('\'', "\\'");
        let host = self.home.path().join("run");
        format!(
            "host={} port={} user={SUPERUSER} password='{password}' dbname={database}",
            host.display(),
            self.port
        )
    }

    pub(super) fn tcp_url(&self, user: &str, password: &str, database: &str) -> String {
        let password = crate::support::segment(password);
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn extension_file(&self, name: &str) -> PathBuf {
        self.home.path().join("install/share/postgresql/extension").join(name)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        crate::tools::signal(self.child.id(), Signal::SIGQUIT);
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// PostgreSQL refuses to run as root: another user then, `postgres` or else `nobody`.
fn account(home: &Path) -> Option<(u32, u32)> {
    if fs::metadata(home).expect("its state").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users of this machine");
    ["postgres", "nobody"].into_iter().find_map(|name| {
        let user = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = user.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}
