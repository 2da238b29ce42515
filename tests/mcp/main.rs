//! The Model Context Protocol, end to end: the real binary with its managed PostgreSQL, spoken to in raw JSON-RPC, by
//! the clients that people use, and by the protocol's own conformance suites. `scripts/setup-mcp.sh` installs those.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what only other tests use")]
mod support;

mod access;
mod clients;
mod conformance;
mod errors;
mod fetch;
mod inspector;
mod protocol;
mod replicas;
mod resources;
mod rpc;
mod search;
mod stdio;
mod untrusted;
mod writes;
