//! Spans on their way to the collector: a bounded queue, a thread that sends batches, and counts of
//! what became of every span (`mcp_rag_trace_spans_total`).
//!
//! Overload, and a collector that is away: spans are dropped and counted, no caller waits, and the
//! log has one line when it begins and one when it is over.

use crate::config::{Environment, TracingSettings};
use anyhow::Result;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const BATCH: usize = 512;
const INTERVAL: Duration = Duration::from_secs(1);

/// None without an endpoint.
pub(super) fn provider(
    settings: &TracingSettings,
    environment: Environment,
) -> Result<Option<SdkTracerProvider>> {
    let Some(endpoint) = &settings.endpoint else { return Ok(None) };
    let client = reqwest::blocking::Client::builder()
        .timeout(Duration::from_millis(settings.timeout_ms))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let otlp =
        OtlpExporter::builder().with_http().with_http_client(client).with_endpoint(endpoint).build()?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let exporter = Counting { inner: otlp, waiting: Arc::clone(&waiting), away: AtomicBool::new(false) };
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(settings.queue)
        .with_max_export_batch_size(BATCH.min(settings.queue))
        .with_scheduled_delay(INTERVAL)
        .build();
    let inner = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let resource = Resource::builder()
        .with_service_name(settings.service_name.clone())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("deployment.environment.name", environment.as_str()),
        ])
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_resource(resource)
        .with_span_processor(Bounded { inner, waiting, bound: settings.queue })
        .build();
    Ok(Some(provider))
}

fn count(outcome: &'static str, spans: usize) {
    let spans = u64::try_from(spans).unwrap_or(u64::MAX);
    metrics::counter!("mcp_rag_trace_spans_total", "outcome" => outcome).increment(spans);
}

/// Admits spans up to the bound; the library's queue behind it would drop silently.
#[derive(Debug)]
struct Bounded {
    inner: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    bound: usize,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let place = |waiting: usize| (waiting < self.bound).then_some(waiting + 1);
        if self.waiting.fetch_update(Ordering::AcqRel, Ordering::Relaxed, place).is_ok() {
            self.inner.on_end(span);
        } else {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Sends, counts what became of it and gives the places free again.
#[derive(Debug)]
struct Counting {
    inner: OtlpExporter,
    waiting: Arc<AtomicUsize>,
    away: AtomicBool,
}

impl SpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.inner.export(batch).await;
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        count(if outcome.is_ok() { "exported" } else { "failed" }, spans);
        let away = outcome.is_err();
        if self.away.swap(away, Ordering::Relaxed) != away {
            if away {
                // Without the cause: it names the URL, which may hold a credential.
                tracing::warn!("the trace collector does not take spans; they are dropped and counted");
            } else {
                tracing::info!("the trace collector takes spans again");
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
