use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use mcp_rag_actors::trace::TARGET;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceContextExt;
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Tells a client under which trace its request can be found.
const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// A request's own span, with the attributes OpenTelemetry's HTTP conventions name.
pub struct Incoming {
    pub span: Span,
    /// Absent while traces are off.
    pub trace_id: Option<String>,
    /// Whether the collector gets it.
    sampled: bool,
}

/// Continues the trace that `traceparent` or `uber-trace-id` names, or begins one.
///
/// Probes and scrapes have none: they come every few seconds and would bury the rest.
pub fn incoming(request: &ServiceRequest) -> Incoming {
    if request.path().starts_with("/health") || request.path() == "/metrics" {
        return Incoming { span: Span::none(), trace_id: None, sampled: false };
    }
    let span = info_span!(
        target: TARGET,
        "request",
        otel.name = known(request.method()),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = known(request.method()),
        http.route = Empty,
        http.response.status_code = Empty,
        url.scheme = if request.app_config().secure() { "https" } else { "http" },
    );
    if span.is_disabled() {
        return Incoming { span, trace_id: None, sampled: false };
    }
    let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract(&Headers(request.headers()))
    });
    // It fails only for a span that has begun, and this one has not.
    let _ = span.set_parent(parent);
    let context = span.context().span().span_context().clone();
    Incoming { span, trace_id: Some(context.trace_id().to_string()), sampled: context.is_sampled() }
}

impl Incoming {
    /// The outcome; a route is a pattern, never a path.
    pub fn answered(&self, method: &Method, route: &str, status: u16) {
        if self.span.is_disabled() {
            return;
        }
        // A recorded name counts only for a span that has not begun, and this one has its trace's id.
        self.span.context().span().update_name(format!("{} {route}", known(method)));
        self.span.record("http.route", route);
        self.span.record("http.response.status_code", status);
        if status >= 500 {
            self.span.record("otel.status_code", "ERROR");
        }
    }

    /// The trace that the collector gets: one that can be looked at.
    pub fn exemplar(&self) -> Option<&str> {
        self.trace_id.as_deref().filter(|_| self.sampled)
    }

    /// `x-trace-id`, where there is a trace.
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let value = HeaderValue::from_str(self.trace_id.as_deref()?).ok()?;
        Some((TRACE_ID, value))
    }
}

/// What a client made up is not repeated.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
