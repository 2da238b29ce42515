//! The REST surface: handlers parse, call a pipeline and return. One file per resource.

mod access;
pub(crate) mod admission;
pub(crate) mod answers;
mod audit;
mod audited;
mod auth;
pub(crate) mod body;
mod collections;
mod console;
pub(crate) mod cors;
pub(crate) mod documents;
mod drain;
mod envelope;
pub(crate) mod error;
mod explain;
mod export;
#[cfg(feature = "failpoints")]
mod failpoints;
mod health;
mod idempotency;
mod jobs;
mod keys;
mod openapi;
pub(crate) mod page;
pub(crate) mod quotas;
mod reference;
pub(crate) mod search;
pub(crate) mod shapes;
mod spaces;
pub(crate) mod sse;
mod system;
mod upload;
mod uploads;

pub use crate::identity::DEFAULT_TENANT;
pub use admission::Admission;
pub(crate) use audit::EntryView;
pub use auth::Principal;
pub use drain::Drain;
pub use error::ApiError;
pub use openapi::document as openapi_document;
pub use uploads::Uploads;

use crate::config::Settings;
use crate::identity::Gate;
use crate::mcp;
use crate::rag::Rag;
use crate::telemetry::{Exemplars, History};
use actix_web::web::{self, Data, ServiceConfig};
use mcp_rag_actors::supervise::Tree;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;

/// What handlers share.
pub struct State {
    pub rag: Arc<Rag>,
    pub gate: Arc<Gate>,
    pub tree: Arc<Tree>,
    pub drain: Drain,
    pub admission: Admission,
    pub uploads: Uploads,
    pub metrics: PrometheusHandle,
    pub history: Arc<History>,
    pub exemplars: Arc<Exemplars>,
}

/// The public listener.
pub fn public(state: &Data<State>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = state.clone();
    move |config| {
        let settings = state.rag.settings();
        let api = web::scope("/v1")
            // The last one is asked first: who may not enter takes nobody's place.
            .wrap(actix_web::middleware::from_fn(idempotency::idempotent))
            .wrap(actix_web::middleware::from_fn(admission::admit))
            .wrap(actix_web::middleware::from_fn(quotas::count))
            .wrap(actix_web::middleware::from_fn(auth::authenticate))
            // A preflight brings no credential.
            .wrap(cors::cors(&settings.server.cors.allowed_origins))
            // Patterns are tried one after another: what is asked most comes first.
            .configure(search::routes)
            .configure(answers::routes)
            .configure(collections::routes)
            .configure(documents::routes)
            .configure(export::routes)
            .configure(jobs::routes)
            .configure(keys::routes)
            .configure(audit::routes)
            .configure(explain::routes)
            .configure(spaces::routes)
            .configure(system::routes)
            .configure(crate::openai::routes)
            .default_service(web::route().to(error::no_such_route));
        let handler = mcp::Handler::new(Arc::clone(&state.rag));
        let mount = mcp::Mount::new(handler, &settings.mcp, settings.auth.is_on(), state.drain.clone());
        let protocol = web::resource("/mcp")
            .app_data(Data::new(mount))
            .wrap(actix_web::middleware::from_fn(auth::authenticate))
            .wrap(actix_web::middleware::from_fn(mcp::oauth::challenge))
            .wrap(cors::cors(&settings.mcp.allowed_origins))
            .route(web::route().to(mcp::serve::<mcp::Handler>));
        if settings.server.console {
            config.configure(console::routes);
        }
        config
            .app_data(state)
            .configure(health::routes)
            .configure(openapi::routes)
            .configure(mcp::oauth::routes)
            .service(protocol)
            .service(api)
            .default_service(web::route().to(error::no_such_route));
    }
}

/// Searches alone, without the guard in front of them: what a benchmark compares with.
pub(crate) fn unguarded(state: &Data<State>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = state.clone();
    move |config| {
        let api = web::scope("/v1")
            .wrap(actix_web::middleware::from_fn(auth::authenticate))
            .configure(search::routes);
        config.app_data(state).service(api);
    }
}

/// The admin listener: probes and metrics, never exposed to the outside.
pub fn admin(state: &Data<State>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = state.clone();
    move |config| {
        #[cfg(feature = "failpoints")]
        config.configure(failpoints::routes);
        config
            .app_data(state)
            .configure(health::routes)
            .route("/metrics", web::get().to(system::metrics))
            .default_service(web::route().to(error::no_such_route));
    }
}

pub use envelope::envelope;

/// A resource that answers other methods in the documented format.
pub(crate) fn resource(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::route().to(error::wrong_method))
}

/// Bodies no handler reads whole are bounded here.
pub fn payload_limits(settings: &Settings) -> web::PayloadConfig {
    web::PayloadConfig::new(settings.server.max_body_bytes)
}
