//! Faults on purpose: what the tests and `make chaos` put between mcp-rag and its dependencies.
//!
//! Nothing here is part of the server. The parts are real (PostgreSQL, Redis, HTTP over sockets);
//! only their misbehaviour is ours.

pub mod postgres;
