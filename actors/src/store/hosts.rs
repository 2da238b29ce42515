//! Opening connections to whichever of several hosts will do.
//!
//! Hosts are asked in turn, beginning with the one that did last; one that is silent for a moment does
//! not hold up the next. Bounds: each host has [`Reach::limit`], and no more than two connections are
//! opened at once, so that a pool that was emptied by a failure does not storm a server that recovers.
//! Cancel safety: a dropped attempt closes what it had opened.
//!
//! Who waits on a connection to a server that is silent waits in vain, so connections can be [cut](Hosts::cut)
//! while they are in use. Of a writer there is one: a connection to another cuts those to the last.

use super::address::Address;
use super::bound::Binding;
use super::cancel::cancel;
use super::error::text;
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Whether it only reads, and when it was started: no two servers share that to the microsecond.
const WHO: &str = "SELECT current_setting('transaction_read_only'), pg_postmaster_start_time()";

/// A host that has not answered after this no longer keeps the next one waiting.
const STAGGER: Duration = Duration::from_millis(250);
const AT_ONCE: usize = 2;

/// Why no connection could be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("{0}")]
    Transport(String),
    #[error("no host accepts writes")]
    ReadOnly,
    /// The server answered, and refused.
    #[error("{text}")]
    Refused { text: String, code: SqlState },
}

impl ConnectError {
    /// The server is well, but has no connection for us: more of them cannot be had for now.
    pub(super) fn is_a_limit(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == SqlState::TOO_MANY_CONNECTIONS
            || code.code().starts_with("28"))
    }

    /// Of several hosts' errors the one that says most.
    fn rank(&self) -> u8 {
        match self {
            Self::Silent(_) | Self::Transport(_) => 0,
            Self::ReadOnly => 1,
            Self::Refused { .. } => 2,
        }
    }
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => Self::Refused { text: text(db), code: db.code().clone() },
            None => Self::Transport(innermost(&error)),
        }
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// How a host is reached and what a session on it begins with.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// For one host, from the first packet to the session's settings.
    pub(super) limit: Duration,
    pub(super) session: String,
    /// There is only one such server: the writer.
    pub(super) sole: bool,
}

/// Open connections' drivers, and the server the newest leads to.
#[derive(Debug, Default)]
struct Live {
    server: String,
    drivers: Vec<AbortHandle>,
}

/// The hosts of one connection string.
#[derive(Debug)]
pub(super) struct Hosts {
    each: Vec<Arc<Address>>,
    reach: Reach,
    wanted: TargetSessionAttrs,
    last: AtomicUsize,
    generation: AtomicU64,
    gate: Semaphore,
    /// Told when the server closes a connection.
    lost: Arc<Notify>,
    live: Mutex<Live>,
}

/// A connection with the host it leads to.
pub(super) struct Session {
    client: ClientWrapper,
    host: Arc<Address>,
    generation: u64,
    pub(super) binding: Binding,
}

impl Hosts {
    pub(super) fn new(address: &Address, reach: Reach, lost: Arc<Notify>) -> Self {
        Self {
            each: each_host(address),
            reach,
            wanted: address.config.get_target_session_attrs(),
            last: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            gate: Semaphore::new(AT_ONCE),
            lost,
            live: Mutex::default(),
        }
    }

    /// Whether only a server that accepts writes will do.
    pub(super) fn wants_writes(&self) -> bool {
        self.wanted == TargetSessionAttrs::ReadWrite
    }

    /// Connections opened so far are not used again.
    pub(super) fn expire(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends all connections at once: whoever waits for an answer learns that there will be none.
    pub(super) fn cut(&self) {
        self.live().drivers.drain(..).for_each(|driver| driver.abort());
    }

    /// Keeps track of a connection to this server.
    fn keep(&self, server: String, driver: AbortHandle) {
        if self.reach.sole && self.live().server != server {
            self.cut();
        }
        let mut live = self.live();
        live.server = server;
        live.drivers.retain(|driver| !driver.is_finished());
        live.drivers.push(driver);
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn open(&self) -> Result<Session, ConnectError> {
        let generation = self.generation.load(Ordering::Acquire);
        let first = self.last.load(Ordering::Relaxed);
        let count = self.each.len();
        let mut waiting = (0..count).map(|turn| (first + turn) % count).peekable();
        let mut attempts = FuturesUnordered::new();
        let mut error = ConnectError::Transport("no host is named".to_owned());
        loop {
            attempts.extend(waiting.next().map(|host| self.attempt(host)));
            let next = if waiting.peek().is_some() {
                tokio::time::timeout(STAGGER, attempts.next()).await
            } else {
                Ok(attempts.next().await)
            };
            match next {
                Ok(Some(Ok((client, driver, host)))) => {
                    self.last.store(host, Ordering::Relaxed);
                    let (client, host) = (ClientWrapper::new(client, driver), Arc::clone(&self.each[host]));
                    return Ok(Session { client, host, generation, binding: Binding::default() });
                }
                Ok(Some(Err(failed))) if failed.rank() >= error.rank() => error = failed,
                Ok(Some(Err(_))) | Err(_) => {}
                Ok(None) => return Err(error),
            }
        }
    }

    async fn attempt(&self, host: usize) -> Result<(Client, JoinHandle<()>, usize), ConnectError> {
        let limit = self.reach.limit;
        let attempt = async {
            let (client, driver) = self.connect(&self.each[host]).await?;
            let said = client.simple_query(&format!("{} {WHO}", self.reach.session)).await?;
            let who = said.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1)?)),
                _ => None,
            });
            let (read_only, server) = who.unwrap_or_default();
            if self.wants_writes() && read_only == "on" {
                return Err(ConnectError::ReadOnly);
            }
            self.keep(server.to_owned(), driver.abort_handle());
            Ok((client, driver, host))
        };
        tokio::time::timeout(limit, attempt).await.unwrap_or(Err(ConnectError::Silent(limit)))
    }

    async fn connect(&self, host: &Address) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let Some(tls) = &host.tls else {
            let (client, connection) = host.config.connect(NoTls).await?;
            return Ok((client, self.drive(connection)));
        };
        let (client, connection) = host.config.connect(tls.clone()).await?;
        Ok((client, self.drive(connection)))
    }

    /// What the connection itself has to say, each statement's error says too.
    fn drive<T: Send>(&self, connection: impl Future<Output = T> + Send + 'static) -> JoinHandle<()> {
        let lost = Arc::clone(&self.lost);
        tokio::spawn(async move {
            drop(connection.await);
            lost.notify_one();
        })
    }
}

impl Manager for Hosts {
    type Type = Session;
    type Error = ConnectError;

    async fn create(&self) -> Result<Session, ConnectError> {
        let _turn = self.gate.acquire().await.map_err(|_| ConnectError::Silent(Duration::ZERO))?;
        self.open().await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<ConnectError> {
        if session.is_closed() || session.generation != self.generation.load(Ordering::Acquire) {
            return Err(RecycleError::message("the connection is not usable any more"));
        }
        Ok(())
    }
}

impl Session {
    /// Asks the server to cancel what this connection runs; has taken effect when it returns.
    pub(super) fn cancel(&self) -> impl Future<Output = bool> + Send + use<> {
        let (token, host) = (self.client.cancel_token(), Arc::clone(&self.host));
        async move { cancel(&token, &host).await.is_ok() }
    }
}

impl Deref for Session {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut ClientWrapper {
        &mut self.client
    }
}

/// The same configuration once for every host, which then looks after itself: a peer that vanished is
/// noticed by unanswered probes and unacknowledged data.
fn each_host(address: &Address) -> Vec<Arc<Address>> {
    let config = &address.config;
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let one = |at: usize| {
        let mut one = Config::new();
        one.ssl_mode(config.get_ssl_mode()).ssl_negotiation(config.get_ssl_negotiation());
        one.channel_binding(config.get_channel_binding());
        one.application_name(config.get_application_name().unwrap_or("mcp-rag"));
        if let Some(user) = config.get_user() {
            one.user(user);
        }
        if let Some(password) = config.get_password() {
            one.password(password);
        }
        if let Some(database) = config.get_dbname() {
            one.dbname(database);
        }
        if let Some(options) = config.get_options() {
            one.options(options);
        }
        match hosts.get(at) {
            Some(Host::Tcp(name)) => one.host(name),
            // As for libpq: nobody listens on a socket of this machine, and the server would not encrypt it.
            Some(Host::Unix(folder)) => one.host_path(folder).ssl_mode(SslMode::Disable),
            // Then the address is the name that a certificate has to be for.
            None => one.host(addresses[at].to_string()),
        };
        if let Some(address) = addresses.get(at) {
            one.hostaddr(*address);
        }
        one.port(ports.get(at).or(ports.first()).copied().unwrap_or(5432));
        one.keepalives_idle(Duration::from_secs(15).min(config.get_keepalives_idle()));
        one.keepalives_interval(config.get_keepalives_interval().unwrap_or(Duration::from_secs(5)));
        one.keepalives_retries(config.get_keepalives_retries().unwrap_or(3));
        one.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(Duration::from_secs(15)));
        Arc::new(Address { config: one, tls: address.tls.clone() })
    };
    (0..hosts.len().max(addresses.len())).map(one).collect()
}
