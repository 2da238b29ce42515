//! An OTLP/HTTP receiver that decodes what it is sent, and can be silent.

use crate::support::eventually;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as Wire;
use prost::Message;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) error: bool,
    pub(super) attributes: Vec<(String, String)>,
}

impl Span {
    pub(super) fn attribute(&self, key: &str) -> &str {
        self.attributes.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Vec<Span>>,
    bytes: Mutex<Vec<u8>>,
    silent: AtomicBool,
}

pub(super) struct Collector {
    pub(super) url: String,
    shared: Arc<Shared>,
}

impl Collector {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || while serve(&state, &stream).is_some() {});
            }
        });
        Self { url, shared }
    }

    /// From now on it reads and never answers.
    pub(super) fn fall_silent(&self) {
        self.shared.silent.store(true, Ordering::SeqCst);
    }

    pub(super) fn heal(&self) {
        self.shared.silent.store(false, Ordering::SeqCst);
    }

    /// Every byte that was sent, bodies and heads.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.shared.bytes.lock().expect("bytes").clone()
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.shared.spans.lock().expect("spans").clone()
    }

    /// The spans of a trace once its request's own has come, which ends last.
    pub(super) fn trace(&self, id: &str, root: &str) -> Vec<Span> {
        let of = || self.spans().into_iter().filter(|span| span.trace == id).collect::<Vec<_>>();
        eventually("the trace is exported", || of().iter().any(|span| span.name == root));
        of()
    }
}

fn serve(state: &Shared, stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if let Some((name, value)) = head[start..].split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    if state.silent.load(Ordering::SeqCst) {
        let _ = reader.read(&mut [0]); // until the client gives up
        return None;
    }
    let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
    state.bytes.lock().expect("bytes").extend([head.as_bytes(), &body].concat());
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    state.spans.lock().expect("spans").extend(scopes.flat_map(|scope| scope.spans).map(span));
    let mut writer = stream;
    writer
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
        .ok()
}

fn span(wire: Wire) -> Span {
    let attributes = wire.attributes.into_iter().map(|pair| {
        let value = match pair.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::BoolValue(yes)) => yes.to_string(),
            other => format!("{other:?}"),
        };
        (pair.key, value)
    });
    Span {
        attributes: attributes.collect(),
        name: wire.name,
        trace: hex(&wire.trace_id),
        id: hex(&wire.span_id),
        parent: hex(&wire.parent_span_id),
        error: wire.status.is_some_and(|status| status.code == 2),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
