//! Faults on purpose: what the tests and `make chaos` put between mcp-rag and its dependencies.
//!
//! Nothing here is part of the server. The parts are real (PostgreSQL, Redis, HTTP over sockets);
//! only their misbehaviour is ours.
//!
//! * [`proxy`], [`model`], [`redis`], [`postgres`]: dependencies that misbehave when told to;
//! * [`launchdarkly`]: where flags come from;
//! * [`tls`]: an authority and its certificates;
//! * [`rolling`]: replicas replaced under load behind a real proxy;
//! * [`rollout`]: how releases change on Kubernetes, behind a real Envoy;
//! * [`world`]: a server with the dependencies one row of the table needs;
//! * [`load`]: strict clients, who check every answer and keep the receipts of their writes;
//! * [`table`]: one row per fault, and the verdicts; [`soak`]: all of them at random, for hours.

pub mod background;
pub mod kills;
pub mod launchdarkly;
pub mod load;
pub mod model;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod rolling;
pub mod rollout;
pub mod soak;
pub mod table;
pub mod tls;
pub mod world;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// A port nobody listens on now.
///
/// # Panics
/// When this machine has none left.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// The workspace's root, where `.local` is.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::default, Path::to_path_buf)
}
