//! Clients that generators make of the document: they compile without a warning, and they work.

use crate::support::{Server, binary};
use crate::{TOKEN, checkout, installed, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The document, as `mcp-rag openapi` prints it.
fn document(home: &Path) -> PathBuf {
    let path = home.join("openapi.json");
    std::fs::write(&path, run(binary(home).arg("openapi"))).expect("room for it");
    path
}

/// Where a client finds its server.
pub(crate) fn point_at<'a>(server: &Server, command: &'a mut Command) -> &'a mut Command {
    command
        .env("MCP_RAG_URL", server.url())
        .env("MCP_RAG_TOKEN", TOKEN)
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(server.home())
}

fn ours(name: &str) -> PathBuf {
    checkout().join("tests/contract/clients").join(name)
}

#[test]
fn a_generated_python_client_works() {
    let mut server = Server::builder().token(TOKEN).start();
    let mut generator = Command::new(installed("python/bin/openapi-python-client"));
    generator.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]);
    generator.arg(document(server.home())).arg("--config").arg(ours("openapi-python-client.yml"));
    generator.args(["--output-path", "mcp_rag_client"]).current_dir(server.home());
    run(&mut generator);
    let mut client = Command::new(installed("python/bin/python"));
    client.arg("-W").arg("error").arg(ours("generated.py")).env("PYTHONPATH", server.home());
    run(point_at(&server, &mut client));
    server.stop();
}

#[test]
fn a_generated_typescript_client_is_checked_strictly_and_works() {
    let mut server = Server::builder().token(TOKEN).start();
    let (home, modules) = (server.home().to_owned(), installed("node_modules"));
    std::os::unix::fs::symlink(&modules, home.join("node_modules")).expect("its modules");
    std::fs::copy(ours("generated.ts"), home.join("generated.ts")).expect("the program");
    std::fs::write(home.join("package.json"), r#"{"type": "module"}"#).expect("a module");
    let node = |script: &str| {
        let mut command = Command::new(installed("node"));
        command.arg(modules.join(script)).current_dir(&home);
        command
    };
    run(node("openapi-typescript/bin/cli.js").arg(document(&home)).args(["--output", "schema.d.ts"]));
    run(node("typescript/bin/tsc").args([
        "--strict",
        "--exactOptionalPropertyTypes",
        "--noUncheckedIndexedAccess",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "es2022,dom",
        "generated.ts",
    ]));
    let mut client = Command::new(installed("node"));
    run(point_at(&server, client.arg("generated.js")));
    server.stop();
}
