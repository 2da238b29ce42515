//! The map of the server. Data flows one way: command line and HTTP → `rag` pipelines → actor
//! handles (`mcp_rag_actors`) → PostgreSQL, Redis, model servers.
//!
//! * [`app`] starts the actors in order, binds, serves and drains.
//! * [`audit`] keeps the log of writes, uses of keys and denials.
//! * [`config`] reads the settings in layers.
//! * [`flags`] switches risky stages while the server runs.
//! * [`http`] is the REST surface: parse, call, return.
//! * [`identity`] tells who calls and what they may do.
//! * [`openai`] is what clients of OpenAI's API know, over the same pipelines.
//! * [`mcp`] is the Model Context Protocol, over the same pipelines.
//! * [`rag`] holds the pipelines: ingest, search, answer.
//! * [`telemetry`] writes the log and sends traces.
//! * [`cli`] is the command line, a client of the HTTP surface.

pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod error;
pub mod flags;
#[cfg(test)]
#[path = "../tests/support/fuzz.rs"]
mod fuzz;
pub mod http;
pub mod identity;
pub mod mcp;
pub mod openai;
pub mod quotas;
pub mod rag;
pub mod telemetry;
