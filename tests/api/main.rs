//! The REST contract and the command line, end to end: the real binary, its managed PostgreSQL, the
//! real embedding model. Each test has a server of its own.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "what only the tests of failures use")]
mod support;

mod acls;
mod answers;
mod audit;
mod auth;
mod bad_input;
mod bm25;
mod bulk;
mod chunking;
mod cli;
mod collections;
mod documents;
mod errors;
mod eval;
mod expiry;
mod export;
mod failpoints;
mod filter_agreement;
mod filters;
mod formats;
mod health;
mod idempotency;
mod jobs;
mod jwt;
mod keys;
mod languages;
mod matching;
mod metrics;
mod oversized;
mod privacy;
mod refine;
mod reindex;
mod reranker;
mod search;
mod spaces;
mod spans;
mod tenancy;
