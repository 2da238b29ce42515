//! Which web pages of other origins may call: those that are named, and by default none.
//!
//! No cookie is ever looked at, so a page can do only what the token it holds may; what is allowed here is that a
//! browser hands it the answer.

use crate::config::Settings;
use crate::error::{Code, Error};
use actix_cors::Cors;
use actix_web::HttpRequest;
use actix_web::http::Uri;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::middleware::Condition;

/// How long a browser remembers a preflight's answer, in seconds.
const REMEMBERED: usize = 3600;
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// What a page may read of an answer's head, beside what it always may.
const EXPOSED: [&str; 9] = [
    "idempotency-replayed",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "www-authenticate",
    "x-request-id",
    "x-trace-id",
];

/// An origin; without a port any port of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// `scheme://host`, `scheme://host:port` or `scheme://host:*`, nothing after it.
    fn parse(text: &str) -> Option<Self> {
        let (base, any) = match text.strip_suffix(":*") {
            Some(base) => (base, true),
            None => (text, false),
        };
        let url: Uri = base.parse().ok()?;
        let scheme = url.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let host = url.host()?;
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = url.port_u16().unwrap_or(usual);
        let bare = base.len() == scheme.len() + 3 + url.authority()?.as_str().len();
        let plain = bare && !base.contains('@') && !host.contains('*');
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        plain.then_some(Self { scheme, host, port: (!any).then_some(port) })
    }

    fn admits(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host == other.host
            && (self.port.is_none() || self.port == other.port)
    }
}

/// Whether a setting holds one origin, exactly.
pub(crate) fn is_origin(text: &str) -> bool {
    Origin::parse(text).is_some_and(|origin| origin.port.is_some())
}

/// For pages of these origins; nothing at all without any.
pub(super) fn cors(origins: &[String]) -> Condition<Cors> {
    let allowed: Vec<Origin> = origins.iter().filter_map(|text| Origin::parse(text)).collect();
    let any = !allowed.is_empty();
    let admitted = move |origin: &[u8]| {
        let origin = std::str::from_utf8(origin).ok().and_then(Origin::parse);
        origin.is_some_and(|origin| allowed.iter().any(|allowed| allowed.admits(&origin)))
    };
    let cors = Cors::default()
        .allowed_origin_fn(move |origin, _| admitted(origin.as_bytes()))
        .allowed_methods(METHODS)
        // Clients bring headers of their own; a token is what protects.
        .allow_any_header()
        .expose_headers(EXPOSED)
        .max_age(REMEMBERED);
    Condition::new(any, cors)
}

/// For a request without a credential: a server that needs none would do what any page in its owner's browser wants: by a form, which needs
/// no permission, or under a name that leads here since a moment ago. So it listens to pages of this machine and those
/// that are named, and, where nothing but this machine reaches it, to this machine's names alone.
pub(super) fn check_page(request: &HttpRequest, settings: &Settings) -> Result<(), Error> {
    let refused = |what: &str| {
        let why = "without a credential only pages of this machine, under its own name, are answered";
        Err(Error::new(Code::Forbidden, format!("{why}: not this `{what}`")))
    };
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let machine = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "::1");
    if let Some(text) = header(ORIGIN) {
        let named = settings.server.cors.allowed_origins.iter().chain(&settings.mcp.allowed_origins);
        let named = |origin: &Origin| {
            named.clone().filter_map(|text| Origin::parse(text)).any(|allowed| allowed.admits(origin))
        };
        if !Origin::parse(text).is_some_and(|origin| machine(&origin.host) || named(&origin)) {
            return refused("Origin");
        }
    }
    let authority = header(HOST).and_then(|text| text.parse::<actix_web::http::uri::Authority>().ok());
    let own = settings.mcp.hosts(false);
    let known = |host: &str| machine(host) || own.iter().any(|name| name.split(':').next() == Some(host));
    if machine(&settings.server.host) && !authority.is_some_and(|host| known(host.host())) {
        return refused("Host");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_by_scheme_host_and_port_and_nothing_looser() {
        let admits = |allowed: &str, origin: &str| {
            Origin::parse(allowed).expect(allowed).admits(&Origin::parse(origin).expect(origin))
        };
        for (allowed, origin) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://app.example.com:443", "https://app.example.com"),
            ("https://APP.example.com", "https://app.example.com:443"),
            ("http://localhost:*", "http://localhost:5173"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert!(admits(allowed, origin), "{allowed} {origin}");
        }
        for (allowed, origin) in [
            ("https://app.example.com", "http://app.example.com"),
            ("https://app.example.com", "https://app.example.com:8443"),
            ("https://app.example.com", "https://app.example.com.evil.example"),
            ("https://app.example.com", "https://evil-app.example.com"),
            ("http://localhost:*", "https://localhost:5173"),
        ] {
            assert!(!admits(allowed, origin), "{allowed} {origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_none() {
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://u@a",
            "https://*.example.com",
            "ftp://a",
            "file:///a",
        ] {
            assert!(Origin::parse(text).is_none(), "{text}");
        }
        assert!(is_origin("https://a") && !is_origin("https://a:*"));
    }
}
