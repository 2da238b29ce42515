//! A real Envoy that is told of endpoints and routes as a mesh tells it: by discovery, from files.
//!
//! It tries nothing twice, and asks no server whether it is well: that is the kubelet's part, and what the kubelet
//! finds arrives here a moment later.

use crate::rolling::wait_for;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// How long the news of an endpoint takes to every proxy.
const PROPAGATION: Duration = Duration::from_secs(1);
/// The releases there may be at once.
pub(super) const TRACKS: [&str; 2] = ["primary", "canary"];

pub(super) struct Envoy {
    child: Child,
    pub(super) port: u16,
    mesh: Arc<Mesh>,
}

/// What Envoy is told.
pub(super) struct Mesh {
    home: TempDir,
    lag: Duration,
    ready: Mutex<BTreeMap<&'static str, BTreeSet<u16>>>,
}

impl Envoy {
    /// In front of nothing yet; all requests go to the primary.
    pub(super) async fn start(pace: f64) -> Result<Self> {
        let mesh =
            Mesh { home: tempfile::tempdir()?, lag: PROPAGATION.mul_f64(pace), ready: Mutex::default() };
        let (port, admin) = (crate::free_port(), crate::free_port());
        for track in TRACKS {
            mesh.tell_endpoints(track);
        }
        mesh.route(&[100, 0])?;
        let bootstrap = mesh.home.path().join("bootstrap.json");
        std::fs::write(&bootstrap, bootstrap_for(&mesh, port, admin).to_string())?;
        let mut command = Command::new(program()?);
        command.arg("-c").arg(&bootstrap).args(["--concurrency", "1", "--use-dynamic-base-id", "-l", "off"]);
        let log = std::fs::File::create(mesh.home.path().join("log"))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let envoy = Self { child: child.context("Envoy does not start")?, port, mesh: Arc::new(mesh) };
        wait_for("Envoy listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await?;
        Ok(envoy)
    }

    pub(super) fn mesh(&self) -> &Arc<Mesh> {
        &self.mesh
    }
}

impl Mesh {
    /// An endpoint that is ready, or is so no longer: known to Envoy a little later.
    pub(super) fn set(self: &Arc<Self>, track: &'static str, port: u16, ready: bool) {
        {
            let mut all = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            let of_track = all.entry(track).or_default();
            let changed = if ready { of_track.insert(port) } else { of_track.remove(&port) };
            if !changed {
                return;
            }
        }
        let mesh = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(mesh.lag).await;
            mesh.tell_endpoints(track);
        });
    }

    /// The share of each track, in percent.
    pub(super) fn route(&self, weights: &[u32; 2]) -> Result<()> {
        let clusters: Vec<Value> = TRACKS
            .iter()
            .zip(weights)
            .map(|(track, weight)| {
                json!({"name": track, "weight": weight,
                    "response_headers_to_add": [{"header": {"key": "x-track", "value": track}}]})
            })
            .collect();
        let route = json!({"weighted_clusters": {"clusters": clusters}, "timeout": "60s"});
        let routes = json!({"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "api",
            "virtual_hosts": [{"name": "api", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]});
        self.tell("routes.json", &[routes])
    }

    fn tell_endpoints(&self, track: &str) {
        let all = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let ports = all.get(track).into_iter().flatten();
        let endpoints: Vec<Value> =
            ports.map(|port| json!({"endpoint": {"address": address(*port)}})).collect();
        let assignment = json!({"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": track, "endpoints": [{"lb_endpoints": endpoints}]});
        // A drill without its files fails on its own.
        let _ = self.tell(&format!("{track}.json"), &[assignment]);
    }

    /// Envoy looks when a file is renamed into place.
    fn tell(&self, file: &str, resources: &[Value]) -> Result<()> {
        let new = tempfile::NamedTempFile::new_in(self.home.path())?;
        std::fs::write(new.path(), json!({"resources": resources}).to_string())?;
        new.persist(self.home.path().join(file))?;
        Ok(())
    }
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn bootstrap_for(mesh: &Mesh, port: u16, admin: u16) -> Value {
    let source = |file: &str| json!({"path_config_source": {"path": mesh.home.path().join(file)}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "api",
        "rds": {"route_config_name": "api", "config_source": source("routes.json")},
        "http_filters": [{"name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    });
    let clusters = TRACKS.map(|track| {
        json!({"name": track, "type": "EDS", "connect_timeout": "2s",
            "eds_cluster_config": {"eds_config": source(&format!("{track}.json"))}})
    });
    json!({
        "node": {"id": "drill", "cluster": "drill"},
        "admin": {"address": address(admin)},
        "static_resources": {
            "listeners": [{"name": "api", "address": address(port), "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": clusters,
        },
    })
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if let Ok(pid) = self.child.id().try_into() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Where `scripts/setup-rollout.sh` puts it, or the one on PATH.
///
/// # Errors
/// There is none.
fn program() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let ours = crate::workspace().join(".local/ops/rollout");
    let folders = std::iter::once(ours).chain(std::env::split_paths(&path));
    match folders.map(|folder| folder.join("envoy")).find(|file| Path::is_file(file)) {
        Some(file) => Ok(file),
        None => bail!("Envoy is needed: run scripts/setup-rollout.sh"),
    }
}
