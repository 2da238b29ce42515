use crate::app::{Application, Origin, Role};
use crate::config::Settings;
use anyhow::Result;
use mcp_rag_actors::supervise::Failure;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// An actor could not be kept alive.
const EX_SOFTWARE: u8 = 70;
/// What supervises the actors was gone itself.
const EX_OSERR: u8 = 71;
/// 128 + the signal: told twice, so stopped without finishing.
const TERMINATED: i32 = 143;
const INTERRUPTED: i32 = 130;

/// A server or a worker, until it is told to stop.
pub(super) async fn run(settings: Settings, origin: Origin, role: Role) -> Result<ExitCode> {
    let host = settings.server.host.clone();
    // Before anything is started, so that an early Ctrl-C is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut application = tokio::select! {
        built = Application::build(settings, role) => built?,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    application.reload_from(origin);
    let metrics = format!("http://{host}:{}/metrics", application.admin_port);
    match application.url(&host) {
        Some(api) => {
            tracing::info!(api, docs = %format!("{api}/docs"), metrics, "ready");
        }
        None => tracing::info!(metrics, "ready: working on the queue"),
    }
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            let status = tokio::select! {
                _ = terminate.recv() => TERMINATED,
                _ = interrupt.recv() => INTERRUPTED,
            };
            tracing::warn!("told twice to stop: stopping at once");
            std::process::exit(status);
        });
    };
    Ok(match application.run(stop).await? {
        None => ExitCode::SUCCESS,
        Some(Failure::Exhausted { .. }) => ExitCode::from(EX_SOFTWARE),
        Some(Failure::Root(_)) => ExitCode::from(EX_OSERR),
    })
}
