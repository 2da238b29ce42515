//! The whole application: start the actors, bind, serve, drain.

mod bare;
mod core;
mod drain;
mod listen;
mod reload;
mod sampler;
mod tls;

pub(crate) use self::core::pool;
pub use self::core::{Core, Role, migrate};
pub(crate) use bare::Bare;
pub use reload::Origin;

use crate::config::Settings;
use crate::http::{self, Drain, State};
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Result;
use drain::{Patience, Serving};
use listen::listen;
use mcp_rag_actors::supervise::Failure;
use reload::Reload;
use std::sync::Arc;
use std::time::Duration;
use tls::Certificate;
use tokio::task::AbortHandle;

/// A bound server; [`Application::run`] serves until it is told to stop.
pub struct Application {
    core: Core,
    drain: Drain,
    /// The public one, where there is one, before the admin's.
    servers: Vec<Server>,
    /// Of the API; a worker has none.
    pub port: Option<u16>,
    pub admin_port: u16,
    patience: Patience,
    /// With TLS alone.
    certificate: Option<Arc<Certificate>>,
    reload: Option<AbortHandle>,
}

impl Application {
    pub async fn build(settings: Settings, role: Role) -> Result<Self> {
        let certificate = Certificate::read(&settings.server.tls)?.map(Certificate::new);
        let mut core = Core::start(settings.clone(), role).await?;
        certificate.iter().for_each(|certificate| certificate.measure());
        if role == Role::Serve {
            core.warm().await;
        }
        match Self::bind(&core, &settings, role, certificate.as_ref()) {
            Ok((drain, servers, port, admin_port)) => {
                let patience = Patience {
                    delay: Duration::from_millis(settings.server.drain_delay_ms),
                    shutdown: Duration::from_millis(settings.server.shutdown_timeout_ms),
                };
                Ok(Self { core, drain, servers, port, admin_port, patience, certificate, reload: None })
            }
            Err(error) => {
                core.stop().await;
                Err(error)
            }
        }
    }

    fn bind(
        core: &Core,
        settings: &Settings,
        role: Role,
        certificate: Option<&Arc<Certificate>>,
    ) -> Result<(Drain, Vec<Server>, Option<u16>, u16)> {
        let state = core.state(settings);
        let drain = state.drain.clone();
        let mut servers = Vec::new();
        let port = if role == Role::Serve {
            let (server, port) = public(settings, state.clone(), certificate)?;
            servers.push(server);
            Some(port)
        } else {
            None
        };
        let admin = listen(&settings.admin.host, settings.admin.port, "admin.port")?;
        let admin_port = admin.local_addr()?.port();
        let server =
            HttpServer::new(move || App::new().wrap(from_fn(http::envelope)).configure(http::admin(&state)));
        servers.push(server.workers(1).disable_signals().listen(admin)?.run());
        Ok((drain, servers, port, admin_port))
    }

    /// Takes over changed settings from now on until the server stops.
    pub fn reload_from(&mut self, origin: Origin) {
        let reload = Reload::new(origin, &self.core, self.certificate.clone());
        let watch = actix_web::rt::spawn(reload.watch());
        self.reload = Some(watch.abort_handle());
    }

    /// Where the API is reached at a host: `https://host:port`; a worker has none.
    #[must_use]
    pub fn url(&self, host: &str) -> Option<String> {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        self.port.map(|port| format!("{scheme}://{host}:{port}"))
    }

    /// Serves until `stop` resolves, or until supervision cannot go on: then why.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<Option<Failure>> {
        let Self { core, drain, servers, patience, reload, .. } = self;
        let serving = servers.into_iter().map(Serving::start).collect();
        let failure = tokio::select! {
            () = stop => None,
            failure = core.tree.failed() => {
                tracing::error!(reason = %failure, "an actor cannot be kept alive; giving up");
                Some(failure)
            }
        };
        if let Some(reload) = reload {
            reload.abort();
        }
        drain::leave(core, &drain, serving, patience, failure.is_some()).await;
        tracing::info!("stopped");
        Ok(failure)
    }
}

/// The API's listener.
fn public(
    settings: &Settings,
    state: Data<State>,
    certificate: Option<&Arc<Certificate>>,
) -> Result<(Server, u16)> {
    let listener = listen(&settings.server.host, settings.server.port, "server.port")?;
    let port = listener.local_addr()?.port();
    let (limits, settings) = (settings.server.clone(), settings.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(http::payload_limits(&settings))
            .wrap(from_fn(http::envelope))
            .configure(http::public(&state))
    })
    .max_connections(limits.max_connections)
    .client_request_timeout(Duration::from_millis(limits.read_timeout_ms))
    .keep_alive(Duration::from_millis(limits.keep_alive_ms))
    .client_disconnect_timeout(Duration::from_secs(5))
    // Both measured: without them streamed events wait ~40 ms, and a client that hangs up does
    // not cancel its request.
    .tcp_nodelay(true)
    .h1_allow_half_closed(false)
    .shutdown_timeout(limits.shutdown_timeout_ms.div_ceil(1000))
    .disable_signals();
    let server = if limits.workers == 0 { server } else { server.workers(limits.workers) };
    let server = match certificate {
        None => server.listen(listener)?,
        Some(certificate) => server
            .tls_handshake_timeout(Duration::from_millis(limits.read_timeout_ms))
            .listen_rustls_0_23(listener, certificate.listener(&limits.tls)?)?,
    };
    Ok((server.run(), port))
}
