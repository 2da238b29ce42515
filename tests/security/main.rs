//! What keeps others out: TLS on every side, with certificates made here; what browsers are told; secrets that nobody
//! may hear of; how deep and how long a request may be.

#[path = "../faults/reload/mount.rs"]
#[expect(dead_code, reason = "shared with the tests of settings that reload")]
mod mount;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the other end-to-end tests, which use the rest")]
mod support;

#[path = "../faults/traces/collector.rs"]
#[expect(dead_code, reason = "shared with the tests of traces")]
mod collector;
mod database;
mod echo;
mod headers;
mod limits;
mod listener;
mod redis;
mod secrets;
mod tour;
