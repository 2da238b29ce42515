//! Dependencies that die, hang, lie or are not there, and servers that are killed: the real binary, a
//! real PostgreSQL, a real Redis, and a chat model's API on a real socket.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the other end-to-end tests, which use the rest")]
mod support;

mod cancel;
mod chaos;
mod chat;
mod crash;
mod drain;
mod embedder;
mod external;
mod failover;
mod flags;
mod idempotency;
mod keys;
mod lifecycle;
mod outage;
mod overload;
mod postgres;
mod redis;
mod reload;
mod replicas;
mod reranker;
mod rewrite;
mod spaces;
mod tools;
mod traces;
mod webhooks;
mod workers;
