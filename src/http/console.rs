//! The console at `/`: a page for people, of the files in `console/`, that calls the HTTP API as any client does.
//!
//! Everything is in the binary. The modules are below a folder named after a hash of all of them, so that a browser
//! keeps them for good and a new release is another folder; only the page itself is asked for anew. It holds no data
//! and needs no credential: what it shows comes from `/v1`, with the credential of whoever looks.

use super::resource;
use actix_web::http::header::{ACCEPT_ENCODING, ETAG, IF_NONE_MATCH};
use actix_web::web::{self, Bytes, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

/// Nothing but this server's own files and its own API, no markup made of text, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const PAGE: &str = include_str!("../../console/index.html");
/// Stands for the folder's name in the page.
const BUILD: &str = "{build}";

macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../console/", $name)))),*] };
}

const FILES: [(&str, &str); 20] = files![
    "base.css",
    "parts.css",
    "icon.svg",
    "answer.js",
    "api.js",
    "app.js",
    "chart.js",
    "dom.js",
    "format.js",
    "parts.js",
    "source.js",
    "stream.js",
    "views/ask.js",
    "views/charts.js",
    "views/collections.js",
    "views/documents.js",
    "views/keys.js",
    "views/search.js",
    "views/system.js",
    "views/upload.js",
];

struct Console {
    build: String,
    page: File,
    files: Vec<(&'static str, File)>,
}

struct File {
    kind: &'static str,
    etag: String,
    plain: Bytes,
    gzip: Bytes,
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/").route(web::get().to(page)).route(web::head().to(page)))
        .service(resource("/console/{build}/{file:.+}").route(web::get().to(file)));
}

fn console() -> &'static Console {
    static CONSOLE: OnceLock<Console> = OnceLock::new();
    CONSOLE.get_or_init(|| {
        let all = FILES.iter().fold(Sha256::new(), |hash, (_, text)| hash.chain_update(text));
        let build = hex(&all.chain_update(PAGE).finalize());
        let page = File::new("index.html", PAGE.replace(BUILD, &build));
        let files = FILES.iter().map(|(name, text)| (*name, File::new(name, (*text).to_owned()))).collect();
        Console { build, page, files }
    })
}

/// The first 64 bits: these are names, not secrets.
fn hex(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a string cannot fail
        hex
    })
}

impl File {
    fn new(name: &str, text: String) -> Self {
        let kind = match name.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("html") => "text/html; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some(_) | None => "text/javascript; charset=utf-8",
        };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Neither fails in memory; without it there would be only the plain form.
        let gzip = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
        // Weak: the same whether it is compressed or not.
        let etag = format!("W/\"{}\"", hex(&Sha256::digest(text.as_bytes())));
        Self { kind, etag, plain: text.into(), gzip: gzip.into() }
    }

    fn respond(&self, request: &HttpRequest, cache: &'static str) -> HttpResponse {
        let says = |name, what: &str| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains(what))
        };
        let mut response = HttpResponse::Ok();
        if says(IF_NONE_MATCH, &self.etag) {
            response = HttpResponse::NotModified();
        }
        response
            .insert_header((ETAG, self.etag.as_str()))
            .insert_header(("cache-control", cache))
            .insert_header(("vary", "accept-encoding"))
            .insert_header(("content-security-policy", POLICY))
            .insert_header(("cross-origin-opener-policy", "same-origin"))
            .insert_header(("referrer-policy", "no-referrer"))
            .insert_header(("x-content-type-options", "nosniff"))
            .content_type(self.kind);
        if says(IF_NONE_MATCH, &self.etag) {
            return response.finish();
        }
        if !self.gzip.is_empty() && says(ACCEPT_ENCODING, "gzip") {
            return response.insert_header(("content-encoding", "gzip")).body(self.gzip.clone());
        }
        response.body(self.plain.clone())
    }
}

async fn page(request: HttpRequest) -> HttpResponse {
    console().page.respond(&request, "no-cache")
}

async fn file(request: HttpRequest, path: Path<(String, String)>) -> Result<HttpResponse, super::ApiError> {
    let (build, name) = path.into_inner();
    let console = console();
    let found = console.files.iter().find(|(known, _)| *known == name);
    let (_, file) = found.ok_or_else(|| crate::error::Error::not_found("file"))?;
    // While replicas are being replaced, a page of one may ask another: its files will do, and are not kept.
    let cache = if build == console.build { "public, max-age=31536000, immutable" } else { "no-store" };
    Ok(file.respond(&request, cache))
}
