//! What keeps others out: TLS on every side, with certificates made here.

#[path = "../faults/reload/mount.rs"]
#[expect(dead_code, reason = "shared with the tests of settings that reload")]
mod mount;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the other end-to-end tests, which use the rest")]
mod support;

mod database;
mod headers;
mod listener;
mod redis;
