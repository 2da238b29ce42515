//! A row as data.

use crate::model::{Behaviour, Endpoint};
use crate::world::Needs;
use std::fmt;

/// How an actor is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Panic,
    Stop,
    Wedge,
    Kill,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Actor(&'static str, How),
    RedisKilled,
    RedisFrozen,
    Model(Endpoint, Behaviour),
    ManagedKilled,
    ManagedFrozen,
    PostgresKilled,
    PostgresFrozen,
    PostgresFull,
    PostgresReadOnly,
    PostgresFailover,
    PostgresSlow,
    PostgresCut,
    PostgresHalfOpen,
    DiskFull,
    ClockJump,
    ManyClients,
    SlowLoris,
    Overload,
}

/// One fault in the world it needs.
#[derive(Debug, Clone)]
pub struct Row {
    pub fault: Fault,
    pub needs: Needs,
}

impl Fault {
    /// A single dependency other than PostgreSQL is down: almost everything must still be answered,
    /// about as fast as before.
    #[must_use]
    pub fn costs_nothing(&self) -> bool {
        match self {
            Self::RedisKilled | Self::RedisFrozen | Self::Model(..) => true,
            Self::Actor(..)
            | Self::ManagedKilled
            | Self::ManagedFrozen
            | Self::PostgresKilled
            | Self::PostgresFrozen
            | Self::PostgresFull
            | Self::PostgresReadOnly
            | Self::PostgresFailover
            | Self::PostgresSlow
            | Self::PostgresCut
            | Self::PostgresHalfOpen
            | Self::DiskFull
            | Self::ClockJump
            | Self::ManyClients
            | Self::SlowLoris
            | Self::Overload => false,
        }
    }

    /// A world that lost its primary is not used again.
    #[must_use]
    pub fn ends_world(&self) -> bool {
        *self == Self::PostgresFailover
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Actor(name, how) => {
                return match how {
                    How::Panic => write!(f, "actor {name} panicked"),
                    How::Stop => write!(f, "actor {name} stopped"),
                    How::Wedge => write!(f, "actor {name} wedged"),
                    How::Kill => write!(f, "actor {name}: arbiter killed"),
                };
            }
            Self::Model(endpoint, behaviour) => {
                let model = match endpoint {
                    Endpoint::Chat => "LLM",
                    Endpoint::Embeddings => "embedder",
                    Endpoint::Rerank => "reranker",
                };
                return match behaviour {
                    Behaviour::Healthy => write!(f, "{model} well"),
                    Behaviour::Status(status) => write!(f, "{model} returns {status}"),
                    Behaviour::Garbage => write!(f, "{model} returns garbage"),
                    Behaviour::Half => write!(f, "{model} returns half a reply"),
                    Behaviour::Silent => write!(f, "{model} returns nothing"),
                    Behaviour::Slow(by) => write!(f, "{model} slower by {by:?}"),
                };
            }
            Self::RedisKilled => "Redis killed and restarted",
            Self::RedisFrozen => "Redis frozen (SIGSTOP)",
            Self::ManagedKilled => "managed PostgreSQL killed",
            Self::ManagedFrozen => "managed PostgreSQL frozen (SIGSTOP)",
            Self::PostgresKilled => "PostgreSQL killed and restarted",
            Self::PostgresFrozen => "PostgreSQL frozen (SIGSTOP)",
            Self::PostgresFull => "PostgreSQL out of connections",
            Self::PostgresReadOnly => "PostgreSQL read-only",
            Self::PostgresFailover => "PostgreSQL failed over to a promoted standby",
            Self::PostgresSlow => "PostgreSQL with 5 s of latency",
            Self::PostgresCut => "PostgreSQL unreachable (connections refused)",
            Self::PostgresHalfOpen => "PostgreSQL half-open (a black hole)",
            Self::DiskFull => "disk full under the managed PostgreSQL",
            Self::ClockJump => "clock jumps by an hour, forth and back",
            Self::ManyClients => "2,000 concurrent clients, 50 allowed",
            Self::SlowLoris => "slow-loris, 200 connections",
            Self::Overload => "10× overload",
        };
        f.write_str(text)
    }
}
