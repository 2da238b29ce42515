//! Probes. Liveness never looks at dependencies; readiness says whether this replica can answer.

use super::{State, resource};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, http::StatusCode};
use mcp_rag_actors::resilience::{BreakerState, Deadline};
use mcp_rag_actors::supervise::ActorState;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

const PROBE: Duration = Duration::from_secs(1);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/health/live").route(web::get().to(live)))
        .service(resource("/health/ready").route(web::get().to(ready)))
        .service(resource("/health/startup").route(web::get().to(startup)))
        .service(resource("/health").route(web::get().to(overall)));
}

/// How this replica is.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`; `degraded`: it can answer; `unavailable`: send requests elsewhere.
    status: &'static str,
    checks: BTreeMap<String, HealthCheck>,
}

/// One thing that this replica depends on.
#[derive(Serialize, ToSchema)]
struct HealthCheck {
    /// `ok`, `degraded` or `unavailable`.
    status: &'static str,
    detail: Option<&'static str>,
}

/// Whether the process serves requests at all: that this runs is the proof.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, body = Health, description = "always")))]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", checks: BTreeMap::new() })
}

/// Whether everything has started.
///
/// The listeners open only then, so that readiness answers this too.
#[utoipa::path(get, path = "/health/startup", tag = "health",
    responses((status = 200, body = Health, description = "`ok`, or `degraded`: it can answer"),
        (status = 503, body = Health, description = "`unavailable`: send requests elsewhere")))]
pub(super) async fn startup(state: Data<State>) -> HttpResponse {
    ready(state).await
}

/// The same as readiness, for people.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health, description = "`ok`, or `degraded`: it can answer"),
        (status = 503, body = Health, description = "`unavailable`: send requests elsewhere")))]
pub(super) async fn overall(state: Data<State>) -> HttpResponse {
    ready(state).await
}

/// Whether this replica can answer.
///
/// A degraded one can; each check is named with its state.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, body = Health, description = "`ok`, or `degraded`: it can answer"),
        (status = 503, body = Health, description = "`unavailable`: send requests elsewhere")))]
pub(super) async fn ready(state: Data<State>) -> HttpResponse {
    let mut checks = BTreeMap::new();
    let mut check = |name: &str, status: &'static str, detail: Option<&'static str>| {
        checks.insert(name.to_owned(), HealthCheck { status, detail });
    };
    let database = state.rag.store.probe(Deadline::within(PROBE)).await;
    // An outage that every replica suffers alike: what is cached is still worth asking for.
    let copies = state.rag.index.holds_any();
    let remembers = state.rag.catalog.remembers() && (copies || state.rag.cache.status().entries > 0);
    let writes = database.is_ok() && accepts_writes(&state).await;
    match &database {
        Ok(()) if writes => check("database", "ok", None),
        Ok(()) => check("database", "degraded", Some("reads only: writes are refused")),
        Err(_) if remembers && copies => {
            check(
                "database",
                "degraded",
                Some("away; searches of what is kept in memory, and cached results"),
            );
        }
        Err(_) if remembers => check("database", "degraded", Some("away; cached results only")),
        Err(_) => check("database", "unavailable", Some("no statement could be run")),
    }
    let running = state.rag.embedder.actor().state == ActorState::Running;
    let embedder = running && !state.rag.embedder.circuit().is_open();
    match (running, embedder) {
        (_, true) => check("embedder", "ok", None),
        (false, _) => check("embedder", "degraded", Some("restarting; searches use the lexical leg")),
        (true, false) => check("embedder", "degraded", Some("away; searches use the lexical leg")),
    }
    let mut models = true;
    if let Some(second) = &state.rag.models.second {
        let up = second.actor().state == ActorState::Running && !second.circuit().is_open();
        models &= up;
        let away = Some("away; searches of its spaces use the lexical leg, and they fall behind");
        check("embedder_next", if up { "ok" } else { "degraded" }, away.filter(|_| !up));
    }
    if state.rag.catalog.is_unserved() {
        models = false;
        let detail = "an active space is of a model that is not configured; searches use the lexical leg";
        check("embedding_space", "degraded", Some(detail));
    }
    for (circuit, fallback) in [
        (state.rag.reranker.circuit(), "away; results keep the fused order"),
        (state.rag.generator.circuit(), "away; answers are extractive"),
    ] {
        match circuit {
            Some(circuit) if circuit.is_open() => {
                models = false;
                check(circuit.name(), "degraded", Some(fallback));
            }
            Some(circuit) => check(circuit.name(), "ok", None),
            None => {}
        }
    }
    let redis = state.rag.cache.shared_is_up().await;
    match redis {
        Some(true) => check("redis", "ok", None),
        Some(false) => check("redis", "degraded", Some("no answer; caching in this process only")),
        None => {}
    }
    let draining = state.drain.is_leaving();
    if draining {
        check("server", "unavailable", Some("draining"));
    }
    let unavailable = draining || (database.is_err() && !remembers);
    let all_well = writes && embedder && models && redis != Some(false);
    let (status, text) = match (unavailable, all_well) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (false, false) => (StatusCode::OK, "degraded"),
        (false, true) => (StatusCode::OK, "ok"),
    };
    let mut response = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header(("retry-after", "1"));
    }
    response.json(Health { status: text, checks })
}

/// Of a database that answers: whether the writer is there and takes writes.
async fn accepts_writes(state: &State) -> bool {
    let pools = state.rag.store.pool_status(Deadline::within(PROBE)).await;
    pools.is_ok_and(|pools| pools.writer.state == BreakerState::Closed && !pools.writer.read_only)
}
