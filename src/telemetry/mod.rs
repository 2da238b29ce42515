//! What the process tells about itself: its log, on standard error, and its traces, by OTLP.
//!
//! * Ownership: [`Telemetry`] holds both for the life of the process; one per process.
//! * The log and the traces have spans of their own ([`mcp_rag_actors::trace`]).
//! * A collector that is slow or away costs spans, which are counted, and never a request.

mod delivery;
mod exemplars;
mod history;
mod incoming;
mod openmetrics;
mod zeroes;

pub use exemplars::{Exemplars, SECONDS};
pub use history::{History, Point};
pub use incoming::{Incoming, incoming};
pub use openmetrics::{CONTENT_TYPE as OPENMETRICS, is_wanted as wants_openmetrics, openmetrics};
pub use zeroes::register as register_zeroes;

use crate::config::{Environment, LogFormat, LogSettings, TracingSettings};
use anyhow::{Context, Result};
use mcp_rag_actors::trace::TARGET;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// Takes the place of `log.level` while it is set.
const OVERRIDE: &str = "MCP_RAG_LOG";

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// The process's log and traces.
pub struct Telemetry {
    level: LogLevel,
    traces: Option<(SdkTracerProvider, Duration)>,
}

/// Changes what is logged while the server runs.
#[derive(Debug, Clone)]
pub struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Nothing changes while `MCP_RAG_LOG` is set.
    pub fn set(&self, level: &str) {
        if std::env::var_os(OVERRIDE).is_none() {
            // It fails only without a subscriber, and then there is no log either.
            let _ = self.0.reload(filter(level));
        }
    }
}

impl Telemetry {
    /// The log, without traces.
    pub fn quiet(log: &LogSettings) -> Self {
        let (level, layer) = log_layer(log, "warn");
        tracing_subscriber::registry().with(layer).init();
        Self { level, traces: None }
    }

    /// The log, and traces where an endpoint is configured.
    pub fn start(log: &LogSettings, traces: &TracingSettings, environment: Environment) -> Result<Self> {
        let (level, layer) = log_layer(log, &log.level);
        let mut layers = vec![layer];
        let provider = delivery::provider(traces, environment).context("tracing cannot be set up")?;
        if let Some(provider) = &provider {
            // `traceparent` is read last, so that it wins where a client sends both.
            opentelemetry::global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
                Box::new(jaeger()),
                Box::new(TraceContextPropagator::new()),
            ]));
            layers.push(trace_layer(provider));
        }
        tracing_subscriber::registry().with(layers).init();
        let patience = Duration::from_millis(traces.timeout_ms);
        Ok(Self { level, traces: provider.map(|provider| (provider, patience)) })
    }

    #[must_use]
    pub fn level(&self) -> LogLevel {
        self.level.clone()
    }

    /// Sends what still waits, for at most `tracing.timeout_ms`. Blocks: for the end of the process.
    pub fn stop(self) {
        if let Some((provider, patience)) = self.traces {
            // Spans that cannot be sent are counted where it fails.
            let _ = provider.shutdown_with_timeout(patience);
        }
    }
}

#[expect(deprecated, reason = "Jaeger's own header is old; clients that still send it are to be served")]
fn jaeger() -> opentelemetry_jaeger_propagator::Propagator {
    opentelemetry_jaeger_propagator::Propagator::new()
}

fn log_layer(settings: &LogSettings, level: &str) -> (LogLevel, Boxed) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let log: Boxed = match settings.format {
        LogFormat::Json => log.json().with_filter(filter).boxed(),
        LogFormat::Text => log.with_target(false).with_filter(filter).boxed(),
    };
    (LogLevel(handle), log)
}

fn filter(level: &str) -> EnvFilter {
    // Off: what a client sends that is no HTTP is no error of the server's; spans made for traces; and a library
    // that tells whole messages, with questions and documents in them.
    let ours = format!("{level},actix_server=warn,actix_http::h1=off,{TARGET}=off,rmcp=off");
    match std::env::var(OVERRIDE) {
        Ok(own) => EnvFilter::new(format!("{own},{TARGET}=off,rmcp=off")),
        Err(_) => EnvFilter::new(ours),
    }
}

fn trace_layer(provider: &SdkTracerProvider) -> Boxed {
    let exported = filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET)
        .with_max_level_hint(LevelFilter::INFO);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("mcp-rag"))
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(exported)
        .boxed()
}
