use super::{ApiError, Principal, State, resource};
use crate::error::Error;
use crate::telemetry::{OPENMETRICS, Point, openmetrics, wants_openmetrics};
use actix_web::http::header;
use actix_web::web::{self, Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use mcp_rag_actors::resilience::Deadline;
use mcp_rag_actors::store::PoolStatus;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};

/// A scrape does not wait for a store that is wedged: its own gauges tell that.
const POOLS_WITHIN: Duration = Duration::from_millis(200);

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/system").route(web::get().to(system)))
        .service(resource("/system/metrics").route(web::get().to(history)));
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// The `at` of a point: only those after it.
    #[param(format = DateTime)]
    after: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HistoryView {
    /// Oldest first; at most half an hour, in intervals of about five seconds.
    points: Vec<Point>,
}

/// The supervision tree in start order, pools, cache, settings and build.
#[utoipa::path(get, path = "/v1/system", tag = "system",
    responses((status = 200, body = Object, description = "`{actors, breakers, pools, cache, index, admission, flags, config, build}`")))]
pub(super) async fn system(state: Data<State>, principal: Principal) -> Result<HttpResponse, ApiError> {
    let deadline = Deadline::within(Duration::from_secs(1));
    let pools = state.rag.store.pool_status(deadline).await.ok();
    Ok(HttpResponse::Ok().json(json!({
        "actors": state.tree.status(),
        "breakers": state.rag.breakers(),
        "pools": pools,
        "cache": state.rag.cache.status(),
        "index": state.rag.index.status(principal.tenant),
        "admission": state.admission.status(),
        "flags": state.rag.flags.status(&state.rag.settings().flags),
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

/// What this server has answered in the last half hour: rates, latencies, degraded responses.
///
/// Of this process alone, and since its start. All of it and more, for programs, is on the admin port's `/metrics`.
#[utoipa::path(get, path = "/v1/system/metrics", tag = "system", params(HistoryQuery),
    responses((status = 200, body = HistoryView)))]
pub(super) async fn history(
    state: Data<State>,
    _: Principal,
    query: Query<HistoryQuery>,
) -> Result<HttpResponse, ApiError> {
    let parse = |text: &String| {
        let invalid = || Error::invalid("after", "`after` is a time in RFC 3339, such as a point's `at`");
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())
    };
    let after = query.after.as_ref().map(parse).transpose()?;
    Ok(HttpResponse::Ok().json(HistoryView { points: state.history.points(after) }))
}

/// Prometheus text, or OpenMetrics with exemplars; gauges of what is in this process are read when asked for.
pub(super) async fn metrics(state: Data<State>, request: HttpRequest) -> HttpResponse {
    for actor in state.tree.status() {
        let gauge = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        metrics::gauge!("mcp_rag_actor_mailbox", "actor" => actor.name).set(gauge(actor.mailbox));
        metrics::gauge!("mcp_rag_actor_in_flight", "actor" => actor.name).set(gauge(actor.in_flight));
        metrics::gauge!("mcp_rag_actor_abandoned_threads", "actor" => actor.name).set(gauge(actor.abandoned));
        let up = actor.state == mcp_rag_actors::supervise::ActorState::Running;
        metrics::gauge!("mcp_rag_actor_up", "actor" => actor.name).set(f64::from(u8::from(up)));
    }
    state.admission.measure();
    state.rag.quotas.measure();
    let pools = state.rag.store.pool_status(Deadline::within(POOLS_WITHIN)).await.ok();
    for (server, pool) in pools.iter().flat_map(PoolStatus::named) {
        let gauge = |name: &'static str, value: usize| {
            metrics::gauge!(name, "server" => server)
                .set(f64::from(u32::try_from(value).unwrap_or(u32::MAX)));
        };
        gauge("mcp_rag_database_pool_size", pool.max_size);
        gauge("mcp_rag_database_pool_in_use", pool.size.saturating_sub(pool.available));
        gauge("mcp_rag_database_pool_waiting", pool.waiting);
    }
    metrics_process::Collector::default().collect();
    let text = state.metrics.render();
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accept.is_some_and(wants_openmetrics) {
        return HttpResponse::Ok().content_type(OPENMETRICS).body(openmetrics(&text, &state.exemplars));
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
