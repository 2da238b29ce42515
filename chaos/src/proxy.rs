//! A TCP proxy on 127.0.0.1 whose link to the upstream breaks in the way it is told to, at run time.
//!
//! * Latency, drip, bandwidth and cut-after apply to what the upstream answers, so that "5 s of
//!   latency" is 5 s per round trip.
//! * A connection that lost bytes while half-open is never resumed: it is reset once the fault ends,
//!   as a peer that forgot it would do.
//! * Bounded: connections beyond the limit are closed at once; each direction buffers at most
//!   64 pieces of 16 KiB.
//! * Dropping the proxy closes every connection.

mod relay;

use crate::background::Background;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};

/// Connections at once.
const CONNECTIONS: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Every answer comes later by this much.
    Latency { delay: Duration, jitter: Duration },
    /// Nobody listens, and every open connection is closed.
    Cut,
    /// Connections are accepted and reset, and so is every open one.
    Reset,
    /// Connections are accepted, and whatever is sent vanishes; open ones go silent.
    HalfOpen,
    /// One byte after the other.
    Drip { bytes_per_second: u32 },
    /// Pieces of a twentieth of a second's worth.
    Bandwidth { bytes_per_second: u32 },
    /// A connection ends after so many answered bytes.
    CutAfter { bytes: u64 },
}

#[derive(Debug, Clone)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
    turned_away: AtomicUsize,
}

#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    counts: Arc<Counts>,
    _background: Background,
}

impl Proxy {
    /// # Panics
    /// When no port of 127.0.0.1 can be bound.
    #[must_use]
    pub fn start(upstream: Upstream) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("its address");
        let (fault, faults) = watch::channel(Fault::None);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let background = Background::run("chaos-proxy", move || async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            accept(listener, address, upstream, faults, counted).await;
        });
        Self { address, fault, counts, _background: background }
    }

    #[must_use]
    pub fn tcp(upstream: SocketAddr) -> Self {
        Self::start(Upstream::Tcp(upstream))
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, for open connections and new ones.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    pub fn heal(&self) {
        self.set(Fault::None);
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Connections closed at once because there were too many.
    #[must_use]
    pub fn turned_away(&self) -> usize {
        self.counts.turned_away.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    upstream: Upstream,
    mut faults: watch::Receiver<Fault>,
    counts: Arc<Counts>,
) {
    let mut listening = Some(listener);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        if *faults.borrow_and_update() == Fault::Cut {
            listening = None;
            if faults.changed().await.is_err() {
                return;
            }
            continue;
        }
        let Some(listener) = &listening else {
            listening = listen(address).ok();
            if listening.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await; // somebody else has the port
            }
            continue;
        };
        let client = tokio::select! {
            changed = faults.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => client,
                Err(_) => continue,
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            counts.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        counts.accepted.fetch_add(1, Ordering::Relaxed);
        counts.open.fetch_add(1, Ordering::Relaxed);
        let (upstream, faults, counts) = (upstream.clone(), faults.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            relay::relay(client, &upstream, faults).await;
            counts.open.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(256)
}

#[cfg(test)]
#[path = "proxy/tests.rs"]
mod tests;
