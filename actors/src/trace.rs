//! Traces across actors and over the wire.
//!
//! A span is exported when its target is [`TARGET`], and no other is: spans and lines made for the log
//! never leave with a trace, and spans made for traces never lengthen a line of the log. While traces
//! are off nobody wants that target, and such a span costs the look at one atomic number.
//!
//! A span names a stage; it never holds a question, a text or an id that a client chose.

use opentelemetry::propagation::Injector;
use reqwest::RequestBuilder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of spans that are exported, and of nothing else.
pub const TARGET: &str = "mcp_rag_trace";

/// The hop to an actor: made where it is called, so that it belongs to the caller's span, and entered
/// where the work is done. Calls outside of any trace, such as those that poll, begin none.
pub(crate) fn hop(actor: &'static str) -> Span {
    let traced = Span::current().metadata().is_some_and(|metadata| metadata.target() == TARGET);
    if traced { tracing::info_span!(target: TARGET, "actor", actor) } else { Span::none() }
}

/// The request with the headers that continue the current trace: `traceparent` and `uber-trace-id`.
pub fn continued(request: RequestBuilder) -> RequestBuilder {
    let mut headers = HeaderMap::new();
    let context = Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&context, &mut Headers(&mut headers));
    });
    request.headers(headers)
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}
