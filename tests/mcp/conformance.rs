//! The protocol's own conformance suites, against our adapter: with the fixture they expect behind it, and, where they
//! need none, against the server that ships.

#[expect(deprecated, reason = "the suites of older protocols ask for it")]
mod asking;
#[expect(deprecated, reason = "the suites of older protocols ask for it")]
mod fixture;
mod rounds;

use crate::clients::installed;
use crate::support::Server;
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use fixture::Fixture;
use mcp_rag::config::{Settings, Sources};
use mcp_rag::mcp::mount::Mount;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use std::process::Command;
use std::sync::Arc;
use std::thread;

type Fixtures = Mount<Fixture, LocalSessionManager>;

/// The fixture behind the adapter, on a thread of its own for as long as the test runs.
fn serve() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let (fixture, sessions) = (Fixture::new(), Arc::new(LocalSessionManager::default()));
        let settings = Settings::load(&Sources::default()).expect("the defaults").mcp;
        let server = HttpServer::new(move || {
            let mount: Fixtures = Mount::with_sessions(fixture.clone(), Arc::clone(&sessions), &settings);
            App::new()
                .app_data(Data::new(mount))
                .app_data(PayloadConfig::new(1 << 22))
                .route("/mcp", web::route().to(answer))
        });
        // As the server itself: see src/app.rs.
        let server = server.workers(2).tcp_nodelay(true).h1_allow_half_closed(false).disable_signals();
        let server = server.listen(listener).expect("it listens").run();
        actix_web::rt::System::new().block_on(server).expect("it serves");
    });
    url
}

async fn answer(request: HttpRequest, bytes: web::Bytes, mount: Data<Fixtures>) -> HttpResponse {
    mount.answer(&request, bytes, (), ()).await.unwrap_or_else(|| HttpResponse::BadRequest().finish())
}

/// Runs a suite to its end, which must be a good one; what it said.
#[track_caller]
fn conforms(suite: &str, url: &str, arguments: &[&str]) -> String {
    let results = tempfile::tempdir().expect("a directory");
    let output = Command::new(installed("node"))
        .arg(installed(&format!("node_modules/{suite}/dist/index.js")))
        .args(["server", "--url", url, "--output-dir"])
        .arg(results.path())
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .output()
        .expect("the suite runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{suite} {arguments:?}\n{said}\n{complaint}");
    said
}

#[test]
fn every_scenario_of_the_suite_for_2025_11_25_passes() {
    let said = conforms("conformance-2025", &serve(), &["--suite", "all"]);
    assert!(!said.contains('✗'), "{said}");
}

#[test]
fn every_required_scenario_of_2025_11_25_passes() {
    conforms("conformance-2026", &serve(), &["--requirements", "2025-11-25"]);
}

#[test]
fn every_required_scenario_of_2026_07_28_passes() {
    conforms("conformance-2026", &serve(), &["--requirements", "2026-07-28"]);
}

/// What needs no fixture, of the binary that ships, as it ships: without sessions.
#[test]
fn the_server_itself_conforms_where_no_fixture_is_needed() {
    let server = Server::start();
    crate::rpc::fill(&server);
    let url = format!("{}/mcp", server.url());
    for scenario in [
        "server-initialize",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
    ] {
        conforms("conformance-2025", &url, &["--scenario", scenario]);
    }
    for scenario in [
        "tools-list",
        "resources-list",
        "prompts-list",
        "sep-2164-resource-not-found",
        "caching",
        "dns-rebinding-protection",
        "http-header-validation",
        "input-required-result-unsupported-methods",
    ] {
        conforms("conformance-2026", &url, &["--scenario", scenario, "--spec-version", "2026-07-28"]);
    }
}
