//! Arming faults in a running server, on the admin port. Compiled in only with the feature
//! `failpoints`, which no release has.

use super::State;
use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use mcp_rag_actors::supervise::failpoint::{self, Plan};
use serde_json::json;

/// Points an actor can have; background work passes the last one.
const POINTS: [&str; 5] = ["job", "life", "work", "look", "build"];

pub(super) fn routes(config: &mut ServiceConfig) {
    config.route("/failpoints", web::get().to(list)).route("/failpoints/{name}", web::put().to(arm));
}

async fn list() -> HttpResponse {
    HttpResponse::Ok().json(json!({"failpoints": failpoint::status()}))
}

async fn arm(state: Data<State>, name: Path<String>, plan: String) -> HttpResponse {
    let refuse = |why: String| HttpResponse::BadRequest().json(json!({"error": {"message": why}}));
    let known = name.split_once("::").is_some_and(|(actor, point)| {
        POINTS.contains(&point)
            && (actor == "root" || state.tree.status().iter().any(|known| known.name == actor))
    });
    if !known {
        return refuse("a point is named <actor>::job, <actor>::life, jobs::work, index::look, index::build or root::life".to_owned());
    }
    match Plan::parse(&plan) {
        Ok(plan) => {
            failpoint::arm(&name, plan);
            tracing::warn!(point = %name, ?plan, "failpoint armed");
            list().await
        }
        Err(why) => refuse(why),
    }
}
