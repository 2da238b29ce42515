//! The hot index and the feed it lives on: real servers, a real PostgreSQL, writers that are killed.

#[path = "../isolation/dice.rs"]
mod dice;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "what only the other tests use")]
mod support;

mod agreement;
mod feed;
mod follower;
mod freshness;
mod life;
mod outage;
mod storm;
mod witness;
mod world;
mod writers;
