//! The console in headless Chromium, against a real server with real documents (`scripts/setup-console.sh` installs the
//! browser). What a person does is in `browser/cases/`; a case that fails ends its test with its output. Every case also
//! fails when the page says an error on its console, when its policy refuses something, or when it asks another origin.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what only other tests use")]
mod support;

mod bundle;
mod views;

use crate::support::Server;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const TOKEN: &str = "correct-horse-battery-staple";

/// Does in the browser what `case` says; what it printed.
#[track_caller]
fn browse(server: &Server, case: &str, arguments: &Value) -> String {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = Command::new(checkout.join("scripts/setup-console.sh")).output().expect("the script runs");
    assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
    let output = Command::new(checkout.join(".local/console/node"))
        .arg(checkout.join("tests/console/browser/run.mjs"))
        .args([case, &server.url(), TOKEN, &arguments.to_string()])
        .current_dir(server.home())
        .output()
        .expect("the driver runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{case}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
