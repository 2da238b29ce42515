//! Each fault's own doing: break, hold, heal, and wait for the recovery.

mod actors;
mod host;
mod models;
mod overload;
mod postgres;
mod redis;

use super::row::Fault;
use super::scene::Scene;
use anyhow::Result;

pub(super) async fn suffer(fault: &Fault, scene: &mut Scene<'_>) -> Result<()> {
    match fault {
        Fault::Actor(name, how) => actors::break_actor(scene, name, *how).await,
        Fault::RedisKilled => redis::killed(scene).await,
        Fault::RedisFrozen => redis::frozen(scene).await,
        Fault::Model(endpoint, behaviour) => models::misbehave(scene, *endpoint, behaviour).await,
        Fault::ManagedKilled => postgres::managed_killed(scene).await,
        Fault::ManagedFrozen => postgres::managed_frozen(scene).await,
        Fault::PostgresKilled => postgres::killed(scene).await,
        Fault::PostgresFrozen => postgres::frozen(scene).await,
        Fault::PostgresFull => postgres::out_of_connections(scene).await,
        Fault::PostgresReadOnly => postgres::read_only(scene).await,
        Fault::PostgresFailover => postgres::failed_over(scene).await,
        Fault::PostgresSlow => postgres::through_proxy(scene, postgres::SLOW).await,
        Fault::PostgresCut => postgres::through_proxy(scene, crate::proxy::Fault::Cut).await,
        Fault::PostgresHalfOpen => postgres::through_proxy(scene, crate::proxy::Fault::HalfOpen).await,
        Fault::DiskFull => host::disk_full(scene).await,
        Fault::ClockJump => host::clock_jump(scene).await,
        Fault::ManyClients => overload::many_clients(scene).await,
        Fault::SlowLoris => overload::slow_loris(scene).await,
        Fault::Overload => overload::ten_times(scene).await,
    }
}
