//! Every row, those of equal needs beside each other.

use super::row::{Fault, How, Row};
use crate::model::{Behaviour, Endpoint};
use crate::world::{Database, Models, Needs};

const ACTORS: [&str; 7] = ["cache", "embedder", "reranker", "generator", "jobs", "store", "postgres"];

/// The whole table.
#[must_use]
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |needs: &Needs, faults: &[Fault]| {
        rows.extend(faults.iter().map(|fault| Row { fault: fault.clone(), needs: needs.clone() }));
    };
    let plain = Needs { redis: true, ..Needs::default() };
    add(&plain, &[Fault::RedisKilled, Fault::RedisFrozen, Fault::ManagedKilled, Fault::ManagedFrozen]);
    add(&plain, &[Fault::SlowLoris, Fault::Overload]);
    let narrow = Needs { sets: vec![("server.max_in_flight", "50".to_owned())], ..plain.clone() };
    add(&narrow, &[Fault::ManyClients]);
    let models = Models { chat: true, embedder: true, reranker: true };
    let models = Needs { models, ..Needs::default() };
    for endpoint in [Endpoint::Embeddings, Endpoint::Chat, Endpoint::Rerank] {
        let bad = [
            Behaviour::Status(429),
            Behaviour::Status(500),
            Behaviour::Garbage,
            Behaviour::Half,
            Behaviour::Silent,
        ];
        add(&models, &bad.map(|behaviour| Fault::Model(endpoint, behaviour)));
    }
    // Far more restarts than any real day has: the ceiling and the growing pauses are other promises,
    // tested elsewhere.
    let tireless = vec![
        ("supervision.intensity", "100000".to_owned()),
        ("supervision.backoff_ms", "5".to_owned()),
        ("supervision.backoff_max_ms", "50".to_owned()),
    ];
    let actors = Needs { redis: true, models: models.models, sets: tireless.clone(), ..Needs::default() };
    let local = Needs { redis: true, sets: tireless, ..Needs::default() };
    for name in ACTORS {
        let needs = if name == "reranker" { &actors } else { &local };
        add(needs, &[How::Panic, How::Stop, How::Wedge, How::Kill].map(|how| Fault::Actor(name, how)));
    }
    let external = Needs { database: Database::External, redis: true, ..Needs::default() };
    add(
        &external,
        &[
            Fault::PostgresKilled,
            Fault::PostgresFrozen,
            Fault::PostgresCut,
            Fault::PostgresHalfOpen,
            Fault::PostgresFull,
            Fault::PostgresReadOnly,
            Fault::PostgresSlow,
        ],
    );
    add(&Needs { database: Database::Pair, ..Needs::default() }, &[Fault::PostgresFailover]);
    add(&Needs { database: Database::SmallDisk, ..Needs::default() }, &[Fault::DiskFull]);
    add(&Needs { clock: true, redis: true, ..Needs::default() }, &[Fault::ClockJump]);
    rows
}
