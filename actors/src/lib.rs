//! The map of actors: who owns what.
//!
//! | actor | sole owner of |
//! |---|---|
//! | [`postgres`] | the managed PostgreSQL, a child process |
//! | [`store`] | the database pools; every SQL statement |
//! | [`index`] | the copies of collections in memory, their files |
//! | [`cache`] | the Redis connections, behind an in-process cache |
//! | [`parser`] | the processes that read PDF and Office documents |
//! | [`embedder`] | the embedding model and its threads |
//! | [`reranker`] | the reranking model and its threads, or its connections |
//! | [`webhook`] | the connections that tell clients of the end of their jobs |
//! | [`jwks`] | the connections to whoever publishes the keys that sign credentials, and those keys |
//! | [`generator`] | what writes answers: the extractive engine, the chat model's connections |
//!
//! Callers hold handles and never see an address, a pool or a socket. [`supervise`] keeps the actors
//! alive; [`resilience`] holds the pure parts of that, [`remote`] what calls to all model servers have in
//! common, `local` what models in this process have, [`tls`] the certificates, and [`trace`] follows a request through them. Nothing here knows the HTTP that we serve.

pub mod cache;
pub mod embedder;
#[cfg(test)]
#[path = "../../tests/support/fuzz.rs"]
mod fuzz;
pub mod generator;
pub mod index;
pub mod jwks;
mod live;
mod local;
pub mod parser;
pub mod postgres;
pub mod remote;
pub mod reranker;
pub mod resilience;
pub mod store;
pub mod supervise;
pub mod tls;
pub mod trace;
pub mod webhook;
