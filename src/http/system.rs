use super::{ApiError, Principal, State, resource};
use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};
use mcp_rag_actors::resilience::Deadline;
use serde_json::json;
use std::time::Duration;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/system").route(web::get().to(system)));
}

/// The supervision tree in start order, pools, cache, settings and build.
#[utoipa::path(get, path = "/v1/system", tag = "system",
    responses((status = 200, body = Object, description = "`{actors, breakers, pools, cache, admission, config, build}`")))]
pub(super) async fn system(state: Data<State>, _: Principal) -> Result<HttpResponse, ApiError> {
    let deadline = Deadline::within(Duration::from_secs(1));
    let pools = state.rag.store.pool_status(deadline).await.ok();
    Ok(HttpResponse::Ok().json(json!({
        "actors": state.tree.status(),
        "breakers": state.rag.breakers(),
        "pools": pools,
        "cache": state.rag.cache.status(),
        "admission": state.admission.status(),
        "config": state.rag.running.status(),
        "build": {
            "version": env!("CARGO_PKG_VERSION"),
            "generator": state.rag.generator.model().unwrap_or_else(|| "extractive".to_owned()),
            "embedder": {
                "model": state.rag.embedder.model(),
                "dimensions": state.rag.embedder.dimensions(),
            },
            "embedder_next": state.rag.models.next.as_ref().map(|next| json!({
                "model": next.model, "dimensions": next.dimensions, "storage": next.storage,
            })),
        },
    })))
}

/// Prometheus text; actors' gauges are read when asked for.
pub(super) async fn metrics(state: Data<State>) -> HttpResponse {
    for actor in state.tree.status() {
        let gauge = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        metrics::gauge!("mcp_rag_actor_mailbox", "actor" => actor.name).set(gauge(actor.mailbox));
        metrics::gauge!("mcp_rag_actor_in_flight", "actor" => actor.name).set(gauge(actor.in_flight));
        metrics::gauge!("mcp_rag_actor_abandoned_threads", "actor" => actor.name).set(gauge(actor.abandoned));
        let up = actor.state == mcp_rag_actors::supervise::ActorState::Running;
        metrics::gauge!("mcp_rag_actor_up", "actor" => actor.name).set(f64::from(u8::from(up)));
    }
    state.admission.measure();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.render())
}
