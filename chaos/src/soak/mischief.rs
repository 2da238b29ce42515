//! One fault of the soak: begun, and ended some seconds later.

use crate::model::{Behaviour, Endpoint};
use crate::postgres::Cluster;
use crate::proxy;
use crate::redis::Redis;
use crate::world::World;
use anyhow::Result;
use reqwest::Method;
use std::fmt;
use std::time::Duration;
use tokio::task::block_in_place;

#[derive(Debug, Clone)]
pub(super) enum Mischief {
    Redis,
    RedisFrozen,
    Model(Endpoint, Behaviour),
    PostgresKilled,
    PostgresFrozen,
    PostgresReadOnly,
    Link(proxy::Fault),
    Actor(&'static str, &'static str),
}

const ACTORS: [&str; 6] = ["store", "cache", "embedder", "reranker", "generator", "jobs"];
const STRIKES: [&str; 5] = ["crash:1", "panic:1", "stop:1", "kill:1", "wedge:3000:1"];

impl Mischief {
    pub(super) fn any(dice: &mut fastrand::Rng, failpoints: bool) -> Self {
        match dice.u32(..if failpoints { 16 } else { 10 }) {
            0 => Self::Redis,
            1 => Self::RedisFrozen,
            2 => Self::PostgresKilled,
            3 => Self::PostgresFrozen,
            4 => Self::PostgresReadOnly,
            5 | 6 => Self::Link(match dice.u32(..5) {
                0 => proxy::Fault::Cut,
                1 => proxy::Fault::Reset,
                2 => proxy::Fault::HalfOpen,
                3 => proxy::Fault::Bandwidth { bytes_per_second: 20_000 },
                _ => proxy::Fault::Latency {
                    delay: Duration::from_millis(dice.u64(20..2000)),
                    jitter: Duration::from_millis(50),
                },
            }),
            7..10 => {
                let endpoint = Endpoint::ALL[dice.usize(..Endpoint::ALL.len())];
                let behaviour = match dice.u32(..6) {
                    0 => Behaviour::Status(429),
                    1 => Behaviour::Status(500),
                    2 => Behaviour::Garbage,
                    3 => Behaviour::Half,
                    4 => Behaviour::Silent,
                    _ => Behaviour::Slow(Duration::from_millis(dice.u64(100..3000))),
                };
                Self::Model(endpoint, behaviour)
            }
            _ => Self::Actor(ACTORS[dice.usize(..ACTORS.len())], STRIKES[dice.usize(..STRIKES.len())]),
        }
    }

    pub(super) async fn begin(&self, world: &mut World) -> Result<()> {
        match self {
            Self::Redis => each(&mut world.redis, Redis::kill9),
            Self::RedisFrozen => each(&mut world.redis, |redis| redis.freeze()),
            Self::PostgresKilled => each(&mut world.cluster, |cluster| cluster.kill9()),
            Self::PostgresFrozen => each(&mut world.cluster, |cluster| cluster.freeze()),
            Self::PostgresReadOnly => each(&mut world.cluster, |cluster| cluster.read_only(true)),
            Self::Link(fault) => each(&mut world.proxy, |proxy| proxy.set(*fault)),
            Self::Model(endpoint, behaviour) => {
                each(&mut world.model, |model| model.set(*endpoint, behaviour.clone()));
            }
            Self::Actor(actor, strike) => {
                let path = format!("/failpoints/{actor}::life");
                world.target.admin(Method::PUT, &path, strike).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn end(&self, world: &mut World) -> Result<()> {
        match self {
            Self::Redis => each(&mut world.redis, Redis::restart),
            Self::RedisFrozen => each(&mut world.redis, |redis| redis.thaw()),
            Self::PostgresKilled => each(&mut world.cluster, |cluster| Cluster::restart(cluster)),
            Self::PostgresFrozen => each(&mut world.cluster, |cluster| cluster.thaw()),
            Self::PostgresReadOnly => each(&mut world.cluster, |cluster| cluster.read_only(false)),
            Self::Link(_) => each(&mut world.proxy, |proxy| proxy.heal()),
            Self::Model(..) => each(&mut world.model, |model| model.heal()),
            Self::Actor(actor, _) => {
                // One that never struck must not strike later.
                let path = format!("/failpoints/{actor}::life");
                world.target.admin(Method::PUT, &path, "off").await?;
            }
        }
        Ok(())
    }
}

/// Playing a dependency blocks: starting one again waits until it listens.
fn each<T>(part: &mut Option<T>, act: impl FnOnce(&mut T)) {
    if let Some(part) = part {
        block_in_place(|| act(part));
    }
}

pub(super) async fn has_failpoints(world: &World) -> bool {
    world.target.admin(Method::GET, "/failpoints", "").await.is_ok_and(|answer| answer.status == 200)
}

impl fmt::Display for Mischief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(actor, strike) => write!(f, "{actor}: {strike}"),
            Self::Model(endpoint, behaviour) => write!(f, "{endpoint:?}: {behaviour:?}"),
            Self::Link(fault) => write!(f, "PostgreSQL's link: {fault:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}
